//! The actor of the process: owns what all partitions share in time, and stops them in order.

use std::sync::Arc;

use actix::{Actor, Arbiter, Context, Handler, Message, ResponseFuture};
use dashmap::DashMap;
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::partition::{Door, Drain};

/// Stops all partitions: what is begun is finished, recorded, and out.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct DrainAll;

/// One process.
#[derive(Debug)]
pub(super) struct NodeActor {
    pub(super) doors: Arc<DashMap<u16, Door>>,
    pub(super) arbiters: Vec<Arbiter>,
    /// What is done beside the partitions.
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Actor for NodeActor {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Handler<DrainAll> for NodeActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: DrainAll, _: &mut Context<Self>) -> Self::Result {
        self.tasks.iter().for_each(JoinHandle::abort);
        let doors: Vec<Door> = self.doors.iter().map(|door| door.value().clone()).collect();
        let arbiters = std::mem::take(&mut self.arbiters);
        Box::pin(async move {
            let drained = doors.iter().map(|door| door.drain.send(Drain));
            for ended in join_all(drained).await {
                if let Err(error) = ended {
                    tracing::warn!(%error, "a partition was gone before it could drain");
                }
            }
            for arbiter in arbiters {
                arbiter.stop();
            }
        })
    }
}
