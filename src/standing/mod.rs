//! `loadtest standing`: very many orders that wait, and very many stock cells. What each costs in memory, live and passivated; how long a server that was
//! killed takes to serve them again; and what an ERP that is away costs while its documents wait, and when it comes back.
//!
//! Reading order: this file (the phases), `cost` (what a message costs among so many), `cells` (stock), `server` (the process that is measured).

mod cells;
mod cost;
mod server;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{NatsBus, NatsOptions, NatsProcess, ProcessOptions, Setup};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use domain::envelope::Headers;
use loadtest::contract::Naming;
use loadtest::standing::{Crowd, ReturningErp, Until};
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use crate::composition;
use crate::exit::{Exit, Failure};
use crate::raw::cli::StandingOptions;
use crate::raw::stage::trouble;
use cells::Stock;
use server::Server;

/// So long nothing that is waited for may fail to come.
const PATIENCE: Duration = Duration::from_mins(10);
const IN_MEMORY: &str = "entities{place=\"in_memory\"}";
const LOOK: Duration = Duration::from_millis(20);
/// Orders that are read after a restart, spread over all of them.
const SAMPLE: u64 = 1_000;

/// What was found out. Bytes are resident memory of the server for each order; seconds begin with the start of the process.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) orders: u64,
    durability: String,
    pub(crate) live_bytes_per_order: u64,
    live_resident_mib: u64,
    brought_per_second: u64,
    /// Microseconds of the server for a wish to cancel, with a thousand live orders: several measurements.
    pub(crate) few_orders_message_microseconds: Vec<f64>,
    /// The same with all orders live.
    pub(crate) all_orders_message_microseconds: Vec<f64>,
    after_kill_ready_seconds: f64,
    pub(crate) after_kill_first_input_seconds: f64,
    pub(crate) after_kill_all_answer_seconds: f64,
    after_kill_replayed_decisions: u64,
    passivated_orders: u64,
    pub(crate) passivated_bytes_per_order: u64,
    erp_away: Option<ErpAway>,
    cells: Option<Stock>,
}

/// What waiting for the ERP came to.
#[derive(Debug, Default, Serialize)]
struct ErpAway {
    orders: u64,
    waiting_effects: u64,
    bytes_per_waiting_order: u64,
    cpu_percent_while_waiting: f64,
    drained_per_second: u64,
    repeated_commands: u64,
}

/// Runs all phases and prints what was found.
pub(crate) async fn measure(options: &StandingOptions) -> Result<Exit, Failure> {
    let report = report(options).await?;
    let text =
        if options.json { serde_json::to_string(&report) } else { serde_json::to_string_pretty(&report) };
    // Whoever closed stdout does not want to read it.
    let _ = writeln!(std::io::stdout(), "{}", text.expect("a report is plain data"));
    Ok(Exit::Clean)
}

/// Runs all phases.
pub(crate) async fn report(options: &StandingOptions) -> Result<Report, Failure> {
    let few = cost::FEW.min(u64::from(options.orders));
    tell("a message among few orders");
    let settling = Duration::from_millis(u64::from(options.settle));
    let few_orders_message_microseconds = cost::among_few(few, settling).await?;
    let stage = Stage::open(settling).await?;
    let mut report = stage.measure(options).await?;
    stage.close()?;
    if options.cells > 0 {
        tell("stock cells");
        let stage = Stage::open(settling).await?;
        report.cells = Some(stage.cells(u64::from(options.cells), u64::from(options.orders)).await?);
        stage.close()?;
    }
    Ok(Report { few_orders_message_microseconds, ..report })
}

/// A nats-server of its own, with streams.
struct Stage {
    nats: NatsProcess,
    bus: SharedBus,
    layout: Layout,
    doorbuster: PathBuf,
    /// How long memory may settle before it is measured.
    settling: Duration,
}

impl Stage {
    async fn open(settling: Duration) -> Result<Self, Failure> {
        let nats = NatsProcess::start(ProcessOptions::default()).await.map_err(trouble)?;
        let connected = NatsBus::connect(&NatsOptions::new(nats.url())).await.map_err(trouble)?;
        let layout = Layout::default();
        Setup::new(&connected).apply(&layout).await.map_err(trouble)?;
        let doorbuster = server::program().map_err(trouble)?;
        Ok(Self { nats, bus: composition::shared(connected), layout, doorbuster, settling })
    }

    fn close(mut self) -> Result<(), Failure> {
        self.nats.kill_9().map_err(trouble)
    }

    async fn start(&self, changes: &[(&str, String)]) -> Result<Server, Failure> {
        Server::start(&self.doorbuster, &self.nats.url(), changes).await
    }

    async fn crowd(&self, until: Until, run: &str) -> Result<Crowd, Failure> {
        let naming = Naming::new(&self.layout.root, "main");
        Crowd::new(self.bus.clone(), naming, self.layout.partitions, until, run).await.map_err(trouble)
    }

    async fn measure(&self, options: &StandingOptions) -> Result<Report, Failure> {
        let orders = u64::from(options.orders);
        let mut report = Report { orders, durability: "default sync".to_owned(), ..Report::default() };
        let server = self.start(&never_idle()).await?;
        let empty = server.resident()?;
        let mut crowd = self.live(&server, orders, &mut report).await?;
        report.all_orders_message_microseconds = cost::among(&server, &mut crowd, orders).await?;
        server.kill().await;
        let server = self.restart(orders, &mut report).await?;
        server.kill().await;
        let server = self.passivated(orders, empty, &mut report).await?;
        if options.erp_orders > 0 {
            tell("the ERP is away");
            report.erp_away = Some(self.erp_away(&server, u64::from(options.erp_orders)).await?);
        }
        server.kill().await;
        Ok(report)
    }

    /// Brings all orders to where they wait, live; the first tenth is not counted, for buffers take their room once.
    async fn live(&self, server: &Server, orders: u64, report: &mut Report) -> Result<Crowd, Failure> {
        let mut crowd = self.crowd(Until::Released, "standing").await?;
        let (first, started) = ((orders / 10).max(1), Instant::now());
        let (mut before, mut brought) = (0, 0);
        while brought < orders {
            let some = if brought == 0 { first } else { (orders - brought).min(50_000) };
            crowd.bring(some).await.map_err(trouble)?;
            brought += some;
            tell(&format!("{brought} of {orders} orders wait, {} MiB", server.resident()? >> 20));
            if brought == first {
                server.until("decisions_total", brought * Until::Released.inputs()).await?;
                sleep(self.settling).await;
                before = server.resident()?;
            }
        }
        server.until("decisions_total", orders * Until::Released.inputs()).await?;
        report.brought_per_second = per_second(orders, started.elapsed());
        sleep(self.settling).await;
        let resident = server.resident()?;
        report.live_resident_mib = resident >> 20;
        report.live_bytes_per_order = resident.saturating_sub(before) / (orders - first).max(1);
        Ok(crowd)
    }

    /// Starts the server that was killed, and asks it.
    async fn restart(&self, orders: u64, report: &mut Report) -> Result<Server, Failure> {
        tell("killed, and started again");
        let started = Instant::now();
        let server = Server::spawn(&self.doorbuster, &self.nats.url(), &never_idle())?;
        // The first input: a wish for the last order, published before the server can read, and its receipt.
        self.ask_to_cancel(orders - 1).await?;
        report.after_kill_first_input_seconds = started.elapsed().as_secs_f64();
        server.until_ready().await?;
        report.after_kill_ready_seconds = started.elapsed().as_secs_f64();
        for sample in 0..SAMPLE.min(orders) {
            let order = order_id(sample * (orders / SAMPLE.min(orders)));
            server.order(&order).await?;
        }
        report.after_kill_all_answer_seconds = started.elapsed().as_secs_f64();
        report.after_kill_replayed_decisions = server.metric("replayed_decisions_total").await?;
        Ok(server)
    }

    /// Lets everybody leave memory; `empty` is what a server without orders takes.
    async fn passivated(&self, orders: u64, empty: u64, report: &mut Report) -> Result<Server, Failure> {
        let server = self.all_leave().await?;
        report.passivated_orders = orders.saturating_sub(server.metric(IN_MEMORY).await?);
        report.passivated_bytes_per_order = server.resident()?.saturating_sub(empty) / orders;
        Ok(server)
    }

    async fn all_leave(&self) -> Result<Server, Failure> {
        tell("all leave memory");
        let hasty = [("IDLE_AFTER_MS", "1000".to_owned()), ("SNAPSHOT_BATCH", "900".to_owned())];
        let server = self.start(&hasty).await?;
        let deadline = Instant::now() + PATIENCE;
        while server.metric(IN_MEMORY).await? > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(500)).await;
        }
        sleep(self.settling).await;
        Ok(server)
    }

    /// Orders that nobody books, and then the ERP comes back.
    async fn erp_away(&self, server: &Server, orders: u64) -> Result<ErpAway, Failure> {
        let mut crowd = self.crowd(Until::Unbooked, "unbooked").await?;
        let (before, decided) = (server.resident()?, server.metric("decisions_total").await?);
        crowd.bring(orders).await.map_err(trouble)?;
        server.until("decisions_total", decided + orders * Until::Unbooked.inputs()).await?;
        sleep(self.settling).await;
        let mut report = ErpAway { orders, ..ErpAway::default() };
        report.waiting_effects = server.metric("waiting{participant=\"erp\"}").await?;
        report.bytes_per_waiting_order = server.resident()?.saturating_sub(before) / orders;
        let (cpu, watched) = (server.cpu_microseconds()?, Duration::from_secs(10));
        sleep(watched).await;
        let used = Duration::from_micros(server.cpu_microseconds()?.saturating_sub(cpu));
        report.cpu_percent_while_waiting = 100.0 * used.as_secs_f64() / watched.as_secs_f64();
        tell(&format!("{} effects wait; the ERP comes back", report.waiting_effects));
        let naming = Naming::new(&self.layout.root, "main");
        let mut erp = ReturningErp::new(self.bus.clone(), naming, self.layout.partitions, "unbooked")
            .await
            .map_err(trouble)?;
        let (started, deadline) = (Instant::now(), Instant::now() + PATIENCE);
        let mut booked = 0;
        while booked < orders && Instant::now() < deadline {
            booked = u64::try_from(erp.answer().await.map_err(trouble)?).map_err(trouble)?;
        }
        if booked < orders {
            return Err(trouble(format!("only {booked} of {orders} documents were asked for")));
        }
        report.drained_per_second = per_second(orders, started.elapsed());
        report.repeated_commands = erp.repeated();
        Ok(report)
    }

    /// Publishes a wish until its receipt comes.
    async fn ask_to_cancel(&self, order: u64) -> Result<(), Failure> {
        let order = order_id(order);
        let inbox = format!("_INBOX.standing.{order}");
        let mut receipts = self.bus.subscribe(&inbox).await.map_err(trouble)?;
        let naming = Naming::new(&self.layout.root, "main");
        let headers = Headers::new()
            .with("ce-id", format!("cancel {order}"))
            .with("ce-source", "/standing")
            .with("Reply-To", inbox)
            .with("Receipt-Deadline-Ms", "600000");
        let body = format!(r#"{{"order_id":"{order}","reason":"a look at the first input"}}"#);
        let subject = naming.subject("ask", "order", "cancel", &order);
        let message = Outgoing { subject, headers, body: body.into() };
        match self.bus.store(message, Expect::Anything).await {
            StoreOutcome::Stored(_) => {}
            other => return Err(trouble(format!("the wish was not stored: {other:?}"))),
        }
        match timeout(PATIENCE, receipts.next()).await {
            Ok(Some(_)) => Ok(()),
            _ => Err(trouble("no receipt came for the first input")),
        }
    }
}

/// Nobody leaves memory.
fn never_idle() -> [(&'static str, String); 1] {
    [("IDLE_AFTER_MS", "86400000".to_owned())]
}

fn order_id(number: u64) -> String {
    loadtest::workload::Plan {
        seed: 1,
        run: "standing".to_owned(),
        mix: loadtest::workload::Mix::Standard,
        lines: None,
    }
    .order(number)
    .order_id()
    .to_owned()
}

fn per_second(orders: u64, elapsed: Duration) -> u64 {
    orders * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn tell(what: &str) {
    tracing::info!("{what}");
}
