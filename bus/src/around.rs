//! A bus around another one: what it does not do in its own way, the other one does.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{
    Bus, Expect, OpenError, Outgoing, Position, Reader, Request, StoreOutcome, Stored, StreamBounds,
    Subscription, Unavailable,
};

/// A bus that changes some of what goes through it. Whoever implements this is a [`Bus`].
#[async_trait]
pub trait Around: Send + Sync + std::fmt::Debug {
    /// The bus inside.
    fn inner(&self) -> &dyn Bus;

    /// See [`Bus::store`].
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        self.inner().store(message, expect).await
    }
}

#[async_trait]
impl<B: Around> Bus for B {
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        Around::store(self, message, expect).await
    }

    async fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
        self.inner().store_batch(messages, expect).await
    }

    fn send(&self, message: Outgoing) -> bool {
        self.inner().send(message)
    }

    async fn open(
        &self,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Box<dyn Reader>, OpenError> {
        self.inner().open(stream, filter, position).await
    }

    async fn get(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, Unavailable> {
        self.inner().get(stream, sequence).await
    }

    async fn last_on_subject(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Unavailable> {
        self.inner().last_on_subject(stream, subject).await
    }

    async fn bounds(&self, stream: &str) -> Result<StreamBounds, Unavailable> {
        self.inner().bounds(stream).await
    }

    async fn missing_after(&self, stream: &str, sequence: u64) -> Result<u64, Unavailable> {
        self.inner().missing_after(stream, sequence).await
    }

    async fn count_between(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        through: u64,
    ) -> Result<u64, Unavailable> {
        self.inner().count_between(stream, filter, after, through).await
    }

    async fn purge_below(&self, stream: &str, sequence: u64) -> Result<(), Unavailable> {
        self.inner().purge_below(stream, sequence).await
    }

    async fn purge_filtered(&self, stream: &str, filter: &str, sequence: u64) -> Result<(), Unavailable> {
        self.inner().purge_filtered(stream, filter, sequence).await
    }

    async fn subscribe(&self, subject: &str) -> Result<Box<dyn Subscription>, Unavailable> {
        self.inner().subscribe(subject).await
    }

    async fn request(&self, message: Outgoing, patience: Duration) -> Result<Request, Unavailable> {
        self.inner().request(message, patience).await
    }

    fn connected(&self) -> bool {
        self.inner().connected()
    }

    fn losses(&self) -> u64 {
        self.inner().losses()
    }
}
