//! A sorted map of which a copy costs nothing, and a change of a copy little: it shares all nodes but those on the way to the change.
//!
//! A decision copies the state of its entity. A cell of a flash sale has ten thousand claims, so copying them is out of the question.
//! The map is a B+ tree behind [`Arc`]: a change copies one node of each level. Of the crates for this, `imbl` and `rpds` do far more
//! than is needed here, and a tree that is written down in order, read back as the same map and walked in the same order on every
//! machine is short.

use std::fmt;
use std::mem;
use std::slice;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries of a full node. Copying a node is most of what a change costs, and looking through levels the rest.
const MOST: usize = 16;
/// A node with fewer entries moves in with its neighbour, if there is room.
const FEW: usize = 5;

/// A sorted map; see the module.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

/// Each child stands with the least key that may be in it; that of the first child does not count.
#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<Child<K, V>>),
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K, V> SharedMap<K, V> {
    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries, least key first.
    pub fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { inner: Vec::new(), leaf: [].iter() };
        if let Some(root) = &self.root {
            iter.descend(root);
        }
        iter
    }

    /// The entry with the least key.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Inner(children) => node = &children[child_of(children, key)].1,
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by(|(known, _)| known.borrow().cmp(key));
                    return found.ok().map(|at| &entries[at].1);
                }
            }
        }
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        // Looked for first, so that nothing is copied for a key that is not there.
        self.get(key)?;
        let mut node = Arc::make_mut(self.root.as_mut()?);
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_of(children, key);
                    node = Arc::make_mut(&mut children[at].1);
                }
                Node::Leaf(entries) => {
                    let found = entries.binary_search_by(|(known, _)| known.borrow().cmp(key));
                    return found.ok().map(|at| &mut entries[at].1);
                }
            }
        }
    }

    /// Puts an entry in; gives the value that was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![(key, value)])));
            self.len = 1;
            return None;
        };
        let (before, split) = Arc::make_mut(root).insert(key, value);
        if let Some((least, right)) = split {
            let left = Arc::clone(root);
            self.root = Some(Arc::new(Node::Inner(vec![(least.clone(), left), (least, right)])));
        }
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes an entry out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.get(key)?;
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(key);
        self.len -= usize::from(removed.is_some());
        let only = match &**root {
            Node::Inner(children) if children.len() == 1 => Some(Arc::clone(&children[0].1)),
            _ => None,
        };
        if only.is_some() {
            self.root = only;
        }
        if self.len == 0 {
            self.root = None;
        }
        removed
    }
}

/// A child with the least key that may be in it.
type Child<K, V> = (K, Arc<Node<K, V>>);

/// The index of the child in which `key` is, if it is anywhere.
fn child_of<K: Ord + std::borrow::Borrow<Q>, Q: Ord + ?Sized, C>(children: &[(K, C)], key: &Q) -> usize {
    children[1..].partition_point(|(least, _)| least.borrow() <= key)
}

/// The right half of a node that was split, with its least key.
type Split<K, V> = Option<Child<K, V>>;

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(children) => children.len(),
        }
    }

    fn insert(&mut self, key: K, value: V) -> (Option<V>, Split<K, V>) {
        match self {
            Self::Leaf(entries) => {
                let at = match entries.binary_search_by(|(known, _)| known.cmp(&key)) {
                    Ok(at) => return (Some(mem::replace(&mut entries[at].1, value)), None),
                    Err(at) => at,
                };
                entries.insert(at, (key, value));
                (None, split(entries).map(|(least, right)| (least, Arc::new(Self::Leaf(right)))))
            }
            Self::Inner(children) => {
                let at = child_of(children, &key);
                let (before, grown) = Arc::make_mut(&mut children[at].1).insert(key, value);
                let Some(right) = grown else { return (before, None) };
                children.insert(at + 1, right);
                (before, split(children).map(|(least, right)| (least, Arc::new(Self::Inner(right)))))
            }
        }
    }

    /// Takes out an entry that is there.
    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        match self {
            Self::Leaf(entries) => {
                let at = entries.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
            Self::Inner(children) => {
                let at = child_of(children, key);
                let removed = Arc::make_mut(&mut children[at].1).remove(key);
                if children[at].1.len() < FEW && children.len() > 1 {
                    let left = at.saturating_sub(1);
                    if children[left].1.len() + children[left + 1].1.len() <= MOST {
                        let (least, right) = children.remove(left + 1);
                        Arc::make_mut(&mut children[left].1).append(least, &right);
                    }
                }
                removed
            }
        }
    }

    /// Takes the entries of its right neighbour in.
    fn append(&mut self, least: K, right: &Self) {
        match (self, right) {
            (Self::Leaf(entries), Self::Leaf(others)) => entries.extend_from_slice(others),
            (Self::Inner(children), Self::Inner(others)) => {
                let first = children.len();
                children.extend_from_slice(others);
                // The least key of a first child does not count until it is no first child any more.
                children[first].0 = least;
            }
            _ => unreachable!("neighbours have the same level"),
        }
    }
}

/// Splits what has grown too long; gives the right half with its least key.
fn split<K: Clone, T>(rows: &mut Vec<(K, T)>) -> Option<(K, Vec<(K, T)>)> {
    (rows.len() > MOST).then(|| {
        let right = rows.split_off(rows.len() / 2);
        (right[0].0.clone(), right)
    })
}

/// Entries of a [`SharedMap`] in the order of their keys.
pub struct Iter<'a, K, V> {
    inner: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn descend(&mut self, mut node: &'a Node<K, V>) {
        loop {
            match node {
                Node::Leaf(entries) => return self.leaf = entries.iter(),
                Node::Inner(children) => {
                    let mut children = children.iter();
                    let Some((_, first)) = children.next() else { return };
                    self.inner.push(children);
                    node = first;
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            let children = self.inner.last_mut()?;
            match children.next() {
                Some((_, child)) => self.descend(child),
                None => drop(self.inner.pop()),
            }
        }
    }
}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Iter({} levels)", self.inner.len())
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self).finish()
    }
}

/// Written as a list of pairs, because not every key can be the key of an object.
impl<K: Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, K: Deserialize<'de> + Ord + Clone, V: Deserialize<'de> + Clone> Deserialize<'de>
    for SharedMap<K, V>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<K, V>(std::marker::PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord + Clone, V: Deserialize<'de> + Clone> Visitor<'de> for Pairs<K, V> {
            type Value = SharedMap<K, V>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of pairs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut map = SharedMap::default();
                while let Some((key, value)) = pairs.next_element()? {
                    map.insert(key, value);
                }
                Ok(map)
            }
        }

        deserializer.deserialize_seq(Pairs(std::marker::PhantomData))
    }
}
