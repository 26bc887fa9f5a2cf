//! A stream on its home shard: its store, its tail, its consumers.
//!
//! A block that becomes visible goes into the tail and wakes the fan-out, which drives every
//! consumer that keeps up. Consumers that don't are their pumps' business.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use log::{info, warn};
use slab::Slab;

use crate::clock::monotonic;
use crate::doors::management::Publication;
use crate::event::{Cursor, Ordinal, Reason, Start, StreamName, Timestamp};
use crate::hub::{Consumer, Tail};
use crate::limits::{DRAIN_TICK, FRAMES_TIMEOUT};
use crate::net::{Parked, Socket};
use crate::observe::logging::ACCESS;
use crate::proto::http::RequestId;
use crate::registry::EventStream;
use crate::store::{
    AppendError, Block, Bounds, Located, Observer, ReadError, Receipt, Store, StoreError,
    StreamStore,
};
use crate::wait::Bell;

use super::context::Shard;
use super::meters::{Flow, Pacer};
use super::seat::Seat;
use super::session::Session;

/// A stream at home.
pub(super) struct Home<S: Store> {
    pub(super) name: StreamName,
    pub(super) shard: Rc<Shard<S>>,
    pub(super) hub: RefCell<Hub<S>>,
    store: OnceCell<Rc<S::Stream>>,
    /// A fan-out is at work.
    pub(super) fanning: Cell<bool>,
    pub(super) flow: Flow,
    pub(super) pacer: Pacer,
    this: Weak<Self>,
}

/// What delivery works on.
pub(super) struct Hub<S: Store> {
    pub(super) tail: Tail,
    pub(super) sessions: Slab<Seat<S>>,
}

/// Where a consumer was put.
struct Placement {
    cursor: Cursor,
    not_before: Option<Timestamp>,
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
        let hub = Hub {
            tail: Tail::new(Ordinal::default(), shard.config.tail_bytes),
            sessions: Slab::new(),
        };
        let home = Rc::new_cyclic(|this| Self {
            name: name.clone(),
            shard: Rc::clone(shard),
            hub: RefCell::new(hub),
            store: OnceCell::new(),
            fanning: Cell::new(false),
            flow: Flow::default(),
            pacer: Pacer::new(shard.now()),
            this: this.clone(),
        });
        let observer: Rc<dyn Observer> = Rc::new(Feed(Rc::downgrade(&home)));
        let store = shard.store.open(&name, observer).await?;
        home.hub.borrow_mut().tail = Tail::new(store.bounds().ceiling, shard.config.tail_bytes);
        let newly = home.store.set(store).is_ok();
        assert!(newly, "a home opens its store once");
        Ok(home)
    }

    /// The stream's store; `None` only while it is being opened.
    pub(super) fn store(&self) -> Option<&Rc<S::Stream>> {
        self.store.get()
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
        let hub = self.hub.borrow();
        let consumers = hub
            .sessions
            .iter()
            .filter(|(_, seat)| seat.session().event_stream.uuid == uuid)
            .count();
        Ok((bounds, consumers))
    }

    /// Takes a consumer in: from here on it misses nothing. `greeting` (the 101) is sent first.
    ///
    /// # Errors
    ///
    /// When it can't be a consumer, and why; the socket comes back.
    pub(super) async fn join(
        self: &Rc<Self>,
        socket: Socket,
        event_stream: Arc<EventStream>,
        start: Start,
        greeting: &[u8],
        request: &RequestId,
    ) -> Result<(), (Socket, Reason)> {
        let placement = self.place(start).await;
        // Much may have happened while a timestamp was looked up.
        let reason = match &placement {
            _ if self.shard.stopping.get() => Some(super::reasons::RESTART),
            _ if self.shard.directory.borrow().by_uuid(&event_stream.uuid).is_none() => {
                Some(super::reasons::DELETED)
            }
            Ok(_) => None,
            Err(ReadError::Missing) => Some(super::reasons::not_found(&event_stream.uuid)),
            Err(ReadError::Unreachable(_)) => Some(super::reasons::UNREACHABLE),
            Err(fault) => {
                let name = &self.name;
                warn!(request_id:% = request; "{name}: a start can't be found: {fault}");
                Some(super::reasons::not_found(&event_stream.uuid))
            }
        };
        let placement = match (placement, reason) {
            (Ok(placement), None) => placement,
            (_, reason) => return Err((socket, reason.unwrap_or(super::reasons::DELETED))),
        };
        if self.shard.config.exclusive {
            self.end_all(&super::reasons::DISPLACED, |_| true);
        }
        let socket = match socket.park() {
            Ok(socket) => socket,
            Err(fault) => {
                self.not_taken_in(request, &fault);
                return Ok(());
            }
        };
        let session = Rc::new(self.session(socket, event_stream, &placement, request));
        // The pump flag keeps events back until the greeting is out.
        session.pumping.set(true);
        let seat = Seat::new(Rc::clone(&session));
        session.key.set(self.hub.borrow_mut().sessions.insert(seat));
        if let Err(fault) = self.shard.inbox.listen(&session) {
            self.not_taken_in(request, &fault);
            self.leave(&session);
            return Ok(());
        }
        let greeted = session.greet(greeting).await;
        session.pumping.set(false);
        if greeted.is_err() {
            session.broken();
        }
        session.advance();
        Ok(())
    }

    fn not_taken_in(&self, request: &RequestId, fault: &std::io::Error) {
        warn!(request_id:% = request; "{}: a consumer can't be taken in: {fault}", self.name);
    }

    /// Finds where a consumer begins. The last step is synchronous with its caller's next one, so
    /// nothing becomes visible in between.
    async fn place(&self, start: Start) -> Result<Placement, ReadError> {
        let store = self.store().ok_or(ReadError::Closed)?;
        let located = match start {
            Start::At(timestamp) => Some((store.locate(timestamp).await?, timestamp)),
            Start::Next | Start::First | Start::After(_) => None,
        };
        store.attend().await?;
        let (ordinal, not_before) = match (start, located) {
            (Start::Next, _) => (self.ceiling(), None),
            (Start::After(ordinal), _) => (ordinal.next().max(store.bounds().floor), None),
            (_, Some((Located::At(ordinal), _))) => (ordinal, None),
            (_, Some((Located::Beyond(ceiling), timestamp))) => (ceiling, Some(timestamp)),
            (Start::First | Start::At(_), None) => (store.bounds().floor, None),
        };
        Ok(Placement { cursor: Cursor::before(ordinal), not_before })
    }

    fn session(
        &self,
        socket: Parked,
        event_stream: Arc<EventStream>,
        placement: &Placement,
        request: &RequestId,
    ) -> Session<S> {
        let now = self.shard.now();
        #[expect(clippy::expect_used, reason = "sessions are made by the home itself")]
        let home = self.this.upgrade().expect("a home that is used is alive");
        Session {
            socket,
            key: Cell::default(),
            event_stream,
            request: request.clone(),
            consumer: RefCell::new(Consumer::new(
                placement.cursor,
                self.ceiling(),
                placement.not_before,
            )),
            inbound: Cell::default(),
            unheard: Cell::new(false),
            stirred: Bell::default(),
            pumping: Cell::new(false),
            awaiting_peer: Cell::new(false),
            progress: Cell::new(now),
            ping_due: Cell::new(now + self.shard.config.ping_interval),
            pings_unanswered: Cell::new(0),
            close_received: Cell::new(false),
            faulty: Cell::new(false),
            ended: OnceCell::new(),
            stats: Cell::new((0, None)),
            home,
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
    fn end_as_missing(&self) {
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

    /// Waits, but not for long, until no ending consumer is inside a frame: the rest of it may be
    /// in the log only.
    pub(super) async fn frames_finished(&self) {
        let deadline = monotonic() + FRAMES_TIMEOUT;
        let inside = |session: &Rc<Session<S>>| !session.standing().0.at_boundary();
        while monotonic() < deadline && self.sessions().iter().any(inside) {
            monoio::time::sleep(DRAIN_TICK).await;
        }
    }

    /// The sessions now: a copy, so that ending one may change the table.
    pub(super) fn sessions(&self) -> Vec<Rc<Session<S>>> {
        self.hub.borrow().sessions.iter().map(|(_, seat)| Rc::clone(seat.session())).collect()
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
            home.wake();
        }
    }

    fn restarted(&self, ceiling: Ordinal) {
        if let Some(home) = self.0.upgrade() {
            let mut hub = home.hub.borrow_mut();
            assert!(hub.sessions.is_empty(), "a consumer's place is one in the tail that was");
            hub.tail = Tail::new(ceiling, home.shard.config.tail_bytes);
        }
    }

    fn ended(&self) {
        if let Some(home) = self.0.upgrade() {
            home.end_as_missing();
            monoio::spawn(async move { home.shard.replace(&home).await });
        }
    }
}
