//! What a message costs the server, among few live orders and among all of them. The message is a wish to cancel: it finds an order
//! that rests, is decided and recorded, and sends a command.

use std::time::Duration;

use loadtest::raw::accounting::thread_nanoseconds;
use loadtest::standing::{Crowd, Until};
use tokio::time::sleep;

use super::server::Server;
use super::{Stage, never_idle, trouble};
use crate::exit::Failure;

/// How many orders are few.
pub(super) const FEW: u64 = 1_000;
/// How often it is measured.
const ROUNDS: u64 = 5;

/// On a fresh server for each round, since an order can be asked to cancel once.
pub(super) async fn among_few(orders: u64, settling: Duration) -> Result<Vec<f64>, Failure> {
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let stage = Stage::open(settling).await?;
        let server = stage.start(&never_idle()).await?;
        let mut crowd = stage.crowd(Until::Released, &format!("few{round}")).await?;
        crowd.bring(orders).await.map_err(trouble)?;
        server.until("decisions_total", orders * Until::Released.inputs()).await?;
        sleep(settling).await;
        rounds.push(cost(&server, &mut crowd, (0..orders).collect()).await?);
        server.kill().await;
        stage.close()?;
    }
    Ok(rounds)
}

/// On a server with this many live orders, each time for others, spread over all of them but the last.
pub(super) async fn among(server: &Server, crowd: &mut Crowd, orders: u64) -> Result<Vec<f64>, Failure> {
    // As many as there are few orders, but at most half of all over the rounds.
    let messages = FEW.min(orders / (2 * ROUNDS)).max(1);
    let step = (orders - 1) / (messages * ROUNDS).max(1);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let asked = (0..messages).map(|at| (at * ROUNDS + round) * step).collect();
        rounds.push(cost(server, crowd, asked).await?);
    }
    Ok(rounds)
}

async fn cost(server: &Server, crowd: &mut Crowd, orders: Vec<u64>) -> Result<f64, Failure> {
    let messages = orders.len() as u64;
    let decided = server.metric("decisions_total").await?;
    let before = server.nanoseconds()?;
    crowd.ask_to_cancel(orders.into_iter()).await;
    server.until("decisions_total", decided + messages).await?;
    let spent = Duration::from_nanos(server.nanoseconds()?.saturating_sub(before));
    Ok(spent.as_secs_f64() * 1e6 / Duration::from_secs(messages).as_secs_f64())
}

impl Server {
    fn nanoseconds(&self) -> Result<u64, Failure> {
        let spent = self.id().and_then(|process| thread_nanoseconds(process, |_| true));
        spent.ok_or_else(|| trouble("the server has ended"))
    }
}
