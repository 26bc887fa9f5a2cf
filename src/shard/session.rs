//! One consumer's connection on the home shard of its stream.
//!
//! Sends are made where the reason for them arises (a new event, a ping, a socket that became
//! writable), synchronously, by [`Session::drive`]. A consumer that keeps up needs no task for
//! that; one that doesn't gets a pump ([`super::pump`]) until it does. What the client sends is
//! read by one task for all sessions of the shard ([`super::inbox`]): an idle session has none.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Tick;
use crate::event::{Cursor, Reason};
use crate::hub::{Consumer, Outcome, Place, Step, Tail};
use crate::limits::{CLOSE_TIMEOUT, FAULT_TIMEOUT, TURN_BYTES_MAX};
use crate::net::Parked;
use crate::proto::http::RequestId;
use crate::proto::websocket::frame::{Opcode, put_header};
use crate::proto::websocket::{Inbound, close};
use crate::registry::EventStream;
use crate::store::Store;
use crate::wait::Bell;

use super::home::Home;
use super::seat::Seat;

/// A consumer and its socket.
pub(super) struct Session<S: Store> {
    pub(super) socket: Parked,
    pub(super) home: Rc<Home<S>>,
    /// Where it is in the home's table.
    pub(super) key: Cell<usize>,
    /// The event stream it came through.
    pub(super) event_stream: Arc<EventStream>,
    /// The name of its handshake, for the log.
    pub(super) request: RequestId,
    /// Where it stands may be known to its seat only: [`Session::consumer`] asks there first.
    pub(super) consumer: RefCell<Consumer>,
    /// A frame of the client's that has arrived in part.
    pub(super) inbound: Cell<Option<Box<Inbound>>>,
    /// It has more to say, and waits for its turn.
    pub(super) unheard: Cell<bool>,
    /// Rung when a pump that waits for the socket, or for history, has something to do.
    pub(super) stirred: Bell,
    /// A pump is at work: nobody else sends.
    pub(super) pumping: Cell<bool>,
    /// It is the socket that is waited for, not the disk or another task: the peer may be stalled.
    pub(super) awaiting_peer: Cell<bool>,
    /// When the socket last took a byte, or nothing was owed; to the sweeper's precision.
    pub(super) progress: Cell<Tick>,
    /// When the next ping is due.
    pub(super) ping_due: Cell<Tick>,
    /// Pings since the last sign of life.
    pub(super) pings_unanswered: Cell<u8>,
    /// The peer's close frame has arrived.
    pub(super) close_received: Cell<bool>,
    /// The peer broke the protocol: its close frame will never be seen.
    pub(super) faulty: Cell<bool>,
    /// Set once it ends.
    pub(super) ended: OnceCell<Box<Ended>>,
    /// The events it had been sent when a stats line was last written, and when that was.
    pub(super) stats: Cell<(u64, Option<Tick>)>,
}

/// How a session ends.
pub(super) struct Ended {
    /// Why, for the access log.
    pub(super) reason: Reason,
    /// When the connection is cut at the latest.
    pub(super) deadline: Cell<Option<Tick>>,
}

/// Where driving a session came to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Drive {
    /// Nothing more is owed now.
    Idle,
    /// The socket is full.
    Blocked,
    /// There is more, and the socket may take it, but others want a turn.
    More,
    /// The history has to be read from here.
    History(Cursor),
    /// The close frame is out, or the connection is broken: nothing follows.
    Over,
}

/// What driving a session has sent.
#[derive(Default)]
struct Sent {
    bytes: usize,
    /// Sends from the tail.
    from_tail: u64,
}

impl<S: Store> Session<S> {
    /// Sends what the consumer is owed from memory, as far as the socket takes it now.
    pub(super) fn drive(&self) -> Drive {
        let hub = self.home.hub.borrow();
        let mut consumer = self.consumer();
        let before = consumer.delivered();
        let mut told = Sent::default();
        let drive = self.drive_on(&hub.tail, &mut consumer, &mut told);
        self.home.sent(consumer.delivered() - before, told.bytes as u64);
        self.home.shard.meters.tail_sends.add(told.from_tail);
        drive
    }

    fn drive_on(&self, tail: &Tail, consumer: &mut Consumer, told: &mut Sent) -> Drive {
        let bytes_max = self.send_bytes();
        loop {
            let (sent, whole) = match consumer.step(tail, bytes_max) {
                Step::Idle => {
                    self.progress.set(self.home.shard.now());
                    return Drive::Idle;
                }
                Step::Closed => return self.closed(),
                Step::History(from) => return Drive::History(from),
                Step::Poisoned => {
                    self.begin_end(consumer, &super::reasons::DELETED);
                    continue;
                }
                Step::Control(bytes) => {
                    let Ok(sent) = self.socket.try_write(bytes) else { return self.broken() };
                    let outcome = Outcome::of(sent, bytes.len());
                    consumer.sent_control(outcome);
                    (sent, outcome == Outcome::Whole)
                }
                Step::Tail(bytes, end) => {
                    told.from_tail += 1;
                    let Ok(sent) = self.socket.try_write(bytes) else { return self.broken() };
                    let outcome = Outcome::of(sent, bytes.len());
                    consumer.sent_tail(tail, outcome, end);
                    (sent, outcome == Outcome::Whole)
                }
            };
            if sent > 0 {
                self.progress.set(self.home.shard.now());
            }
            told.bytes += sent;
            if !whole {
                return Drive::Blocked;
            }
            if told.bytes >= TURN_BYTES_MAX {
                return Drive::More;
            }
        }
    }

    /// Most that it is sent at once, in bytes.
    pub(super) fn send_bytes(&self) -> usize {
        self.home.shard.config.send_bytes
    }

    /// The consumer. It goes along with others no more, until it is found at the ceiling again.
    pub(super) fn consumer(&self) -> RefMut<'_, Consumer> {
        let place = self.with_seat(Seat::take_place);
        let mut consumer = self.consumer.borrow_mut();
        if let Some(place) = place {
            consumer.went_along(place);
        }
        consumer
    }

    /// Where the consumer stands, and how many events it was sent.
    pub(super) fn standing(&self) -> (Cursor, u64) {
        let place = self.with_seat(Seat::place);
        self.consumer.borrow().standing(place)
    }

    /// It is ending, or its connection is over.
    pub(super) fn ending(&self) -> bool {
        self.consumer.borrow().ending() || self.ended.get().is_some()
    }

    /// The place at the ceiling of `tail` from which it may go along with others.
    pub(super) fn goes_along(&self, tail: &Tail) -> Option<Place> {
        let place = self.consumer.borrow().owed_tail_only()?;
        let there = place.cursor == Cursor::before(tail.ceiling());
        (there && !self.pumping.get() && self.ended.get().is_none()).then_some(place)
    }

    /// Asks the seat, while there is one.
    fn with_seat(&self, ask: impl FnOnce(&Seat<S>) -> Option<Place>) -> Option<Place> {
        let hub = self.home.hub.borrow();
        let seat = hub.sessions.get(self.key.get())?;
        // A session that has left may find another in its seat.
        if std::ptr::eq(Rc::as_ptr(seat.session()), self) { ask(seat) } else { None }
    }

    /// Drives the session, and sets a pump to work where driving alone can't finish.
    pub(super) fn advance(self: &Rc<Self>) {
        if self.pumping.get() {
            // Whoever waits for the socket has to wait all the same.
            if !self.awaiting_peer.get() {
                self.stirred.ring();
            }
            return;
        }
        match self.drive() {
            Drive::Idle | Drive::Over => {}
            Drive::Blocked | Drive::More | Drive::History(_) => {
                self.pumping.set(true);
                monoio::spawn(super::pump::pump(Rc::clone(self)));
            }
        }
    }

    /// Puts in a ping.
    pub(super) fn ping(self: &Rc<Self>) {
        self.pings_unanswered.set(self.pings_unanswered.get().saturating_add(1));
        self.consumer().control(&control(Opcode::Ping, &[]));
        self.advance();
    }

    /// Owes an answer to a ping; [`Session::advance`] sends it.
    pub(super) fn pong(&self, payload: &[u8]) {
        self.consumer().control(&control(Opcode::Pong, payload));
    }

    /// Waits until the socket takes bytes, or never will, which the next write tells.
    pub(super) async fn writable(&self) {
        self.progress.set(self.home.shard.now());
        self.awaiting_peer.set(true);
        while self.socket.full() {
            self.stirred.rung().await;
        }
        self.awaiting_peer.set(false);
    }

    /// As [`Session::writable`], but waits until it takes many. What is read from the history for a
    /// socket then goes out whole, and a client that stops reading stops between two events: the
    /// rest of one may be gone when it comes back.
    pub(super) async fn roomy(&self) {
        self.socket.look_for_room();
        self.writable().await;
    }

    /// The socket takes bytes again, or never will.
    pub(super) fn drained(&self) {
        self.socket.drained();
        self.stirred.ring();
    }

    /// Sends the answer to the handshake, before anything else.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub(super) async fn greet(&self, greeting: &[u8]) -> io::Result<()> {
        let mut rest = greeting;
        loop {
            let count = self.socket.try_write(rest)?;
            rest = rest.get(count..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            self.writable().await;
        }
    }

    /// Ends the consumer: the rest of its frame, the close frame, nothing else.
    pub(super) fn end(self: &Rc<Self>, reason: &Reason) {
        self.begin_end(&mut self.consumer(), reason);
        self.advance();
    }

    /// Ends a consumer that broke the protocol.
    pub(super) fn fail(self: &Rc<Self>, reason: &Reason) {
        self.faulty.set(true);
        self.end(reason);
        self.cut_after(FAULT_TIMEOUT);
    }

    /// As [`Session::end`], from inside its own pump, which goes on driving.
    pub(super) fn end_here(&self, reason: &Reason) {
        self.begin_end(&mut self.consumer(), reason);
    }

    fn begin_end(&self, consumer: &mut Consumer, reason: &Reason) {
        if !consumer.ending() {
            self.close_with(consumer, &close::frame(reason.code, &reason.text), reason.clone());
        }
    }

    fn close_with(&self, consumer: &mut Consumer, frame: &[u8], reason: Reason) {
        consumer.end(frame);
        self.ends_because(reason);
        self.cut_after(CLOSE_TIMEOUT);
    }

    /// The peer has sent its close frame: answers it, or completes ours.
    pub(super) fn close_arrived(self: &Rc<Self>, echo: &[u8], reason: Reason) {
        self.close_received.set(true);
        let mut consumer = self.consumer();
        if !consumer.ending() {
            self.close_with(&mut consumer, echo, reason);
        }
        drop(consumer);
        self.advance();
    }

    /// Our close frame is out. The connection ends when the peer's has come too.
    fn closed(&self) -> Drive {
        if self.faulty.get() {
            // Cutting it off while it still sends would take our close frame with it.
            self.socket.shutdown_write();
        } else if self.close_received.get() {
            self.socket.abort();
        }
        Drive::Over
    }

    /// Takes note of why it ends; the first reason stays.
    pub(super) fn ends_because(&self, reason: Reason) {
        let ended = Ended { reason, deadline: Cell::default() };
        self.ended.get_or_init(|| Box::new(ended));
    }

    /// Has the connection of a session that ends cut when the peer takes longer than this.
    fn cut_after(&self, time: Duration) {
        if let Some(ended) = self.ended.get() {
            ended.deadline.set(Some(self.home.shard.now() + time));
        }
    }

    /// The connection can't be written to any more.
    pub(super) fn broken(&self) -> Drive {
        self.ends_because(super::reasons::BROKEN);
        self.socket.abort();
        Drive::Over
    }
}

/// A whole control frame.
fn control(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(2 + payload.len());
    put_header(opcode, payload.len(), &mut frame);
    frame.extend_from_slice(payload);
    frame
}
