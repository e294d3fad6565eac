//! Somebody who asks how much is left, at a steady rate, over HTTP and over core NATS; each on a thread of its own, so that shoppers
//! cannot hold them up. A question counts from when it was meant to be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::layout::Layout;
use bus::ports::Outgoing;
use bytes::Bytes;
use domain::envelope::Headers;
use loadtest::contract::Naming;
use loadtest::workload::Stopwatch;
use tokio::runtime::Builder;

use super::report::Questions;
use crate::composition;
use crate::exit::Failure;
use crate::raw::stage::trouble;

const PATIENCE: Duration = Duration::from_secs(5);

/// Both of them, while they ask.
pub(super) struct Asking {
    stop: Arc<AtomicBool>,
    http: JoinHandle<Questions>,
    nats: JoinHandle<Result<Questions, Failure>>,
}

/// The answers of one of them.
#[derive(Default)]
struct Answers {
    asked: u64,
    failed: u64,
    watch: Stopwatch,
}

impl Asking {
    /// Asks for `sku` so many times a second.
    pub(super) fn begin(sku: &str, per_second: u32, port: u16, url: &str, layout: &Layout) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let interval = Duration::from_secs(1) / per_second;
        let (stopped, path) = (Arc::clone(&stop), format!("http://127.0.0.1:{port}/api/v1/stock/{sku}"));
        let http = std::thread::spawn(move || over_http(&path, interval, &stopped));
        let (stopped, url) = (Arc::clone(&stop), url.to_owned());
        let subject = Naming::new(&layout.root, "main").subject("query", "stock", "availability", sku);
        let nats = std::thread::spawn(move || over_nats(&url, &subject, interval, &stopped));
        Self { stop, http, nats }
    }

    /// Asks no more; gives what was heard over HTTP and over NATS.
    pub(super) fn end(self) -> Result<(Questions, Questions), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = |_| trouble("a thread that asked has panicked");
        Ok((self.http.join().map_err(ended)?, self.nats.join().map_err(ended)??))
    }
}

impl Answers {
    fn add(&mut self, due: Instant, is_good: bool) {
        self.asked += 1;
        self.failed += u64::from(!is_good);
        self.watch.start("question", due.into());
        self.watch.settled("question");
    }

    fn questions(&self) -> Questions {
        Questions { asked: self.asked, failed: self.failed, ms: self.watch.latency() }
    }
}

fn over_http(path: &str, interval: Duration, stop: &AtomicBool) -> Questions {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None);
    let agent = config.build().new_agent();
    let (mut answers, mut due) = (Answers::default(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        // Who is woken early waits on.
        while let left = due.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            std::thread::park_timeout(left);
        }
        let answer = agent.get(path).call().and_then(|mut answer| answer.body_mut().read_to_string());
        answers.add(due, answer.is_ok_and(|body| body.contains("\"available\"")));
        due += interval;
    }
    answers.questions()
}

fn over_nats(url: &str, subject: &str, interval: Duration, stop: &AtomicBool) -> Result<Questions, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(trouble)?;
    runtime.block_on(async {
        let bus = composition::shared(composition::nats(url, PATIENCE).await.map_err(trouble)?);
        let (mut answers, mut due) = (Answers::default(), Instant::now());
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep_until(due.into()).await;
            let subject = subject.to_owned();
            let question = Outgoing { subject, headers: Headers::new(), body: Bytes::new() };
            let answer = bus.request(question, PATIENCE).await;
            let is_good = |body: &[u8]| String::from_utf8_lossy(body).contains("\"available\"");
            answers.add(due, answer.is_ok_and(|answer| is_good(&answer.body)));
            due += interval;
        }
        Ok(answers.questions())
    })
}
