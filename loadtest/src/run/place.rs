//! Where the shop works: beside everything else, or on a thread and a connection of its own.

use std::pin::Pin;
use std::sync::Arc;

use bus::ports::SharedBus;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::shop::Shop;

/// Makes the shop's own connection, on the shop's own thread.
pub type Connect =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<SharedBus, String>> + Send>> + Send>;

/// Where the shop works.
pub enum Place {
    /// As a task beside everything else: reproducible under a paused clock.
    Here,
    /// On a thread and a connection of its own, so that nobody makes it late.
    OwnThread(Connect),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Here => "Here",
            Self::OwnThread(_) => "OwnThread",
        })
    }
}

/// The shop waits for the start, works, and tells when the last order is stored.
pub(super) async fn start_shop(
    shop: Shop,
    place: Place,
    bus: &SharedBus,
    started: oneshot::Receiver<Instant>,
) -> Result<oneshot::Receiver<()>, String> {
    let (tell_closed, closed) = oneshot::channel();
    let work = |bus: SharedBus| async move {
        if let Ok(start) = started.await {
            shop.run(bus, start).await;
        }
        // Nobody waits for this if the run was ended.
        let _ = tell_closed.send(());
    };
    let connect = match place {
        Place::Here => {
            tokio::spawn(work(Arc::clone(bus)));
            return Ok(closed);
        }
        Place::OwnThread(connect) => connect,
    };
    let (tell_ready, ready) = oneshot::channel();
    let thread = std::thread::Builder::new().name("shop".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // If nobody waits any more, nobody has to know.
            Err(cause) => return tell_ready.send(Err(cause.to_string())).unwrap_or_default(),
        };
        runtime.block_on(async move {
            let (ready, bus) = match connect().await {
                Ok(bus) => (Ok(()), Some(bus)),
                Err(cause) => (Err(cause), None),
            };
            if tell_ready.send(ready).is_ok()
                && let Some(bus) = bus
            {
                work(bus).await;
            }
        });
    });
    thread.map_err(|cause| cause.to_string())?;
    match ready.await {
        Ok(ready) => ready.map(|()| closed),
        Err(_) => Err("its thread has ended".to_owned()),
    }
}
