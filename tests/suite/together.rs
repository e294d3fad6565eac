//! A bus that lets what is said at about the same time travel together, as at a peak: items of several partitions in one batch,
//! the same batch twice, one poison item among good ones, and much of it still alone.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bus::around::Around;
use bus::packing::{Packable, pack};
use bus::ports::{Bus, Expect, Outgoing, SharedBus, StoreOutcome};
use domain::envelope::Headers;
use domain::messages::body::{Format, message_pack_of};
use loadtest::chance::{Dice, PerMille};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// The planes of what others send to us.
const PLANES: [&str; 4] = ["intake", "ask", "fact", "reply"];

/// Room for one poison item below the bound of a batch.
const MOST_GOOD_ITEMS: usize = 60;

/// The longest time that a message waits for others.
const LONGEST_WAIT_MS: u64 = 4;

/// How often a message travels with others, if there are any.
const TOGETHER: PerMille = 700;

/// How often a batch has a poison item.
const POISONED: PerMille = 150;

/// How often a batch comes twice.
const TWICE: PerMille = 100;

/// What went out in batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub(crate) batches: u64,
    pub(crate) twice: u64,
    /// Batches in `MessagePack`.
    pub(crate) packed: u64,
    /// How often each poison item was stored, by the identity that it has from its batch.
    pub(crate) poisons: BTreeMap<String, u64>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct TogetherBus {
    inner: SharedBus,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    /// By plane, tenant and domain.
    waiting: BTreeMap<String, Vec<Waiting>>,
    sent: Sent,
}

#[derive(Debug)]
struct Waiting {
    message: Outgoing,
    outcome: oneshot::Sender<StoreOutcome>,
}

impl TogetherBus {
    pub(crate) fn new(inner: SharedBus, seed: u64) -> Self {
        let dice = Dice::new(seed, &["together"]);
        let state = State { dice, waiting: BTreeMap::new(), sent: Sent::default() };
        Self { inner, state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.state().sent.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the message wait for others; none: it goes alone.
    fn wait(&self, message: &Outgoing) -> Option<oneshot::Receiver<StoreOutcome>> {
        let front = front(message)?;
        let mut state = self.state();
        if !state.dice.happens(TOGETHER) {
            return None;
        }
        let (outcome, told) = oneshot::channel();
        let wait = Duration::from_millis(state.dice.below(LONGEST_WAIT_MS + 1));
        let waiting = state.waiting.entry(front.clone()).or_default();
        waiting.push(Waiting { message: message.clone(), outcome });
        if waiting.len() == 1 {
            let bus = self.clone();
            drop(tokio::spawn(async move {
                // How senders are, at their own pace; no test waits for it. In the simulation the clock is paused.
                tokio::time::sleep(wait).await;
                bus.send_waiting(&front).await;
            }));
        }
        Some(told)
    }

    async fn send_waiting(&self, front: &str) {
        let mut all = self.state().waiting.remove(front).unwrap_or_default();
        while !all.is_empty() {
            let rest = all.split_off(all.len().min(MOST_GOOD_ITEMS));
            self.send_batch(mem::replace(&mut all, rest)).await;
        }
    }

    async fn send_batch(&self, waiting: Vec<Waiting>) {
        // As if all were of one partition: whoever sends need not know partitions.
        let packable = waiting.iter().map(|Waiting { message, .. }| {
            let key = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
            Packable { message: message.clone(), key, partition: 0 }
        });
        let packed = pack(packable.collect(), Format::Json);
        let mut waiting = waiting.into_iter();
        for (message, count) in packed {
            let outcome =
                if count > 1 { self.store_as_batch(message).await } else { self.alone(message).await };
            for one in waiting.by_ref().take(count) {
                let _gone = one.outcome.send(outcome.clone()); // whoever said it has ended
            }
        }
    }

    async fn alone(&self, message: Outgoing) -> StoreOutcome {
        self.inner.store(message, Expect::Anything).await
    }

    async fn store_as_batch(&self, mut batch: Outgoing) -> StoreOutcome {
        let (items, poison, is_packed, is_twice) = {
            let dice = &mut self.state().dice;
            let mut items: Vec<Box<RawValue>> =
                serde_json::from_slice(&batch.body).expect("a batch is an array");
            let place = dice.happens(POISONED).then(|| poison(&mut items, dice));
            (items, place, dice.happens(500), dice.happens(TWICE))
        };
        let poison =
            poison.map(|place| format!("{}#{place}", batch.headers.get("ce-id").unwrap_or_default()));
        batch.body = if is_packed {
            let all = batch.headers.iter().filter(|(name, _)| *name != "content-type");
            let headers: Headers = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            batch.headers = headers.with("content-type", Format::MessagePack.content_type());
            packed(&items).into()
        } else {
            serde_json::to_vec(&items).expect("what was JSON is JSON").into()
        };
        let times = 1 + u64::from(is_twice);
        {
            let sent = &mut self.state().sent;
            sent.batches += 1;
            sent.twice += u64::from(is_twice);
            sent.packed += u64::from(is_packed);
            if let Some(id) = poison {
                *sent.poisons.entry(id).or_default() += times;
            }
        }
        for _ in 1..times {
            self.alone(batch.clone()).await;
        }
        self.alone(batch).await
    }
}

/// `<root>.v1.<plane>.<tenant>.<domain>` of what may travel with others.
fn front(message: &Outgoing) -> Option<String> {
    let tokens: Vec<&str> = message.subject.split('.').collect();
    let is_ours = tokens.len() == 7 && PLANES.contains(&tokens[2]) && tokens[5] != "batch";
    let is_json = message.headers.get("content-type") != Some(Format::MessagePack.content_type());
    (is_ours && is_json).then(|| tokens[..5].join("."))
}

/// Puts one wrong item somewhere among the others; gives its place.
fn poison(items: &mut Vec<Box<RawValue>>, dice: &mut Dice) -> usize {
    let mut good: Value = serde_json::from_str(items[0].get()).expect("an item is JSON");
    good["headers"] = json!({});
    let with = |name: &str, value: Value| {
        let mut item = good.clone();
        item[name] = value;
        item
    };
    let wrong = [
        json!(null),
        json!(7),
        json!({}),
        with("domain", json!("other")),
        with("name", json!("nonsense")),
        with("name", json!("batch")),
        with("key", json!("a b")),
        with("body", json!({})),
        with("body", json!("text")),
        with("headers", json!({"ce-type": "retail.order.submit.v9"})),
    ];
    let place = usize::try_from(dice.below(items.len() as u64 + 1)).expect("a batch is small");
    items.insert(place, to_raw_value(dice.pick(&wrong)).expect("it is JSON"));
    place
}

#[derive(Deserialize)]
struct Item<'a> {
    domain: String,
    name: String,
    key: String,
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The array in `MessagePack`, the bodies as they are: the same message again, alone or in JSON, has the same bytes.
fn packed(items: &[Box<RawValue>]) -> Vec<u8> {
    const WRITES: &str = "plain data, and a Vec takes it";
    let count = u16::try_from(items.len()).expect("a batch is small");
    let mut bytes = vec![0xdc];
    bytes.extend(count.to_be_bytes());
    for item in items {
        let Ok(Item { domain, name, key, headers, body }) = serde_json::from_str(item.get()) else {
            bytes.extend(message_pack_of(item.get().as_bytes()).expect("it is JSON"));
            continue;
        };
        bytes.push(0x85);
        for (field, text) in [("domain", domain), ("name", name), ("key", key)] {
            bytes.extend(rmp_serde::to_vec(field).expect(WRITES));
            bytes.extend(rmp_serde::to_vec(&text).expect(WRITES));
        }
        bytes.extend(rmp_serde::to_vec("headers").expect(WRITES));
        bytes.extend(rmp_serde::to_vec(&headers).expect(WRITES));
        bytes.extend(rmp_serde::to_vec("body").expect(WRITES));
        bytes.push(0xc6);
        bytes.extend(u32::try_from(body.get().len()).expect("a body is small").to_be_bytes());
        bytes.extend(body.get().as_bytes());
    }
    bytes
}

#[async_trait]
impl Around for TogetherBus {
    fn inner(&self) -> &dyn Bus {
        &*self.inner
    }

    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        let told = if expect == Expect::Anything { self.wait(&message) } else { None };
        match told {
            Some(told) => {
                told.await.unwrap_or_else(|_| StoreOutcome::Unknown("the run has ended".to_owned()))
            }
            None => self.inner.store(message, expect).await,
        }
    }
}
