//! Units have left. That is physical and never refused: what was not held there is taken off there all the same.

use std::sync::Arc;

use super::deciding::Deciding;
use crate::messages::text::Text;
use crate::reservation::effect::{Kind, UnitsAtNode};
use crate::reservation::event::{End, Event};
use crate::reservation::letters;
use crate::reservation::message::{Consume, UnitsAt};
use crate::reservation::state::{Phase, Target};

/// `consume` of an order.
pub(super) fn letter(of: &mut Deciding<'_>, letter: &Consume) {
    if of.state.phase == Phase::Unborn {
        return; // The order asks to hold again, or releases; then it is known what the lines are.
    }
    let movement = letter.movement_id.share();
    if !of.state.applied.contains(&movement) {
        apply(of, letter, &movement);
    }
    let answer = letters::consumed(of.context.entity, &letter.order_id, letter.movement_id.as_str());
    of.answer(answer);
}

fn apply(of: &mut Deciding<'_>, letter: &Consume, movement: &Arc<str>) {
    let is_its_own = of.state.order_id.as_ref() == Some(&letter.order_id);
    let (mut known, mut unclaimed) = (Vec::new(), Vec::new());
    for row in &letter.lines {
        let (line, sku) = named(of, row);
        match (line, sku, row.node.as_ref().map(Text::share)) {
            (Some(line), _, Some(node)) if is_its_own => {
                known.push(UnitsAtNode { line, node, quantity: row.quantity.get() });
            }
            (_, Some(sku), Some(node)) => unclaimed.push((line, sku, node, row.quantity.get())),
            (_, _, node) => of.emit(Event::Unaccounted {
                movement_id: Arc::clone(movement),
                line: row.line.get(),
                node: node.unwrap_or_else(|| "".into()),
                quantity: row.quantity.get(),
            }),
        }
    }
    of.emit(Event::Departed { movement_id: Arc::clone(movement), rows: known.clone() });
    let holds_uses_alone = of.state.content.as_ref().is_some_and(|content| content.asked.lines.is_empty());
    if is_its_own && holds_uses_alone && !of.state.phase.is_final() {
        // What was bought with them has left: they are used for good.
        of.end(End::Consumed, None);
    }
    for row in known {
        let quantity = row.quantity - from_claims(of, &row);
        let sku = Arc::clone(&of.state.content().line(row.line).sku);
        unclaimed.push((Some(row.line), sku, row.node, quantity));
    }
    for (line, sku, node, quantity) in unclaimed {
        if quantity > 0 {
            of.intend(Kind::ConsumeUnclaimed { line, sku, node, quantity });
        }
    }
}

/// The line that a row names and what it is, as far as either is known.
fn named(of: &Deciding<'_>, row: &UnitsAt) -> (Option<u16>, Option<Arc<str>>) {
    let content = of.state.content.as_ref();
    let line = content.and_then(|content| content.line_index(row.line.get()));
    let sku = line.and_then(|line| content.map(|content| Arc::clone(&content.line(line).sku)));
    (line, sku.or_else(|| row.sku.as_ref().map(Text::share)))
}

/// Consumes what is held of a line at a node; gives how many units those were.
fn from_claims(of: &mut Deciding<'_>, row: &UnitsAtNode) -> u32 {
    let mut left = row.quantity;
    let held = of.state.indexed().filter(|(_, claim)| {
        let is_there =
            matches!(&claim.target, Target::Cell { line, node } if *line == row.line && *node == row.node);
        is_there && claim.state.is_held() && claim.open > 0
    });
    let held: Vec<(u16, u32)> = held.map(|(index, claim)| (index, claim.open)).collect();
    for (claim, open) in held {
        let quantity = open.min(left);
        if quantity > 0 {
            left -= quantity;
            of.intend(Kind::Consume { claim, quantity });
        }
    }
    row.quantity - left
}
