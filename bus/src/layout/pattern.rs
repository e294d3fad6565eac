//! Subject patterns: `*` stands for one token, a trailing `>` for one or more.

/// Does `pattern` take `subject`? `subject` has no wildcards.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let mut rest = subject.split('.');
    for token in pattern.split('.') {
        if token == ">" {
            return rest.next().is_some();
        }
        match rest.next() {
            Some(found) if token == "*" || token == found => {}
            _ => return false,
        }
    }
    rest.next().is_none()
}

/// Is there a subject that both patterns take? The broker refuses two streams of which this is true.
pub fn overlap(one: &str, other: &str) -> bool {
    let (mut left, mut right) = (one.split('.'), other.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{matches, overlap};

    #[test]
    fn a_star_is_one_token_and_the_tail_is_at_least_one() {
        assert!(matches("a.*.c", "a.b.c") && matches("a.>", "a.b.c") && matches("a.b", "a.b"));
        assert!(!matches("a.*", "a.b.c") && !matches("a.>", "a") && !matches("a.b.c", "a.b"));
    }

    #[test]
    fn patterns_overlap_exactly_if_one_subject_fits_both() {
        assert!(overlap("a.*.c", "a.b.*") && overlap("a.>", "*.b.c") && overlap("a.b", "a.b"));
        assert!(!overlap("a.*.c", "a.b.d") && !overlap("a.>", "a") && !overlap("a.*", "a.b.c"));
    }
}
