//! Open effects that a reservation must answer, as letters. Made from frozen data alone, so that every send of an effect says
//! the same.

use bytes::Bytes;

use super::content::Content;
use super::effect::{Effect, Kind, Units, UnitsAt};
use super::state::State;
use super::supply::Supply;
use crate::decider::Letter;
use crate::ids::{EntityId, Key, Token};
use crate::messages::outbound::commands::SkuQuantity;
use crate::messages::outbound::letters::{
    AllocationSeen, Attach, Commit, Consume, CounterUse, Hold, HoldLine, Release, UnitsAt as WireUnits,
    to_bytes,
};

/// Why everything goes back.
const ORDER_ENDED: &str = "order_ended";
/// Why units go back.
const NOT_NEEDED: &str = "not_needed";

/// The letter of an open effect.
pub(super) fn letter(entity: &EntityId, state: &State, effect_id: &str) -> Option<Letter> {
    let effect = state.effect(effect_id)?;
    let id = state.reservation_of(&effect.kind)?;
    let body = body(state, effect, id)?;
    Some(Letter { to: recipient(entity, id), name: effect.kind.command(), body })
}

/// The answer to what became of units that had waited, as the reservation told it.
pub(super) fn allocation_seen(entity: &EntityId, reservation: &Key, allocation_id: &str) -> Letter {
    let seen = AllocationSeen { reservation_id: reservation.as_str(), allocation_id };
    Letter { to: recipient(entity, reservation), name: "allocation_seen", body: to_bytes(&seen) }
}

fn recipient(entity: &EntityId, reservation: &Key) -> EntityId {
    let kind = Token::new("reservation").expect("a lower-case word");
    EntityId { tenant: entity.tenant.clone(), kind, key: reservation.clone() }
}

fn body(state: &State, effect: &Effect, reservation: &Key) -> Option<Bytes> {
    let content = state.content();
    let supply = content.supply.as_deref()?;
    let (order_id, reservation_id) = (content.order_id.as_str(), reservation.as_str());
    Some(match &effect.kind {
        Kind::HoldStock(asked) => to_bytes(&Hold {
            reservation_id,
            order_id,
            lines: held(content, supply, &asked.lines),
            counters: if asked.counters { counters(content, supply) } else { Vec::new() },
            hard: asked.hard,
            channel: &content.channel,
            region: supply.region.as_deref(),
            pickup_node: supply.pickup_node.as_deref(),
            split_limit: supply.split_limit,
            backorder: supply.backorder,
        }),
        Kind::AttachReservation { lines } => {
            to_bytes(&Attach { reservation_id, order_id, lines: with_sku(content, lines) })
        }
        Kind::CommitReservation { .. } => to_bytes(&Commit { reservation_id, order_id }),
        // What holds uses alone has no part in what left: they are used for good with it.
        Kind::ConsumeStock { reservation, .. } if !state.is_of_goods(*reservation) => {
            to_bytes(&Consume { reservation_id, order_id, movement_id: &effect.id, lines: Vec::new() })
        }
        Kind::ConsumeStock { departure, .. } => {
            let departure = &state.departures[usize::from(*departure)].departure;
            let units = departure.units.iter().map(|left| {
                let line = &content.lines[usize::from(left.line)];
                WireUnits {
                    line: line.line,
                    node: Some(&departure.node),
                    quantity: left.released + left.pending,
                    sku: Some(&line.sku),
                }
            });
            to_bytes(&Consume { reservation_id, order_id, movement_id: &effect.id, lines: units.collect() })
        }
        Kind::ReleaseStock { all, last, lines, .. } => to_bytes(&Release {
            reservation_id,
            order_id,
            release_id: &effect.id,
            all: *all,
            lines: if *all { Vec::new() } else { at_nodes(content, lines) },
            reason: if *all || *last { ORDER_ENDED } else { NOT_NEEDED },
        }),
        _ => return None,
    })
}

fn held<'a>(content: &'a Content, supply: &'a Supply, lines: &[Units]) -> Vec<HoldLine<'a>> {
    let rows = lines.iter().map(|units| {
        let line = &content.lines[usize::from(units.line)];
        let promotion = supply.promotion_of(units.line);
        HoldLine { line: line.line, sku: &line.sku, quantity: units.quantity, promotion }
    });
    rows.collect()
}

fn with_sku<'a>(content: &'a Content, lines: &[Units]) -> Vec<SkuQuantity<'a>> {
    let rows = lines.iter().map(|units| {
        let line = &content.lines[usize::from(units.line)];
        SkuQuantity { line: line.line, sku: &line.sku, quantity: units.quantity }
    });
    rows.collect()
}

fn at_nodes<'a>(content: &Content, lines: &'a [UnitsAt]) -> Vec<WireUnits<'a>> {
    let rows = lines.iter().map(|units| WireUnits {
        line: content.lines[usize::from(units.line)].line,
        node: units.node.as_deref(),
        quantity: units.quantity,
        sku: None,
    });
    rows.collect()
}

fn counters<'a>(content: &'a Content, supply: &'a Supply) -> Vec<CounterUse<'a>> {
    let uses = supply.counters.iter().map(|used| CounterUse {
        counter: used.counter.as_str(),
        id: &used.id,
        uses: used.uses,
        amount_minor: used.amount_minor,
        customer_id: content.customer_id.as_deref(),
    });
    uses.collect()
}

impl State {
    /// Does the reservation with this index hold goods?
    pub(super) fn is_of_goods(&self, reservation: u16) -> bool {
        let known = self.stock.as_ref().and_then(|stock| stock.reservations.get(usize::from(reservation)));
        known.is_some_and(|known| known.goods)
    }

    /// The id of the reservation that a letter is for; none = it is no letter.
    pub(super) fn reservation_of<'a>(&'a self, kind: &'a Kind) -> Option<&'a Key> {
        let of = |index: u16| {
            let known = self.stock.as_ref()?.reservations.get(usize::from(index))?;
            Some(&known.id)
        };
        match kind {
            Kind::HoldStock(asked) => Some(&asked.reservation_id),
            Kind::AttachReservation { .. } => self.content().supply.as_ref()?.reservation_id.as_ref(),
            Kind::CommitReservation { reservation }
            | Kind::ConsumeStock { reservation, .. }
            | Kind::ReleaseStock { reservation, .. } => of(*reservation),
            _ => None,
        }
    }
}
