//! Events as they are published: rows of the page of their record, and chosen ones alone.

use std::io::Write as _;

use bus::layout::Layout;
use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::{Published, PublishedEvent, Trace};
use domain::envelope::{HeaderWriter, Headers};
use domain::ids::{EntityId, Token};
use domain::time::Timestamp;

use super::commands::push_known;
use super::digits::Digits;
use super::{Marker, SOURCE, rfc3339};
use crate::config::{MOST_PAGE_BYTES, NodeConfig};

/// What one decision tells the outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) entity: &'a EntityId,
    pub(crate) version: u64,
    pub(crate) first_sequence: u64,
    /// When it was decided, as text.
    pub(crate) time: &'a str,
    pub(crate) trace: Trace<'a>,
    pub(crate) events: &'a Published,
}

/// Rows of event pages, one after the other in one buffer.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageRows {
    text: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl PageRows {
    /// The rows in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| {
            let row = &self.text[begin..end];
            begin = end;
            row
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What they take in a page, commas included.
    pub(crate) fn page_bytes(&self) -> usize {
        self.text.len() + self.ends.len()
    }

    /// Adds rows at the end.
    pub(crate) fn append(&mut self, rows: &Self) {
        let begin = self.text.len();
        self.text.extend_from_slice(&rows.text);
        self.ends.extend(rows.ends.iter().map(|end| begin + end));
    }

    /// Takes all rows out; their memory stays.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

/// Adds the rows of a decision, and gives the events of it that are also published alone. Put together from pieces: there are many
/// of them, and formatting costs several times as much.
pub(crate) fn rows_and_notices(
    config: &NodeConfig,
    layout: &Layout,
    told: &Told<'_>,
    rows: &mut PageRows,
    headers: &mut HeaderWriter,
) -> Vec<Outgoing> {
    let (key, version) = (told.entity.key.as_str(), Digits::of(told.version));
    let version = version.as_str();
    let id = [told.entity.tenant.as_str(), ":", told.entity.kind.as_str(), ":", key, ":"].concat();
    let front = [r#"","key":""#, key, r#"","id":""#, &id].concat();
    let middle =
        [r#","order_version":"#, version, r#","time":""#, told.time, r#"","correlation_id":"#].concat();
    let correlation = serde_json::to_string(&told.trace.correlation_id).expect("text is plain data");
    let partition = told.entity.key.partition(layout.partitions);
    let mut notices = Vec::new();
    for (sequence, PublishedEvent { kind, data }) in (told.first_sequence..).zip(told.events.iter()) {
        let number = Digits::of(sequence);
        let number = number.as_str();
        let pieces = [
            r#"{"type":""#,
            kind,
            &front,
            number,
            r#"","sequence":"#,
            number,
            &middle,
            &correlation,
            r#","data":"#,
        ];
        for piece in pieces {
            rows.text.extend_from_slice(piece.as_bytes());
        }
        rows.text.extend_from_slice(data);
        rows.text.push(b'}');
        rows.ends.push(rows.text.len());
        let Some((domain, name)) = kind.split_once('.').filter(|_| config.is_single(kind)) else { continue };
        headers.push_pieces("ce-id", &[&id, number]);
        headers.push_pieces("ce-type", &["retail.", kind, ".v1"]);
        headers.push("ce-source", SOURCE);
        headers.push("ce-time", told.time);
        headers.push("content-type", "application/json");
        headers.push("Key", key);
        headers.push("ce-sequence", number);
        headers.push("Order-Version", version);
        push_known(headers, told.trace);
        let subject = layout.notice(&told.entity.tenant, domain, name, partition);
        notices.push(Outgoing { subject, headers: headers.finish(), body: Bytes::copy_from_slice(data) });
    }
    notices
}

/// The page of a record for one tenant; more than one only if it would be too large.
pub(crate) fn pages(
    layout: &Layout,
    partition: u16,
    tenant: &Token,
    journal_sequence: u64,
    time: Timestamp,
    rows: &PageRows,
) -> Vec<(Marker, Outgoing)> {
    let rows: Vec<&[u8]> = rows.iter().collect();
    let groups = grouped(&rows);
    let count = groups.len();
    let time = rfc3339(time);
    groups
        .into_iter()
        .zip(0_u32..)
        .map(|(group, place)| {
            let part =
                if count > 1 { format!(r#""page":{},"pages":{count},"#, place + 1) } else { String::new() };
            let mut body = Vec::with_capacity(group.iter().map(|row| row.len() + 1).sum::<usize>() + 128);
            write!(
                body,
                r#"{{"partition":{partition},"journal_sequence":{journal_sequence},{part}"events":["#
            )
            .expect("writing to a Vec cannot fail");
            for (at, row) in group.iter().enumerate() {
                if at > 0 {
                    body.push(b',');
                }
                body.extend_from_slice(row);
            }
            body.extend_from_slice(b"]}");
            let marker = Marker { sequence: journal_sequence, place };
            let mut headers = Headers::new();
            headers.push("ce-id", marker.id(&format!("{tenant}:page"), partition));
            headers.push("ce-type", "retail.all.page.v1");
            headers.push("ce-source", SOURCE);
            headers.push("ce-time", time.clone());
            headers.push("content-type", "application/json");
            (marker, Outgoing { subject: layout.page(tenant, partition), headers, body: body.into() })
        })
        .collect()
}

fn grouped<'a, 'b>(rows: &'b [&'a [u8]]) -> Vec<&'b [&'a [u8]]> {
    let (mut groups, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, row) in rows.iter().enumerate() {
        if at > begin && bytes + row.len() > MOST_PAGE_BYTES {
            groups.push(&rows[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += row.len() + 1;
    }
    if begin < rows.len() {
        groups.push(&rows[begin..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use bus::layout::Layout;
    use domain::ids::Token;
    use domain::time::Timestamp;

    use super::{PageRows, pages};
    use crate::config::MOST_PAGE_BYTES;

    #[test]
    fn a_page_is_split_only_where_it_is_too_large() {
        let (layout, tenant) = (Layout::default(), Token::new("main").unwrap());
        let page = |rows: &[&str]| {
            let mut all = PageRows::default();
            for row in rows {
                all.append(&PageRows { text: row.as_bytes().to_vec(), ends: vec![row.len()] });
            }
            pages(&layout, 3, &tenant, 7, Timestamp(0), &all)
        };
        let one = page(&["{}", "{}"]);
        assert_eq!(one.len(), 1);
        assert_eq!(&one[0].1.body[..], br#"{"partition":3,"journal_sequence":7,"events":[{},{}]}"#);
        let large = format!("\"{}\"", "x".repeat(MOST_PAGE_BYTES / 2));
        let split = page(&[&large, &large]);
        assert_eq!(split.len(), 2);
        assert!(split[1].1.body.starts_with(br#"{"partition":3,"journal_sequence":7,"page":2,"pages":2,"#));
        assert!(split[0].0 < split[1].0);
    }
}
