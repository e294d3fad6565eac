//! Events as they are published: rows of the page of their record, and chosen ones alone.

use std::fmt::Write as _;

use bus::layout::Layout;
use bus::ports::Outgoing;
use domain::decider::{PublishedEvent, Trace};
use domain::envelope::Headers;
use domain::ids::{EntityId, Token};
use domain::time::Timestamp;

use super::commands::add_trace;
use super::{Marker, SOURCE, rfc3339};
use crate::config::{MOST_PAGE_BYTES, NodeConfig};

/// What one decision tells the outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) entity: &'a EntityId,
    pub(crate) version: u64,
    pub(crate) first_sequence: u64,
    pub(crate) now: Timestamp,
    pub(crate) trace: Trace<'a>,
    pub(crate) events: &'a [PublishedEvent],
}

impl Told<'_> {
    /// The events with their sequences as text.
    fn numbered(&self) -> impl Iterator<Item = (String, &PublishedEvent)> {
        (self.first_sequence..).zip(self.events).map(|(sequence, event)| (sequence.to_string(), event))
    }

    /// `<tenant>:<kind>:<key>:`, which a sequence completes to the id of an event.
    fn id_front(&self) -> String {
        let EntityId { tenant, kind, key } = self.entity;
        [tenant.as_str(), ":", kind.as_str(), ":", key.as_str(), ":"].concat()
    }
}

/// The rows of an event page. Put together from pieces: there are many of them, and formatting costs several times as much.
pub(crate) fn rows(told: &Told<'_>) -> Vec<String> {
    let (id, version, time) = (told.id_front(), told.version.to_string(), rfc3339(told.now));
    let correlation = serde_json::to_string(&told.trace.correlation_id).expect("text is plain data");
    told.numbered()
        .map(|(sequence, PublishedEvent { kind, data })| {
            let pieces = [
                r#"{"type":""#,
                kind,
                r#"","key":""#,
                told.entity.key.as_str(),
                r#"","id":""#,
                &id,
                &sequence,
                r#"","sequence":"#,
                &sequence,
                r#","order_version":"#,
                &version,
                r#","time":""#,
                &time,
                r#"","correlation_id":"#,
                &correlation,
                r#","data":"#,
                data,
                "}",
            ];
            pieces.concat()
        })
        .collect()
}

/// The events that are also published alone.
pub(crate) fn notices(config: &NodeConfig, layout: &Layout, told: &Told<'_>) -> Vec<Outgoing> {
    let mut notices = Vec::new();
    let mut shared = None;
    for (sequence, event) in told.numbered() {
        let Some((domain, name)) = event.kind.split_once('.').filter(|_| config.is_single(event.kind)) else {
            continue;
        };
        let (id, version, time, partition) = shared.get_or_insert_with(|| {
            let partition = told.entity.key.partition(layout.partitions);
            (told.id_front(), told.version.to_string(), rfc3339(told.now), partition)
        });
        let mut headers = Headers::with_capacity(11);
        headers.push("ce-id", [&**id, &sequence].concat());
        headers.push("ce-type", ["retail.", event.kind, ".v1"].concat());
        headers.push("ce-source", SOURCE);
        headers.push("ce-time", time.clone());
        headers.push("content-type", "application/json");
        headers.push("Key", told.entity.key.as_str().to_owned());
        headers.push("ce-sequence", sequence);
        headers.push("Order-Version", version.clone());
        add_trace(&mut headers, told.trace);
        let subject = layout.notice(&told.entity.tenant, domain, name, *partition);
        notices.push(Outgoing { subject, headers, body: event.data.clone().into() });
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
    rows: &[String],
) -> Vec<(Marker, Outgoing)> {
    let groups = grouped(rows);
    let count = groups.len();
    let time = rfc3339(time);
    groups
        .into_iter()
        .zip(0_u32..)
        .map(|(group, place)| {
            let part =
                if count > 1 { format!(r#""page":{},"pages":{count},"#, place + 1) } else { String::new() };
            let mut body = String::with_capacity(group.iter().map(|row| row.len() + 1).sum::<usize>() + 128);
            write!(
                body,
                r#"{{"partition":{partition},"journal_sequence":{journal_sequence},{part}"events":["#
            )
            .expect("writing to a String cannot fail");
            for (at, row) in group.iter().enumerate() {
                if at > 0 {
                    body.push(',');
                }
                body.push_str(row);
            }
            body.push_str("]}");
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

fn grouped(rows: &[String]) -> Vec<&[String]> {
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

    use super::pages;
    use crate::config::MOST_PAGE_BYTES;

    #[test]
    fn a_page_is_split_only_where_it_is_too_large() {
        let (layout, tenant) = (Layout::default(), Token::new("main").unwrap());
        let page = |rows: &[String]| pages(&layout, 3, &tenant, 7, Timestamp(0), rows);
        let one = page(&["{}".to_owned(), "{}".to_owned()]);
        assert_eq!(one.len(), 1);
        assert_eq!(&one[0].1.body[..], br#"{"partition":3,"journal_sequence":7,"events":[{},{}]}"#);
        let large = format!("\"{}\"", "x".repeat(MOST_PAGE_BYTES / 2));
        let split = page(&[large.clone(), large]);
        assert_eq!(split.len(), 2);
        assert!(split[1].1.body.starts_with(br#"{"partition":3,"journal_sequence":7,"page":2,"pages":2,"#));
        assert!(split[0].0 < split[1].0);
    }
}
