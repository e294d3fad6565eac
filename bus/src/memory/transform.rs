//! Rewrites subjects as the server does: literal tokens, `{{wildcard(n)}}`, `{{partition(P,n)}}`.

use std::fmt::Write;

use crate::layout::Transform;

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Wildcard(usize),
    Partition { of: u16, wildcard: usize },
}

/// A transform, parsed once.
#[derive(Debug)]
pub(super) struct Rewriter {
    source: Vec<String>,
    destination: Vec<Part>,
}

impl Rewriter {
    /// None if the notation is not one of the three that are known.
    pub(super) fn new(transform: &Transform) -> Option<Self> {
        let destination = transform.destination.split('.').map(parse).collect::<Option<Vec<_>>>()?;
        Some(Self { source: transform.source.split('.').map(str::to_owned).collect(), destination })
    }

    /// The stored subject; none if the source does not take `subject`, which is then stored as it is.
    pub(super) fn rewrite(&self, subject: &str) -> Option<String> {
        let mut captured = [""; 8];
        let mut wildcards = 0;
        let mut tokens = subject.split('.');
        for expected in &self.source {
            let token = tokens.next()?;
            if expected == "*" {
                *captured.get_mut(wildcards)? = token;
                wildcards += 1;
            } else if expected != token {
                return None;
            }
        }
        if tokens.next().is_some() {
            return None;
        }
        let mut stored = String::with_capacity(subject.len() + 8);
        for part in &self.destination {
            if !stored.is_empty() {
                stored.push('.');
            }
            match part {
                Part::Literal(text) => stored.push_str(text),
                Part::Wildcard(at) => stored.push_str(captured.get(at - 1)?),
                Part::Partition { of, wildcard } => {
                    let partition = partition(captured.get(wildcard - 1)?, *of);
                    write!(stored, "{partition}").expect("a String takes everything");
                }
            }
        }
        Some(stored)
    }
}

// A token need not be a key of ours, so the hash stands here too; for keys both agree (see the test).
fn partition(token: &str, partitions: u16) -> u16 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = token.bytes().fold(0x811c_9dc5_u32, mix);
    u16::try_from(hash % u32::from(partitions.max(1))).expect("a remainder of a u16 is a u16")
}

fn parse(token: &str) -> Option<Part> {
    let Some(inner) = token.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) else {
        return Some(Part::Literal(token.to_owned()));
    };
    let (function, arguments) = inner.strip_suffix(')')?.split_once('(')?;
    match function {
        "wildcard" => Some(Part::Wildcard(arguments.trim().parse().ok().filter(|n| *n > 0)?)),
        "partition" => {
            let (of, wildcard) = arguments.split_once(',')?;
            let wildcard = wildcard.trim().parse().ok().filter(|n| *n > 0)?;
            Some(Part::Partition { of: of.trim().parse().ok()?, wildcard })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Key;

    use super::Rewriter;
    use crate::layout::{Layout, StreamId, Transform};

    #[test]
    fn the_partition_comes_in_and_the_key_goes() {
        let transform = Layout::default().stream(StreamId::Intake).transform.unwrap();
        let rewriter = Rewriter::new(&transform).unwrap();
        // FNV-1a 32 of "a" is 0xe40c292c, and that modulo 8 is 4.
        let stored = rewriter.rewrite("retail.v1.intake.main.order.submit.a").unwrap();
        assert_eq!(stored, "retail.v1.p.4.intake.main.order.submit");
        assert_eq!(rewriter.rewrite("retail.v1.intake.main.order.submit"), None);
        assert!(rewriter.rewrite("retail.v1.intake.main.order.submit.o$1").is_some());
    }

    #[test]
    fn tokens_that_are_keys_go_to_the_partition_of_the_key() {
        for key in ["o-1001", "SKU-A~n_1", "a"] {
            assert_eq!(super::partition(key, 64), Key::new(key).unwrap().partition(64));
        }
    }

    #[test]
    fn an_unknown_function_is_no_transform() {
        let transform = Transform { source: "a.*".to_owned(), destination: "a.{{left(1,2)}}".to_owned() };
        assert!(Rewriter::new(&transform).is_none());
    }
}
