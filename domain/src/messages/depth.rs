//! How deep a body is nested, found without reading it into memory: a hostile body must cost little.

/// How many objects and lists may stand inside each other.
pub const MOST_DEPTH: usize = 32;

/// True if JSON text is nested deeper than `most`. Says nothing about whether it is JSON.
pub fn json_is_deeper_than(text: &[u8], most: usize) -> bool {
    // What opens no more than that cannot be deeper, and counting is far quicker than walking.
    if text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= most {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'{' | b'[' | b'}' | b']' | b'"')) {
        let byte = rest[at];
        rest = &rest[at + 1..];
        match byte {
            b'"' => rest = behind_string(rest),
            b'{' | b'[' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
    false
}

/// What stands behind the end of a text that began just before `rest`.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

/// What a look at the structure of `MessagePack` bytes finds wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PackFault {
    /// Nested deeper than [`MOST_DEPTH`].
    #[error("nested deeper than {MOST_DEPTH}")]
    TooDeep,
    /// It ends inside a value.
    #[error("the MessagePack value is not complete")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the MessagePack value")]
    Trailing,
}

/// How many bytes the `MessagePack` value at the start of `bytes` takes, found without following it into its depth.
pub fn pack_length(bytes: &[u8]) -> Result<usize, PackFault> {
    let (mut rest, mut left) = (bytes, 1_u64);
    while left > 0 {
        // No more values than bytes can be complete, so the sum cannot run over before the bytes do.
        left = (left - 1).saturating_add(head(&mut rest)?.unwrap_or(0));
    }
    Ok(bytes.len() - rest.len())
}

/// Walks over exactly one `MessagePack` value.
pub fn check_pack(bytes: &[u8]) -> Result<(), PackFault> {
    let mut rest = bytes;
    // How many values are still to come on each open level; the outermost level is the body itself.
    let mut open: Vec<u64> = vec![1];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        if let Some(children) = head(&mut rest)? {
            if open.len() > MOST_DEPTH {
                return Err(PackFault::TooDeep);
            }
            open.push(children);
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(PackFault::Trailing) }
}

/// Passes the head of a value, and its bytes if it is a plain one; gives how many values belong into it, none if it is plain.
fn head(rest: &mut &[u8]) -> Result<Option<u64>, PackFault> {
    let marker = take(rest, 1)?[0];
    let (skip, children) = match marker {
        0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (0, None),
        0x80..=0x8f => (0, Some(u64::from(marker & 0x0f) * 2)),
        0x90..=0x9f => (0, Some(u64::from(marker & 0x0f))),
        0xa0..=0xbf => (u64::from(marker & 0x1f), None),
        0xc4 | 0xd9 => (length(rest, 1)?, None),
        0xc5 | 0xda => (length(rest, 2)?, None),
        0xc6 | 0xdb => (length(rest, 4)?, None),
        0xc7 => (length(rest, 1)? + 1, None),
        0xc8 => (length(rest, 2)? + 1, None),
        0xc9 => (length(rest, 4)? + 1, None),
        0xcc | 0xd0 => (1, None),
        0xcd | 0xd1 | 0xd4 => (2, None),
        0xd5 => (3, None),
        0xca | 0xce | 0xd2 => (4, None),
        0xd6 => (5, None),
        0xcb | 0xcf | 0xd3 => (8, None),
        0xd7 => (9, None),
        0xd8 => (17, None),
        0xdc => (0, Some(length(rest, 2)?)),
        0xdd => (0, Some(length(rest, 4)?)),
        0xde => (0, Some(length(rest, 2)? * 2)),
        0xdf => (0, Some(length(rest, 4)? * 2)),
    };
    take(rest, usize::try_from(skip).unwrap_or(usize::MAX))?;
    Ok(children)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], PackFault> {
    let (taken, left) = rest.split_at_checked(count).ok_or(PackFault::Truncated)?;
    *rest = left;
    Ok(taken)
}

fn length(rest: &mut &[u8], bytes: usize) -> Result<u64, PackFault> {
    Ok(take(rest, bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::{MOST_DEPTH, PackFault, check_pack, json_is_deeper_than};

    #[test]
    fn brackets_in_json_texts_do_not_count() {
        assert!(!json_is_deeper_than(format!("[\"{}\\\"[\"]", "[".repeat(100)).as_bytes(), MOST_DEPTH));
        assert!(!json_is_deeper_than("[]".repeat(100).as_bytes(), MOST_DEPTH));
        assert!(!json_is_deeper_than("[".repeat(MOST_DEPTH).as_bytes(), MOST_DEPTH));
        assert!(json_is_deeper_than("[".repeat(MOST_DEPTH + 1).as_bytes(), MOST_DEPTH));
    }

    #[test]
    fn every_kind_of_pack_value_is_walked_over() {
        let values: [&[u8]; 19] = [
            &[0xc0],
            &[0x7f],
            &[0xe0],
            &[0xcc, 1],
            &[0xcd, 1, 2],
            &[0xce, 1, 2, 3, 4],
            &[0xd3, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xca, 1, 2, 3, 4],
            &[0xa2, b'a', b'b'],
            &[0xd9, 1, b'a'],
            &[0xda, 0, 1, b'a'],
            &[0xdb, 0, 0, 0, 1, b'a'],
            &[0xc4, 1, 9],
            &[0xc7, 1, 5, 9],
            &[0xd4, 5, 9],
            &[0xd6, 5, 1, 2, 3, 4],
            &[0x81, 0xa1, b'a', 0x91, 0xc2],
            &[0xdc, 0, 1, 0x90],
            &[0xdf, 0, 0, 0, 1, 0xa0, 0x80],
        ];
        for value in values {
            assert_eq!(check_pack(value), Ok(()), "{value:02x?}");
            assert_eq!(check_pack(&value[..value.len() - 1]), Err(PackFault::Truncated), "{value:02x?}");
            assert_eq!(check_pack(&[value, &[0xc0]].concat()), Err(PackFault::Trailing), "{value:02x?}");
        }
    }

    #[test]
    fn pack_depth_counts_lists_and_objects_alike() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
        assert_eq!(check_pack(&nested(MOST_DEPTH)), Ok(()));
        assert_eq!(check_pack(&nested(MOST_DEPTH + 1)), Err(PackFault::TooDeep));
        assert_eq!(check_pack(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(PackFault::Truncated));
    }
}
