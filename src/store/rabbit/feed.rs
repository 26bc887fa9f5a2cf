//! The one live subscription of a stream, which feeds all its consumers.
//!
//! ```text
//!  Idle ─ attend ─▶ Starting ─▶ Live ─ lost ─▶ Away ─ backoff ─▶ Live …
//!    ▲                  │         │              │
//!    └── nobody here ───┴─────────┴──────────────┘     Missing: no such stream
//! ```
//!
//! The first time it begins with the stream's last chunk, which tells where the stream ends. After
//! an interruption it begins with the chunk that holds the last event it had: its timestamp proves
//! that this is still the stream it was, because a stream that was deleted and made anew counts
//! from 0 again. What follows is delivered from the next ordinal on, exactly.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use log::{error, info, warn};
use monoio::time::timeout;

use super::Shared;
use super::delivery::{Delivery, deliver, pass_by};
use super::fault::Fault;
use super::ids::Sink;
use super::pool::{Pool, Role};
use super::subscription::Subscription;
use crate::clock::monotonic;
use crate::event::{Ordinal, StreamName, Timestamp};
use crate::limits::{BROKER_ATTEND_TIMEOUT, BROKER_GRACE, BROKER_LIVE_CREDIT};
use crate::net::backoff;
use crate::proto::amqp10;
use crate::proto::rabbit::chunk::{Fault as ChunkFault, Head};
use crate::proto::rabbit::request::Offset;
use crate::store::receipts::Receipts;
use crate::store::{Bounds, Kind, Observer};
use crate::wait::Bell;

/// A stream's live subscription.
pub(super) struct Feed {
    name: StreamName,
    observer: Rc<dyn Observer>,
    shared: Rc<Shared>,
    /// Where our own publishes have come out.
    pub(super) receipts: Receipts,
    state: Cell<State>,
    running: Cell<bool>,
    wanted: Cell<bool>,
    /// When somebody last was here.
    touched: Cell<Instant>,
    reached: Cell<Option<Reached>>,
    subscription: RefCell<Option<Subscription>>,
    /// Chunks taken before the subscription was in our hands.
    owed: Cell<u16>,
    /// The subscription is gone.
    lost: Cell<bool>,
    /// The chunk with the last event we had is still to come.
    unproved: Cell<bool>,
    /// The stream isn't the one it was.
    reborn: Cell<bool>,
    failures: Cell<u64>,
    failed: RefCell<Option<Fault>>,
    changed: Bell,
    this: Weak<Self>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Starting,
    Live,
    Away,
    Missing,
    Closed,
}

/// How far we have come.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// The next ordinal.
    next: Ordinal,
    /// The last event's ordinal and timestamp, once there was one.
    last: Option<(Ordinal, Timestamp)>,
    /// The last event is a POISON.
    poison: bool,
}

impl Feed {
    /// Nothing is watched yet.
    pub(super) fn new(
        name: StreamName,
        observer: Rc<dyn Observer>,
        shared: Rc<Shared>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            name,
            observer,
            shared,
            receipts: Receipts::default(),
            state: Cell::new(State::Idle),
            running: Cell::new(false),
            wanted: Cell::new(false),
            touched: Cell::new(monotonic()),
            reached: Cell::new(None),
            subscription: RefCell::default(),
            owed: Cell::new(0),
            lost: Cell::new(false),
            unproved: Cell::new(false),
            reborn: Cell::new(false),
            failures: Cell::new(0),
            failed: RefCell::default(),
            changed: Bell::default(),
            this: this.clone(),
        })
    }

    fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// What is known of the stream.
    pub(super) fn bounds(&self) -> Bounds {
        let reached = self.reached.get();
        Bounds {
            // The broker tells its floor only to who reads from there: readers move up to it.
            floor: Ordinal::new(0),
            ceiling: reached.map_or(Ordinal::new(0), |reached| reached.next),
            bytes: 0,
            newest: reached.and_then(|r| r.last).map_or(Timestamp::EPOCH, |(_, newest)| newest),
            ends_in_poison: reached.is_some_and(|reached| reached.poison),
        }
    }

    /// The next ordinal, while the stream is watched.
    pub(super) fn ceiling(&self) -> Option<Ordinal> {
        self.reached.get().map(|reached| reached.next)
    }

    /// Watches the stream from now on. Waits until that works, but not for long.
    pub(super) async fn attend(&self) -> Result<(), Fault> {
        self.touch();
        if self.state.get() == State::Live {
            return Ok(());
        }
        self.start();
        let failures = self.failures.get();
        let attending = async {
            loop {
                match self.state.get() {
                    State::Live => return Ok(()),
                    State::Missing => return Err(Fault::Missing),
                    State::Closed => return Err(Fault::Closed),
                    State::Idle => self.start(),
                    State::Starting | State::Away => {}
                }
                if self.failures.get() != failures {
                    return Err(self.failure());
                }
                self.changed.rung().await;
            }
        };
        timeout(BROKER_ATTEND_TIMEOUT, attending).await.unwrap_or_else(|_| Err(self.failure()))
    }

    fn failure(&self) -> Fault {
        let failed = self.failed.borrow().clone();
        failed.unwrap_or_else(|| Fault::Lost("the broker takes its time".into()))
    }

    fn touch(&self) {
        self.touched.set(monotonic());
        self.wanted.set(true);
    }

    /// See [`crate::store::StreamStore::tend`].
    pub(super) fn tend(&self, consumers: usize) {
        if !self.wanted.get() {
            return;
        }
        if consumers > 0 || !self.receipts.is_empty() {
            self.touched.set(monotonic());
        } else if monotonic().saturating_duration_since(self.touched.get()) > BROKER_GRACE {
            self.wanted.set(false);
            self.changed.ring();
        }
    }

    /// Stops watching for good.
    pub(super) fn close(&self) {
        self.state.set(State::Closed);
        self.wanted.set(false);
        self.subscription.take();
        self.receipts.clear();
        self.changed.ring();
    }

    fn start(&self) {
        if let Some(this) = self.this.upgrade()
            && !self.running.replace(true)
            && self.state.get() != State::Closed
        {
            self.state.set(State::Starting);
            monoio::spawn(async move { this.run().await });
        }
    }

    /// Watches while somebody wants it.
    async fn run(self: Rc<Self>) {
        let mut failures = 0;
        while self.wanted.get() && self.state.get() != State::Closed {
            match self.begin().await {
                Ok(()) if self.state.get() == State::Closed => break,
                Ok(()) if self.reborn.get() => {}
                Ok(()) => {
                    failures = 0;
                    self.become_live();
                    self.until_over().await;
                }
                Err(Fault::Missing) => {
                    self.gone();
                    break;
                }
                Err(Fault::Closed) => break,
                Err(fault) => {
                    self.away(fault);
                    monoio::time::sleep(backoff::wait(failures)).await;
                    failures += 1;
                }
            }
            self.subscription.take();
            if self.reborn.get() {
                self.gone();
                break;
            }
        }
        self.subscription.take();
        self.running.set(false);
        if !matches!(self.state.get(), State::Closed | State::Missing) {
            // Who comes next begins anew.
            self.state.set(State::Idle);
            self.reached.set(None);
        }
        self.changed.ring();
    }

    /// Subscribes, and finds out where the stream stands.
    async fn begin(&self) -> Result<(), Fault> {
        let connection = self.pool().for_stream(self.name.as_str(), Role::Live).await?;
        let reached = self.reached.get();
        let last = reached.and_then(|reached| reached.last);
        let from = match (reached, last) {
            (None, _) => Offset::Last,
            (Some(_), Some((ordinal, _))) => Offset::At(ordinal.get()),
            (Some(reached), None) => Offset::At(reached.next.get()),
        };
        self.unproved.set(last.is_some());
        self.owed.set(0);
        self.lost.set(false);
        let sink: Weak<dyn Sink> = self.this.clone();
        let open = Subscription::open(connection, &self.name, from, BROKER_LIVE_CREDIT, sink);
        let subscription = open.await?;
        subscription.settled(&self.name).await?;
        subscription.credit_now(self.owed.take());
        *self.subscription.borrow_mut() = Some(subscription);
        if self.lost.get() {
            return Err(Fault::Lost("the subscription ended".into()));
        }
        if self.unproved.get() {
            // What we had is beyond the end of this stream.
            self.reborn.set(true);
        }
        if self.reached.get().is_none() {
            self.restart(Ordinal::new(0));
        }
        Ok(())
    }

    fn restart(&self, ceiling: Ordinal) {
        self.reached.set(Some(Reached { next: ceiling, last: None, poison: false }));
        self.observer.restarted(ceiling);
    }

    fn become_live(&self) {
        if self.state.replace(State::Live) == State::Away {
            info!("{}: watched again, from {}", self.name, self.bounds().ceiling);
        }
        self.changed.ring();
    }

    /// Waits until the subscription is lost, or nobody wants it any more.
    async fn until_over(&self) {
        while !self.lost.get() && self.wanted.get() && !self.reborn.get() {
            self.changed.rung().await;
        }
    }

    fn away(&self, fault: Fault) {
        if self.state.get() == State::Live {
            warn!("{}: not watched now: {fault}", self.name);
        }
        self.state.set(State::Away);
        *self.failed.borrow_mut() = Some(fault);
        self.failures.set(self.failures.get() + 1);
        self.changed.ring();
    }

    /// There is no such stream, or no longer the one that it was.
    fn gone(&self) {
        self.state.set(State::Missing);
        self.wanted.set(false);
        self.receipts.clear();
        if self.reached.take().is_some() {
            let how = if self.reborn.get() { "was made anew" } else { "is gone" };
            warn!("{}: the stream {how} in the broker: its consumers are told 1013", self.name);
            self.observer.ended();
        }
    }

    /// Nothing that still comes is for our consumers: not behind a chunk of another stream either.
    fn is_over(&self) -> bool {
        self.reborn.get() || matches!(self.state.get(), State::Closed | State::Missing)
    }

    /// Whether this chunk belongs to another stream than the one we had.
    fn is_reborn(&self, head: &Head) -> bool {
        let last = self.reached.get().and_then(|reached| reached.last);
        match last {
            Some((ordinal, timestamp)) if self.unproved.get() => {
                let holds = (head.first_offset..head.next_offset()).contains(&ordinal.get());
                let same = i64::try_from(timestamp.millis()) == Ok(head.timestamp_ms);
                // Beyond it: what we had is no longer retained, and can't be compared.
                holds && !same || head.next_offset() <= ordinal.get()
            }
            _ => false,
        }
    }

    fn take(&self, delivery: Delivery) {
        self.unproved.set(false);
        self.shared.skipped.set(self.shared.skipped.get() + delivery.skipped);
        let mut poison = self.reached.get().is_some_and(|reached| reached.poison);
        for block in &delivery.blocks {
            poison = block.kind == Kind::Poison;
            self.observer.visible(block);
        }
        let end = delivery.ordinals.end;
        let next = self.ceiling().map_or(end, |next| next.max(end));
        let last = Some((Ordinal::new(end.get().saturating_sub(1)), delivery.timestamp));
        self.reached.set(Some(Reached { next, last, poison }));
        self.receipts.told(delivery.timestamp);
    }

    fn damaged(&self, fault: &ChunkFault, chunk: &[u8]) {
        let wanted = self.ceiling().unwrap_or_default();
        if self.shared.damages.ask_again(&self.name, wanted) {
            error!("{}: a damaged chunk: {fault}; it is asked for again", self.name);
            if let Some(subscription) = self.subscription.take() {
                subscription.distrust("a damaged chunk came over it");
            }
            self.lost();
        } else {
            error!("{}: still damaged: {fault}; the chunk's events are skipped", self.name);
            self.oversized(chunk, chunk.len());
        }
    }

    fn credit(&self) {
        match &*self.subscription.borrow() {
            Some(subscription) => subscription.credit(1),
            None => self.owed.set(self.owed.get().saturating_add(1)),
        }
    }
}

impl Sink for Feed {
    fn chunk(&self, chunk: &[u8]) {
        if self.is_over() {
            return;
        }
        let head = match Head::read(chunk) {
            Ok(head) => head,
            Err(fault) => return self.damaged(&fault, chunk),
        };
        if self.is_reborn(&head) {
            self.reborn.set(true);
            return self.changed.ring();
        }
        let first = Ordinal::checked(head.first_offset).unwrap_or_default();
        let wanted = self.ceiling().unwrap_or(first);
        let mut scratch = self.shared.scratch.borrow_mut();
        let mut seen = |ordinal, message: &[u8]| {
            self.receipts.seen(ordinal, || amqp10::message_id(message));
        };
        match deliver(&self.name, chunk, wanted, &mut scratch, &mut seen) {
            Ok(delivery) => {
                if self.reached.get().is_none() {
                    self.restart(first);
                }
                self.take(delivery);
                self.credit();
            }
            Err(fault) => self.damaged(&fault, chunk),
        }
    }

    fn oversized(&self, head: &[u8], bytes: usize) {
        if self.is_over() {
            return;
        }
        let first = Head::read(head).ok().and_then(|head| Ordinal::checked(head.first_offset));
        let wanted = self.ceiling().or(first).unwrap_or_default();
        match pass_by(&self.name, head, bytes, wanted) {
            Ok(delivery) => {
                if self.reached.get().is_none() {
                    self.restart(wanted);
                }
                self.take(delivery);
            }
            Err(fault) => error!("{}: a chunk that can't be read: {fault}", self.name),
        }
        self.credit();
    }

    fn lost(&self) {
        self.lost.set(true);
        self.changed.ring();
    }
}
