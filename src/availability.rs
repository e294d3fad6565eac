//! How much of an item can be sold where: what the cells posted last. It is recorded, and may be behind by a moment; only a cell says
//! for good who gets a unit.

use std::fmt;
use std::sync::Arc;

use actors::clock::SharedClock;
use domain::ids::{Key, Token};
use domain::reference::Reference;
use serde::{Deserialize, Serialize};

use crate::control::entry::rfc_3339;
use crate::product::Posted;
use crate::reference::report::Report;

/// The most items of one question.
pub const MOST_SKUS: usize = 100;

/// The most nodes that one question names.
pub const MOST_NODES: usize = 100;

/// The most cells that are looked at for one answer: with 200 bytes for each it stays below what the broker takes as a message.
const MOST_LOOKS: usize = 5_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// The items.
    pub skus: Vec<String>,
    /// The nodes; none named = all that reference data has.
    pub nodes: Vec<String>,
    /// Only nodes that ship to this region.
    pub region: Option<String>,
}

/// What the cells say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Availability {
    /// When it was looked up.
    pub as_of: String,
    /// The cells that are known, by item in the order of the question and then by node.
    pub cells: Vec<Cell>,
}

/// One item at one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cell {
    /// The item.
    pub sku: String,
    /// The node.
    pub node: String,
    /// Units that can be sold now.
    pub available: u32,
    /// Units that are there.
    pub on_hand: i64,
    /// Units that are held and may be let go.
    pub soft: i64,
    /// Units that are promised.
    pub hard: i64,
    /// Units that are never sold.
    pub safety: u32,
    /// Grows with everything that happens to the cell.
    pub version: u64,
    /// Has nothing been heard of it for too long?
    pub stale: bool,
}

/// A question that cannot be answered: where, what was found, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Mistaken {
    /// The field.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Who knows what a cell of a tenant posted last, by its key.
pub type Look = Box<dyn Fn(&Token, &str) -> Option<Posted> + Send + Sync>;

/// Where availability is looked up.
pub struct Shelves {
    look: Look,
    reference: Arc<Report>,
    clock: SharedClock,
}

impl fmt::Debug for Shelves {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shelves").finish_non_exhaustive()
    }
}

impl Shelves {
    /// Looks at cells with `look`, at the nodes that `reference` has.
    pub fn new(look: Look, reference: Arc<Report>, clock: SharedClock) -> Self {
        Self { look, reference, clock }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// It has no items, too many of something, or ids of another form.
    pub fn look(&self, tenant: &Token, question: &Question) -> Result<Availability, Mistaken> {
        check(question)?;
        let reference = self.reference.snapshot();
        let nodes = nodes(question, &reference);
        if question.skus.len() * nodes.len() > MOST_LOOKS {
            let message = format!(
                "{} items at {} nodes are more than {MOST_LOOKS} cells: ask for fewer items, or name nodes or a region",
                question.skus.len(),
                nodes.len()
            );
            return Err(Mistaken { field: "skus", message });
        }
        let pairs = question.skus.iter().flat_map(|sku| nodes.iter().map(move |node| (sku, *node)));
        let cells = pairs.filter_map(|(sku, node)| {
            let posted = (self.look)(tenant, &format!("{sku}~{node}"))?;
            Some(cell(sku, node, &posted))
        });
        Ok(Availability { cells: cells.collect(), as_of: rfc_3339(self.clock.now()) })
    }
}

fn check(question: &Question) -> Result<(), Mistaken> {
    let skus = question.skus.len();
    if !(1..=MOST_SKUS).contains(&skus) {
        return Err(Mistaken {
            field: "skus",
            message: format!("found {skus}, expected 1 to {MOST_SKUS} items"),
        });
    }
    if question.nodes.len() > MOST_NODES {
        let message = format!("found {}, expected at most {MOST_NODES} nodes", question.nodes.len());
        return Err(Mistaken { field: "nodes", message });
    }
    for (field, ids) in [("skus", &question.skus), ("nodes", &question.nodes)] {
        if let Some(wrong) = ids.iter().find(|id| Key::new(id).is_err() || id.contains('~')) {
            let message = format!("found {wrong:.120}, expected an id of the form [A-Za-z0-9_-]{{1,96}}");
            return Err(Mistaken { field, message });
        }
    }
    Ok(())
}

fn nodes<'a>(question: &'a Question, reference: &'a Reference) -> Vec<&'a str> {
    let region = question.region.as_deref();
    let ships =
        |node: &str| region.is_none() || reference.node(node).is_some_and(|node| node.ships_to(region));
    if question.nodes.is_empty() {
        return reference.nodes().map(|(id, _)| &**id).filter(|id| ships(id)).collect();
    }
    question.nodes.iter().map(String::as_str).filter(|id| ships(id)).collect()
}

fn cell(sku: &str, node: &str, posted: &Posted) -> Cell {
    Cell {
        sku: sku.to_owned(),
        node: node.to_owned(),
        available: posted.available,
        on_hand: posted.on_hand,
        soft: posted.soft,
        hard: posted.hard,
        safety: posted.safety,
        version: posted.version,
        stale: posted.stale,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use actors::clock::SystemClock;
    use domain::ids::Token;
    use domain::reference::Reference;

    use super::{MOST_SKUS, Mistaken, Question, Shelves};
    use crate::product::Posted;
    use crate::reference::report::Report;

    /// Cells of tenant `main`, as item, node and units. Of the nodes, berlin ships to DE-BE only; `nowhere` is not in reference data.
    pub(crate) fn shelves(cells: &[(&str, &str, u32)]) -> Shelves {
        let rows = cells.iter().map(|(sku, node, available)| {
            (format!("{sku}~{node}"), Posted { available: *available, version: 3, ..Posted::default() })
        });
        let rows: BTreeMap<String, Posted> = rows.collect();
        let mut reference = Reference::default();
        for (revision, (node, serves)) in (1..).zip([("berlin", r#"["DE-BE"]"#), ("hamburg", "[]")]) {
            let value = format!(
                r#"{{"kind":"store","region":"DE-BE","capacity_per_day":40,"sla_hours":24,"cost_minor":390,"pickup":true,"active":true,"serves":{serves}}}"#
            );
            reference.put(revision, &format!("node.{node}"), Some(value.as_bytes())).unwrap();
        }
        let report = Arc::new(Report::default());
        report.holds(&reference);
        let look = move |tenant: &Token, key: &str| {
            (tenant.as_str() == "main").then(|| rows.get(key).cloned()).flatten()
        };
        Shelves::new(Box::new(look), report, Arc::new(SystemClock))
    }

    fn main() -> Token {
        Token::new("main").unwrap()
    }

    fn question(skus: &[&str]) -> Question {
        Question { skus: skus.iter().map(|sku| (*sku).to_owned()).collect(), ..Question::default() }
    }

    #[test]
    fn given_a_region_or_nodes_when_asked_then_only_cells_there_are_shown() {
        let shelves = shelves(&[("A", "berlin", 7), ("A", "hamburg", 2), ("A", "nowhere", 9)]);
        let nodes = |question: &Question| -> Vec<String> {
            let cells = shelves.look(&main(), question).unwrap().cells;
            cells.into_iter().map(|cell| cell.node).collect()
        };
        assert_eq!(nodes(&question(&["A"])), ["berlin", "hamburg"]);
        let of_region = Question { region: Some("DE-HH".to_owned()), ..question(&["A"]) };
        assert_eq!(nodes(&of_region), ["hamburg"]);
        let named = Question { nodes: vec!["nowhere".to_owned()], ..question(&["A"]) };
        assert_eq!(nodes(&named), ["nowhere"], "a node that is named need not be in reference data");
    }

    #[test]
    fn given_too_many_items_or_an_id_of_another_form_when_asked_then_it_is_said_where() {
        let shelves = shelves(&[]);
        let wrong = |question: &Question| -> Mistaken { shelves.look(&main(), question).unwrap_err() };
        assert_eq!(wrong(&question(&[])).field, "skus");
        assert_eq!(wrong(&question(&["A"; MOST_SKUS + 1])).field, "skus");
        let nodes = Question { nodes: vec!["a~b".to_owned()], ..question(&["A"]) };
        assert!(wrong(&nodes).to_string().contains("found a~b"), "{}", wrong(&nodes));
        let many = Question { nodes: vec!["n".to_owned(); 100], ..question(&["A"; 60]) };
        assert!(wrong(&many).message.contains("more than 5000 cells"), "{}", wrong(&many));
    }
}
