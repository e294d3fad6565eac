//! The board of a node: what entities let all decisions of it look at. It says what is recorded, and may be behind it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use domain::decider::Board;
use domain::ids::EntityId;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// One row for each entity that posts something; so it has as many as there are such entities.
#[derive(Debug)]
pub struct PostedBoard<T> {
    rows: DashMap<Box<str>, T>,
    /// The partitions of which everything is on the board, or that have ended.
    complete: watch::Sender<BTreeSet<u16>>,
    metrics: Arc<Metrics>,
}

thread_local! {
    /// Rows are looked up very often, and each time by a text that is put together for it.
    static NAME: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The same as an [`EntityId`] is displayed.
fn named<R>(tenant: &str, kind: &str, key: &str, then: impl FnOnce(&str) -> R) -> R {
    NAME.with_borrow_mut(|name| {
        name.clear();
        write!(name, "{tenant}:{kind}:{key}").expect("writing to a String cannot fail");
        then(name)
    })
}

impl<T: Clone> PostedBoard<T> {
    /// Without a value there is nothing to say, and nobody to wait for.
    const SAYS_SOMETHING: bool = size_of::<T>() > 0;

    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { rows: DashMap::new(), complete: watch::Sender::default(), metrics }
    }

    /// What this entity posted last, as it is recorded; none = nothing, or nobody knows it.
    pub fn look(&self, tenant: &str, kind: &str, key: &str) -> Option<T> {
        named(tenant, kind, key, |name| self.rows.get(name).map(|row| row.value().clone()))
    }

    /// Up to `most` entities of a kind that post something which is `wanted`, behind the key `after`, by their keys. Looks at all rows.
    pub fn page(
        &self,
        (tenant, kind): (&str, &str),
        after: Option<&str>,
        most: usize,
        wanted: impl Fn(&T) -> bool,
    ) -> Vec<(String, T)> {
        let front = format!("{tenant}:{kind}:");
        let mut page = BTreeMap::<String, T>::new();
        for row in &self.rows {
            let Some(key) = row.key().strip_prefix(&front) else { continue };
            let is_full = page.len() >= most;
            let is_beyond = is_full && page.last_key_value().is_none_or(|(last, _)| key > last.as_str());
            if is_beyond || after.is_some_and(|after| key <= after) || !wanted(row.value()) {
                continue;
            }
            page.insert(key.to_owned(), row.value().clone());
            if is_full {
                page.pop_last();
            }
        }
        page.into_iter().collect()
    }

    /// Puts up what an entity posts, or takes down what it posted.
    pub(crate) fn post(&self, entity: &EntityId, posted: Option<T>) {
        let (tenant, kind, key) = (entity.tenant.as_str(), entity.kind.as_str(), entity.key.as_str());
        match posted {
            Some(posted) => named(tenant, kind, key, |name| {
                if let Some(mut row) = self.rows.get_mut(name) {
                    *row = posted;
                } else if self.rows.insert(name.into(), posted).is_none() {
                    self.metrics.posted.adjust(1);
                }
            }),
            None => {
                if named(tenant, kind, key, |name| self.rows.remove(name)).is_some() {
                    self.metrics.posted.adjust(-1);
                }
            }
        }
    }

    /// Everything that this partition knows is on the board, or nobody will put it there.
    pub(crate) fn is_complete_for(&self, partition: u16) {
        self.complete.send_if_modified(|complete| complete.insert(partition));
    }

    /// Waits until all partitions have put up what they know, as nobody can tell a row that is not there yet from one that
    /// never will be. Not longer than `patience`: one that cannot be taken over must not hold up the others for ever.
    pub(crate) async fn wait_until_complete(&self, partitions: u16, patience: Duration) {
        if !Self::SAYS_SOMETHING {
            return;
        }
        let mut complete = self.complete.subscribe();
        let all = complete.wait_for(|complete| complete.len() >= usize::from(partitions));
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("the board is not complete yet; what is missing comes later");
        }
    }
}

/// The board as the decisions of one tenant see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfTenant<'a, T> {
    pub(crate) board: &'a PostedBoard<T>,
    pub(crate) tenant: &'a str,
}

impl<T: Clone + std::fmt::Debug> Board<T> for OfTenant<'_, T> {
    fn look(&self, kind: &str, key: &str) -> Option<T> {
        self.board.look(self.tenant, kind, key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::decider::Board;
    use domain::ids::{EntityId, Key, Token};

    use super::{OfTenant, PostedBoard};
    use crate::metrics::Metrics;

    fn entity(tenant: &str, key: &str) -> EntityId {
        let token = |text| Token::new(text).unwrap();
        EntityId { tenant: token(tenant), kind: token("stock"), key: Key::new(key).unwrap() }
    }

    #[test]
    fn each_tenant_sees_its_own_rows_and_the_newest_of_each() {
        let metrics = Arc::<Metrics>::default();
        let board = PostedBoard::new(Arc::clone(&metrics));
        board.post(&entity("main", "a"), Some(1));
        board.post(&entity("main", "a"), Some(2));
        board.post(&entity("main", "b"), Some(3));
        board.post(&entity("other", "a"), Some(4));
        let main = OfTenant { board: &board, tenant: "main" };
        assert_eq!((main.look("stock", "a"), main.look("stock", "b")), (Some(2), Some(3)));
        assert_eq!((main.look("order", "a"), board.look("other", "stock", "a")), (None, Some(4)));
        assert_eq!(metrics.posted.get(), 3);
        board.post(&entity("main", "b"), None);
        board.post(&entity("main", "b"), None);
        assert_eq!((main.look("stock", "b"), metrics.posted.get()), (None, 2));
    }

    #[test]
    fn a_page_has_the_first_keys_behind_another_that_are_wanted() {
        let board = PostedBoard::new(Arc::<Metrics>::default());
        for (key, value) in [("d", 4), ("a", 1), ("c", 3), ("b", 2), ("e", 5)] {
            board.post(&entity("main", key), Some(value));
            board.post(&entity("other", key), Some(value));
        }
        let page = |after, most, least| {
            let page = board.page(("main", "stock"), after, most, |value: &i32| *value >= least);
            page.into_iter().map(|(key, _)| key).collect::<String>()
        };
        assert_eq!(
            (page(None, 2, 0), page(Some("b"), 2, 0), page(Some("d"), 2, 0)),
            ("ab".into(), "cd".into(), "e".into())
        );
        assert_eq!((page(None, 9, 4), page(None, 0, 0)), ("de".into(), String::new()));
    }
}
