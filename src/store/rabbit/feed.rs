//! The one live subscription of a stream, which feeds all its consumers.
//!
//! How it is begun, lost and begun again is [`Attendance`]'s.
//!
//! The first time it begins with the stream's last chunk, which tells where the stream ends. A node
//! that has this chunk, but hasn't heard yet that most nodes have it, doesn't send it yet, and the
//! stream only seems empty. So an empty one is one that shows no first chunk either; and when what
//! comes then isn't number 0, it wasn't: its consumers, who stand at 0, have to come again.
//!
//! After an interruption it begins with the chunk that holds the last event it had: its timestamp
//! proves that this is still the stream it was, because a stream that was deleted and made anew
//! counts from 0 again. What follows is delivered from the next ordinal on, exactly.
//!
//! After a leader has moved, the node that is asked may not have come as far as the one before: it
//! sends what we had already, or nothing yet. That is waited for, and told from another stream by
//! the time: what stands before our last event is not younger than it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use log::{error, info, warn};
use monoio::time::timeout;

use super::Shared;
use super::delivery::{Delivery, deliver, pass_by};
use super::fault::Fault;
use super::ids::Sink;
use super::pool::{Pool, Role};
use super::subscription::{Subscription, first_chunk};
use crate::event::{Ordinal, StreamName, Timestamp};
use crate::limits::{BROKER_ANSWER_TIMEOUT, BROKER_LAG_TIMEOUT, BROKER_LIVE_CREDIT};
use crate::proto::amqp10;
use crate::proto::rabbit::chunk::{Fault as ChunkFault, Head};
use crate::proto::rabbit::request::Offset;
use crate::store::attendance::{Attendance, Denied, State};
use crate::store::receipts::Receipts;
use crate::store::{Bounds, Kind, Observer, Skip};

/// A stream's live subscription.
pub(super) struct Feed {
    name: StreamName,
    observer: Rc<dyn Observer>,
    shared: Rc<Shared>,
    /// Where our own publishes have come out.
    pub(super) receipts: Receipts,
    attendance: Attendance<Fault>,
    reached: Cell<Option<Reached>>,
    subscription: RefCell<Option<Subscription>>,
    /// Chunks taken before the subscription was in our hands.
    owed: Cell<u16>,
    /// The subscription is gone.
    lost: Cell<bool>,
    /// The chunk with the last event we had is still to come.
    unproved: Cell<bool>,
    /// What was had before came again: this node is behind the one before.
    lags: Cell<bool>,
    /// The stream isn't the one it was.
    reborn: Cell<bool>,
    this: Weak<Self>,
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

/// Where a chunk stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// At what comes next.
    Wanted,
    /// All of it was had before.
    Before,
    /// In another stream than the one we had.
    Elsewhere,
}

impl Place {
    /// Of a chunk, by the last event that was had.
    fn of(head: &Head, (ordinal, timestamp): (Ordinal, Timestamp)) -> Self {
        let had = i64::try_from(timestamp.millis()).unwrap_or(i64::MAX);
        if head.next_offset() <= ordinal.get() {
            return if head.timestamp_ms > had { Self::Elsewhere } else { Self::Before };
        }
        // Beyond it: what we had is no longer retained, and can't be compared.
        let holds = head.first_offset <= ordinal.get();
        if holds && head.timestamp_ms != had { Self::Elsewhere } else { Self::Wanted }
    }

    /// Whether a stream with this first chunk, if any, that shows nothing where the `last` event is
    /// that was had, is another one: what a stream begins with stays as old as it was.
    fn is_another(head: Option<&Head>, last: (Ordinal, Timestamp)) -> bool {
        head.is_none_or(|head| Self::of(head, last) == Self::Elsewhere)
    }

    /// Of a chunk where nothing was before `next`: who stands there would miss what was.
    fn behind_nothing(head: &Head, next: Ordinal) -> Self {
        if head.first_offset > next.get() { Self::Elsewhere } else { Self::Wanted }
    }
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
            attendance: Attendance::default(),
            reached: Cell::new(None),
            subscription: RefCell::default(),
            owed: Cell::new(0),
            lost: Cell::new(false),
            unproved: Cell::new(false),
            lags: Cell::new(false),
            reborn: Cell::new(false),
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
        let denied = |why| match why {
            Denied::Missing => Fault::Missing,
            Denied::Closed => Fault::Closed,
            Denied::Late => Fault::Lost("the broker takes its time".into()),
        };
        self.attendance.attend(|| self.start(), denied).await
    }

    /// See [`crate::store::StreamStore::tend`].
    pub(super) fn tend(&self, consumers: usize) {
        if self.attendance.tend(consumers > 0 || !self.receipts.is_empty()) {
            self.attendance.changed.ring();
        }
    }

    /// Stops watching for good.
    pub(super) fn close(&self) {
        self.subscription.take();
        self.receipts.clear();
        self.attendance.stop(State::Closed);
    }

    fn start(&self) {
        if let Some(this) = self.this.upgrade()
            && self.attendance.begins()
        {
            monoio::spawn(async move { this.run().await });
        }
    }

    /// Watches while somebody wants it.
    async fn run(self: Rc<Self>) {
        while self.attendance.wanted() {
            match self.begin().await {
                // Closed, or given up, while we asked.
                _ if !self.attendance.wanted() => break,
                Ok(()) if self.reborn.get() => {}
                Ok(()) => {
                    if self.attendance.live() {
                        info!("{}: watched again, from {}", self.name, self.bounds().ceiling);
                    }
                    self.until_over().await;
                }
                Err(Fault::Missing) => self.gone(),
                Err(Fault::Closed) => break,
                Err(fault) => {
                    self.away(fault);
                    self.attendance.back_off().await;
                }
            }
            self.subscription.take();
            if self.reborn.get() {
                self.gone();
            }
        }
        self.subscription.take();
        if self.attendance.ends() {
            self.reached.set(None);
        }
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
        self.lags.set(false);
        self.owed.set(0);
        self.lost.set(false);
        let sink: Weak<dyn Sink> = self.this.clone();
        let open = Subscription::open(connection, &self.name, from, BROKER_LIVE_CREDIT, sink);
        let subscription = open.await?;
        subscription.settled(&self.name).await?;
        if self.reached.get().is_none() {
            self.shown().await?;
        }
        subscription.credit_now(self.owed.take());
        *self.subscription.borrow_mut() = Some(subscription);
        if self.lost.get() {
            return Err(Fault::Lost("the subscription ended".into()));
        }
        if self.reached.get().is_none() {
            self.restart(Ordinal::new(0));
        }
        Ok(())
    }

    /// Waits for the stream's last chunk, which wasn't sent at once, unless there is none.
    async fn shown(&self) -> Result<(), Fault> {
        if first_chunk(self.pool(), &self.name, Role::Live, Offset::First).await?.is_none() {
            return Ok(());
        }
        let waiting = async {
            while self.reached.get().is_none() && !self.lost.get() {
                self.attendance.changed.rung().await;
            }
        };
        let waited = timeout(BROKER_ANSWER_TIMEOUT, waiting).await;
        waited.map_err(|_| Fault::Lost("the end of the stream is not told".into()))
    }

    fn restart(&self, ceiling: Ordinal) {
        self.reached.set(Some(Reached { next: ceiling, last: None, poison: false }));
        self.observer.restarted(ceiling);
        self.attendance.changed.ring();
    }

    /// Waits until the subscription is lost, or nobody wants it any more.
    async fn until_over(&self) {
        while !self.lost.get() && self.attendance.wanted() && !self.reborn.get() {
            if !self.unproved.get() {
                self.attendance.changed.rung().await;
                continue;
            }
            let waited = timeout(BROKER_LAG_TIMEOUT, self.attendance.changed.rung()).await;
            let silent = waited.is_err() && !self.lags.take();
            if silent && self.ends_before_us().await && self.unproved.get() {
                self.reborn.set(true);
            }
        }
    }

    /// Whether what we had is beyond the end of this stream, and not of a node that lags.
    async fn ends_before_us(&self) -> bool {
        let Some(last) = self.reached.get().and_then(|reached| reached.last) else { return false };
        let first = first_chunk(self.pool(), &self.name, Role::Live, Offset::First).await;
        // Who doesn't answer is lost, which is told on its own way.
        let another = first.is_ok_and(|head| Place::is_another(head.as_ref(), last));
        if !another && self.unproved.get() {
            warn!("{}: its node hasn't come as far as event {} yet", self.name, last.0);
        }
        another
    }

    fn away(&self, fault: Fault) {
        let told = fault.to_string();
        if self.attendance.away(fault) {
            warn!("{}: not watched now: {told}", self.name);
        }
    }

    /// There is no such stream, or no longer the one that it was.
    fn gone(&self) {
        self.attendance.stop(State::Missing);
        self.receipts.clear();
        if self.reached.take().is_some() {
            let how = if self.reborn.get() { "was made anew" } else { "is gone" };
            warn!("{}: the stream {how} in the broker: its consumers are told 1013", self.name);
            self.observer.ended();
        }
    }

    /// Nothing that still comes is for our consumers: not behind a chunk of another stream either.
    fn is_over(&self) -> bool {
        self.reborn.get() || matches!(self.attendance.state(), State::Closed | State::Missing)
    }

    /// Whether a chunk is what comes next. What else it may be is seen to.
    fn is_next(&self, head: &Head) -> bool {
        match self.place(head) {
            Place::Wanted => return true,
            Place::Before => {
                self.lags.set(true);
                self.credit();
            }
            Place::Elsewhere => {
                self.reborn.set(true);
                self.attendance.changed.ring();
            }
        }
        false
    }

    /// Where this chunk stands, as far as that is in doubt.
    fn place(&self, head: &Head) -> Place {
        match self.reached.get() {
            Some(Reached { last: Some(last), .. }) if self.unproved.get() => Place::of(head, last),
            Some(Reached { last: None, next, .. }) => Place::behind_nothing(head, next),
            _ => Place::Wanted,
        }
    }

    fn take(&self, delivery: Delivery) {
        self.unproved.set(false);
        for (why, count) in &delivery.skipped {
            self.shared.skipped.add(*why, *count);
        }
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
            self.pass_by(chunk, chunk.len(), Skip::Damaged);
        }
    }

    /// Passes over a chunk as a whole.
    fn pass_by(&self, head: &[u8], bytes: usize, why: Skip) {
        if self.is_over() {
            return;
        }
        let first = Head::read(head).ok().and_then(|head| Ordinal::checked(head.first_offset));
        let wanted = self.ceiling().or(first).unwrap_or_default();
        match pass_by(&self.name, head, bytes, wanted, why) {
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
        if !self.is_next(&head) {
            return;
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
        if !Head::read(head).is_ok_and(|head| !self.is_next(&head)) {
            self.pass_by(head, bytes, Skip::TooLarge);
        }
    }

    fn lost(&self) {
        self.lost.set(true);
        self.attendance.changed.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::rabbit::chunk;

    fn head(first_offset: u64, timestamp_ms: i64) -> Head {
        Head {
            kind: chunk::Kind::User,
            entries: 10,
            records: 10,
            timestamp_ms,
            epoch: 1,
            first_offset,
            crc: 0,
            data_bytes: 0,
            trailer_bytes: 0,
        }
    }

    #[test]
    fn a_stream_that_seemed_empty_begins_with_its_first_event_or_was_not() {
        let place = |first| Place::behind_nothing(&head(first, 500), Ordinal::new(0));
        assert_eq!([place(0), place(1)], [Place::Wanted, Place::Elsewhere]);
    }

    #[test]
    fn a_node_that_lags_is_told_from_a_stream_that_is_shorter_now() {
        let last = (Ordinal::new(20), Timestamp::from_millis(500));
        let another = |first: Option<Head>| Place::is_another(first.as_ref(), last);
        assert!(another(None), "an empty one");
        assert!(another(Some(head(0, 501))), "all of it is younger");
        assert!(!another(Some(head(0, 400))), "it begins as the one did that we had");
        assert!(!another(Some(head(15, 500))), "its first chunk has the event");
    }

    #[test]
    fn a_chunk_is_told_from_one_of_another_stream() {
        let place = |first_offset, timestamp_ms| {
            let head = head(first_offset, timestamp_ms);
            Place::of(&head, (Ordinal::new(20), Timestamp::from_millis(500)))
        };
        assert_eq!([place(11, 500), place(20, 500)], [Place::Wanted; 2], "it holds the event");
        assert_eq!([11, 20].map(|first| place(first, 499)), [Place::Elsewhere; 2]);
        assert_eq!([11, 20].map(|first| place(first, 501)), [Place::Elsewhere; 2]);
        assert_eq!([0, 10].map(|first| place(first, 500)), [Place::Before; 2], "a node lags");
        assert_eq!([0, 10].map(|first| place(first, 501)), [Place::Elsewhere; 2], "made later");
        assert_eq!([21, 99].map(|first| place(first, 700)), [Place::Wanted; 2], "not retained");
    }
}
