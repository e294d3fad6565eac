//! How the node of a run is configured, how its participants answer, and what its snapshots suffer: mixed by seed, the same for
//! all lives of the run.

use actors::config::{Batches, Formats, NodeConfig};
use actors::flow::FlowConfig;
use bus::layout::{Layout, StreamId};
use bus::ports::SharedBus;
use domain::further::Further;
use domain::messages::body::Format;
use loadtest::chance::Dice;
use loadtest::simulators::{Profile, Profiles};

/// How many partitions there are.
pub(super) const PARTITIONS: u16 = 2;

/// See the module.
pub(super) struct Ways {
    dice: Dice,
    command_batches: Batches,
    command_formats: Formats,
    /// How shops write.
    pub(super) shop_format: Format,
    /// Whether shops know batches.
    pub(super) shop_batches: Option<u16>,
    /// How long the journal is kept, 0 = for ever. Who does not keep it needs the snapshots.
    journal_keep_ms: i64,
    answers: Answers,
    /// How many orders may be live. With few, most queue while the processes are killed, and a herald reads ahead of them.
    live_orders: u64,
}

/// Which participants answer in batches, and how.
struct Answers {
    batches: [Option<u16>; 5],
    formats: [Format; 5],
}

fn format(dice: &mut Dice) -> Format {
    if dice.happens(400) { Format::MessagePack } else { Format::Json }
}

/// A batch that is made for fewer partitions than there are holds items of others.
fn batches(dice: &mut Dice) -> Option<u16> {
    *dice.pick(&[None, Some(1), Some(PARTITIONS)])
}

impl Ways {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, &["ways"]);
        let command_batches = Batches {
            loyalty: dice.happens(500),
            payment: dice.happens(500),
            allocation: dice.happens(500),
            fulfillment: dice.happens(500),
            erp: dice.happens(500),
        };
        let command_formats = Formats {
            loyalty: format(&mut dice),
            payment: format(&mut dice),
            allocation: format(&mut dice),
            fulfillment: format(&mut dice),
            erp: format(&mut dice),
        };
        let answers = Answers {
            batches: std::array::from_fn(|_| batches(&mut dice)),
            formats: std::array::from_fn(|_| format(&mut dice)),
        };
        let (shop_format, shop_batches) = (format(&mut dice), batches(&mut dice));
        let journal_keep_ms = if dice.happens(400) { 300 } else { 0 };
        let live_orders = *dice.pick(&[3, 12, 50_000]);
        Self {
            dice,
            command_batches,
            command_formats,
            shop_format,
            shop_batches,
            journal_keep_ms,
            answers,
            live_orders,
        }
    }

    /// Orders leave memory and come back all the time, so that every crash finds some on their way.
    pub(super) fn config(&self, instance: String) -> NodeConfig {
        NodeConfig {
            instance,
            command_batches: self.command_batches,
            command_formats: self.command_formats,
            pack_after_ms: 20,
            idle_after_ms: 50,
            snapshot_interval_ms: 20,
            snapshot_slack: 20,
            closed_retention_ms: 60_000,
            checkpoint_age_ms: 200,
            purge_interval_ms: 150,
            journal_keep_ms: self.journal_keep_ms,
            further: Further::ALL,
            flow: FlowConfig {
                live_orders: self.live_orders,
                live_orders_least: self.live_orders.min(3),
                herald_after_ms: 20,
                ..FlowConfig::default()
            },
            ..NodeConfig::default()
        }
    }

    /// How the participants answer.
    pub(super) fn profiles(&self) -> Profiles {
        let Answers { batches, formats } = &self.answers;
        let profile =
            |place: usize| Profile { batches: batches[place], format: formats[place], ..Profile::NOISY };
        Profiles {
            loyalty: profile(0),
            payment: profile(1),
            allocation: profile(2),
            fulfillment: profile(3),
            erp: profile(4),
        }
    }

    /// Takes snapshots away while no node lives: all, only their index, or the older ones. They are a shortcut, as long as the
    /// journal is whole.
    pub(super) async fn lose_snapshots(&mut self, broker: &SharedBus, layout: &Layout) {
        // invariant: snapshot-is-only-a-shortcut
        if self.journal_keep_ms > 0 {
            return;
        }
        let stream = layout.name(StreamId::Snapshots);
        let bounds = broker.bounds(&stream).await.expect("the memory bus answers");
        let behind = bounds.last + 1;
        let partition = u16::try_from(self.dice.below(u64::from(layout.partitions))).expect("a partition");
        let purged = match self.dice.below(6) {
            0 => broker.purge_below(&stream, behind).await,
            1 => broker.purge_below(&stream, self.dice.between(bounds.first, behind)).await,
            2 => broker.purge_filtered(&stream, &layout.snapshot(partition, "index.>"), behind).await,
            3 => broker.purge_filtered(&stream, &layout.snapshot(partition, ">"), behind).await,
            4 => {
                let below = self.dice.between(bounds.first, behind);
                broker.purge_filtered(&stream, &layout.snapshot(partition, "index.>"), below).await
            }
            _ => Ok(()),
        };
        purged.expect("the memory bus answers");
    }
}
