//! What somebody has to look at in stock: cells whose counts differed from the books, of which nothing is heard, or which are oversold.
//! As the cells said last.

use std::fmt;

use actors::clock::SharedClock;
use domain::ids::{Key, Token};
use serde::Serialize;

use crate::availability::Mistaken;
use crate::control::entry::rfc_3339;
use crate::product::Posted;

/// The most cells of one page.
pub const MOST_CELLS: usize = 1_000;

/// How many cells a page has if nobody says it.
const USUAL_CELLS: usize = 100;

/// Which cells are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// Those whose last count found other units than the books had.
    #[default]
    Drifted,
    /// Those of which nothing was heard for too long.
    Stale,
    /// Those that were never counted.
    Uncounted,
    /// Those that hold more than there is and may be sold beyond it.
    Oversold,
    /// All of them.
    All,
}

impl Show {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Drifted, Self::Stale, Self::Uncounted, Self::Oversold, Self::All];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Stale => "stale",
            Self::Uncounted => "uncounted",
            Self::Oversold => "oversold",
            Self::All => "all",
        }
    }

    fn wants(self, posted: &Posted) -> bool {
        match self {
            Self::Drifted => posted.drift != 0,
            Self::Stale => posted.stale,
            Self::Uncounted => posted.counted_at.0 == 0,
            Self::Oversold => posted.missing() > 0,
            Self::All => true,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// Which cells.
    pub show: Show,
    /// The cell behind which the page begins, as `next` of the page before said; none = from the first.
    pub after: Option<String>,
    /// How many cells at most.
    pub limit: Option<usize>,
}

/// A page of cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Drift {
    /// When it was looked up.
    pub as_of: String,
    /// The cells, by item and node.
    pub cells: Vec<DriftingCell>,
    /// What `after` of the next page is; null if this is the last.
    pub next: Option<String>,
}

/// How far what we know of a cell is from what was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DriftingCell {
    /// The item.
    pub sku: String,
    /// The node.
    pub node: String,
    /// Units that are there, as we know.
    pub on_hand: i64,
    /// Units that can be sold now.
    pub available: u32,
    /// When the units were that were counted last; null if nobody counted.
    pub counted_at: Option<String>,
    /// How many more units that count found than we knew of, fewer if it is negative.
    pub drift: i64,
    /// When the last fact came; null if none did.
    pub heard_at: Option<String>,
    /// Has nothing been heard of it for too long, so that what was known last is sold only by the policy for that?
    pub stale: bool,
    /// Units that are held beyond what is there and may be sold beyond it.
    pub oversold: i64,
}

/// Gives so many cells of a tenant that are wanted, behind a key, by key.
pub type Page =
    Box<dyn Fn(&Token, Option<&str>, usize, &dyn Fn(&Posted) -> bool) -> Vec<(String, Posted)> + Send + Sync>;

/// Where cells are listed.
pub struct Worklist {
    page: Page,
    clock: SharedClock,
}

impl fmt::Debug for Worklist {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Worklist").finish_non_exhaustive()
    }
}

impl Worklist {
    /// Lists what `page` gives.
    pub const fn new(page: Page, clock: SharedClock) -> Self {
        Self { page, clock }
    }

    /// Answers a question. Takes as long as there are cells: tens of milliseconds with a million.
    ///
    /// # Errors
    /// More cells are asked for than a page has, or behind something that is no cell.
    pub fn look(&self, tenant: &Token, question: &Question) -> Result<Drift, Mistaken> {
        let limit = question.limit.unwrap_or(USUAL_CELLS);
        if !(1..=MOST_CELLS).contains(&limit) {
            let message = format!("found {limit}, expected 1 to {MOST_CELLS} cells");
            return Err(Mistaken { field: "limit", message });
        }
        let after = question.after.as_deref();
        if let Some(wrong) = after.filter(|after| Key::new(after).is_err() || !after.contains('~')) {
            let message = format!("found {wrong:.120}, expected a cell as `next` names it: <sku>~<node>");
            return Err(Mistaken { field: "after", message });
        }
        // One more tells whether another page follows.
        let mut rows = (self.page)(tenant, after, limit + 1, &|posted| question.show.wants(posted));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(key, _)| key.clone());
        let cells = rows.iter().map(|(key, posted)| cell(key, posted)).collect();
        Ok(Drift { as_of: rfc_3339(self.clock.now()), cells, next })
    }
}

fn cell(key: &str, posted: &Posted) -> DriftingCell {
    let (sku, node) = key.rsplit_once('~').unwrap_or((key, ""));
    let moment = |at: domain::time::Timestamp| (at.0 != 0).then(|| rfc_3339(at));
    DriftingCell {
        sku: sku.to_owned(),
        node: node.to_owned(),
        on_hand: posted.on_hand,
        available: posted.available,
        counted_at: moment(posted.counted_at),
        drift: posted.drift,
        heard_at: moment(posted.as_of),
        stale: posted.stale,
        oversold: posted.missing(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use actors::clock::SystemClock;
    use domain::ids::Token;
    use domain::time::Timestamp;

    use super::{Question, Show, Worklist};
    use crate::product::Posted;

    /// Cells of tenant `main`: A drifts, B is stale and was never counted, C is oversold, D is as it should be.
    pub(crate) fn worklist() -> Worklist {
        let counted =
            Posted { counted_at: Timestamp(1), as_of: Timestamp(2), on_hand: 5, ..Posted::default() };
        let cells = BTreeMap::from([
            ("A~berlin", Posted { drift: -2, ..counted.clone() }),
            ("B~berlin", Posted { stale: true, counted_at: Timestamp(0), ..counted.clone() }),
            ("C~berlin", Posted { hard: 7, oversell_cap: 1, ..counted.clone() }),
            ("D~berlin", counted),
        ]);
        let page =
            move |tenant: &Token, after: Option<&str>, most: usize, wanted: &dyn Fn(&Posted) -> bool| {
                let rows = cells
                    .iter()
                    .filter(|(key, _)| tenant.as_str() == "main" && after.is_none_or(|after| **key > after));
                let rows = rows.filter(|(_, posted)| wanted(posted)).take(most);
                rows.map(|(key, posted)| ((*key).to_owned(), posted.clone())).collect()
            };
        Worklist::new(Box::new(page), Arc::new(SystemClock))
    }

    fn skus(show: Show) -> String {
        let question = Question { show, ..Question::default() };
        let drift = worklist().look(&Token::new("main").unwrap(), &question).unwrap();
        drift.cells.into_iter().map(|cell| cell.sku).collect()
    }

    #[test]
    fn each_list_has_the_cells_that_it_is_for() {
        let lists = Show::ALL.map(skus);
        assert_eq!(lists, ["A", "B", "B", "C", "ABCD"]);
    }

    #[test]
    fn pages_follow_each_other_until_the_last_names_none() {
        let (main, worklist) = (Token::new("main").unwrap(), worklist());
        let page = |after: Option<&str>| {
            let question = Question { show: Show::All, after: after.map(str::to_owned), limit: Some(2) };
            worklist.look(&main, &question).unwrap()
        };
        let (first, second) = (page(None), page(Some("B~berlin")));
        assert_eq!((first.next.as_deref(), second.next), (Some("B~berlin"), None));
        assert_eq!(second.cells[0].oversold, 1);
        assert_eq!((&first.cells[1].counted_at, first.cells[0].drift), (&None, -2));
    }

    #[test]
    fn a_question_that_makes_no_sense_is_refused_with_what_would() {
        let main = Token::new("main").unwrap();
        let wrong = |question: &Question| worklist().look(&main, question).unwrap_err().field;
        assert_eq!(wrong(&Question { limit: Some(0), ..Question::default() }), "limit");
        assert_eq!(wrong(&Question { limit: Some(1_001), ..Question::default() }), "limit");
        assert_eq!(wrong(&Question { after: Some("A".to_owned()), ..Question::default() }), "after");
    }
}
