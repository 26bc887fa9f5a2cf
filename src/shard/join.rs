//! How a connection becomes a consumer: placed by the root, taken in there or on a branch.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use log::warn;

use crate::event::{Cursor, Reason, Start};
use crate::hub::Consumer;
use crate::net::{Parked, Socket};
use crate::proto::http::RequestId;
use crate::registry::EventStream;
use crate::store::{Located, ReadError, Store, StreamStore};
use crate::wait::Bell;

use super::home::Home;
use super::line::{Graft, Placement};
use super::mailbox::Message;
use super::seat::Seat;
use super::session::Session;

impl<S: Store> Home<S> {
    /// Places a consumer and takes it in, here or on a branch: from here on it misses nothing.
    /// `greeting` (the 101) is sent first.
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
        let shard = self.shard_for_newcomer();
        if shard == self.shard.index {
            self.take_in(socket, event_stream, placement, greeting, request).await;
            return Ok(());
        }
        let line = self.line_for_graft(shard);
        let (greeting, request) = (greeting.to_vec(), request.clone());
        let graft = Graft { line, socket, event_stream, placement, greeting, request };
        self.shard.mailboxes.send(shard, Message::Graft(graft)).await;
        Ok(())
    }

    /// Takes in a consumer that the root has placed. The placement's last step and the first of
    /// this are one, or the tail here follows the root's: nothing is missed.
    pub(super) async fn take_in(
        self: &Rc<Self>,
        socket: Parked,
        event_stream: Arc<EventStream>,
        placement: Placement,
        greeting: &[u8],
        request: &RequestId,
    ) {
        let session = Rc::new(self.session(socket, event_stream, &placement, request));
        // The pump flag keeps events back until the greeting is out.
        session.pumping.set(true);
        let seat = Seat::new(Rc::clone(&session));
        session.key.set(self.hub.borrow_mut().sessions.insert(seat));
        if let Err(fault) = self.shard.inbox.listen(&session) {
            self.not_taken_in(request, &fault);
            return self.leave(&session);
        }
        let greeted = session.greet(greeting).await;
        session.pumping.set(false);
        if greeted.is_err() {
            session.broken();
        }
        session.advance();
    }

    /// The shard that is to serve the next consumer: this one, unless so many are here that others
    /// have to help.
    fn shard_for_newcomer(&self) -> usize {
        let config = &self.shard.config;
        let (root, here) = (self.shard.index, self.hub.borrow().sessions.len());
        let enough = config.spread_consumers;
        if enough == 0 || config.exclusive || (here as u64) < enough {
            return root;
        }
        self.spread.fewest(root, here, config.shards)
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
        let (cursor, joined) = (Cursor::before(ordinal), self.ceiling());
        Ok(Placement { cursor, joined, not_before })
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
                placement.joined,
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
}
