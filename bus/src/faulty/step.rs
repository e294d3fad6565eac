//! The steps of the commit path at which a node can be made to die.

/// A step of the commit path, recognised by the subject or the stream of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A journal record is about to be stored; it never is.
    BeforeAppend,
    /// A journal record is stored; its owner never hears of it.
    AfterAppend,
    /// An event page is about to go out; it never does.
    BeforePage,
    /// An event page is out; its publisher never hears of it.
    AfterPage,
    /// A command is about to go out.
    BeforeCommand,
    /// A command is out, and nothing after it.
    AfterCommand,
    /// A dead letter is about to go out.
    BeforeDeadLetter,
    /// A dead letter is out; its publisher never hears of it.
    AfterDeadLetter,
    /// A single event is about to go out.
    BeforeNotice,
    /// A receipt is about to go out.
    BeforeReceipt,
    /// Messages of an inbound stream were read and reach nobody.
    ReadInbound,
    /// Records of a journal were read and reach nobody: a crash in the middle of recovery.
    ReadJournal,
    /// Snapshots (or a marker alone) are about to be stored; they never are.
    BeforeSnapshots,
    /// Snapshots are stored; their owner never hears of it.
    AfterSnapshots,
    /// Snapshots, or pages of their index, were read and reach nobody.
    ReadSnapshots,
    /// Something is about to be purged; it never is.
    BeforePurge,
    /// Something is purged; whoever asked for it never hears of it.
    AfterPurge,
}

impl Step {
    /// All steps: those of the commit path, then those of writing, reading and purging snapshots.
    pub const ALL: [Self; 17] = [
        Self::BeforeAppend,
        Self::AfterAppend,
        Self::BeforePage,
        Self::AfterPage,
        Self::BeforeCommand,
        Self::AfterCommand,
        Self::BeforeDeadLetter,
        Self::AfterDeadLetter,
        Self::BeforeNotice,
        Self::BeforeReceipt,
        Self::ReadInbound,
        Self::ReadJournal,
        Self::BeforeSnapshots,
        Self::AfterSnapshots,
        Self::ReadSnapshots,
        Self::BeforePurge,
        Self::AfterPurge,
    ];

    /// The steps of the commit path.
    pub const COMMIT: &'static [Self] = Self::ALL.split_at(12).0;

    /// The steps of writing, reading and purging snapshots, beside the commit path.
    pub const SNAPSHOTS: &'static [Self] = Self::ALL.split_at(12).1;

    /// The steps right before and right after a message with this subject goes out.
    pub(super) fn around(subject: &str) -> (Option<Self>, Option<Self>) {
        if subject.starts_with("_INBOX.") {
            return (Some(Self::BeforeReceipt), None);
        }
        let tokens: Vec<_> = subject.splitn(7, '.').collect();
        match tokens.get(2).copied() {
            Some("j") => (Some(Self::BeforeAppend), Some(Self::AfterAppend)),
            Some("snap") => (Some(Self::BeforeSnapshots), Some(Self::AfterSnapshots)),
            Some("cmd") => (Some(Self::BeforeCommand), Some(Self::AfterCommand)),
            Some("dlq") => (Some(Self::BeforeDeadLetter), Some(Self::AfterDeadLetter)),
            Some("receipt") => (Some(Self::BeforeReceipt), None),
            Some("evt") if tokens.get(4) == Some(&"all") => (Some(Self::BeforePage), Some(Self::AfterPage)),
            Some("evt") => (Some(Self::BeforeNotice), None),
            _ => (None, None),
        }
    }

    /// The step of reading from this stream.
    pub(super) fn reading(stream: &str) -> Option<Self> {
        let ends = |role: &str| stream.ends_with(role);
        if stream.contains("_JOURNAL_") {
            Some(Self::ReadJournal)
        } else if ends("_SNAPSHOTS") {
            Some(Self::ReadSnapshots)
        } else if ends("_INTAKE") || ends("_WORK") || ends("_REPLIES") || ends("_BULK") {
            Some(Self::ReadInbound)
        } else {
            None
        }
    }
}

/// When the node dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashAt {
    /// At which step.
    pub step: Step,
    /// At how many-th such step, from 1.
    pub nth: u32,
}

#[cfg(test)]
mod tests {
    use super::Step;
    use crate::layout::{Layout, StreamId};

    #[test]
    fn each_subject_of_the_layout_is_around_its_own_step() {
        let layout = Layout::default();
        let before = |subject: String| Step::around(&subject).0;
        assert_eq!(before(layout.journal(3)), Some(Step::BeforeAppend));
        assert_eq!(before(layout.page("main", 3)), Some(Step::BeforePage));
        assert_eq!(before(layout.notice("main", "order", "committed", 3)), Some(Step::BeforeNotice));
        assert_eq!(before(layout.command("main", "payment", "authorize", 3)), Some(Step::BeforeCommand));
        assert_eq!(before(layout.dead_letter("main", "order", "schema", 3)), Some(Step::BeforeDeadLetter));
        assert_eq!(before("retail.v1.receipt.main.x".to_owned()), Some(Step::BeforeReceipt));
        assert_eq!(before("retail.v1.i.main.x".to_owned()), None);
        assert_eq!(Step::reading(&layout.name(StreamId::Journal(3))), Some(Step::ReadJournal));
        assert_eq!(before(layout.snapshot(3, "marker")), Some(Step::BeforeSnapshots));
        assert_eq!(Step::reading(&layout.name(StreamId::Snapshots)), Some(Step::ReadSnapshots));
        assert_eq!(Step::reading(&layout.name(StreamId::Replies)), Some(Step::ReadInbound));
        assert_eq!(Step::reading(&layout.name(StreamId::Events)), None);
    }
}
