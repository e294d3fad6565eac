//! Takes the place of the server: reads inputs through pull consumers and publishes what follows them, deciding nothing.
//!
//! What follows says a [`Recipe`]: a recorded [`Trace`], or a [`Template`] put onto every order. Outputs keep the server's order:
//! a journal record first, after its ack commands and receipts, then its pages one after the other, then its notices.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::layout::{Lane, Layout};
use bus::ports::{Expect, Position, SharedBus, StoreOutcome};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deliver;
use super::template::Template;
use super::trace::{Filler, Joint, Sent, Step, Totals, Trace};

/// How many messages are read at once.
const MOST_AT_ONCE: usize = 500;
/// How long a reader waits before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many steps wait for the journal, and how many records for their pages.
const MOST_WAITING: usize = 4_096;
const MOST_OUTPUTS: usize = 64;
/// How many appends a template has on the way at once: nothing there depends on the order of records.
const TEMPLATE_APPENDS: usize = 256;

/// What a relay is to do, as it is handed to its process in a file.
#[derive(Debug, Serialize, Deserialize)]
pub enum Recipe {
    /// Exactly this, once.
    Recorded(Trace),
    /// This for every order.
    Repeated(Template),
}

impl Recipe {
    /// Writes it to a file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        rmp_serde::encode::write(&mut file, self).map_err(io::Error::other)?;
        file.flush()
    }

    /// Reads it from a file.
    pub fn read(path: &Path) -> io::Result<Self> {
        rmp_serde::decode::from_read(BufReader::new(File::open(path)?)).map_err(io::Error::other)
    }
}

/// What follows what.
#[derive(Debug)]
enum Script {
    /// Exactly what was recorded, once.
    Recorded {
        /// The steps that are not out yet, by their number.
        steps: Vec<Option<Step>>,
        /// The messages of several steps that are not out yet.
        joint: Vec<Option<Joint>>,
        /// Which steps wait for a message.
        causes: HashMap<String, Vec<u32>>,
    },
    /// The same for every order.
    Repeated(Template),
}

impl Script {
    fn new(recipe: Recipe) -> Self {
        match recipe {
            Recipe::Repeated(template) => Self::Repeated(template),
            Recipe::Recorded(trace) => {
                let steps = trace.steps.into_iter().map(Some).collect();
                let joint = trace.joint.into_iter().map(Some).collect();
                Self::Recorded { steps, joint, causes: trace.causes }
            }
        }
    }

    /// The steps that wait for nothing and follow none.
    fn begin(&mut self) -> Vec<Step> {
        let Self::Recorded { steps, .. } = self else { return Vec::new() };
        let mut seen = Vec::new();
        let mut first = Vec::new();
        for slot in steps {
            let Some(step) = slot else { continue };
            if !seen.contains(&step.partition) {
                seen.push(step.partition);
                if step.waits == 0 {
                    first.extend(slot.take());
                }
            }
        }
        first
    }

    /// The steps that the message with this `ce-id` was the last to be missing for.
    fn arrived(&mut self, id: &str) -> Vec<Step> {
        match self {
            Self::Repeated(template) => template.step(id).into_iter().collect(),
            Self::Recorded { steps, causes, .. } => {
                let mut ready = Vec::new();
                for number in causes.remove(id).unwrap_or_default() {
                    let slot = &mut steps[number as usize];
                    if let Some(step) = slot {
                        step.waits -= 1;
                        if step.waits == 0 {
                            ready.extend(slot.take());
                        }
                    }
                }
                ready
            }
        }
    }

    /// The step that waits for nothing but the one before it.
    fn follows(&mut self, number: u32, partition: u16) -> Option<Step> {
        let Self::Recorded { steps, .. } = self else { return None };
        let slot = steps.get_mut(number as usize + 1)?;
        let is_next = slot.as_ref().is_some_and(|step| step.waits == 0 && step.partition == partition);
        if is_next { slot.take() } else { None }
    }

    /// The joint messages for which a record that is stored now was the last to be missing.
    fn stored(&mut self, numbers: &[u32]) -> Vec<Sent> {
        let Self::Recorded { joint, .. } = self else { return Vec::new() };
        let mut ready = Vec::new();
        for number in numbers {
            let slot = &mut joint[*number as usize];
            if let Some(message) = slot {
                message.waits -= 1;
                if message.waits == 0 {
                    ready.extend(slot.take().map(|joint| joint.sent));
                }
            }
        }
        ready
    }

    /// How many steps are not out; none for a script without end.
    fn left(&self) -> Option<usize> {
        match self {
            Self::Recorded { steps, joint, .. } => {
                Some(steps.iter().flatten().count() + joint.iter().flatten().count())
            }
            Self::Repeated(_) => None,
        }
    }

    const fn appends(&self) -> usize {
        match self {
            Self::Recorded { .. } => 1,
            Self::Repeated(_) => TEMPLATE_APPENDS,
        }
    }
}

/// What all tasks of a relay share.
#[derive(Debug)]
struct Shared {
    bus: SharedBus,
    layout: Layout,
    script: Mutex<Script>,
    totals: Mutex<Totals>,
    filler: Filler,
}

impl Shared {
    fn count(&self, sent: &Sent) {
        locked(&self.totals).add(sent);
    }

    async fn send(&self, sent: Sent) -> Result<(), String> {
        self.count(&sent);
        let subject = sent.subject.clone();
        if deliver(&*self.bus, sent.outgoing(&self.filler)).await {
            Ok(())
        } else {
            Err(format!("{subject} could not be sent"))
        }
    }

    async fn store(&self, sent: Sent, expect: Expect) -> Result<u64, String> {
        self.count(&sent);
        let subject = sent.subject.clone();
        match self.bus.store(sent.outgoing(&self.filler), expect).await {
            StoreOutcome::Stored(sequence) => Ok(sequence),
            other => Err(format!("{subject} was not stored: {other:?}")),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A relay, running as tasks of the current runtime; they end with this value.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<(), String>>,
}

impl Relay {
    /// Opens all readers and begins.
    pub async fn start(bus: SharedBus, layout: Layout, recipe: Recipe) -> Result<Self, String> {
        let mut script = Script::new(recipe);
        let (first, appends) = (script.begin(), script.appends());
        // One program for all partitions needs one reader for each stream; a recorded server has one for each partition.
        let filters: Vec<Option<String>> = match &script {
            Script::Repeated(_) => vec![None],
            Script::Recorded { .. } => {
                (0..layout.partitions).map(|partition| Some(layout.inbound_filter(partition))).collect()
            }
        };
        let shared = Arc::new(Shared {
            bus,
            layout,
            script: Mutex::new(script),
            totals: Mutex::default(),
            filler: Filler::default(),
        });
        let mut relay = Self { shared, tasks: JoinSet::new() };
        let mut lanes = Vec::new();
        for _ in 0..relay.shared.layout.partitions {
            let (steps, waiting) = mpsc::channel(MOST_WAITING);
            let (outputs, publishing) = mpsc::channel(MOST_OUTPUTS);
            relay.tasks.spawn(write(Arc::clone(&relay.shared), appends, waiting, outputs));
            relay.tasks.spawn(publish(Arc::clone(&relay.shared), publishing));
            lanes.push(steps);
        }
        for step in first {
            put(&lanes, step).await?;
        }
        for lane in Lane::ALL {
            for filter in &filters {
                let stream = relay.shared.layout.name(lane.stream());
                let reader = relay.shared.bus.open(&stream, filter.as_deref(), Position::default()).await;
                let reader = reader.map_err(|cause| cause.to_string())?;
                relay.tasks.spawn(read(Arc::clone(&relay.shared), reader, lanes.clone()));
            }
        }
        Ok(relay)
    }

    /// What has been published so far.
    pub fn totals(&self) -> Totals {
        *locked(&self.shared.totals)
    }

    /// How many recorded steps are still waiting for something; none for a template.
    pub fn left(&self) -> Option<usize> {
        locked(&self.shared.script).left()
    }

    /// Comes back when a task has ended, which none does while all is well.
    pub async fn trouble(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Ok(Err(trouble))) => trouble,
            Some(Err(panic)) => panic.to_string(),
            Some(Ok(Ok(()))) | None => "a task of the relay has ended".to_owned(),
        }
    }
}

async fn put(lanes: &[mpsc::Sender<Step>], step: Step) -> Result<(), String> {
    let lane = lanes.get(usize::from(step.partition)).ok_or("a step of a partition that is not there")?;
    lane.send(step).await.map_err(|_| "a writer has ended".to_owned())
}

async fn read(
    shared: Arc<Shared>,
    mut reader: Box<dyn bus::ports::Reader>,
    lanes: Vec<mpsc::Sender<Step>>,
) -> Result<(), String> {
    loop {
        for stored in reader.next(MOST_AT_ONCE, PATIENCE).await.map_err(|cause| cause.to_string())? {
            let id = stored.headers.get("ce-id").unwrap_or_default();
            let ready = locked(&shared.script).arrived(id);
            for step in ready {
                put(&lanes, step).await?;
            }
        }
    }
}

/// What goes out after a record: its pages, and then its notices.
type Output = (Vec<Sent>, Vec<Sent>);

async fn write(
    shared: Arc<Shared>,
    appends: usize,
    mut steps: mpsc::Receiver<Step>,
    outputs: mpsc::Sender<Output>,
) -> Result<(), String> {
    let mut waiting: VecDeque<Step> = VecDeque::new();
    let mut storing = FuturesUnordered::new();
    let mut last = 0;
    loop {
        while storing.len() < appends
            && let Some(step) = waiting.pop_front()
        {
            let expect = if appends == 1 { Expect::LastSequence(last) } else { Expect::Anything };
            storing.push(append(&shared, step, expect));
        }
        tokio::select! {
            biased;
            Some(stored) = storing.next() => {
                let (sequence, step): (u64, Step) = stored?;
                last = sequence;
                let (next, joint) = {
                    let mut script = locked(&shared.script);
                    (script.follows(step.number, step.partition), script.stored(&step.joint))
                };
                waiting.extend(next);
                for sent in step.commands.into_iter().chain(joint).chain(step.receipts) {
                    shared.send(sent).await?;
                }
                if !step.pages.is_empty() || !step.notices.is_empty() {
                    outputs.send((step.pages, step.notices)).await.map_err(|_| "a publisher has ended".to_owned())?;
                }
            }
            step = steps.recv(), if waiting.len() < MOST_WAITING => match step {
                Some(step) => waiting.push_back(step),
                None => return Ok(()),
            },
        }
    }
}

async fn append(shared: &Shared, mut step: Step, expect: Expect) -> Result<(u64, Step), String> {
    let empty = Sent {
        subject: String::new(),
        headers: domain::envelope::Headers::new(),
        body: super::trace::Body::Blank(0),
    };
    let record = std::mem::replace(&mut step.record, empty);
    Ok((shared.store(record, expect).await?, step))
}

async fn publish(shared: Arc<Shared>, mut outputs: mpsc::Receiver<Output>) -> Result<(), String> {
    let mut last: HashMap<String, u64> = HashMap::new();
    while let Some((pages, notices)) = outputs.recv().await {
        for page in pages {
            let subject = page.subject.clone();
            let known = last.get(&subject).copied().unwrap_or_default();
            let sequence = shared.store(page, Expect::LastOnSubject(known)).await?;
            last.insert(subject, sequence);
        }
        for notice in notices {
            shared.send(notice).await?;
        }
    }
    Ok(())
}
