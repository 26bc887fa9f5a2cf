//! Stopping: requests in flight are finished, consumers are sent away one after the other.

use std::rc::Rc;
use std::time::Duration;

use log::{info, warn};

use crate::clock::monotonic;
use crate::limits::{DRAIN_GRACE, DRAIN_TICK};
use crate::store::Store;

use super::context::Shard;
use super::reasons;
use super::session::Session;

/// Drains the shard: returns when its consumers and requests are gone, or the time for it is.
pub(super) async fn drain<S: Store>(shard: &Rc<Shard<S>>) {
    let deadline = monotonic() + shard.config.drain;
    // First the requests (all are on shard 0): what they publish reaches the consumers here.
    while shard.requests.get() > 0 && monotonic() < deadline {
        monoio::time::sleep(DRAIN_TICK).await;
    }
    let sessions: Vec<_> = shard.all_attended().iter().flat_map(|home| home.sessions()).collect();
    if !sessions.is_empty() {
        info!("shard {}: closing {} consumers", shard.index, sessions.len());
    }
    let left = deadline.saturating_duration_since(monotonic());
    pace(&sessions, left.mul_f64(0.8)).await;
    drop(sessions);
    let deadline = deadline + DRAIN_GRACE;
    while consumers(shard) > 0 && monotonic() < deadline {
        monoio::time::sleep(DRAIN_TICK).await;
    }
    let left = consumers(shard);
    if left > 0 {
        warn!("shard {}: {left} consumers did not answer the close", shard.index);
    }
}

/// Ends `sessions`, spread evenly over `time`: a crowd that reconnects at once hurts whoever
/// serves it next.
async fn pace<S: Store>(sessions: &[Rc<Session<S>>], time: Duration) {
    let ticks = (time.as_millis() / DRAIN_TICK.as_millis()).max(1);
    let share = sessions.len().div_ceil(usize::try_from(ticks).unwrap_or(1)).max(1);
    let batches = sessions.len().div_ceil(share);
    for (number, batch) in sessions.chunks(share).enumerate() {
        for session in batch {
            session.end(&reasons::RESTART);
        }
        if number + 1 < batches {
            monoio::time::sleep(DRAIN_TICK).await;
        }
    }
}

fn consumers<S: Store>(shard: &Shard<S>) -> usize {
    shard.all_attended().iter().map(|home| home.hub.borrow().sessions.len()).sum()
}

/// Makes everything durable and closes the streams.
pub(super) async fn close<S: Store>(shard: &Rc<Shard<S>>) -> bool {
    let mut clean = true;
    for home in shard.all_homes() {
        if let Err(fault) = home.close().await {
            log::error!("{}: not closed cleanly: {fault}", home.name);
            clean = false;
        }
    }
    shard.store.close();
    clean
}
