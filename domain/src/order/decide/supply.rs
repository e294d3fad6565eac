//! What an order asks of its reservations: to hold before the commit, to sell with it, to consume what leaves, and to take back
//! whatever is not needed.

use super::advance::{allocate, units};
use super::cancel::out_of_stock;
use super::deciding::Deciding;
use super::demand;
use crate::ids::Key;
use crate::messages::inbound::FulfillmentPolicy;
use crate::order::effect::{HoldAsked, Kind, Units, UnitsAt};
use crate::order::event::Event;
use crate::order::state::State;
use crate::order::stock::{Reservation, Stage};

/// Before the commit: asks for what must be held first. True once it is held, or if nothing must be.
pub(super) fn reserve(order: &mut Deciding<'_>) -> bool {
    let Some(supply) = order.state.content().supply.clone() else { return true };
    let holds_goods =
        matches!(supply.policy, FulfillmentPolicy::HoldAtSubmit | FulfillmentPolicy::UseReservation);
    // One reservation holds both where the order makes it itself.
    let with_goods = supply.policy == FulfillmentPolicy::HoldAtSubmit;
    let counts_apart = !supply.counters.is_empty() && !with_goods;
    if holds_goods && goods(&order.state).is_none() {
        if with_goods {
            hold(order, false, with_goods && !supply.counters.is_empty());
        } else {
            let lines = wanted(&order.state);
            order.intend(Kind::AttachReservation { lines });
        }
    }
    if counts_apart && order.state.stock.as_ref().is_none_or(|stock| stock.counters().is_none()) {
        let asked = own_id(&order.state).map(counters_alone);
        if let Some(asked) = asked {
            order.intend(Kind::HoldStock(Box::new(asked)));
        }
    }
    let is_held =
        |reservation: Option<&Reservation>| reservation.is_some_and(|held| held.stage == Stage::Held);
    let stock = order.state.stock.as_ref();
    let counters = stock.and_then(|stock| stock.counters()).map(|(_, counters)| counters);
    (!holds_goods || is_held(goods(&order.state))) && (!counts_apart || is_held(counters))
}

fn goods(state: &State) -> Option<&Reservation> {
    state.stock.as_ref()?.goods().map(|(_, reservation)| reservation)
}

fn counters_alone(reservation_id: Key) -> HoldAsked {
    HoldAsked { reservation_id, lines: Vec::new(), counters: true, hard: false }
}

/// Units that need stock: what is to be cancelled with the commit does not.
pub(super) fn wanted(state: &State) -> Vec<Units> {
    units(state, |line| line.pending - line.noted)
}

/// Makes a reservation of the order's own for what needs stock. False = it may make no more, or there is nothing to hold.
pub(super) fn hold(order: &mut Deciding<'_>, hard: bool, counters: bool) -> bool {
    let lines = if hard { units(&order.state, |line| line.pending) } else { wanted(&order.state) };
    match own_id(&order.state) {
        Some(reservation_id) if !lines.is_empty() => {
            order.intend(Kind::HoldStock(Box::new(HoldAsked { reservation_id, lines, counters, hard })));
            true
        }
        _ => false,
    }
}

/// The id of the next reservation that the order makes itself: the order's own with a number behind it. It is never the order's alone:
/// versions and events are counted by key, and each of both has its own. A number more for each, because a reservation that was refused
/// stays refused. None = such an id would be too long.
fn own_id(state: &State) -> Option<Key> {
    let order_id = &state.content().order_id;
    let known = state.stock.as_ref().map_or(&[][..], |stock| &stock.reservations);
    let is_new = |id: &Key| known.iter().all(|reservation| reservation.id != *id);
    let is_given = |id: &Key| {
        state.content().supply.as_ref().is_some_and(|supply| supply.reservation_id.as_ref() == Some(id))
    };
    let mut numbered =
        (1..=known.len() + 2).map_while(|number| Key::new(&format!("{order_id}~{number}")).ok());
    numbered.find(|id| is_new(id) && !is_given(id))
}

/// The order has committed: what is held is sold, what is not looks for a node.
pub(super) fn committed(order: &mut Deciding<'_>) {
    let held = with_stage(&order.state, |stage| stage == Stage::Held);
    for reservation in held {
        order.intend(Kind::CommitReservation { reservation });
    }
    let policy = order.state.content().supply.as_ref().map(|supply| supply.policy);
    match policy {
        None | Some(FulfillmentPolicy::ExternalAllocation) => allocate(order),
        Some(FulfillmentPolicy::AllocateAfterCommit) => find_stock(order),
        Some(FulfillmentPolicy::HoldAtSubmit | FulfillmentPolicy::UseReservation) => {}
    }
    demand::committed(order);
}

/// After the commit: one more reservation for every unit without a node, or the end of those units.
pub(super) fn find_stock(order: &mut Deciding<'_>) {
    let made = order
        .state
        .stock
        .as_ref()
        .map_or(0, |stock| stock.reservations.iter().filter(|reservation| reservation.goods).count());
    let may = made < usize::from(order.context.policies.stock.reservations_most);
    if !(may && hold(order, true, false)) {
        let given_up = units(&order.state, |line| line.pending);
        out_of_stock(order, &given_up);
    }
}

fn with_stage(state: &State, wanted: impl Fn(Stage) -> bool) -> Vec<u16> {
    let known = state.stock.as_ref().map_or(&[][..], |stock| &stock.reservations);
    let known = known.iter().zip(0..).filter(|(reservation, _)| wanted(reservation.stage));
    known.map(|(_, index)| index).collect()
}

/// What left is off the stock, and what no unit needs any more goes back; derived, so that it is the same in whatever order
/// answers and facts come.
pub(super) fn settle(order: &mut Deciding<'_>) {
    if order.state.stock.is_some() {
        consume(order);
        give_back(order);
        use_up(order);
    }
}

/// Uses come back only while nothing has left. From then on the reservation that holds them alone has nothing to wait for.
fn use_up(order: &mut Deciding<'_>) {
    let counters = order.state.stock.as_ref().and_then(|stock| stock.counters());
    let is_sold = |(_, known): &(u16, &Reservation)| known.stage == Stage::Allocated;
    if let Some((reservation, _)) = counters.filter(is_sold)
        && order.state.any_departed()
    {
        order.intend(Kind::ConsumeStock { reservation, departure: 0 });
    }
}

/// A departure is consumed as soon as it is known what is held: were it consumed before, the question that was lost and is asked
/// again would come after it, and hold units for what has left. This holds up nothing: what was not held there is off all the same.
fn consume(order: &mut Deciding<'_>) {
    let goods = |state: &State| {
        let stock = state.stock.as_ref()?;
        let (index, goods) = stock.goods()?;
        let is_known = !matches!(goods.stage, Stage::Asked | Stage::Held | Stage::Committing);
        (is_known && usize::from(stock.consumed) < state.departures.len()).then_some((index, stock.consumed))
    };
    while let Some((reservation, departure)) = goods(&order.state) {
        order.intend(Kind::ConsumeStock { reservation, departure });
    }
}

/// The order was rejected: whatever was asked goes back, answered or not. A release that comes after a hold takes it back, and
/// one that comes instead of it lets no hold come later.
pub(super) fn reject(order: &mut Deciding<'_>) {
    for reservation in with_stage(&order.state, |stage| matches!(stage, Stage::Asked | Stage::Held)) {
        end(order, reservation);
    }
}

fn give_back(order: &mut Deciding<'_>) {
    let Some(stock) = order.state.stock.clone() else { return };
    if order.state.all_cancelled() && !order.state.any_departed() {
        for reservation in with_stage(&order.state, is_live) {
            end(order, reservation);
        }
        return;
    }
    let Some((reservation, goods)) = stock.goods().filter(|(_, goods)| goods.stage == Stage::Allocated)
    else {
        return;
    };
    let is_over = order.state.lines.iter().all(|line| line.pending + line.released == 0);
    let consumes = |kind: &Kind| matches!(kind, Kind::ConsumeStock { .. });
    if is_over && (goods.uneven || !goods.rows.is_empty()) {
        if order.state.effects_where(consumes).next().is_some() {
            return; // A consume that is written again would find its units given back.
        }
        // Named with all their units: what is left of them may stand elsewhere than we think.
        let lines = order.state.lines.iter().zip(0..);
        let lines =
            lines.map(|(line, number)| UnitsAt { line: number, node: None, quantity: line.ordered() });
        let lines = lines.collect();
        order.intend(Kind::ReleaseStock { reservation, all: false, last: true, lines });
    } else if !is_over {
        let lines = surplus(&order.state, goods);
        if !lines.is_empty() {
            order.intend(Kind::ReleaseStock { reservation, all: false, last: false, lines });
        }
    }
}

fn is_live(stage: Stage) -> bool {
    matches!(stage, Stage::Asked | Stage::Held | Stage::Committing | Stage::Allocated)
}

/// Everything goes back, and nothing is asked any more that is still on its way.
fn end(order: &mut Deciding<'_>, reservation: u16) {
    let Some(known) = order.state.stock.as_ref().map(|stock| &stock.reservations[usize::from(reservation)])
    else {
        return;
    };
    let (id, lines) = (known.id.clone(), known.rows.clone());
    let asks = |kind: &Kind| {
        matches!(kind, Kind::HoldStock(_) | Kind::AttachReservation { .. } | Kind::CommitReservation { .. })
    };
    let open = order.state.effects_where(asks);
    let open = open.filter(|effect| order.state.reservation_of(&effect.kind) == Some(&id));
    for effect in open.map(|effect| effect.id.clone()).collect::<Vec<_>>() {
        order.emit(Event::EffectSuperseded { effect });
    }
    order.intend(Kind::ReleaseStock { reservation, all: true, last: false, lines });
}

/// Units that are held beyond what the order needs: those that wait for stock first, then what stands at a node that ships less.
fn surplus(state: &State, goods: &Reservation) -> Vec<UnitsAt> {
    let mut held = vec![0_u32; state.lines.len()];
    for row in &goods.rows {
        let held = &mut held[usize::from(row.line)];
        *held = held.saturating_add(row.quantity);
    }
    let mut back = Vec::new();
    for ((units, held), line) in state.lines.iter().zip(held).zip(0_u16..) {
        let mut excess = held.saturating_sub(units.pending + units.released);
        if excess == 0 {
            continue;
        }
        let waiting = excess.min(goods.waits(line).saturating_sub(units.pending));
        if waiting > 0 {
            back.push(UnitsAt { line, node: None, quantity: waiting });
            excess -= waiting;
        }
        for row in goods.rows.iter().filter(|row| row.line == line) {
            let Some(node) = row.node.as_deref() else { continue };
            let quantity = excess.min(row.quantity.saturating_sub(open_at(state, node, line)));
            if quantity > 0 {
                back.push(UnitsAt { line, node: row.node.clone(), quantity });
                excess -= quantity;
            }
        }
    }
    back
}

/// Units of a line that a node still has to ship.
fn open_at(state: &State, node: &str, line: u16) -> u32 {
    state
        .shipments
        .iter()
        .filter(|shipment| *shipment.node == *node)
        .map(|shipment| shipment.open(line))
        .sum()
}
