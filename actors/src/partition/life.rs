//! The life of a partition on this node: recover, run, drain. It ends by itself only if it must.

use std::rc::Rc;

use bus::layout::Lane;
use domain::decider::Decider;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::core::{Environment, Halt, Partition, Stage};
use super::{
    checkpoint, committer, handing_on, herald, lanes, letters, loading, positions, publisher, pump,
    retention, timers, wait_lists,
};
use crate::mail::Inbox;
use crate::node::PartitionStatus;
use crate::recovery;

/// What one of the partition's tasks came to.
type End = Result<(), Halt>;

/// Owns the partition until it is drained or has to be given up. `running` learns of it once it can be read.
pub(crate) async fn live<D: Decider>(
    number: u16,
    env: Environment<D::Policies, D::Posted>,
    running: watch::Sender<Option<Rc<Partition<D>>>>,
    mut drain: watch::Receiver<bool>,
    inbox: Inbox,
) {
    let board = env.board.clone();
    let recovered = tokio::select! {
        biased;
        _ = drain.wait_for(|drain| *drain) => {
            board.set(number, PartitionStatus::Drained);
            return;
        }
        recovered = recovery::recover::<D>(number, &env) => recovered,
    };
    let (partition, end) = match recovered {
        Ok(recovered) => recovered,
        Err(halt) => return give_up(&env, number, halt),
    };
    running.send_replace(Some(Rc::clone(&partition)));
    board.set(number, PartitionStatus::Ready);
    let mut tasks: JoinSet<End> = JoinSet::new();
    let (outputs, jobs) = mpsc::channel(env.config.outputs_waiting);
    tasks.spawn_local(committer::run(Rc::clone(&partition), end, outputs));
    tasks.spawn_local(never_halts(publisher::run(Rc::clone(&partition), jobs)));
    tasks.spawn_local(never_halts(pump::run(Rc::clone(&partition))));
    tasks.spawn_local(never_halts(timers::run(Rc::clone(&partition))));
    tasks.spawn_local(never_halts(wait_lists::run(Rc::clone(&partition))));
    tasks.spawn_local(never_halts(handing_on::run(Rc::clone(&partition))));
    tasks.spawn_local(never_halts(letters::run(Rc::clone(&partition), inbox)));
    tasks.spawn_local(never_halts(herald::run(Rc::clone(&partition))));
    tasks.spawn_local(never_halts(positions::run(Rc::clone(&partition))));
    tasks.spawn_local(checkpoint::run(Rc::clone(&partition)));
    tasks.spawn_local(loading::run(Rc::clone(&partition)));
    tasks.spawn_local(never_halts(retention::run(Rc::clone(&partition))));
    for lane in Lane::ALL {
        tasks.spawn_local(lanes::run(Rc::clone(&partition), lane));
    }
    let ended = watch_over(&partition, tasks, drain).await;
    partition.discard();
    running.send_replace(None);
    match ended {
        Ok(()) => board.set(number, PartitionStatus::Drained),
        Err(halt) => give_up(&env, number, halt),
    }
}

async fn never_halts(task: impl Future<Output = ()>) -> End {
    task.await;
    Ok(())
}

/// Waits for the tasks; the first that cannot go on ends them all.
async fn watch_over<D: Decider>(
    partition: &Rc<Partition<D>>,
    mut tasks: JoinSet<End>,
    mut drain: watch::Receiver<bool>,
) -> End {
    loop {
        let draining = partition.current_stage() != Stage::Running;
        tokio::select! {
            biased;
            _ = drain.wait_for(|drain| *drain), if !draining => {
                partition.env.board.set(partition.number, PartitionStatus::Draining);
                partition.enter(Stage::Draining);
            }
            ended = tasks.join_next() => match ended {
                None => return Ok(()),
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(halt))) => return Err(halt),
                Some(Err(fault)) => return Err(Halt::Broken(format!("a task of the partition broke: {fault}"))),
            },
        }
    }
}

fn give_up<P, T: Clone>(env: &Environment<P, T>, number: u16, halt: Halt) {
    env.posted.is_complete_for(number);
    match halt {
        Halt::Fenced => {
            tracing::warn!(partition = number, "another owner has the partition");
            env.metrics.fenced.add_one();
            env.board.set(number, PartitionStatus::Fenced);
        }
        Halt::Broken(reason) => {
            tracing::error!(partition = number, reason, "the partition cannot go on");
            env.board.set(number, PartitionStatus::Broken { reason });
        }
    }
}
