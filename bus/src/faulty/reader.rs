//! Readers and subscriptions of the faulty bus.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::bus::State;
use super::step::Step;
use crate::ports::{Healed, OpenError, Reader, Request, Stored, Subscription, Unavailable};

pub(super) struct FaultyReader {
    inner: Box<dyn Reader>,
    state: Arc<State>,
    step: Option<Step>,
}

impl FaultyReader {
    pub(super) fn new(inner: Box<dyn Reader>, state: Arc<State>, step: Option<Step>) -> Self {
        Self { inner, state, step }
    }

    /// Half of the hiccups are an early return with nothing, half an error.
    fn hiccup(&self) -> Option<Result<Vec<Stored>, OpenError>> {
        let mut luck = self.state.luck();
        if !luck.dice.hits(self.state.plan.hiccups) {
            return None;
        }
        luck.faults.hiccups += 1;
        if luck.dice.hits(500) {
            return Some(Ok(Vec::new()));
        }
        Some(Err(Unavailable { what: "read".to_owned(), cause: "planned fault".to_owned() }.into()))
    }
}

#[async_trait]
impl Reader for FaultyReader {
    async fn next(&mut self, most: usize, patience: Duration) -> Result<Vec<Stored>, OpenError> {
        self.state.alive().await;
        if let Some(hiccup) = self.hiccup() {
            return hiccup;
        }
        self.state.perhaps_wait().await;
        let messages = self.inner.next(most, patience).await;
        if messages.as_ref().is_ok_and(|messages| !messages.is_empty()) {
            self.state.pass(self.step);
        }
        self.state.alive().await;
        messages
    }

    fn healed(&self) -> Healed {
        self.inner.healed()
    }

    fn is_behind(&self) -> bool {
        self.inner.is_behind()
    }
}

pub(super) struct FaultySubscription {
    inner: Box<dyn Subscription>,
    state: Arc<State>,
}

impl FaultySubscription {
    pub(super) fn new(inner: Box<dyn Subscription>, state: Arc<State>) -> Self {
        Self { inner, state }
    }
}

#[async_trait]
impl Subscription for FaultySubscription {
    async fn next(&mut self) -> Option<Request> {
        let message = self.inner.next().await;
        self.state.alive().await;
        message
    }
}
