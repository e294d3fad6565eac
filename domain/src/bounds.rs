//! What entities keep that has a bound, for metrics: how full the fullest of them are.

/// Something that an entity keeps a bounded number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Claims of a stock cell, live and waiting.
    StockClaims,
    /// The most bytes that those claims take in a snapshot.
    StockClaimBytes,
    /// Claims of a stock cell that wait for units.
    StockBackorders,
    /// Movements that a stock cell remembers; the oldest is forgotten for a new one.
    StockMovements,
    /// Receipts that are announced to a stock cell; the most overdue one is forgotten for a new one.
    StockInbound,
    /// Promotions that have units set aside in a stock cell.
    StockSetAsides,
    /// Claims of a counter.
    CounterClaims,
    /// The most bytes that those claims take in a snapshot.
    CounterClaimBytes,
    /// Customers that a counter tells apart.
    CounterCustomers,
    /// Movements and releases that a reservation remembers; the oldest is forgotten for a new one.
    ReservationMovements,
    /// How often nodes were chosen again for a reservation.
    ReservationTries,
}

impl Bound {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::StockClaims,
        Self::StockClaimBytes,
        Self::StockBackorders,
        Self::StockMovements,
        Self::StockInbound,
        Self::StockSetAsides,
        Self::CounterClaims,
        Self::CounterClaimBytes,
        Self::CounterCustomers,
        Self::ReservationMovements,
        Self::ReservationTries,
    ];

    /// Its place in [`Bound::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StockClaims => "stock_claims",
            Self::StockClaimBytes => "stock_claim_bytes",
            Self::StockBackorders => "stock_backorders",
            Self::StockMovements => "stock_movements",
            Self::StockInbound => "stock_inbound",
            Self::StockSetAsides => "stock_set_asides",
            Self::CounterClaims => "counter_claims",
            Self::CounterClaimBytes => "counter_claim_bytes",
            Self::CounterCustomers => "counter_customers",
            Self::ReservationMovements => "reservation_movements",
            Self::ReservationTries => "reservation_tries",
        }
    }

    /// What it counts, in words.
    pub const fn help(self) -> &'static str {
        match self {
            Self::StockClaims => "Claims of one stock cell, live and waiting",
            Self::StockClaimBytes => "Bytes of the claims of one stock cell in a snapshot, at most",
            Self::StockBackorders => "Claims that wait for units in one stock cell",
            Self::StockMovements => "Movements that one stock cell remembers",
            Self::StockInbound => "Receipts that are announced to one stock cell",
            Self::StockSetAsides => "Promotions with units set aside in one stock cell",
            Self::CounterClaims => "Claims of one counter of a promotion or coupon",
            Self::CounterClaimBytes => "Bytes of the claims of one counter in a snapshot, at most",
            Self::CounterCustomers => "Customers that one counter tells apart",
            Self::ReservationMovements => "Movements and releases that one reservation remembers",
            Self::ReservationTries => "How often nodes were chosen again for one reservation",
        }
    }
}

/// Who is told how full an entity is: what, how many there are, how many there may be.
pub type Note<'a> = dyn FnMut(Bound, usize, usize) + 'a;

#[cfg(test)]
mod tests {
    use super::Bound;

    #[test]
    fn each_has_its_place_and_a_name_of_its_own() {
        for (place, bound) in Bound::ALL.into_iter().enumerate() {
            assert_eq!(bound.index(), place);
            assert_eq!(Bound::ALL.iter().filter(|other| other.as_str() == bound.as_str()).count(), 1);
            assert!(!bound.help().is_empty());
        }
    }
}
