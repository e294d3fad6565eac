//! `doorbuster serve`: the orchestrator on a NATS server that `setup --apply` has prepared.
//!
//! HTTP comes first, so that whoever waits can read why. What is missing is waited for, never crashed over.

mod knobs;
mod lifecycle;
mod memory;
mod pressure;
pub(crate) mod signals;
mod start;
mod words;

use std::sync::Arc;
use std::time::Duration;

use actix::System;

use crate::api::control::Steering;
use crate::cli::ServeOptions;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::{api, query, telemetry};
use lifecycle::Lifecycle;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Bad configuration, or an HTTP address that is taken. Everything else is waited for.
pub fn run(options: &ServeOptions) -> Result<Exit, Failure> {
    let mut config = Config::load(options)?;
    config.node.flow.memory_bytes = memory::budget(config.node.flow.memory_bytes);
    telemetry::log_to_stderr(&config.log.filter);
    System::new().block_on(serve(config))
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    let ending = signals::until_asked_to_end()?;
    tokio::pin!(ending);
    let lifecycle = Arc::new(Lifecycle::default());
    let steering: Arc<dyn Steering> = lifecycle.clone();
    let behind = api::Behind {
        surface: lifecycle.clone(),
        steering: config.control.enabled.then_some(steering),
        hosts: config.control.hosts.clone(),
    };
    let server = api::start(config.http.address, behind)?;
    let http = server.handle();
    actix::spawn(server);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %config.http.address, "listening");

    let started = tokio::select! {
        biased;
        () = &mut ending => None,
        started = start::when_possible(&config, &lifecycle) => Some(started),
    };
    if let Some(started) = started {
        let questions = query::answer_questions(started.bus, started.layout, lifecycle.clone());
        let memory = memory::watch(started.node.flow().clone());
        let reference = started.reference.watch();
        tokio::select! {
            biased;
            () = &mut ending => {}
            () = questions => {}
            () = memory => {}
            () = reference => {}
            () = started.control.keep_time() => {}
        }
        lifecycle.draining();
        tracing::info!("draining");
        let limit = Duration::from_millis(config.runtime.drain_ms);
        if tokio::time::timeout(limit, started.node.drain()).await.is_err() {
            // The journal has everything that anybody has heard of; the next start goes on from there.
            tracing::warn!(limit_ms = config.runtime.drain_ms, "not drained in time; ending as if killed");
        }
    }
    http.stop(false).await;
    tracing::info!("ended");
    Ok(Exit::Clean)
}
