//! One participant, started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::ports::{OpenError, Position, SharedBus, Unavailable};
use domain::decider::Participant;
use futures_util::future::join;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::allocation::Allocation;
use super::behaviour::{Profile, Profiles};
use super::desk::Trade;
use super::erp::Erp;
use super::fulfillment::Fulfillment;
use super::loyalty::Loyalty;
use super::outbox::{OutboxSettings, outbox};
use super::payment::Payment;
use super::position::end_of;
use super::runner::Runner;
use crate::contract::Naming;
use crate::ledger::Witness;

/// Orders that participants may forget; a handle, shared by who tells and who is told.
#[derive(Debug, Clone, Default)]
pub struct Forgotten(Arc<Mutex<Vec<Arc<str>>>>);

impl Forgotten {
    /// These orders will not be heard of again.
    pub fn tell(&self, orders: &[Arc<str>]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(orders);
    }

    pub(super) fn take(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One simulated participant.
#[derive(Debug, Clone)]
pub struct Simulator {
    /// Who it is.
    pub participant: Participant,
    /// How reliable it is.
    pub profile: Profile,
    /// What all its chance depends on.
    pub seed: u64,
    /// Where things are on the wire.
    pub naming: Naming,
    /// Starts every `ce-id` it gives: different for each run against the same streams.
    pub run: String,
    /// Where in its command stream it begins.
    pub from: Position,
    /// How many orders it still remembers after it was told that it may forget them.
    pub kept_orders: usize,
    /// How long a warehouse needs for each parcel.
    pub packing: Duration,
    /// Items of which there are only so many units, for allocation.
    pub stock: BTreeMap<String, u32>,
}

impl Simulator {
    /// Reads commands and answers them until `shutdown` says true; then everything that was said is stored.
    ///
    /// Fails if the command stream is missing or has lost what was not yet read.
    pub async fn run(
        self,
        bus: SharedBus,
        witness: Arc<dyn Witness>,
        forgotten: Forgotten,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), OpenError> {
        let (_, always) = watch::channel(self.profile);
        self.run_led(always, bus, witness, forgotten, shutdown).await
    }

    /// The same, with a profile that changes while it runs; in which format and in which batches it speaks stays.
    async fn run_led(
        self,
        led: watch::Receiver<Profile>,
        bus: SharedBus,
        witness: Arc<dyn Witness>,
        forgotten: Forgotten,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), OpenError> {
        let packing = self.packing;
        match self.participant {
            Participant::Loyalty => run(Loyalty, self, led, bus, witness, forgotten, shutdown).await,
            Participant::Payment => run(Payment, self, led, bus, witness, forgotten, shutdown).await,
            Participant::Allocation => {
                let allocation = Allocation::with_stock(self.stock.clone());
                run(allocation, self, led, bus, witness, forgotten, shutdown).await
            }
            Participant::Fulfillment => {
                run(Fulfillment { packing }, self, led, bus, witness, forgotten, shutdown).await
            }
            Participant::Erp => run(Erp, self, led, bus, witness, forgotten, shutdown).await,
        }
    }
}

async fn run<T: Trade>(
    trade: T,
    simulator: Simulator,
    led: watch::Receiver<Profile>,
    bus: SharedBus,
    witness: Arc<dyn Witness>,
    forgotten: Forgotten,
    shutdown: watch::Receiver<bool>,
) -> Result<(), OpenError> {
    let refusal_witness = Arc::clone(&witness);
    let Profile { batches, format, .. } = simulator.profile;
    let settings = OutboxSettings { batch_partitions: batches, format, ..OutboxSettings::default() };
    let (outbox, emptying) = outbox(Arc::clone(&bus), settings, move |message, cause| {
        refusal_witness.unreadable(&format!("the broker refused {}: {cause}", message.subject));
    });
    let runner = Runner::new(trade, simulator, led, witness, outbox);
    let (ended, ()) = join(runner.run(bus, forgotten, shutdown), emptying).await;
    ended
}

/// All five participants, running.
#[derive(Debug)]
pub struct Simulators {
    shutdown: watch::Sender<bool>,
    forgotten: Vec<Forgotten>,
    led: Vec<(Participant, watch::Sender<Profile>)>,
    tasks: JoinSet<Result<(), OpenError>>,
}

impl Simulators {
    /// Starts all participants as tasks of the current runtime, each at the end of its command stream.
    pub async fn start(
        bus: &SharedBus,
        witness: &Arc<dyn Witness>,
        naming: &Naming,
        profiles: &Profiles,
        seed: u64,
        run: &str,
    ) -> Result<Self, Unavailable> {
        Self::start_with(bus, witness, naming, profiles, seed, run, &BTreeMap::new()).await
    }

    /// The same with items of which there are only so many units; units that are given back are not sold again.
    pub async fn start_with(
        bus: &SharedBus,
        witness: &Arc<dyn Witness>,
        naming: &Naming,
        profiles: &Profiles,
        seed: u64,
        run: &str,
        stock: &BTreeMap<String, u32>,
    ) -> Result<Self, Unavailable> {
        let (shutdown, listener) = watch::channel(false);
        let (mut forgotten, mut led, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        for participant in Participant::ALL {
            let simulator = Simulator {
                participant,
                profile: *profiles.of(participant),
                seed,
                naming: naming.clone(),
                run: run.to_owned(),
                from: end_of(bus, &naming.commands(participant)).await?,
                kept_orders: 10_000,
                packing: Duration::from_millis(2),
                stock: stock.clone(),
            };
            let (leading, following) = watch::channel(simulator.profile);
            led.push((participant, leading));
            let heard = Forgotten::default();
            forgotten.push(heard.clone());
            let (bus, witness) = (Arc::clone(bus), Arc::clone(witness));
            tasks.spawn(simulator.run_led(following, bus, witness, heard, listener.clone()));
        }
        Ok(Self { shutdown, forgotten, led, tasks })
    }

    /// From now on a participant behaves like this; in which format and in which batches it speaks stays.
    pub fn behave(&self, participant: Participant, profile: Profile) {
        for (_, leading) in self.led.iter().filter(|(who, _)| *who == participant) {
            leading.send_replace(profile);
        }
    }

    /// These orders will not be heard of again.
    pub fn forget(&self, orders: &[Arc<str>]) {
        for one in &self.forgotten {
            one.tell(orders);
        }
    }

    /// Lets them say what they have begun to say, and ends them. Fails if one of them has failed.
    pub async fn stop(mut self) -> Result<(), OpenError> {
        // Nobody listening means that they have all ended already.
        let _ = self.shutdown.send(true);
        let mut result = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(ended) => result = result.and(ended),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        result
    }
}
