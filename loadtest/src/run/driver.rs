//! The run from its beginning to its end: starts everybody, lets it go on, and sums up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::ports::{OpenError, Reader, SharedBus, Unavailable};
use domain::decider::Participant;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::arrivals::Arrivals;
use super::conduct::{behaviours_at, is_patient};
use super::judgement::{Books, Watch};
use super::letters;
use super::observer::Observer;
use super::orders::Orders;
use super::place::{Place, start_shop};
use super::play::Play;
use super::recorder::Recorder;
use super::shop::{Shop, Signal};
use super::summary::{Environment, Point, Quantiles, Summary};
use super::summing::{self, Outcome};
use crate::auditor::{Auditor, Settings, Tally};
use crate::contract::Naming;
use crate::ledger::Witness;
use crate::scenario::Scenario;
use crate::simulators::{
    Outbox, OutboxSettings, Profile, Profiles, Simulators, StockError, StockFeed, end_of, open, outbox,
};

/// Clean orders that are watched a while longer.
const QUIET_ORDERS: usize = 5_000;

/// What is run and where.
#[derive(Debug)]
pub struct Setting {
    /// What.
    pub scenario: Arc<Scenario>,
    /// Starts every order id: different for each run against the same streams.
    pub run: String,
    /// Where things are on the wire.
    pub naming: Naming,
    /// Into how many partitions orders are divided.
    pub partitions: u16,
    /// The participants are somebody else's: only the shop is played, and books are not judged.
    pub external_participants: bool,
    /// For participants, pages and receipts.
    pub bus: SharedBus,
    /// Where the shop works.
    pub place: Place,
    /// Who kills and starts the server; none = a scenario with a restart cannot be run.
    pub restarts: Option<mpsc::Sender<()>>,
    /// What is told of the surroundings.
    pub environment: Environment,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Of all phases.
    pub duration: Duration,
    /// The label of the phase; after the last, none.
    pub phase: Option<String>,
    /// The rate that is meant now.
    pub target: f64,
    /// The last whole second.
    pub last: Option<Point>,
    /// How orders have ended.
    pub orders: Tally,
    /// The legs so far, from the intended moment.
    pub legs: [Quantiles; 4],
    /// Milliseconds.
    pub lateness_p99: f64,
    /// What goes wrong now.
    pub faults: Vec<String>,
    /// Objectives on times that do not hold so far.
    pub missed: Vec<String>,
}

/// Why a run could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The broker could not be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A stream is missing, or has lost what was not yet read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no stock to sell from.
    #[error("stock: {0}")]
    Stock(#[from] StockError),
    /// The shop could not be started.
    #[error("the shop: {0}")]
    Shop(String),
}

/// What the caller hears while the run goes on, and how it says that it shall end.
#[derive(Debug)]
pub struct Heard<P, E> {
    /// Told once a second.
    pub progress: P,
    /// The run ends when this completes.
    pub asked_to_end: E,
}

/// Runs the scenario and judges it.
///
/// # Errors
/// The broker is out of reach, or its streams are missing.
pub async fn drive(
    setting: Setting,
    heard: Heard<impl Fn(&Progress), impl Future<Output = ()>>,
) -> Result<Summary, DriveError> {
    let Setting {
        scenario,
        run,
        naming,
        partitions,
        external_participants,
        bus,
        place,
        restarts,
        environment,
    } = setting;
    let events = naming.stream("EVENTS");
    let mut pages = open(&bus, &events, end_of(&bus, &events).await?).await?;
    let letters = naming.stream("DLQ");
    let letters_from = end_of(&bus, &letters).await?;
    let cast = Cast { scenario: &scenario, run: &run, naming: &naming, bus: &bus };

    let (signal, listener) = watch::channel(Signal::Open);
    let observer = cast.observer(external_participants);
    let (begin, started) = oneshot::channel();
    let shop = cast.shop(&observer, listener);
    let closed = start_shop(shop, place, &bus, started).await.map_err(DriveError::Shop)?;
    let base = written(&scenario.participants, scenario.batches.then_some(partitions));
    let simulators =
        if external_participants { None } else { Some(cast.simulators(&observer, &base).await?) };
    let receipts = cast.listen(&observer).await?;
    let refusing = Arc::clone(&observer);
    let (wishes, emptying) = outbox(Arc::clone(&bus), OutboxSettings::default(), move |message, cause| {
        refusing.unreadable(&format!("the broker refused {}: {cause}", message.subject));
    });
    let emptying = tokio::spawn(emptying);
    let (quieten, quiet) = watch::channel(false);
    let feeding = cast.sell_from_stock(&observer, &mut pages, &wishes, quiet).await?;
    let before = summing::count(&bus, &naming).await;
    // Everything that can be slow is done.
    let start = Instant::now();
    observer.state().recorder = Recorder::new(&scenario, start);
    // A shop that is gone says so by itself, in `closed`.
    let _ = begin.send(start);

    let mut play = Play {
        scenario: &scenario,
        base,
        observer: &observer,
        simulators: simulators.as_ref(),
        restarts: restarts.as_ref(),
        signal: &signal,
        quieten: &quieten,
        start,
        behaviours: None,
        restarted: 0,
        watch: Watch::default(),
        closed,
        is_closed: false,
        last_end: start,
    };
    let how = tokio::select! {
        biased;
        how = play.until_settled(pages, &wishes, &heard.progress) => Some(how),
        () = heard.asked_to_end => None,
    };
    let seconds = (play.last_end - start).as_secs_f64();
    signal.send_replace(Signal::GiveUp);
    play.until_closed().await;
    receipts.abort();
    feeding.inspect(JoinHandle::abort);
    drop(wishes);
    let interrupted = how.is_none();
    let aborted = how.transpose()?.flatten();
    if let Some(simulators) = simulators {
        simulators.stop().await?;
    }
    emptying.abort();
    let counts = observer.state().recorder.counts;
    let expected = if interrupted { 0 } else { counts.poison + counts.expired };
    let letters = letters::count(&bus, &letters, letters_from, &format!("{run}-"), expected).await?;
    let streams = summing::since(&before, &summing::count(&bus, &naming).await);
    let books = if external_participants { Books::Unseen } else { Books::Seen };
    let outcome = Outcome { aborted, interrupted, books, letters, streams, seconds };
    Ok(summing::sum_up(&scenario, environment, &observer, outcome))
}

/// Everybody who takes part.
struct Cast<'a> {
    scenario: &'a Scenario,
    run: &'a str,
    naming: &'a Naming,
    bus: &'a SharedBus,
}

impl Cast<'_> {
    fn observer(&self, external_participants: bool) -> Arc<Observer> {
        let prefix = format!("{}-", self.run);
        let settings = Settings { prefix, quiet_orders: QUIET_ORDERS, patient: is_patient(self.scenario) };
        let auditor = Auditor::new(settings);
        let auditor = if external_participants { auditor.without_books() } else { auditor };
        let orders = Arc::new(Orders::new(self.scenario, self.run));
        let room = Arc::new(Semaphore::new(self.scenario.in_flight.min(Semaphore::MAX_PERMITS)));
        let recorder = Recorder::new(self.scenario, Instant::now());
        Arc::new(Observer::new(orders, room, auditor, recorder))
    }

    /// Tells the stock, if Doorbuster keeps it, and goes on telling it until all shall be quiet.
    async fn sell_from_stock(
        &self,
        observer: &Arc<Observer>,
        pages: &mut Box<dyn Reader>,
        outbox: &Outbox,
        quiet: watch::Receiver<bool>,
    ) -> Result<Option<JoinHandle<()>>, StockError> {
        let orders = observer.orders();
        let Some(supply) = orders.supply().cloned() else { return Ok(None) };
        let (naming, run, seed) = (self.naming.clone(), self.run.to_owned(), self.scenario.seed);
        let feed = StockFeed { supply, naming, run, seed };
        feed.open(self.bus, &**observer, pages, outbox).await?;
        let (observer, outbox) = (Arc::clone(observer), outbox.clone());
        Ok(Some(tokio::spawn(async move { feed.go_on(&*observer, &outbox, quiet).await })))
    }

    fn shop(&self, observer: &Arc<Observer>, signal: watch::Receiver<Signal>) -> Shop {
        Shop {
            orders: observer.orders(),
            arrivals: Arrivals::new(self.scenario),
            expires: self.scenario.expires,
            naming: self.naming.clone(),
            run: self.run.to_owned(),
            observer: Arc::clone(observer),
            room: observer.room(),
            signal,
        }
    }

    async fn simulators(&self, observer: &Arc<Observer>, base: &Profiles) -> Result<Simulators, Unavailable> {
        let witness: Arc<dyn Witness> = Arc::clone(observer) as Arc<dyn Witness>;
        let hot = self.scenario.data.hot_sku.iter();
        let stock: BTreeMap<String, u32> =
            hot.filter_map(|hot| Some((hot.sku.clone(), hot.stock?))).collect();
        let first = behaviours_at(self.scenario, base, Duration::ZERO);
        let seed = self.scenario.seed;
        Simulators::start_with(self.bus, &witness, self.naming, &first, seed, self.run, &stock).await
    }

    async fn listen(&self, observer: &Arc<Observer>) -> Result<JoinHandle<()>, Unavailable> {
        let subject = self.naming.of_all("receipt", self.run, "submit");
        let mut subscription = self.bus.subscribe(&subject).await?;
        let observer = Arc::clone(observer);
        Ok(tokio::spawn(async move {
            while let Some(receipt) = subscription.next().await {
                observer.receipt(&receipt.body, Instant::now());
            }
        }))
    }
}

/// Participants in the way of writing that the whole run has.
fn written(participants: &Profiles, batches: Option<u16>) -> Profiles {
    let mut all = *participants;
    for participant in Participant::ALL {
        let profile = all.of_mut(participant);
        *profile = Profile { batches, ..*profile };
    }
    all
}
