//! Events as they are published: rows of the page of their record, and chosen ones alone.

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
    fn numbered(&self) -> impl Iterator<Item = (u64, String, &PublishedEvent)> {
        (self.first_sequence..).zip(self.events).map(|(sequence, event)| {
            let id = format!("{}:{}:{}:{sequence}", self.entity.tenant, self.entity.kind, self.entity.key);
            (sequence, id, event)
        })
    }
}

/// The rows of an event page.
pub(crate) fn rows(told: &Told<'_>) -> Vec<String> {
    let time = rfc3339(told.now);
    let correlation = serde_json::to_string(&told.trace.correlation_id).expect("text is plain data");
    let (key, version) = (&told.entity.key, told.version);
    told.numbered()
        .map(|(sequence, id, PublishedEvent { kind, data })| {
            format!(
                r#"{{"type":"{kind}","key":"{key}","id":"{id}","sequence":{sequence},"order_version":{version},"time":"{time}","correlation_id":{correlation},"data":{data}}}"#
            )
        })
        .collect()
}

/// The events that are also published alone.
pub(crate) fn notices(config: &NodeConfig, layout: &Layout, told: &Told<'_>) -> Vec<Outgoing> {
    let mut notices = Vec::new();
    for (sequence, id, event) in told.numbered() {
        let Some((domain, name)) = event.kind.split_once('.').filter(|_| config.is_single(event.kind)) else {
            continue;
        };
        let mut headers = Headers::new();
        headers.push("ce-id", id);
        headers.push("ce-type", format!("retail.{}.v1", event.kind));
        headers.push("ce-source", SOURCE);
        headers.push("ce-time", rfc3339(told.now));
        headers.push("content-type", "application/json");
        headers.push("Key", told.entity.key.as_str().to_owned());
        headers.push("ce-sequence", sequence.to_string());
        headers.push("Order-Version", told.version.to_string());
        add_trace(&mut headers, told.trace);
        let partition = told.entity.key.partition(layout.partitions);
        let subject = layout.notice(&told.entity.tenant, domain, name, partition);
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
            let body = format!(
                r#"{{"partition":{partition},"journal_sequence":{journal_sequence},{part}"events":[{}]}}"#,
                group.join(",")
            );
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
