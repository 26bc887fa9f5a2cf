//! The one queue of a stream, which feeds all its consumers while there are some.
//!
//! ```text
//!  Idle ─ attend ─▶ Starting ─▶ Live ─ lost ─▶ Away ─ backoff ─▶ Live …
//!    ▲                  │         │              │
//!    └── nobody here ───┴─────────┴──────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use log::{info, warn};
use monoio::time::timeout;

use super::Shared;
use crate::clock::{Clock, monotonic};
use crate::enrich::Undeliverable;
use crate::event::{Ordinal, StreamName, Timestamp};
use crate::limits::{
    BROKER_ATTEND_TIMEOUT, BROKER_FAULTS_TOLD_MAX, BROKER_GRACE, STATS_PAUSE, TAIL_BYTES_FLOOR,
};
use crate::net::backoff;
use crate::store::amqp::{Consuming, Fault, Message};
use crate::store::framing::Framing;
use crate::store::receipts::Receipts;
use crate::store::{Bounds, Kind, Observer};
use crate::wait::Bell;

/// A stream's queue and what came of it.
pub(super) struct Feed {
    name: StreamName,
    observer: Rc<dyn Observer>,
    pub(super) shared: Rc<Shared>,
    /// Where our own publishes have come out.
    pub(super) receipts: Receipts,
    state: Cell<State>,
    running: Cell<bool>,
    wanted: Cell<bool>,
    /// When somebody last was here.
    touched: Cell<Instant>,
    reached: Cell<Reached>,
    consuming: RefCell<Option<Rc<Consuming>>>,
    failures: Cell<u64>,
    failed: RefCell<Option<Fault>>,
    changed: Bell,
    /// When it last was told that consumers are too slow.
    slow_told: Cell<Option<Instant>>,
    this: Weak<Self>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Starting,
    Live,
    Away,
    Closed,
}

/// How far we have come.
#[derive(Clone, Copy, Debug)]
struct Reached {
    next: Ordinal,
    newest: Timestamp,
    /// The last event is a POISON.
    poison: bool,
}

impl Feed {
    /// Nothing is consumed yet.
    pub(super) fn new(
        name: StreamName,
        observer: Rc<dyn Observer>,
        shared: Rc<Shared>,
    ) -> Rc<Self> {
        let reached = Reached { next: FIRST, newest: Timestamp::EPOCH, poison: false };
        Rc::new_cyclic(|this| Self {
            name,
            observer,
            shared,
            receipts: Receipts::default(),
            state: Cell::new(State::Idle),
            running: Cell::new(false),
            wanted: Cell::new(false),
            touched: Cell::new(monotonic()),
            reached: Cell::new(reached),
            consuming: RefCell::default(),
            failures: Cell::new(0),
            failed: RefCell::default(),
            changed: Bell::default(),
            slow_told: Cell::new(None),
            this: this.clone(),
        })
    }

    /// Nothing is kept: the floor is the ceiling.
    pub(super) fn bounds(&self) -> Bounds {
        let Reached { next, newest, poison } = self.reached.get();
        Bounds { floor: next, ceiling: next, bytes: 0, newest, ends_in_poison: poison }
    }

    /// Consumes from now on. Waits until that works, but not for long.
    pub(super) async fn attend(&self) -> Result<(), Fault> {
        self.touched.set(monotonic());
        self.wanted.set(true);
        self.start();
        let failures = self.failures.get();
        let attending = async {
            loop {
                match self.state.get() {
                    State::Live => return Ok(()),
                    State::Closed => return Err(Fault::Stopping),
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

    /// See [`crate::store::StreamStore::tend`].
    pub(super) fn tend(&self, consumers: usize) {
        if !self.wanted.get() {
            return;
        }
        if consumers > 0 || !self.receipts.is_empty() {
            self.touched.set(monotonic());
        } else if monotonic().saturating_duration_since(self.touched.get()) > BROKER_GRACE {
            self.wanted.set(false);
            // Who attends now waits for another queue: this one has ended.
            self.end(State::Starting);
        }
    }

    /// Consumes no more, for good.
    pub(super) fn close(&self) {
        self.wanted.set(false);
        self.end(State::Closed);
        self.receipts.clear();
    }

    fn end(&self, state: State) {
        self.state.set(state);
        if let Some(consuming) = self.consuming.take() {
            consuming.end();
        }
        self.changed.ring();
    }

    /// Whether it is closed for good.
    pub(super) fn closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    /// Tells, but not all the time, that a consumer lost events because it is slow.
    pub(super) fn too_slow(&self, count: u64) {
        let now = monotonic();
        let due = |told| now.saturating_duration_since(told) > STATS_PAUSE;
        if self.slow_told.get().is_none_or(due) {
            self.slow_told.set(Some(now));
            warn!(
                "{}: a consumer was too slow and has lost {count} events: this backend keeps none \
                 (see --tail-bytes)",
                self.name
            );
        }
    }

    fn start(&self) {
        if let Some(this) = self.this.upgrade()
            && self.state.get() != State::Closed
            && !self.running.replace(true)
        {
            self.state.set(State::Starting);
            // What the tail still has is nobody's: they can't begin before now.
            self.observer.restarted(self.reached.get().next);
            monoio::spawn(async move { this.run().await });
        }
    }

    /// Consumes while somebody wants it.
    async fn run(self: Rc<Self>) {
        let mut failures = 0;
        while self.wanted.get() {
            let Shared { amqp, broker, .. } = &*self.shared;
            let consume = amqp.consume(broker.exchange(), broker.exchange_kind, self.name.as_str());
            let fault = match consume.await {
                Ok(_) if !self.wanted.get() => break,
                Ok(consuming) => {
                    failures = 0;
                    self.take_all(Rc::new(consuming)).await
                }
                Err(fault) => Some(fault),
            };
            if let Some(fault) = fault
                && self.wanted.get()
            {
                self.away(fault);
                monoio::time::sleep(backoff::wait(failures)).await;
                failures += 1;
            }
        }
        self.running.set(false);
        if self.state.get() != State::Closed {
            self.state.set(State::Idle);
        }
        self.changed.ring();
    }

    /// Takes what comes until it ends, and says why it did; `None` when we have ended it.
    async fn take_all(&self, consuming: Rc<Consuming>) -> Option<Fault> {
        *self.consuming.borrow_mut() = Some(Rc::clone(&consuming));
        if self.state.replace(State::Live) == State::Away {
            info!("{}: consumed again", self.name);
        }
        self.changed.ring();
        loop {
            match consuming.next().await {
                Ok(messages) if self.state.get() == State::Live => self.take(&messages).await,
                Err(fault) if self.state.get() == State::Live => return Some(fault),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    fn away(&self, fault: Fault) {
        if self.state.get() == State::Live {
            warn!("{}: not consumed now, what is published meanwhile is lost: {fault}", self.name);
        }
        self.consuming.take();
        self.state.set(State::Away);
        *self.failed.borrow_mut() = Some(fault);
        self.failures.set(self.failures.get() + 1);
        self.changed.ring();
    }

    /// Shows what came, and lets it be sent before more is shown than the smallest tail holds: who
    /// keeps up loses nothing to a burst.
    pub(super) async fn take(&self, messages: &[Message]) {
        let Reached { next, newest, .. } = self.reached.get();
        let timestamp = newest.max(Clock::System.now());
        let bytes = messages.iter().map(|message| message.body.len()).sum();
        let mut framing = Framing::to_deliver(next, timestamp, bytes, messages.len());
        for message in messages {
            self.receipts.seen(framing.next(), || message.id.as_deref());
            framing.event_unchanged(&message.body);
        }
        let framed = framing.finish();
        self.tell_skipped(&framed.withheld);
        let mut shown = 0;
        for block in framed.sheets.into_iter().flat_map(|sheet| sheet.publish(timestamp).1) {
            if shown > 0 && shown + block.bytes.len() as u64 > TAIL_BYTES_FLOOR {
                self.shared.turnstile.next().await;
                shown = 0;
            }
            if self.state.get() == State::Closed {
                return;
            }
            shown += block.bytes.len() as u64;
            let poison = block.kind == Kind::Poison;
            self.observer.visible(&block);
            self.reached.set(Reached { next: block.next(), newest: timestamp, poison });
        }
        self.receipts.told(timestamp);
        // A broker that always has something must not keep others waiting.
        self.shared.turnstile.next().await;
    }

    fn tell_skipped(&self, withheld: &[(Ordinal, Undeliverable)]) {
        // An empty one is nothing, by contract.
        let faulty = withheld.iter().filter(|(_, why)| *why != Undeliverable::Empty);
        for (count, (_, why)) in faulty.enumerate() {
            self.shared.skipped.set(self.shared.skipped.get() + 1);
            if count < BROKER_FAULTS_TOLD_MAX {
                let so_far = self.shared.skipped.get();
                warn!("{}: an event is skipped: {why} ({so_far} on this shard)", self.name);
            }
        }
    }
}

/// Ordinals begin with 1, as the embedded log's.
const FIRST: Ordinal = Ordinal::new(1);
