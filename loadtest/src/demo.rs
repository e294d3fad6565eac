//! A whole run: participants, workload, auditor, and a report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::ports::{OpenError, Reader, SharedBus, Unavailable};
use domain::messages::body::Format;
use serde::Serialize;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::auditor::{Auditor, News, Settings, Tally, Verdict};
use crate::contract::Naming;
use crate::ledger::Witness;
use crate::scenario::Data;
use crate::simulators::{
    OutboxSettings, Profiles, Simulators, StockError, StockFeed, are_patient, end_of, outbox,
};
use crate::workload::{Goods, Latency, Mix, Pace, Plan, Publisher, StockPlan};

/// What is to be run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many orders.
    pub orders: u64,
    /// What all chance depends on.
    pub seed: u64,
    /// Starts every order id (letters, digits, `-`; lower case): different for each run against the same streams.
    pub run: String,
    /// What kinds of orders.
    pub mix: Mix,
    /// How many orders a second; none = as fast as they are taken.
    pub rate: Option<u32>,
    /// How many orders may be under way at once.
    pub in_flight: usize,
    /// How reliable the participants are.
    pub profiles: Profiles,
    /// How the shop writes orders and wishes.
    pub format: Format,
    /// Orders and wishes that wait together go out in batches, by partition of so many; none = each alone.
    pub batch_partitions: Option<u16>,
    /// How long nothing may end before the run is given up.
    pub patience: Duration,
    /// Orders buy these items from stock that Doorbuster keeps; none = the allocation participant gives everything.
    pub stock: Option<(Data, StockPlan)>,
}

impl RunOptions {
    /// A mixed run with reliable participants, 2,000 orders under way, a minute of patience.
    pub fn new(orders: u64, seed: u64, run: impl Into<String>) -> Self {
        Self {
            orders,
            seed,
            run: run.into(),
            mix: Mix::mixed(),
            rate: None,
            in_flight: 2_000,
            profiles: Profiles::all(crate::simulators::Profile::CALM),
            format: Format::Json,
            batch_partitions: None,
            patience: Duration::from_mins(1),
            stock: None,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How orders have ended so far.
    pub orders: Tally,
    /// Seconds since the start.
    pub seconds: f64,
    /// Ended orders a second since the start.
    pub orders_per_second: f64,
    /// From submit to commit, so far.
    pub latency: Latency,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The seed: the same again makes the same orders.
    pub seed: u64,
    /// How orders have ended.
    pub orders: Tally,
    /// Seconds from the first submit to the last end.
    pub seconds: f64,
    /// Ended orders a second.
    pub orders_per_second: f64,
    /// From the submit (or when it was meant to come) to the receipt or commit, in milliseconds.
    pub submit_to_committed: Latency,
    /// Messages stored in each stream during the run.
    pub messages: BTreeMap<String, u64>,
    /// All of them for each submitted order.
    pub messages_per_order: f64,
    /// What the auditor says.
    pub verdict: Verdict,
}

/// Why a run could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The broker could not be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A stream is missing, or has lost what was not yet read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no stock to sell from.
    #[error("stock: {0}")]
    Stock(#[from] StockError),
}

/// How often progress is told.
const TICK: Duration = Duration::from_millis(500);
/// How long to wait for pages before looking around.
const LOOK_AROUND: Duration = Duration::from_millis(20);

/// Runs the workload against whoever serves the streams of `naming` on `bus`, and judges it.
///
/// Needs a tokio runtime; under a single-threaded one with paused time the run is reproducible.
pub async fn run(
    options: RunOptions,
    bus: SharedBus,
    naming: Naming,
    progress: impl Fn(Progress) + Send,
) -> Result<Report, RunError> {
    let settings = Settings {
        prefix: format!("{}-", options.run),
        quiet_orders: 5_000,
        patient: are_patient(&options.profiles),
    };
    let auditor = Arc::new(Mutex::new(Auditor::new(settings)));
    let witness: Arc<dyn Witness> = Arc::clone(&auditor) as Arc<dyn Witness>;
    let events = naming.stream("EVENTS");
    let mut pages = crate::simulators::open(&bus, &events, end_of(&bus, &events).await?).await?;
    let simulators =
        Simulators::start(&bus, &witness, &naming, &options.profiles, options.seed, &options.run).await?;

    let lines = options.stock.as_ref().and_then(|(data, _)| data.lines);
    let plan = Plan { seed: options.seed, run: options.run.clone(), mix: options.mix, lines };
    let pace = Pace { orders: options.orders, per_second: options.rate, in_flight: options.in_flight };
    let goods = options.stock.map(|(data, stock)| Goods::new(data, Some(stock), &options.run));
    let supply = goods.as_ref().and_then(Goods::supply).cloned();
    let publisher = Arc::new(Publisher::new(plan, pace, naming.clone(), Arc::clone(&auditor), goods));
    let receipts = listen(&bus, &publisher).await?;

    let refusing = Arc::clone(&witness);
    let settings = OutboxSettings {
        format: options.format,
        batch_partitions: options.batch_partitions,
        ..OutboxSettings::default()
    };
    let (shop, emptying) = outbox(Arc::clone(&bus), settings, move |message, cause| {
        refusing.unreadable(&format!("the broker refused {}: {cause}", message.subject));
    });
    let emptying = tokio::spawn(emptying);
    let (quieten, quiet) = watch::channel(false);
    let feeding = match supply {
        None => None,
        Some(supply) => {
            let feed =
                StockFeed { supply, naming: naming.clone(), run: options.run.clone(), seed: options.seed };
            feed.open(&bus, &*auditor, &mut pages, &shop).await?;
            let (auditor, shop) = (Arc::clone(&auditor), shop.clone());
            Some(tokio::spawn(async move { feed.go_on(&*auditor, &shop, quiet).await }))
        }
    };
    let before = count(&bus, &naming).await;
    let started = Instant::now();
    let (told, all_published) = oneshot::channel();
    let buying = tokio::spawn({
        let (publisher, shop) = (Arc::clone(&publisher), shop.clone());
        async move {
            publisher.publish(&shop).await;
            quieten.send_replace(true);
            // Nobody waits for this if the run was given up.
            let _ = told.send(());
        }
    });
    let watching = Watch { auditor: &auditor, publisher: &publisher, simulators: &simulators, started };
    let last_end = watching.until_settled(pages, &shop, all_published, options.patience, &progress).await;

    buying.abort();
    if let Some(feeding) = feeding {
        feeding.abort();
    }
    receipts.abort();
    drop(shop);
    let last_end = last_end?;
    simulators.stop().await?;
    emptying.abort();
    let verdict = locked(&auditor).verdict();
    let messages = difference(&before, &count(&bus, &naming).await);
    let seconds = (last_end - started).as_secs_f64();
    let latency = publisher.stopwatch().latency();
    Ok(report(options.seed, verdict, seconds, latency, messages))
}

async fn listen(bus: &SharedBus, publisher: &Arc<Publisher>) -> Result<JoinHandle<()>, Unavailable> {
    let mut subscription = bus.subscribe(&publisher.receipts()).await?;
    let publisher = Arc::clone(publisher);
    Ok(tokio::spawn(async move {
        while let Some(receipt) = subscription.next().await {
            publisher.receipt(&receipt.body);
        }
    }))
}

/// Reads the pages until everything has ended.
struct Watch<'a> {
    auditor: &'a Mutex<Auditor>,
    publisher: &'a Publisher,
    simulators: &'a Simulators,
    started: Instant,
}

impl Watch<'_> {
    /// Gives when the last order ended.
    async fn until_settled(
        &self,
        mut pages: Box<dyn Reader>,
        shop: &crate::simulators::Outbox,
        mut all_published: oneshot::Receiver<()>,
        patience: Duration,
        progress: &(impl Fn(Progress) + Send),
    ) -> Result<Instant, OpenError> {
        let (mut last_end, mut last_move, mut last_told) = (self.started, self.started, self.started);
        let mut is_published = false;
        loop {
            match pages.next(256, LOOK_AROUND).await {
                Ok(messages) => {
                    for stored in &messages {
                        let news: Vec<News> = locked(self.auditor).page(stored);
                        for one in &news {
                            self.publisher.news(one, shop).await;
                        }
                        last_move = Instant::now();
                        if news.iter().any(|one| one.kind == crate::auditor::NewsKind::Ended) {
                            last_end = last_move;
                        }
                    }
                }
                Err(OpenError::Unavailable(cause)) => {
                    tracing::debug!(%cause, "waiting for the broker");
                    tokio::time::sleep(LOOK_AROUND).await;
                }
                Err(lost) => return Err(lost),
            }
            is_published = is_published || all_published.try_recv().is_ok();
            let (forgotten, is_settled) = {
                let mut auditor = locked(self.auditor);
                (auditor.take_forgotten(), auditor.is_settled())
            };
            self.simulators.forget(&forgotten);
            if last_told.elapsed() >= TICK {
                last_told = Instant::now();
                progress(self.progress());
            }
            if (is_published && is_settled) || last_move.elapsed() > patience {
                progress(self.progress());
                return Ok(last_end);
            }
        }
    }

    fn progress(&self) -> Progress {
        let orders = locked(self.auditor).tally();
        let seconds = self.started.elapsed().as_secs_f64();
        let latency = self.publisher.stopwatch().latency();
        Progress { orders, seconds, orders_per_second: per(orders.submitted - orders.open, seconds), latency }
    }
}

fn report(
    seed: u64,
    verdict: Verdict,
    seconds: f64,
    latency: Latency,
    messages: BTreeMap<String, u64>,
) -> Report {
    let orders = verdict.orders;
    let all: u64 = messages.values().sum();
    Report {
        seed,
        orders,
        seconds,
        orders_per_second: per(orders.submitted - orders.open, seconds),
        submit_to_committed: latency,
        messages_per_order: per(all, Duration::from_secs(orders.submitted).as_secs_f64()),
        messages,
        verdict,
    }
}

/// `number` for each one of `of`; 0 if there is none.
fn per(number: u64, of: f64) -> f64 {
    let number = Duration::from_secs(number).as_secs_f64();
    if of > 0.0 { number / of } else { 0.0 }
}

/// The last sequence of each stream; a stream that cannot be asked is left out, since this is for information only.
async fn count(bus: &SharedBus, naming: &Naming) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for stream in naming.counted_streams() {
        if let Ok(bounds) = bus.bounds(&stream).await {
            counts.insert(stream, bounds.last);
        }
    }
    counts
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |stream: &String| before.get(stream).copied().unwrap_or(0);
    after.iter().map(|(stream, last)| (stream.clone(), last.saturating_sub(since(stream)))).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
