//! What is done by the clock: pings, stalls, deadlines, retention, stats lines.

use std::rc::Rc;
use std::time::Duration;

use log::{debug, error, info};

use crate::clock::Tick;
use crate::config::Fsync;
use crate::limits::{FAN_OUT_TURN, PINGS_UNANSWERED_MAX, STATS_PAUSE, SWEEP_INTERVAL};
use crate::store::{Store, StreamStore};

use super::context::Shard;
use super::reasons;
use super::session::Session;

/// Looks after every session of the shard, until the shard ends.
pub(super) async fn sessions<S: Store>(shard: Rc<Shard<S>>) {
    loop {
        monoio::time::sleep(SWEEP_INTERVAL).await;
        let now = Tick::now();
        shard.coarse_now.set(now);
        let homes = shard.all_attended();
        for home in &homes {
            home.tend(now);
        }
        let mut looked_after = 0;
        for session in homes.iter().flat_map(|home| home.sessions()) {
            look_after(&session, now);
            looked_after += 1;
            if looked_after % FAN_OUT_TURN == 0 {
                shard.turnstile.next().await;
            }
        }
    }
}

fn look_after<S: Store>(session: &Rc<Session<S>>, now: Tick) {
    let config = &session.home.shard.config;
    if let Some(deadline) = session.ended.get().and_then(|ended| ended.deadline.get()) {
        if now >= deadline {
            session.socket.abort();
        }
        return;
    }
    let quiet = now.since(session.progress.get());
    if session.awaiting_peer.get() && quiet >= config.stall_timeout {
        let (name, peer) = (&session.home.name, session.socket.peer());
        info!(request_id:% = session.request; "{name}: {peer} took no byte for {quiet:?}");
        session.end(&reasons::stalled(config.stall_timeout.as_secs_f64()));
        return;
    }
    if now >= session.ping_due.get() {
        if session.pings_unanswered.get() >= PINGS_UNANSWERED_MAX && !session.pumping.get() {
            let (name, peer) = (&session.home.name, session.socket.peer());
            debug!(request_id:% = session.request; "{name}: {peer} is silent");
            session.ends_because(reasons::SILENT);
            session.socket.abort();
            return;
        }
        session.ping_due.set(now + config.ping_interval);
        if !session.pumping.get() {
            session.ping();
        }
    }
    stats_line(session, now);
}

/// Says how far a consumer came, every so many events but not all the time.
fn stats_line<S: Store>(session: &Session<S>, now: Tick) {
    let interval = session.home.shard.config.message_stats_interval;
    let (told, when) = session.stats.get();
    let (cursor, delivered) = session.standing();
    let next = cursor.ordinal;
    let early = |when| now.since(when) < STATS_PAUSE;
    if interval == 0 || delivered - told < interval || when.is_some_and(early) {
        return;
    }
    session.stats.set((delivered, Some(now)));
    let (uuid, peer) = (&session.event_stream.uuid, session.socket.peer());
    let (passed, ceiling) = (delivered - told, session.home.ceiling());
    info!(
        request_id:% = session.request, event_stream:% = uuid, events = passed,
        next = next.get(), of = ceiling.get();
        "EventStream {uuid} {peer}: {passed} events sent, next {next} of {ceiling}",
    );
}

/// Applies the retention rules to every stream, again and again.
pub(super) async fn retention<S: Store>(shard: Rc<Shard<S>>) {
    loop {
        monoio::time::sleep(shard.config.retain_interval.max(Duration::from_millis(1))).await;
        for home in shard.all_homes() {
            let Some(store) = home.store() else { continue };
            match store.retain().await {
                Ok(0) => {}
                Ok(count) => debug!("{}: {count} events are no longer retained", home.name),
                Err(fault) => error!("{}: retention failed: {fault}", home.name),
            }
        }
    }
}

/// Syncs every stream, again and again, where the operator asked for that.
pub(super) async fn syncs<S: Store>(shard: Rc<Shard<S>>) {
    let Fsync::Interval(interval) = shard.config.fsync else { return };
    loop {
        monoio::time::sleep(interval.max(Duration::from_millis(1))).await;
        for home in shard.all_homes() {
            let Some(store) = home.store() else { continue };
            if let Err(fault) = store.sync().await {
                error!("{}: sync failed: {fault}", home.name);
            }
        }
    }
}
