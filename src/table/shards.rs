//! An actor for each order against the least there could be: one loop over a map of states, the same rules on the same messages.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message};
use actors::record::{Cause, Decided, Entry, Record, decode};
use bus::layout::{Layout, StreamId};
use bus::ports::SharedBus;
use domain::decider::{self, Decider, EmptyBoard, Further, Gates, Input};
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::order::{Event, Order, Policies, State};
use domain::time::Timestamp;
use loadtest::raw::accounting::thread_nanoseconds;

use super::engine;
use crate::exit::Failure;
use crate::raw::stage::trouble;

/// Orders whose messages are used again and again.
const MODELS: u64 = 64;
/// What a round takes for each side.
const SIDES: [Side; 4] = [Side::Loop, Side::Actors, Side::Actors, Side::Loop];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Loop,
    Actors,
}

/// One message with what was known when it was decided.
#[derive(Debug)]
struct Step {
    entity: EntityId,
    envelope: Envelope,
    message: <Order as Decider>::Message,
    version: u64,
    now: Timestamp,
}

impl Step {
    fn decide(&self, state: &State, policies: &Policies) -> State {
        let context = decider::Context {
            entity: &self.entity,
            now: self.now,
            version: self.version,
            policies,
            gates: Gates::OPEN,
            board: &EmptyBoard,
            further: Further::NONE,
        };
        let decision = Order::decide(state, Input::Message(&self.envelope, &self.message), &context);
        let decision = decision.unwrap_or_else(|reason| panic!("it was decided before: {reason:?}"));
        black_box(&decision.events);
        decision.state
    }
}

/// All messages of one order.
type Model = Arc<Vec<Step>>;

/// How many times as fast an actor for each of so many orders is as the loop, once for each round.
pub(super) async fn actors_against_loop(orders: usize, rounds: u32) -> Result<Vec<f64>, Failure> {
    let models = models().await?;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let mut spent = [0; 2];
        for side in SIDES {
            let before = nanoseconds()?;
            match side {
                Side::Loop => in_a_loop(&models, orders),
                Side::Actors => in_actors(&models, orders).await?,
            }
            spent[usize::from(side == Side::Actors)] += nanoseconds()?.saturating_sub(before);
        }
        let [alone, actors] = spent.map(|nanoseconds| Duration::from_nanos(nanoseconds).as_secs_f64());
        measured.push(alone / actors);
    }
    Ok(measured)
}

fn nanoseconds() -> Result<u64, Failure> {
    thread_nanoseconds(std::process::id(), |_| true)
        .ok_or_else(|| trouble("the processor time of threads cannot be read"))
}

fn in_a_loop(models: &[Model], orders: usize) {
    let policies = Policies::default();
    let mut states: HashMap<usize, State> = HashMap::with_capacity(orders);
    for step in 0..longest(models) {
        for order in 0..orders {
            if let Some(step) = models[order % models.len()].get(step) {
                let state = states.entry(order).or_default();
                *state = step.decide(state, &policies);
            }
        }
    }
    black_box(states);
}

/// An actor for one order.
struct OrderActor {
    model: Model,
    state: State,
    policies: Arc<Policies>,
    decided: Arc<AtomicU64>,
}

impl Actor for OrderActor {
    type Context = Context<Self>;
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Deliver(usize);

impl Handler<Deliver> for OrderActor {
    type Result = ();

    fn handle(&mut self, Deliver(step): Deliver, _: &mut Context<Self>) {
        self.state = self.model[step].decide(&self.state, &self.policies);
        self.decided.fetch_add(1, Ordering::Relaxed);
    }
}

async fn in_actors(models: &[Model], orders: usize) -> Result<(), Failure> {
    let (policies, decided) = (Arc::new(Policies::default()), Arc::new(AtomicU64::new(0)));
    let actors: Vec<Addr<OrderActor>> = (0..orders)
        .map(|order| {
            let model = Arc::clone(&models[order % models.len()]);
            let (policies, decided) = (Arc::clone(&policies), Arc::clone(&decided));
            OrderActor { model, state: State::default(), policies, decided }.start()
        })
        .collect();
    let mut sent = 0;
    for step in 0..longest(models) {
        for (order, actor) in actors.iter().enumerate() {
            if step < models[order % models.len()].len() {
                actor.try_send(Deliver(step)).map_err(trouble)?;
                sent += 1;
            }
        }
        while decided.load(Ordering::Relaxed) < sent {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

fn longest(models: &[Model]) -> usize {
    models.iter().map(|model| model.len()).max().unwrap_or_default()
}

/// What the journal holds of orders that ran in memory, where every decision came from a message.
async fn models() -> Result<Vec<Model>, Failure> {
    let (bus, layout) = engine::after(MODELS).await?;
    let mut orders: BTreeMap<EntityId, Option<Vec<Step>>> = BTreeMap::new();
    for partition in 0..layout.partitions {
        for decided in decisions(&bus, &layout, partition).await? {
            let Decided { entity, version, now, cause, .. } = decided;
            let steps = orders.entry(entity.clone()).or_insert_with(|| Some(Vec::new()));
            let Cause::Message(envelope) = cause else {
                *steps = None;
                continue;
            };
            let message =
                Order::decode(&envelope).map_err(|refusal| trouble(format!("{refusal:?}")))?.message;
            if let Some(steps) = steps {
                steps.push(Step { entity, envelope, message, version, now });
            }
        }
    }
    let models: Vec<Model> = orders.into_values().flatten().map(Arc::new).collect();
    if models.is_empty() {
        return Err(trouble("no order was decided by messages alone"));
    }
    Ok(models)
}

async fn decisions(bus: &SharedBus, layout: &Layout, partition: u16) -> Result<Vec<Decided<Event>>, Failure> {
    let stream = layout.name(StreamId::Journal(partition));
    let mut decisions = Vec::new();
    for sequence in 1..=bus.bounds(&stream).await.map_err(trouble)?.last {
        let Some(stored) = bus.get(&stream, sequence).await.map_err(trouble)? else { continue };
        let (record, _) = decode::<Record<Entry<Event>>>(&stored.body).map_err(trouble)?;
        decisions.extend(record.entries.into_iter().filter_map(|entry| match entry {
            Entry::Decision(decided) => Some(decided),
            _ => None,
        }));
    }
    Ok(decisions)
}
