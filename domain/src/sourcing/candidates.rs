//! The filter: which nodes may serve, and what they have.

use std::sync::Arc;

use super::ask::{Ask, Row, Supply};
use super::policies::{Policies, StaleStock};
use super::record::Unfit;
use super::search::Served;
use crate::reference::{Node, Reference};

/// What a line takes: a sku, under a promotion or none. Units for everybody are counted for each of them; a cell decides in the end.
type Good<'a> = (&'a str, Option<&'a str>);

/// A line, with the place of its sku among the goods of the ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: u16,
    pub(super) sku: usize,
    pub(super) quantity: u32,
    pub(super) node: Option<&'a str>,
    /// May its units wait for stock?
    pub(super) may_wait: bool,
}

/// A node that passed the filter.
#[derive(Debug)]
pub(super) struct Fit<'a> {
    pub(super) id: &'a Arc<str>,
    pub(super) node: &'a Node,
    /// What it has of each sku of the ask; none = nothing may come from that cell.
    pub(super) stock: Vec<Option<u32>>,
    /// Does it ship other units of the same goods anyway?
    pub(super) is_used: bool,
    /// How many more units of these goods it may take.
    pub(super) capacity: u32,
}

/// Everything that plans are made from. Lines and nodes stand in an order that does not depend on how they came.
#[derive(Debug)]
pub(super) struct Candidates<'a> {
    pub(super) lines: Vec<Line<'a>>,
    pub(super) skus: usize,
    pub(super) nodes: Vec<Fit<'a>>,
    pub(super) unfit: Vec<(&'a Arc<str>, Unfit)>,
    /// Candidates that were left out because there were too many.
    pub(super) cut: usize,
    /// The most nodes besides the used ones.
    pub(super) most_new: usize,
}

/// How many units of it stand or shall stand there already; none = it is another node's.
fn used_at(ask: &Ask<'_>, id: &Arc<str>) -> Option<u32> {
    ask.used.iter().find(|(used, _)| used == id).map(|(_, units)| *units)
}

/// How many more units the node takes of it in a day.
fn capacity_left(ask: &Ask<'_>, id: &Arc<str>, node: &Node) -> u32 {
    node.capacity_per_day.saturating_sub(used_at(ask, id).unwrap_or(0))
}

impl<'a> Candidates<'a> {
    pub(super) fn find(
        ask: &Ask<'a>,
        supply: &dyn Supply,
        reference: &'a Reference,
        policies: &Policies,
    ) -> Self {
        let mut wanted = ask.lines.to_vec();
        // Lines with a node of their own are served first: nobody else can.
        wanted.sort_by_key(|line| {
            (line.node.is_none(), line.line, line.sku, line.node, line.quantity, line.promotion)
        });
        let mut skus: Vec<Good<'_>> = wanted.iter().map(|line| (line.sku, line.promotion)).collect();
        skus.sort_unstable();
        skus.dedup();
        let lines = wanted.iter().map(|line| Line {
            number: line.line,
            sku: skus.binary_search(&(line.sku, line.promotion)).expect("every sku is in its own list"),
            quantity: line.quantity,
            node: line.node,
            may_wait: ask.backorder && reference.item(line.sku).is_none_or(crate::reference::Item::may_wait),
        });
        let limit = usize::from(ask.split_limit.unwrap_or(policies.split_limit).max(1));
        let mut found = Self {
            lines: lines.collect(),
            skus: skus.len(),
            nodes: Vec::new(),
            unfit: Vec::new(),
            cut: 0,
            most_new: limit.saturating_sub(ask.used.len()),
        };
        for (id, node) in reference.nodes() {
            match found.judge(ask, policies, &skus, id, node, supply, reference) {
                Ok(stock) => {
                    let (is_used, capacity) = (used_at(ask, id).is_some(), capacity_left(ask, id, node));
                    found.nodes.push(Fit { id, node, stock, is_used, capacity });
                }
                Err(unfit) => found.unfit.push((id, unfit)),
            }
        }
        found.cut_to(usize::from(policies.candidates_most.max(1)));
        found
    }

    /// What a node has, or why it may not serve.
    #[expect(clippy::too_many_arguments, reason = "the filter looks at everything there is")]
    fn judge(
        &self,
        ask: &Ask<'_>,
        policies: &Policies,
        skus: &[Good<'_>],
        id: &Arc<str>,
        node: &Node,
        supply: &dyn Supply,
        reference: &Reference,
    ) -> Result<Vec<Option<u32>>, Unfit> {
        let rules = [
            (!node.active, Unfit::Inactive),
            (ask.pickup_node.is_some_and(|wanted| *wanted != **id || !node.pickup), Unfit::Pickup),
            (ask.pickup_node.is_none() && !node.ships_to(ask.region), Unfit::Region),
            (!node.works_for(ask.channel), Unfit::Channel),
            (capacity_left(ask, id, node) == 0, Unfit::Capacity),
            (policies.sla_most_hours.is_some_and(|most| node.sla_hours > most), Unfit::Sla),
            (self.lines.iter().all(|line| line.node.is_some_and(|only| *only != **id)), Unfit::OtherNode),
        ];
        if let Some((_, unfit)) = rules.into_iter().find(|(is_unfit, _)| *is_unfit) {
            return Err(unfit);
        }
        let mut why = Unfit::NotThere;
        let stock: Vec<Option<u32>> = skus
            .iter()
            .map(|(sku, promotion)| {
                if reference.item(sku).is_some_and(|item| !item.is_sold()) {
                    why = Unfit::NotSold;
                    return None;
                }
                if ask.excluded.iter().any(|(of, at)| **of == **sku && at == id) {
                    why = Unfit::Refused;
                    return None;
                }
                let posted = supply.look(sku, id, *promotion)?;
                if posted.is_stale && policies.stale == StaleStock::Skip {
                    why = Unfit::Stale;
                    return None;
                }
                Some(posted.available)
            })
            .collect();
        if stock.iter().all(Option::is_none) { Err(why) } else { Ok(stock) }
    }

    /// Keeps those that could serve most; where that is equal the first ids.
    fn cut_to(&mut self, most: usize) {
        if self.nodes.len() <= most {
            return;
        }
        let mut ranked: Vec<usize> = (0..self.nodes.len()).collect();
        ranked.sort_by_key(|node| (!self.nodes[*node].is_used, std::cmp::Reverse(self.reach(*node)), *node));
        self.cut = ranked.len() - most;
        let mut kept = ranked[..most].to_vec();
        kept.sort_unstable();
        let mut index = 0;
        self.nodes.retain(|_| {
            index += 1;
            kept.binary_search(&(index - 1)).is_ok()
        });
    }

    /// How many units of the ask a node could serve alone, its capacity aside.
    pub(super) fn reach(&self, node: usize) -> u32 {
        let mut left = self.nodes[node].stock.clone();
        let mut units = 0_u32;
        for line in self.lines.iter().filter(|line| self.may_serve(node, line)) {
            let left = left[line.sku].get_or_insert(0);
            let served = line.quantity.min(*left);
            *left -= served;
            units = units.saturating_add(served);
        }
        units.min(self.nodes[node].capacity)
    }

    pub(super) fn may_serve(&self, node: usize, line: &Line<'_>) -> bool {
        line.node.is_none_or(|only| *only == **self.nodes[node].id)
    }

    /// May units of the line with this index wait at a node? Only where its sku is known, so that stock can arrive.
    pub(super) fn may_wait(&self, node: usize, line: usize) -> bool {
        let line = &self.lines[line];
        line.may_wait && self.may_serve(node, line) && self.nodes[node].stock[line.sku].is_some()
    }

    pub(super) fn row(&self, served: &Served) -> Row {
        Row {
            line: self.lines[served.line].number,
            node: Arc::clone(self.nodes[served.node].id),
            quantity: served.quantity,
        }
    }
}
