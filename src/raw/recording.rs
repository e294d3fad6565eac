//! What relays are to do: recorded from runs of the real server that are not counted.

use std::time::Duration;

use actors::record::{self, Cause, Entry, Record};
use loadtest::raw::recorder::{self, Contents};
use loadtest::raw::relay::Recipe;
use loadtest::raw::roll::Roll;
use loadtest::raw::template::Template;
use loadtest::raw::trace::{Totals, Trace};
use serde::Serialize;
use serde::de::IgnoredAny;
use tempfile::{NamedTempFile, TempDir};
use tokio::time::timeout;

use super::cli::Size;
use super::stage::{Conditions, Server, Stage, trouble};
use crate::exit::{Exit, Failure};

/// How long the last receipts may take.
const RECEIPTS_WITHIN: Duration = Duration::from_secs(10);
/// Orders one after the other; the last of them is the model of all.
const ALONE: Size = Size { orders: 3, warm_up: 5, rounds: 1 };

/// A recipe in a file, and what is known of it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) file: NamedTempFile,
    /// What a relay with it publishes in all; none if that depends on the orders.
    pub(crate) totals: Option<Totals>,
}

/// The ring of an order.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Ring {
    pub(crate) inputs: usize,
    pub(crate) commands: usize,
    pub(crate) events: usize,
}

fn prepared(folder: &TempDir, recipe: &Recipe, totals: Option<Totals>) -> Result<Prepared, Failure> {
    let file = NamedTempFile::new_in(folder.path()).map_err(trouble)?;
    recipe.write(file.path()).map_err(trouble)?;
    Ok(Prepared { file, totals })
}

/// Records a run under load: what the packed relay sends.
pub(crate) async fn packed(
    folder: &TempDir,
    conditions: &Conditions,
    size: Size,
) -> Result<Prepared, Failure> {
    let trace = trace(conditions, size).await?;
    let totals = trace.totals();
    prepared(folder, &Recipe::Recorded(trace), Some(totals))
}

/// Records orders one after the other: what the naive relay sends for each.
pub(crate) async fn naive(folder: &TempDir, conditions: &Conditions) -> Result<(Prepared, Ring), Failure> {
    let quiet = Conditions {
        batched: false,
        always: false,
        group: 1,
        in_flight: 1,
        rate: None,
        ..conditions.clone()
    };
    let trace = trace(&quiet, ALONE).await?;
    let layout = crate::raw::stage::layout();
    let roll = Roll { group: 1, partitions: layout.partitions };
    let (first, end) = (u64::from(ALONE.warm_up), u64::from(ALONE.orders + ALONE.warm_up));
    // An answer that comes after a later fact changes nothing, and is in no record: the model is an order with all of them.
    let templates = (first..end).filter_map(|number| Template::of(&trace, roll.id(number).as_str(), &layout));
    let template = templates
        .max_by_key(Template::inputs)
        .ok_or_else(|| trouble("the recording does not hold any of its orders"))?;
    let (commands, events) = template.outputs();
    let ring = Ring { inputs: template.inputs(), commands, events };
    Ok((prepared(folder, &Recipe::Repeated(template), None)?, ring))
}

async fn trace(conditions: &Conditions, size: Size) -> Result<Trace, Failure> {
    let mut stage = Stage::open(conditions, Server::Doorbuster).await?;
    let orders = size.orders as usize + size.warm_up as usize;
    let receipts = stage.hear_receipts(orders).await?;
    let measured = stage.run(size).await?;
    if !(measured.warm_up.is_whole() && measured.load.is_whole()) {
        let (warm_up, load) = (&measured.warm_up, &measured.load);
        return Err(Failure {
            exit: Exit::CheckFailed,
            what: format!("doorbuster did not complete all orders of a recording: {warm_up:?}, {load:?}"),
            remedy: "ask for fewer orders --in-flight, or more --patience".to_owned(),
        });
    }
    let receipts = timeout(RECEIPTS_WITHIN, receipts).await.map_err(trouble)?.map_err(trouble)?;
    stage.end_server().await;
    let trace = recorder::record(&stage.bus, &stage.layout, receipts, &causes).await.map_err(trouble)?;
    stage.close().await?;
    Ok(trace)
}

/// The inputs that a journal record holds, and the orders that decided.
fn causes(record: &[u8]) -> Option<Contents> {
    let (record, _) = record::decode::<Record<Entry<IgnoredAny>>>(record).ok()?;
    let mut contents = Contents::default();
    for entry in record.entries {
        match entry {
            Entry::Decision(decided) => {
                contents.orders.push(decided.entity.key.as_str().to_owned());
                if let Cause::Message(envelope) = decided.cause {
                    contents.inputs.push(envelope.id());
                }
            }
            Entry::DeadLetter(letter) => contents.inputs.push(letter.envelope.id()),
            Entry::HandedOn(_) | Entry::Position | Entry::Fence(_) | Entry::Quarantined(_) => {}
        }
    }
    Some(contents)
}
