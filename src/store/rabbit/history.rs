//! What was published before: windows that slide over a stream, each fed by a subscription.
//!
//! ```text
//!  stream   ··· 3 4 5 6 7 8 9 10 11 12 13 14 ···            live tail: 41 …
//!  windows        [ 4 … 8 ]        [ 11 … 14 ▸ asks for more when little is left unread
//!                   ▲   ▲             ▲
//!                   readers, wherever they stand in a window; one that stands in none opens one
//! ```
//!
//! A window keeps what its foremost reader has not read, and some behind it for others. Readers
//! that meet share; one that falls out of a window opens another. How many windows a shard may have
//! is bounded ([`super::slots`]); who finds none free waits for one that nobody reads.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use log::{debug, error};

use super::Shared;
use super::delivery::{Delivery, deliver, pass_by};
use super::fault::Fault;
use super::ids::Sink;
use super::pool::Role;
use super::slots::{Slot, Vacates};
use super::subscription::Subscription;
use crate::clock::monotonic;
use crate::event::{Cursor, Ordinal, StreamName};
use crate::limits::{BROKER_HISTORY_CREDIT, BROKER_HISTORY_CREDIT_FIRST, BROKER_WINDOW_BYTES};
use crate::net::backoff;
use crate::proto::rabbit::chunk::Fault as ChunkFault;
use crate::proto::rabbit::request::Offset;
use crate::store::{Block, Kind, ReadError, Reading, Skip, row};
use crate::wait::Bell;

/// The windows over one stream.
pub(super) struct History {
    name: StreamName,
    shared: Rc<Shared>,
    windows: RefCell<Vec<Rc<Window>>>,
}

/// One window.
pub(super) struct Window {
    name: StreamName,
    shared: Rc<Shared>,
    blocks: RefCell<VecDeque<Block>>,
    bytes: Cell<usize>,
    /// The first ordinal in it, and the one after the last.
    first: Cell<Ordinal>,
    next: Cell<Ordinal>,
    /// The foremost reader's ordinal, and how many bytes of whole blocks lie ahead of it.
    lead: Cell<Ordinal>,
    unread: Cell<usize>,
    subscription: RefCell<Option<Subscription>>,
    /// Chunks that may be on their way.
    credit: Cell<u16>,
    /// Size of the last one that came.
    chunk_bytes: Cell<usize>,
    /// When somebody last read from it.
    used: Cell<Instant>,
    /// Why nothing more will come.
    over: RefCell<Option<Fault>>,
    changed: Bell,
    /// What lets it be; given back when somebody else needs it more.
    slot: RefCell<Option<Slot>>,
    this: Weak<Self>,
}

impl History {
    /// No window yet.
    pub(super) fn new(name: StreamName, shared: Rc<Shared>) -> Self {
        Self { name, shared, windows: RefCell::default() }
    }

    /// Waits until there is something to read at `cursor`, which must be below the stream's
    /// ceiling. A broker that is away is waited for.
    ///
    /// # Errors
    ///
    /// When there is no such stream, or it is closed.
    pub(super) async fn ready(&self, cursor: Cursor) -> Result<(), Fault> {
        let mut failures = 0;
        loop {
            match self.approach(cursor).await {
                Ok(true) => return Ok(()),
                Ok(false) => failures = 0,
                Err(fault @ (Fault::Missing | Fault::Closed)) => return Err(fault),
                Err(fault) => {
                    debug!("{}: history from {}: {fault}", self.name, cursor.ordinal);
                    monoio::time::sleep(backoff::wait(failures)).await;
                    failures += 1;
                }
            }
        }
    }

    /// One step nearer: true when there is something to read.
    async fn approach(&self, cursor: Cursor) -> Result<bool, Fault> {
        let window = match self.at(cursor.ordinal) {
            Some(window) => window,
            None => self.open(cursor.ordinal).await?,
        };
        window.used.set(monotonic());
        if window.next.get() > cursor.ordinal {
            return Ok(true);
        }
        let over = window.over.borrow().clone();
        if let Some(fault) = over {
            self.remove(&window);
            return Err(fault);
        }
        window.ask();
        window.changed.rung().await;
        Ok(false)
    }

    /// What can be read at the cursor now; [`Reading::End`] when that is nothing.
    ///
    /// # Errors
    ///
    /// When the cursor stands inside an event that is no longer there.
    pub(super) fn read(&self, cursor: &mut Cursor, bytes_max: usize) -> Result<Reading, ReadError> {
        match self.at(cursor.ordinal) {
            Some(window) => window.read(cursor, bytes_max),
            None => Ok(Reading::End),
        }
    }

    /// The window that holds this ordinal, or ends right before it; of several, the one that has
    /// most ahead.
    fn at(&self, ordinal: Ordinal) -> Option<Rc<Window>> {
        let mut windows = self.windows.borrow_mut();
        windows.retain(|window| window.slot.borrow().is_some());
        let holds =
            |window: &&Rc<Window>| (window.first.get()..=window.next.get()).contains(&ordinal);
        windows.iter().filter(holds).max_by_key(|window| window.next.get()).map(Rc::clone)
    }

    async fn open(&self, from: Ordinal) -> Result<Rc<Window>, Fault> {
        let slot = self.shared.slots.take().await;
        // Somebody else may have opened it while we waited.
        if let Some(window) = self.at(from) {
            return Ok(window);
        }
        let window = Window::new(self.name.clone(), Rc::clone(&self.shared), from, slot);
        let occupant: Weak<dyn Vacates> = Rc::downgrade(&window) as _;
        self.shared.slots.occupied(occupant);
        self.windows.borrow_mut().push(Rc::clone(&window));
        // In a task of its own: whoever asked may give up, and others may wait for it too.
        let opening = Rc::clone(&window);
        monoio::spawn(async move {
            if let Err(fault) = opening.subscribe(from).await {
                opening.end(fault);
            }
        });
        Ok(window)
    }

    fn remove(&self, window: &Rc<Window>) {
        window.vacate();
        self.windows.borrow_mut().retain(|one| !Rc::ptr_eq(one, window));
    }

    /// Closes windows that nobody has read from for so long.
    pub(super) fn tend(&self, idle: Duration) {
        let now = monotonic();
        let mut windows = self.windows.borrow_mut();
        windows.retain(|window| {
            let kept = now.saturating_duration_since(window.used.get()) < idle;
            if !kept {
                window.vacate();
            }
            kept
        });
    }

    /// Closes all windows.
    pub(super) fn close(&self) {
        for window in std::mem::take(&mut *self.windows.borrow_mut()) {
            window.end(Fault::Closed);
            window.vacate();
        }
    }
}

impl Window {
    fn new(name: StreamName, shared: Rc<Shared>, from: Ordinal, slot: Slot) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            name,
            shared,
            blocks: RefCell::default(),
            bytes: Cell::new(0),
            unread: Cell::new(0),
            first: Cell::new(from),
            next: Cell::new(from),
            lead: Cell::new(from),
            subscription: RefCell::default(),
            credit: Cell::new(BROKER_HISTORY_CREDIT_FIRST),
            chunk_bytes: Cell::new(0),
            used: Cell::new(monotonic()),
            over: RefCell::default(),
            changed: Bell::default(),
            slot: RefCell::new(Some(slot)),
            this: this.clone(),
        })
    }

    async fn subscribe(&self, from: Ordinal) -> Result<(), Fault> {
        let connection = self.shared.pool.for_stream(self.name.as_str(), Role::History).await?;
        let sink: Weak<dyn Sink> = self.this.clone();
        let (from, credit) = (Offset::At(from.get()), BROKER_HISTORY_CREDIT_FIRST);
        let subscription = Subscription::open(connection, &self.name, from, credit, sink).await?;
        if self.slot.borrow().is_some() {
            *self.subscription.borrow_mut() = Some(subscription);
        }
        Ok(())
    }

    /// Lets the broker send more, while little is unread: about a window's worth, in chunks of the
    /// size they come in.
    fn ask(&self) {
        if self.unread.get() >= BROKER_WINDOW_BYTES / 2 {
            return;
        }
        let wanted = BROKER_WINDOW_BYTES / self.chunk_bytes.get().max(1);
        let wanted = u16::try_from(wanted).unwrap_or(u16::MAX).clamp(1, BROKER_HISTORY_CREDIT);
        let more = wanted.saturating_sub(self.credit.get());
        if more > 0
            && let Some(subscription) = &*self.subscription.borrow()
        {
            subscription.credit_now(more);
            self.credit.set(self.credit.get() + more);
        }
    }

    fn read(&self, cursor: &mut Cursor, bytes_max: usize) -> Result<Reading, ReadError> {
        self.used.set(monotonic());
        let blocks = self.blocks.borrow();
        let from = blocks.partition_point(|block| block.next() <= cursor.ordinal);
        let framed = blocks.get(from).is_none_or(|block| block.kind == Kind::Framed);
        if !cursor.at_boundary() && !framed {
            return Err(ReadError::Lost);
        }
        let reading = row::read(blocks.range(from..), cursor, bytes_max);
        if cursor.ordinal > self.lead.get() {
            let to = blocks.partition_point(|block| block.next() <= cursor.ordinal);
            let from = blocks.partition_point(|block| block.next() <= self.lead.get());
            let read: usize = blocks.range(from..to).map(|block| block.bytes.len()).sum();
            self.unread.set(self.unread.get() - read);
            self.lead.set(cursor.ordinal);
        }
        drop(blocks);
        self.ask();
        Ok(reading)
    }

    fn take(&self, delivery: Delivery) {
        for (why, count) in &delivery.skipped {
            self.shared.skipped.add(*why, *count);
        }
        let mut blocks = self.blocks.borrow_mut();
        let bytes: usize = delivery.blocks.iter().map(|block| block.bytes.len()).sum();
        self.bytes.set(self.bytes.get() + bytes);
        self.unread.set(self.unread.get() + bytes);
        self.next.set(self.next.get().max(delivery.ordinals.end));
        blocks.extend(delivery.blocks);
        // Behind the foremost reader some is kept for others, but not without end.
        while self.bytes.get() > BROKER_WINDOW_BYTES
            && let Some(oldest) = blocks.front()
            && oldest.next() <= self.lead.get()
        {
            self.bytes.set(self.bytes.get() - oldest.bytes.len());
            self.first.set(oldest.next());
            blocks.pop_front();
        }
    }

    fn end(&self, fault: Fault) {
        self.over.borrow_mut().get_or_insert(fault);
        self.changed.ring();
    }

    /// Passes over a chunk as a whole.
    fn pass_by(&self, head: &[u8], bytes: usize, why: Skip) {
        match pass_by(&self.name, head, bytes, self.next.get(), why) {
            Ok(delivery) => self.take(delivery),
            Err(fault) => error!("{}: a chunk that can't be read: {fault}", self.name),
        }
        self.changed.ring();
    }

    fn damaged(&self, fault: &ChunkFault, chunk: &[u8]) {
        if self.shared.damages.ask_again(&self.name, self.next.get()) {
            error!("{}: a damaged chunk: {fault}; it is asked for again", self.name);
            if let Some(subscription) = self.subscription.take() {
                subscription.distrust("a damaged chunk came over it");
            }
        } else {
            error!("{}: still damaged: {fault}; the chunk's events are skipped", self.name);
            self.pass_by(chunk, chunk.len(), Skip::Damaged);
        }
    }
}

impl Sink for Window {
    fn chunk(&self, chunk: &[u8]) {
        self.credit.set(self.credit.get().saturating_sub(1));
        self.chunk_bytes.set(chunk.len());
        let mut scratch = self.shared.scratch.borrow_mut();
        let taken = deliver(&self.name, chunk, self.next.get(), &mut scratch, &mut |_, _| {});
        drop(scratch);
        match taken {
            Ok(delivery) => self.take(delivery),
            Err(fault) => self.damaged(&fault, chunk),
        }
        self.changed.ring();
    }

    fn oversized(&self, head: &[u8], bytes: usize) {
        self.pass_by(head, bytes, Skip::TooLarge);
    }

    fn lost(&self) {
        self.end(Fault::Lost("the subscription ended".into()));
    }
}

impl Vacates for Window {
    fn used(&self) -> Instant {
        self.used.get()
    }

    fn vacate(&self) {
        self.subscription.take();
        self.blocks.borrow_mut().clear();
        self.slot.take();
        self.changed.ring();
    }
}
