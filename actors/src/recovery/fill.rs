//! What entities that are away have on the board, read from their snapshots: each page once, and kept of it only that.

use std::collections::BTreeMap;
use std::rc::Rc;

use domain::decider::Decider;
use futures_util::StreamExt;

use crate::partition::loading::{LoadError, bring_back, page};
use crate::partition::{Halt, Partition, Presence};
use crate::record::{Snapshot, SnapshotPage, decode_item};

/// Pages that are asked for at the same time.
const PAGES_AT_ONCE: usize = 32;

/// Puts up what the entities of the partition post: of those in memory from their states, of the others from their snapshots.
///
/// # Errors
/// A snapshot is gone, and the journal cannot say what was in it.
pub(super) async fn fill<D: Decider>(partition: &Rc<Partition<D>>) -> Result<(), Halt> {
    let mut pages = BTreeMap::<u64, Vec<(u32, u16)>>::new();
    let known = partition.entities.borrow().known();
    for number in known {
        let mut entities = partition.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { continue };
        match (&slot.presence, &slot.row) {
            (Presence::Here(here), _) => {
                if let Some(entity) = here.resting.as_deref().filter(|entity| !entity.suspect) {
                    put_up::<D>(partition, &here.id, &entity.state);
                }
            }
            (_, Some(row)) if row.posts && row.place.page > 0 => {
                pages.entry(row.place.page).or_default().push((number, row.place.item));
            }
            _ => {}
        }
    }
    let mut read = futures_util::stream::iter(pages)
        .map(|(sequence, members)| async move { (members, patiently(partition, sequence).await) })
        .buffer_unordered(PAGES_AT_ONCE);
    let mut gone = Vec::new();
    while let Some((members, page)) = read.next().await {
        for (number, item) in members {
            let item = page.as_ref().and_then(|page| page.items.get(usize::from(item)));
            match item.and_then(|item| decode_item::<Snapshot<D::State>>(item).ok()) {
                Some(snapshot) => put_up::<D>(partition, &snapshot.entity, &snapshot.state),
                None => gone.push(number),
            }
        }
    }
    from_journal(partition, gone).await
}

fn put_up<D: Decider>(partition: &Partition<D>, id: &domain::ids::EntityId, state: &D::State) {
    if let Some(posted) = D::posted(state) {
        partition.env.posted.post(id, Some(posted));
    }
}

/// A page of snapshots; none = it is not there, or is not what was written.
async fn patiently<D: Decider>(partition: &Partition<D>, sequence: u64) -> Option<Rc<SnapshotPage>> {
    for attempt in 0.. {
        match page(partition, sequence).await {
            Ok(page) => return Some(page),
            Err(LoadError::Gone | LoadError::Damaged(_)) => return None,
            Err(LoadError::Unavailable(error)) => {
                tracing::warn!(partition = partition.number, %error, "the board waits for snapshots");
            }
        }
        tokio::time::sleep(partition.env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

/// Those whose snapshots have disappeared come into memory, and are written again.
async fn from_journal<D: Decider>(partition: &Rc<Partition<D>>, gone: Vec<u32>) -> Result<(), Halt> {
    for number in &gone {
        if let Some(slot) = partition.entities.borrow_mut().slot(*number) {
            slot.presence = Presence::Coming(Box::default());
        }
    }
    bring_back(partition, gone.clone()).await?;
    for number in gone {
        let mut entities = partition.entities.borrow_mut();
        let Some(here) = entities.here(number) else { continue };
        if let Some(entity) = here.resting.as_deref() {
            put_up::<D>(partition, &here.id, &entity.state);
        }
    }
    Ok(())
}
