//! The one queue of a stream, which feeds all its consumers while there are some.
//! How it is begun, lost and begun again is [`Attendance`]'s.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use log::{info, warn};

use super::Shared;
use crate::clock::{Clock, monotonic};
use crate::enrich::Undeliverable;
use crate::event::{Ordinal, StreamName, Timestamp};
use crate::limits::{BROKER_FAULTS_TOLD_MAX, STATS_PAUSE, TAIL_BYTES_FLOOR};
use crate::store::amqp::{Consuming, Fault, Message};
use crate::store::attendance::{Attendance, Denied, State};
use crate::store::framing::Framing;
use crate::store::receipts::Receipts;
use crate::store::{Bounds, Kind, Observer, Skip};

/// A stream's queue and what came of it.
pub(super) struct Feed {
    name: StreamName,
    observer: Rc<dyn Observer>,
    pub(super) shared: Rc<Shared>,
    /// Where our own publishes have come out.
    pub(super) receipts: Receipts,
    attendance: Attendance<Fault>,
    reached: Cell<Reached>,
    consuming: RefCell<Option<Rc<Consuming>>>,
    /// When it last was told that consumers are too slow.
    slow_told: Cell<Option<Instant>>,
    this: Weak<Self>,
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
            attendance: Attendance::default(),
            reached: Cell::new(reached),
            consuming: RefCell::default(),
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
        let denied = |why| match why {
            Denied::Missing | Denied::Closed => Fault::Stopping,
            Denied::Late => Fault::Lost("the broker takes its time".into()),
        };
        self.attendance.attend(|| self.start(), denied).await
    }

    /// See [`crate::store::StreamStore::tend`].
    pub(super) fn tend(&self, consumers: usize) {
        if self.attendance.tend(consumers > 0 || !self.receipts.is_empty()) {
            // Who attends now waits for another queue: this one has ended.
            self.end(State::Starting);
        }
    }

    /// Consumes no more, for good.
    pub(super) fn close(&self) {
        self.end(State::Closed);
        self.receipts.clear();
    }

    fn end(&self, state: State) {
        if let Some(consuming) = self.consuming.take() {
            consuming.end();
        }
        self.attendance.stop(state);
    }

    /// Whether it is closed for good.
    pub(super) fn closed(&self) -> bool {
        self.attendance.state() == State::Closed
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
            && self.attendance.begins()
        {
            // What the tail still has is nobody's: they can't begin before now.
            self.observer.restarted(self.reached.get().next);
            monoio::spawn(async move { this.run().await });
        }
    }

    /// Consumes while somebody wants it.
    async fn run(self: Rc<Self>) {
        while self.attendance.wanted() {
            let Shared { amqp, broker, .. } = &*self.shared;
            let consume = amqp.consume(broker.exchange(), broker.exchange_kind, self.name.as_str());
            let fault = match consume.await {
                Ok(_) if !self.attendance.wanted() => break,
                Ok(consuming) => self.take_all(Rc::new(consuming)).await,
                Err(fault) => Some(fault),
            };
            if let Some(fault) = fault
                && self.attendance.wanted()
            {
                self.away(fault);
                self.attendance.back_off().await;
            }
        }
        self.attendance.ends();
    }

    /// Takes what comes until it ends, and says why it did; `None` when we have ended it.
    async fn take_all(&self, consuming: Rc<Consuming>) -> Option<Fault> {
        *self.consuming.borrow_mut() = Some(Rc::clone(&consuming));
        if self.attendance.live() {
            info!("{}: consumed again", self.name);
        }
        loop {
            match consuming.next().await {
                Ok(messages) if self.attendance.state() == State::Live => {
                    self.take(&messages).await
                }
                Err(fault) if self.attendance.state() == State::Live => return Some(fault),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    fn away(&self, fault: Fault) {
        self.consuming.take();
        let told = fault.to_string();
        if self.attendance.away(fault) {
            warn!("{}: not consumed now, what is published meanwhile is lost: {told}", self.name);
        }
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
            if self.attendance.state() == State::Closed {
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
        for (_, why) in withheld {
            self.shared.skipped.add(Skip::from(why), 1);
        }
        // An empty one is nothing, by contract.
        let faulty = withheld.iter().filter(|(_, why)| *why != Undeliverable::Empty);
        for (_, why) in faulty.take(BROKER_FAULTS_TOLD_MAX) {
            warn!("{}: an event is skipped: {why}", self.name);
        }
    }
}

/// Ordinals begin with 1, as the embedded log's.
const FIRST: Ordinal = Ordinal::new(1);
