//! A stream on a shard: its tail, its consumers, and on its home shard its store.
//!
//! A block that becomes visible goes into the tail and wakes the fan-out, which drives every
//! consumer that keeps up. Consumers that don't are their pumps' business.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use log::info;
use slab::Slab;

use crate::clock::{Tick, monotonic};
use crate::doors::management::Publication;
use crate::event::{Ordinal, Reason, StreamName};
use crate::hub::Tail;
use crate::limits::{DRAIN_TICK, FRAMES_TIMEOUT};
use crate::observe::logging::ACCESS;
use crate::store::{
    AppendError, Block, Bounds, Observer, ReadError, Receipt, Store, StoreError, StreamStore,
};

use super::branch::Trunk;
use super::context::Shard;
use super::line::Ending;
use super::meters::{Flow, Pacer};
use super::seat::Seat;
use super::session::Session;
use super::spread::Spread;

/// A stream at home, or a branch of it.
pub(super) struct Home<S: Store> {
    pub(super) name: StreamName,
    pub(super) shard: Rc<Shard<S>>,
    pub(super) hub: RefCell<Hub<S>>,
    /// Where its events come from; unset while the stream is being opened.
    source: OnceCell<Source<S>>,
    /// Other shards that serve it.
    pub(super) spread: Spread,
    /// A fan-out is at work.
    pub(super) fanning: Cell<bool>,
    pub(super) flow: Flow,
    pub(super) pacer: Pacer,
    pub(super) this: Weak<Self>,
}

/// What delivery works on.
pub(super) struct Hub<S: Store> {
    pub(super) tail: Tail,
    pub(super) sessions: Slab<Seat<S>>,
}

/// Where a home's events come from.
enum Source<S: Store> {
    /// The store: this is the root.
    Store(Rc<S::Stream>),
    /// The root: this is a branch.
    Root(Trunk),
}

impl<S: Store> Home<S> {
    /// Opens the stream `name`, making it where there is none.
    ///
    /// # Errors
    ///
    /// When the store can't.
    pub(super) async fn open(
        shard: &Rc<Shard<S>>,
        name: StreamName,
    ) -> Result<Rc<Self>, StoreError> {
        let home = Self::new(shard, name.clone(), Ordinal::default());
        let observer: Rc<dyn Observer> = Rc::new(Feed(Rc::downgrade(&home)));
        let store = shard.store.open(&name, observer).await?;
        home.hub.borrow_mut().tail = Tail::new(store.bounds().ceiling, shard.config.tail_bytes);
        home.comes_from(Source::Store(store));
        Ok(home)
    }

    /// A branch of the stream `name`, whose tail begins at `ceiling`.
    pub(super) fn branch(
        shard: &Rc<Shard<S>>,
        name: StreamName,
        ceiling: Ordinal,
        trunk: Trunk,
    ) -> Rc<Self> {
        let home = Self::new(shard, name, ceiling);
        home.comes_from(Source::Root(trunk));
        home
    }

    fn new(shard: &Rc<Shard<S>>, name: StreamName, ceiling: Ordinal) -> Rc<Self> {
        let tail = Tail::new(ceiling, shard.config.tail_bytes);
        Rc::new_cyclic(|this| Self {
            name,
            shard: Rc::clone(shard),
            hub: RefCell::new(Hub { tail, sessions: Slab::new() }),
            source: OnceCell::new(),
            spread: Spread::default(),
            fanning: Cell::new(false),
            flow: Flow::default(),
            pacer: Pacer::new(shard.now()),
            this: this.clone(),
        })
    }

    fn comes_from(&self, source: Source<S>) {
        let newly = self.source.set(source).is_ok();
        assert!(newly, "a home has one source");
    }

    /// The stream's store; `None` at a branch, and while it is being opened.
    pub(super) fn store(&self) -> Option<&Rc<S::Stream>> {
        match self.source.get() {
            Some(Source::Store(store)) => Some(store),
            Some(Source::Root(_)) | None => None,
        }
    }

    /// A branch's way to its root; `None` at the root.
    pub(super) fn trunk(&self) -> Option<&Trunk> {
        match self.source.get() {
            Some(Source::Root(trunk)) => Some(trunk),
            Some(Source::Store(_)) | None => None,
        }
    }

    /// The next ordinal.
    pub(super) fn ceiling(&self) -> Ordinal {
        self.hub.borrow().tail.ceiling()
    }

    /// Appends events; answers when they are stored.
    pub(super) async fn append(&self, publication: Publication) -> Result<Receipt, AppendError> {
        let Publication { bodies, key } = publication;
        match (self.store(), key) {
            (Some(store), None) => store.append(bodies).await,
            (Some(store), Some(key)) => store.append_once(&key, bodies).await,
            (None, _) => Err(AppendError::Closed),
        }
    }

    /// Syncs what is unsynced and takes no more appends.
    ///
    /// # Errors
    ///
    /// When the store can't sync.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        match self.store() {
            Some(store) => store.close().await,
            None => Ok(()),
        }
    }

    /// What the stream holds, and how many consumers came through the event stream `uuid`.
    ///
    /// # Errors
    ///
    /// When that can't be told.
    pub(super) async fn describe(&self, uuid: &str) -> Result<(Bounds, usize), ReadError> {
        let store = self.store().ok_or(ReadError::Closed)?;
        let bounds = store.survey().await?;
        let elsewhere = self.consumers_on_branches(uuid).await;
        Ok((bounds, self.consumers_of(uuid) + elsewhere))
    }

    /// How many consumers are here that came through the event stream `uuid`.
    pub(super) fn consumers_of(&self, uuid: &str) -> usize {
        let hub = self.hub.borrow();
        hub.sessions.iter().filter(|(_, seat)| seat.session().event_stream.uuid == uuid).count()
    }

    /// Says how many consumers there are to who has to know.
    pub(super) fn tend(&self, now: Tick) {
        match self.source.get() {
            Some(Source::Store(store)) => {
                store.tend(self.hub.borrow().sessions.len() + self.spread.consumers());
            }
            Some(Source::Root(trunk)) => trunk.tell(self, now),
            None => {}
        }
    }

    /// Takes a session out whose connection is over.
    pub(super) fn leave(&self, session: &Rc<Session<S>>) {
        let (cursor, delivered) = session.standing();
        let gone = self.hub.borrow_mut().sessions.try_remove(session.key.get());
        assert!(gone.is_some_and(|gone| Rc::ptr_eq(gone.session(), session)), "leaves once");
        let gone = super::reasons::GONE;
        let reason = session.ended.get().map_or(&gone, |ended| &ended.reason);
        self.shard.meters.closes.add(reason.cause, 1);
        let Reason { code, text, .. } = reason;
        let (peer, uuid) = (session.socket.peer(), &session.event_stream.uuid);
        let next = cursor.ordinal.get();
        if self.shard.config.message_stats_interval > 0 {
            let ceiling = self.ceiling().get();
            info!(
                request_id:% = session.request, event_stream:% = uuid, events = delivered,
                next = next, of = ceiling;
                "EventStream {uuid} {peer}: ended, {delivered} events sent in all, next {next} of \
                 {ceiling}",
            );
        }
        info!(
            target: ACCESS,
            request_id:% = session.request, peer:% = peer, method = "WEBSOCKET",
            event_stream:% = uuid, code = *code, reason:% = text, next = next;
            "{peer} WEBSOCKET /event-stream/{uuid} closed {code} {text:?} next={next}",
        );
    }

    /// Counts what a consumer's socket took.
    pub(super) fn sent(&self, events: u64, bytes: u64) {
        for flow in [&self.flow, &self.shard.meters.flow] {
            flow.events_out.add(events);
            flow.bytes_out.add(bytes);
        }
    }

    /// Counts events that were no longer retained when a consumer came to them.
    pub(super) fn lost(&self, events: u64) {
        for flow in [&self.flow, &self.shard.meters.flow] {
            flow.events_lost.add(events);
        }
    }

    /// Ends all consumers because the stream is gone from where it was kept.
    pub(super) fn end_as_missing(&self) {
        for session in self.sessions() {
            session.end(&super::reasons::not_found(&session.event_stream.uuid));
        }
    }

    /// Ends the consumers that `which` picks by their event stream.
    pub(super) fn end_all(&self, reason: &Reason, which: impl Fn(&str) -> bool) {
        for session in self.sessions() {
            if which(&session.event_stream.uuid) {
                session.end(reason);
            }
        }
    }

    /// Whether anybody is here.
    pub(super) fn has_sessions(&self) -> bool {
        !self.hub.borrow().sessions.is_empty()
    }

    /// Waits, but not for long, until no ending consumer is inside a frame, also on branches: the
    /// rest of it may be in the log only.
    pub(super) async fn frames_finished(&self) {
        let deadline = monotonic() + FRAMES_TIMEOUT;
        let inside = |session: &Rc<Session<S>>| !session.standing().0.at_boundary();
        let unfinished = || self.spread.branches() > 0 || self.sessions().iter().any(inside);
        while monotonic() < deadline && unfinished() {
            monoio::time::sleep(DRAIN_TICK).await;
        }
    }

    /// The sessions now: a copy, so that ending one may change the table.
    pub(super) fn sessions(&self) -> Vec<Rc<Session<S>>> {
        self.hub.borrow().sessions.iter().map(|(_, seat)| Rc::clone(seat.session())).collect()
    }

    /// Takes in what the root has shown.
    pub(super) fn show(&self, blocks: &[Block]) {
        let mut hub = self.hub.borrow_mut();
        blocks.iter().for_each(|block| hub.tail.push(block));
        drop(hub);
        self.wake();
    }

    /// Begins anew where the root's tail begins: what lies before is read from the history.
    pub(super) fn move_up(&self, floor: Ordinal, poison: Option<Ordinal>) {
        self.hub.borrow_mut().tail.restart(floor, poison);
        self.wake();
    }

    fn wake(&self) {
        if self.fanning.get() || self.hub.borrow().sessions.is_empty() {
            return;
        }
        if let Some(home) = self.this.upgrade() {
            self.fanning.set(true);
            monoio::spawn(super::fan_out::fan_out(home));
        }
    }
}

/// The store's way to the tail.
struct Feed<S: Store>(Weak<Home<S>>);

impl<S: Store> Observer for Feed<S> {
    fn visible(&self, block: &Block) {
        if let Some(home) = self.0.upgrade() {
            for flow in [&home.flow, &home.shard.meters.flow] {
                flow.events_in.add(u64::from(block.count));
                flow.bytes_in.add(block.bytes.len() as u64);
            }
            home.hub.borrow_mut().tail.push(block);
            home.spread.shown(block);
            home.wake();
        }
    }

    fn restarted(&self, ceiling: Ordinal) {
        if let Some(home) = self.0.upgrade() {
            let mut hub = home.hub.borrow_mut();
            assert!(hub.sessions.is_empty(), "a consumer's place is one in the tail that was");
            home.spread.release_all();
            hub.tail = Tail::new(ceiling, home.shard.config.tail_bytes);
        }
    }

    fn ended(&self) {
        if let Some(home) = self.0.upgrade() {
            home.end_as_missing();
            home.spread.end(Ending::Missing);
            monoio::spawn(async move { home.shard.replace(&home).await });
        }
    }
}
