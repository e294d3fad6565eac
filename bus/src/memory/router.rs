//! Finds the stream that takes a subject: a tree of tokens, so the cost does not grow with the number of streams.

use std::collections::HashMap;

#[derive(Debug, Default)]
struct Node {
    tokens: HashMap<Box<str>, Node>,
    star: Option<Box<Node>>,
    tail: Option<usize>,
    here: Option<usize>,
}

/// Subject patterns, each with the number of its stream.
#[derive(Debug, Default)]
pub(super) struct Router {
    root: Node,
}

impl Router {
    pub(super) fn add(&mut self, pattern: &str, stream: usize) {
        let mut node = &mut self.root;
        for token in pattern.split('.') {
            match token {
                ">" => {
                    node.tail = Some(stream);
                    return;
                }
                "*" => node = node.star.get_or_insert_default(),
                literal => node = node.tokens.entry(literal.into()).or_default(),
            }
        }
        node.here = Some(stream);
    }

    pub(super) fn find(&self, subject: &str) -> Option<usize> {
        find_in(&self.root, Some(subject))
    }
}

fn find_in(node: &Node, rest: Option<&str>) -> Option<usize> {
    let Some(rest) = rest else { return node.here };
    let (token, after) = match rest.split_once('.') {
        Some((token, after)) => (token, Some(after)),
        None => (rest, None),
    };
    if token.is_empty() {
        return None;
    }
    node.tokens
        .get(token)
        .and_then(|next| find_in(next, after))
        .or_else(|| node.star.as_ref().and_then(|next| find_in(next, after)))
        .or(node.tail)
}

#[cfg(test)]
mod tests {
    use super::Router;

    #[test]
    fn a_subject_finds_the_stream_whose_pattern_takes_it() {
        let mut router = Router::default();
        router.add("r.evt.*.all.page.*", 1);
        router.add("r.evt.*.order.*.*", 2);
        router.add("r.snap.*.>", 3);
        assert_eq!(router.find("r.evt.main.all.page.3"), Some(1));
        assert_eq!(router.find("r.evt.main.order.committed.3"), Some(2));
        assert_eq!(router.find("r.snap.1.main.order.o-1"), Some(3));
        for nobody in ["r.evt.main.order.committed", "r.snap.1", "r.evt..order.x.y", "", "r"] {
            assert_eq!(router.find(nobody), None, "{nobody}");
        }
    }
}
