//! Very many stock cells: what each costs in memory, at rest and away, and how long a server that was killed takes to have all of
//! them and all orders again.

use loadtest::shelving::Shelving;
use loadtest::standing::Until;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::server::Server;
use super::{IN_MEMORY, Report, SAMPLE, Stage, never_idle, per_second, tell};
use crate::exit::Failure;
use crate::raw::stage::trouble;

/// What was found out about cells. Bytes are resident memory of the server for each cell; seconds begin with the start of the process.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stock {
    cells: u64,
    live_bytes_per_cell: u64,
    live_resident_mib: u64,
    counted_per_second: u64,
    passivated_cells: u64,
    passivated_bytes_per_cell: u64,
    /// All cells and so many orders, everybody in memory.
    orders: u64,
    together_in_memory: u64,
    together_resident_mib: u64,
    together_after_kill_ready_seconds: f64,
    together_after_kill_first_input_seconds: f64,
    /// Until a sample of the orders and of the cells is read.
    together_after_kill_all_answer_seconds: f64,
    together_after_kill_replayed_decisions: u64,
}

impl Stage {
    /// On streams where nothing else is yet.
    pub(super) async fn cells(&self, cells: u64, orders: u64) -> Result<Stock, Failure> {
        let mut found = Stock { cells, orders, ..Stock::default() };
        let server = self.start(&never_idle()).await?;
        let empty = server.resident()?;
        let mut shelving = Shelving::new(self.bus.clone(), &self.layout);
        self.live_cells(&server, &mut shelving, &mut found).await?;
        server.kill().await;
        let server = self.all_leave().await?;
        found.passivated_cells = cells.saturating_sub(server.metric(IN_MEMORY).await?);
        found.passivated_bytes_per_cell = server.resident()?.saturating_sub(empty) / cells;
        server.kill().await;
        let server = self.everybody(&mut shelving, &mut found).await?;
        server.kill().await;
        self.everybody_again(&mut found).await?;
        Ok(found)
    }

    /// Counts all cells; the first tenth is not measured, for buffers take their room once.
    async fn live_cells(
        &self,
        server: &Server,
        shelving: &mut Shelving,
        found: &mut Stock,
    ) -> Result<(), Failure> {
        let (cells, started) = (found.cells, Instant::now());
        let first = (cells / 10).max(1);
        shelving.count(0..first, 1).await;
        server.until("decisions_total", first).await?;
        sleep(self.settling).await;
        let before = server.resident()?;
        let counting = Instant::now();
        shelving.count(first..cells, 1).await;
        server.until("decisions_total", cells).await?;
        found.counted_per_second = per_second((cells - first).max(1), counting.elapsed());
        tell(&format!("{cells} cells were counted within {} s", started.elapsed().as_secs()));
        sleep(self.settling).await;
        let resident = server.resident()?;
        found.live_resident_mib = resident >> 20;
        found.live_bytes_per_cell = resident.saturating_sub(before) / (cells - first).max(1);
        Ok(())
    }

    /// Brings orders to where they wait, and counts every cell once more, so that all are in memory.
    async fn everybody(&self, shelving: &mut Shelving, found: &mut Stock) -> Result<Server, Failure> {
        tell("cells and orders together");
        let server = self.start(&never_idle()).await?;
        let mut crowd = self.crowd(Until::Released, "standing").await?;
        crowd.bring(found.orders).await.map_err(trouble)?;
        shelving.count(0..found.cells, 2).await;
        let decisions = found.orders * Until::Released.inputs() + found.cells;
        server.until("decisions_total", decisions).await?;
        server.until(IN_MEMORY, found.orders + found.cells).await?;
        sleep(self.settling).await;
        found.together_in_memory = server.metric(IN_MEMORY).await?;
        found.together_resident_mib = server.resident()? >> 20;
        Ok(server)
    }

    async fn everybody_again(&self, found: &mut Stock) -> Result<(), Failure> {
        let (started, mut again) = (Instant::now(), Report::default());
        let server = self.restart(found.orders, &mut again).await?;
        let sample = SAMPLE.min(found.cells);
        for at in 0..sample {
            let (sku, node) = Shelving::place(at * (found.cells / sample));
            server.cell(&sku, &node).await?;
        }
        found.together_after_kill_ready_seconds = again.after_kill_ready_seconds;
        found.together_after_kill_first_input_seconds = again.after_kill_first_input_seconds;
        found.together_after_kill_all_answer_seconds = started.elapsed().as_secs_f64();
        found.together_after_kill_replayed_decisions = again.after_kill_replayed_decisions;
        server.kill().await;
        Ok(())
    }
}
