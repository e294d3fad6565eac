//! Reference data: read from its bucket once before the node decides anything, and watched from then on.
//!
//! Its owners write one value for each node, item, promotion and coupon. A value that cannot be read is refused: the last good one
//! stays, and the refusal is logged, counted and shown until a good one comes. The bucket keeps some revisions of each value and all
//! of them are read, oldest first, so a start finds the last good one as well as who was there when it was written.
//!
//! Reading order: [`report`] (what is shown), then the watcher below.

pub mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::ports::{OpenError, Position, Reader, SharedBus, Stored, Unavailable};
use domain::reference::Reference;
use tokio::time::sleep;

use report::Report;

/// Values taken at once. Each lot makes one new snapshot.
const LOT: usize = 500;

/// How long one look waits for more.
const PATIENCE: Duration = Duration::from_secs(1);

/// Until the bucket is asked again after it did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// The header with which a bucket says that a value is gone.
const OPERATION: &str = "KV-Operation";

/// The header with which the broker says the same of a value whose time is over.
const MARKER: &str = "Nats-Marker-Reason";

/// Who is given each new snapshot.
type Taker = Box<dyn Fn(&Reference) + Send + Sync>;

/// Reads the bucket, and gives on what it says.
pub struct Watcher {
    bus: SharedBus,
    layout: Layout,
    current: Reference,
    at: Position,
    reader: Option<Box<dyn Reader>>,
    report: Arc<Report>,
    taker: Taker,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Watcher").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Watcher {
    /// Watches the bucket of `layout`; each new snapshot goes to `taker`.
    pub fn new(bus: SharedBus, layout: Layout, taker: impl Fn(&Reference) + Send + Sync + 'static) -> Self {
        let (current, report, taker) = (Reference::default(), Arc::default(), Box::new(taker));
        Self { bus, layout, current, at: Position::default(), reader: None, report, taker }
    }

    /// What is shown of it.
    pub fn report(&self) -> Arc<Report> {
        Arc::clone(&self.report)
    }

    /// Reads everything that is in the bucket now. Tries until it can; `waiting` is told why it cannot yet.
    pub async fn read_all(&mut self, waiting: impl Fn(String)) {
        while let Err(why) = self.read_to_the_end().await {
            waiting(format!("reference data cannot be read: {why}"));
            self.reader = None;
            sleep(PAUSE).await;
        }
        self.give();
    }

    /// Puts what is known into force.
    fn give(&self) {
        self.report.holds(&self.current);
        (self.taker)(&self.current);
    }

    async fn read_to_the_end(&mut self) -> Result<(), OpenError> {
        let stream = self.layout.name(StreamId::Reference);
        let last = self.bus.bounds(&stream).await?.last;
        // Values are replaced while we read, so nobody can wait for a certain sequence.
        let all = self.layout.reference(">");
        while self.bus.count_between(&stream, &all, self.at.sequence, last).await? > 0 {
            self.read_on().await?;
        }
        Ok(())
    }

    /// Reads on until it is dropped.
    pub async fn watch(mut self) {
        loop {
            match self.read_on().await {
                Ok(true) => self.give(),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "reference data cannot be watched right now; trying again");
                    self.reader = None;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes the next lot, if it comes soon; false = nothing came.
    async fn read_on(&mut self) -> Result<bool, OpenError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => {
                let (stream, all) = (self.layout.name(StreamId::Reference), self.layout.reference(">"));
                empty.insert(self.bus.open(&stream, Some(&all), self.at).await?)
            }
        };
        let lot = reader.next(LOT, PATIENCE).await?;
        for stored in &lot {
            self.take(stored).await?;
            self.at = Position { sequence: stored.sequence, timestamp_ns: stored.timestamp_ns };
        }
        Ok(!lot.is_empty())
    }

    async fn take(&mut self, stored: &Stored) -> Result<(), Unavailable> {
        let Some(key) = self.layout.reference_key(&stored.subject) else { return Ok(()) };
        let is_gone = stored.headers.get(OPERATION).is_some() || stored.headers.get(MARKER).is_some();
        let value = (!is_gone).then_some(&*stored.body);
        match self.current.put(stored.sequence, key, value) {
            Ok(()) => self.report.took(key, (!is_gone).then_some(stored.sequence)),
            Err(refusal) if self.is_newest(stored).await? => {
                let first = refusal.violations.first().map_or("", |violation| violation.message.as_str());
                tracing::error!(
                    key,
                    revision = stored.sequence,
                    in_force = self.report.in_force(key),
                    first,
                    "reference value refused; the last good one stays"
                );
                self.report.refused(key, stored.sequence, stored.timestamp_ns, refusal.violations);
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Does the bucket say so still? What was refused and replaced since is nobody's concern any more.
    async fn is_newest(&self, stored: &Stored) -> Result<bool, Unavailable> {
        let stream = self.layout.name(StreamId::Reference);
        let newest = self.bus.last_on_subject(&stream, &stored.subject).await?;
        Ok(newest.is_none_or(|newest| newest.sequence <= stored.sequence))
    }
}

#[cfg(test)]
mod tests;
