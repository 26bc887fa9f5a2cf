//! The census: each shard counts what it has, and shard 0 puts it together for whoever asks.
//!
//! ```text
//!  GET … ─▶ Taker (shard 0) ── Census ──▶ mailboxes ─▶ count() in a task of each shard
//!              ▲ at most one under way          └── ShardCensus ──┘
//!              └ a fresh one serves all who ask within CENSUS_AGE_MAX
//! ```
//!
//! Counting walks over all consumers, as the sweeper does four times a second, and gives others a
//! turn as often. A shard that is stuck, or has ended, is waited for no longer than
//! [`CENSUS_TIMEOUT`] and then missing, which the census says.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use async_channel::{Receiver, Sender, bounded};
use monoio::time::timeout;

use crate::census::{BranchCensus, Census, Consumers, ShardCensus, Slowest, StreamCensus, Sum};
use crate::clock::{Tick, thread_busy};
use crate::event::{Ordinal, StreamName};
use crate::limits::{
    CENSUS_AGE_MAX, CENSUS_STREAMS_MAX, CENSUS_TIMEOUT, FAN_OUT_TURN, STALLED_AFTER,
};
use crate::observe::disk::disk;
use crate::observe::process::process;
use crate::store::{Store, StreamStore};
use crate::wait::Permits;

use super::context::Shard;
use super::home::Home;
use super::mailbox::{Mailboxes, Message};
use super::session::Session;

/// Takes the census, one at a time.
pub(super) struct Taker {
    turn: Permits,
    last: RefCell<Option<(Tick, Arc<Census>)>>,
}

impl Taker {
    /// None was taken yet.
    pub(super) fn new() -> Self {
        Self { turn: Permits::new(1), last: RefCell::default() }
    }

    /// The service now, or a moment ago.
    pub(super) async fn census<S: Store>(&self, shard: &Rc<Shard<S>>) -> Arc<Census> {
        let _turn = self.turn.take().await;
        if let Some((when, census)) = &*self.last.borrow()
            && Tick::now().since(*when) < CENSUS_AGE_MAX
        {
            return Arc::clone(census);
        }
        let census = Arc::new(take(shard).await);
        *self.last.borrow_mut() = Some((Tick::now(), Arc::clone(&census)));
        census
    }
}

async fn take<S: Store>(shard: &Shard<S>) -> Census {
    let mailboxes = shard.mailboxes.depths();
    let data_dir = shard.config.data_dir.clone();
    let machine = monoio::spawn_blocking(move || (process().ok(), disk(&data_dir).ok()));
    let (shards, late) = ask(&shard.mailboxes).await;
    let (process, disk) = machine.await.unwrap_or_default();
    let mut census = Census {
        shards,
        late,
        connections: shard.sockets.open(),
        connections_max: shard.sockets.max(),
        streams_registered: shard.directory.borrow().streams(),
        mailboxes,
        process,
        disk,
    };
    census.join_branches(|name| shard.home_of(name));
    census
}

/// Asks every shard at once and waits for all, but not for long: who answered, and who is missing.
async fn ask(mailboxes: &Mailboxes) -> (Vec<ShardCensus>, Vec<usize>) {
    let count = mailboxes.len();
    let (reply, answers) = bounded(count);
    for index in 0..count {
        let (mailboxes, reply) = (mailboxes.clone(), reply.clone());
        // A full mailbox of one is in nobody else's way.
        monoio::spawn(timeout(CENSUS_TIMEOUT, async move {
            mailboxes.send(index, Message::Census { reply }).await;
        }));
    }
    drop(reply);
    let mut shards = Vec::with_capacity(count);
    // Whoever is still missing then is late.
    let _ = timeout(CENSUS_TIMEOUT, collect(&answers, &mut shards)).await;
    shards.sort_by_key(|one: &ShardCensus| one.index);
    let answered = |index: &usize| shards.iter().any(|one| one.index == *index);
    let late = (0..count).filter(|index| !answered(index)).collect();
    (shards, late)
}

/// Takes answers until nobody is left who could give one.
async fn collect(answers: &Receiver<ShardCensus>, shards: &mut Vec<ShardCensus>) {
    while let Ok(answer) = answers.recv().await {
        shards.push(answer);
    }
}

/// Counts what this shard has.
pub(super) async fn count<S: Store>(shard: &Rc<Shard<S>>) -> ShardCensus {
    let now = shard.now();
    let mut consumers = Consumers::default();
    let mut streams = Vec::new();
    let mut turn = Turn { shard, counted: 0 };
    for home in shard.all_homes() {
        let crowd = crowd(&home, now, &mut turn).await;
        consumers.add(crowd.consumers);
        streams.push(stream(&home, &crowd, now));
    }
    let mut branches = Vec::new();
    let here: Vec<_> = shard.branches.borrow().values().cloned().collect();
    for home in here {
        let crowd = crowd(&home, now, &mut turn).await;
        consumers.add(crowd.consumers);
        branches.push(BranchCensus { name: home.name.clone(), consumers: crowd.consumers });
    }
    // Of streams that are gone only what their last consumers do is told.
    let leaving = shard.leaving.borrow().clone();
    for home in leaving {
        consumers.add(crowd(&home, now, &mut turn).await.consumers);
    }
    let others = keep_largest(&mut streams);
    for stream in &mut streams {
        stream.event_streams = shard.directory.borrow().of_stream(&stream.name);
    }
    ShardCensus {
        index: shard.index,
        driver: shard.driver,
        stopping: shard.stopping.get(),
        busy: thread_busy(),
        requests: shard.requests.get(),
        traffic: shard.meters.flow.traffic(),
        tail_sends: shard.meters.tail_sends.get(),
        log_reads: shard.meters.log_reads.get(),
        publishes: shard.meters.publishes.get(),
        responses: shard.meters.responses.get(),
        refusals: shard.meters.refusals.get(),
        closes: shard.meters.closes.get(),
        vitals: shard.store.vitals(),
        consumers,
        streams,
        others,
        branches,
    }
}

/// Keeps those that are told of one by one; the others in sum.
fn keep_largest(streams: &mut Vec<StreamCensus>) -> Sum {
    streams.sort_by_cached_key(StreamCensus::rank);
    let mut others = Sum::default();
    for stream in streams.drain(CENSUS_STREAMS_MAX.min(streams.len())..) {
        others.add(&stream);
    }
    others
}

/// Tells what this shard has of the streams `names`, whatever their rank; a stream that isn't open
/// here is left out.
pub(super) fn tell<S: Store>(
    shard: &Rc<Shard<S>>,
    names: Vec<StreamName>,
    reply: Sender<Vec<StreamCensus>>,
) {
    let shard = Rc::clone(shard);
    monoio::spawn(async move {
        let now = shard.now();
        let mut streams = Vec::new();
        let mut turn = Turn { shard: &shard, counted: 0 };
        for home in names.iter().filter_map(|name| shard.home(name)) {
            let crowd = crowd(&home, now, &mut turn).await;
            streams.push(stream(&home, &crowd, now));
        }
        // Whoever asked may have given up.
        let _ = reply.try_send(streams);
    });
}

/// Gives others a turn, every so many consumers and streams.
struct Turn<'a, S: Store> {
    shard: &'a Shard<S>,
    counted: usize,
}

impl<S: Store> Turn<'_, S> {
    async fn counted(&mut self) {
        self.counted += 1;
        if self.counted.is_multiple_of(FAN_OUT_TURN) {
            self.shard.turnstile.next().await;
        }
    }
}

/// The consumers of a stream.
#[derive(Default)]
struct Crowd {
    consumers: Consumers,
    /// What the slowest of them is owed next.
    slowest: Option<Ordinal>,
}

impl Crowd {
    fn add<S: Store>(&mut self, session: &Session<S>, now: Tick) {
        let closing = session.ending();
        *state(session, closing, now, &mut self.consumers) += 1;
        if !closing {
            let next = session.standing().0.ordinal;
            self.slowest = Some(self.slowest.map_or(next, |slowest| slowest.min(next)));
        }
    }
}

async fn crowd<S: Store>(home: &Home<S>, now: Tick, turn: &mut Turn<'_, S>) -> Crowd {
    turn.counted().await;
    let mut crowd = Crowd::default();
    for session in home.sessions() {
        crowd.add(&session, now);
        turn.counted().await;
    }
    crowd
}

/// Where a consumer is counted.
fn state<'a, S: Store>(
    session: &Session<S>,
    closing: bool,
    now: Tick,
    consumers: &'a mut Consumers,
) -> &'a mut usize {
    let quiet = now.since(session.progress.get());
    if closing {
        &mut consumers.closing
    } else if !session.pumping.get() {
        &mut consumers.live
    } else if session.awaiting_peer.get() && quiet >= STALLED_AFTER {
        &mut consumers.stalled
    } else {
        &mut consumers.catching_up
    }
}

/// A stream at home. What its branches have sent, and how slow they are, was told within a sweep.
fn stream<S: Store>(home: &Home<S>, crowd: &Crowd, now: Tick) -> StreamCensus {
    let ceiling = home.ceiling();
    let mut traffic = home.flow.traffic();
    traffic.add(home.spread.traffic());
    let pace = home.pacer.pace(now, traffic.events_in, traffic.bytes_in);
    let glance = home.store().map(|store| store.glance()).unwrap_or_default();
    let owed = crowd.slowest.into_iter().chain(home.spread.slowest()).min();
    let slowest = owed.map(|next| {
        let lag = ceiling.since(next);
        let kept = home.store().filter(|_| lag > 0).and_then(|store| store.kept_for(next, pace));
        Slowest { lag, above_floor: glance.floor.map(|floor| next.since(floor)), time_left: kept }
    });
    StreamCensus {
        name: home.name.clone(),
        event_streams: Vec::new(),
        floor: glance.floor,
        ceiling,
        bytes: glance.bytes,
        newest: glance.newest,
        pace,
        traffic,
        shards: 1 + home.spread.branches(),
        consumers: crowd.consumers,
        slowest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Traffic;
    use crate::event::StreamName;
    use crate::limits::MAILBOX_MESSAGES_MAX;
    use crate::store::Pace;

    /// What is found where of two shards the second answers, and the first doesn't in this way.
    fn asked(first: impl FnOnce(&Mailboxes, Receiver<Message>) -> Option<Receiver<Message>>) {
        let builder = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer();
        builder.build().expect("epoll is there").block_on(async {
            let (mailboxes, mut inboxes) = Mailboxes::new(2);
            let (last, one) = (inboxes.pop().unwrap(), inboxes.pop().unwrap());
            let _kept = first(&mailboxes, one);
            monoio::spawn(async move {
                while let Ok(Message::Census { reply }) = last.recv().await {
                    let _ = reply.try_send(ShardCensus::idle(1));
                }
            });
            let (shards, late) = ask(&mailboxes).await;
            assert_eq!((shards.len(), shards[0].index, late), (1, 1, vec![0]));
        });
    }

    #[test]
    fn so_many_streams_are_told_of_one_by_one() {
        let stream = |number: usize| StreamCensus {
            name: StreamName::new(&number.to_string()).unwrap(),
            event_streams: Vec::new(),
            floor: None,
            ceiling: Ordinal::default(),
            bytes: Some(number as u64),
            newest: None,
            pace: Pace::default(),
            traffic: Traffic::default(),
            shards: 1,
            consumers: Consumers::default(),
            slowest: None,
        };
        let mut streams: Vec<_> = (0..CENSUS_STREAMS_MAX).map(stream).collect();
        assert_eq!(keep_largest(&mut streams), Sum::default());
        assert_eq!(streams.len(), CENSUS_STREAMS_MAX);
        streams.push(stream(CENSUS_STREAMS_MAX));
        assert_eq!(keep_largest(&mut streams).streams, 1, "the one that is empty");
        assert_eq!(streams.len(), CENSUS_STREAMS_MAX);
        assert_eq!(streams[0].bytes, Some(CENSUS_STREAMS_MAX as u64), "largest first");
    }

    #[test]
    fn a_shard_that_has_ended_is_missing() {
        asked(|_, inbox| {
            drop(inbox);
            None
        });
    }

    #[test]
    fn a_shard_that_is_stuck_is_waited_for_and_then_missing() {
        asked(|_, inbox| Some(inbox));
    }

    #[test]
    fn a_full_mailbox_is_in_nobody_elses_way() {
        asked(|mailboxes, inbox| {
            for _ in 0..MAILBOX_MESSAGES_MAX {
                mailboxes.send_blocking(0, Message::Stop);
            }
            Some(inbox)
        });
    }
}
