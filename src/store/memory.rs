//! The model of a store: everything in memory, every operation the obvious way.
//!
//! It is the oracle that other stores are compared with, and what tests of the layers above run
//! on. Nothing survives the [`MemoryStore`] itself; a stream survives being closed and opened again
//! on it. It is not made to be fast: reads copy and walk.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;

use crate::clock::Clock;
use crate::config::Retain;
use crate::event::{Cursor, Ordinal, StreamName, Timestamp};

use super::framing::frame;
use super::{
    AppendError, Block, Bounds, Kind, Located, Observer, ReadError, Reader, Reading, Receipt,
    Store, StoreError, StreamStore, row,
};

/// Streams in memory.
pub struct MemoryStore {
    streams: Rc<RefCell<HashMap<StreamName, Rc<RefCell<Contents>>>>>,
    retain: Retain,
    clock: Clock,
}

/// One stream in memory.
pub struct MemoryStream {
    contents: Rc<RefCell<Contents>>,
    observer: Rc<dyn Observer>,
    closed: Rc<Cell<bool>>,
    retain: Retain,
    clock: Clock,
}

/// Reads one stream in memory.
pub struct MemoryReader {
    contents: Rc<RefCell<Contents>>,
    closed: Rc<Cell<bool>>,
    cursor: Cursor,
}

struct Contents {
    /// Oldest first; the first may begin below the floor.
    blocks: Vec<Block>,
    floor: Ordinal,
    ceiling: Ordinal,
    newest: Timestamp,
}

impl MemoryStore {
    /// No streams yet.
    #[must_use]
    pub fn new(retain: Retain, clock: Clock) -> Self {
        Self { streams: Rc::default(), retain, clock }
    }

    /// The same streams under other retention rules: what a restart is to a real store. All handles
    /// must be closed.
    #[must_use]
    pub fn reopened(&self, retain: Retain) -> Self {
        Self { streams: Rc::clone(&self.streams), retain, clock: self.clock.clone() }
    }
}

impl Store for MemoryStore {
    type Stream = MemoryStream;

    async fn open(
        &self,
        name: &StreamName,
        observer: Rc<dyn Observer>,
    ) -> Result<Rc<MemoryStream>, StoreError> {
        let mut streams = self.streams.borrow_mut();
        let contents = Rc::clone(streams.entry(name.clone()).or_default());
        let (retain, clock) = (self.retain, self.clock.clone());
        Ok(Rc::new(MemoryStream { contents, observer, closed: Rc::default(), retain, clock }))
    }

    async fn remove(&self, name: &StreamName) -> Result<(), StoreError> {
        self.streams.borrow_mut().remove(name);
        Ok(())
    }
}

impl StreamStore for MemoryStream {
    type Reader = MemoryReader;

    fn bounds(&self) -> Bounds {
        self.contents.borrow().bounds()
    }

    async fn append(&self, bodies: Vec<Bytes>) -> Result<Receipt, AppendError> {
        assert!(!bodies.is_empty(), "an append has an event");
        if self.closed.get() {
            return Err(AppendError::Closed);
        }
        let (first, timestamp) = {
            let contents = self.contents.borrow();
            (contents.ceiling, contents.newest.max(self.clock.now()))
        };
        let framed = frame(bodies.iter(), first, timestamp, 0);
        for sheet in framed.sheets {
            for block in sheet.publish(timestamp).1 {
                self.observer.visible(&block);
                self.contents.borrow_mut().push(block);
            }
        }
        let last = Ordinal::new(framed.next.get() - 1);
        Ok(Receipt { first, last, timestamp, withheld: framed.withheld })
    }

    async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError> {
        if self.closed.get() {
            return Err(ReadError::Closed);
        }
        Ok(self.contents.borrow().locate(timestamp))
    }

    fn reader(&self, from: Cursor) -> MemoryReader {
        let (contents, closed) = (Rc::clone(&self.contents), Rc::clone(&self.closed));
        MemoryReader { contents, closed, cursor: from }
    }

    async fn retain(&self) -> Result<u64, StoreError> {
        Ok(self.contents.borrow_mut().retain(self.retain, self.clock.now()))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.closed.set(true);
        Ok(())
    }
}

impl Default for Contents {
    fn default() -> Self {
        let (floor, ceiling) = (Ordinal::new(1), Ordinal::new(1));
        Self { blocks: Vec::new(), floor, ceiling, newest: Timestamp::EPOCH }
    }
}

impl Contents {
    fn push(&mut self, block: Block) {
        assert_eq!(block.first, self.ceiling, "ordinals are dense");
        self.ceiling = block.next();
        self.newest = block.timestamp;
        self.blocks.push(block);
    }

    fn bounds(&self) -> Bounds {
        let last = self.blocks.last().map(|block| block.kind);
        Bounds {
            floor: self.floor,
            ceiling: self.ceiling,
            bytes: self.blocks.iter().map(|block| block.bytes.len() as u64).sum(),
            newest: self.newest,
            ends_in_poison: last == Some(Kind::Poison),
        }
    }

    fn locate(&self, timestamp: Timestamp) -> Located {
        match self.blocks.iter().find(|block| block.timestamp >= timestamp) {
            Some(block) => Located::At(block.first.max(self.floor)),
            None => Located::Beyond(self.ceiling),
        }
    }

    fn retain(&mut self, retain: Retain, now: Timestamp) -> u64 {
        let before = self.floor;
        if let Some(events) = retain.events {
            let kept = self.ceiling.since(self.floor).min(events);
            self.floor = Ordinal::new(self.ceiling.get() - kept);
        }
        if let Some(age) = retain.age {
            let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            self.floor = match self.locate(now.minus_millis(millis)) {
                Located::At(ordinal) | Located::Beyond(ordinal) => self.floor.max(ordinal),
            };
        }
        while retain.bytes.is_some_and(|bytes| self.bounds().bytes > bytes) {
            let oldest = self.blocks.remove(0);
            self.floor = self.floor.max(oldest.next());
        }
        self.blocks.retain(|block| block.next() > self.floor);
        self.floor.since(before)
    }
}

impl Reader for MemoryReader {
    fn cursor(&self) -> Cursor {
        self.cursor
    }

    async fn read(&mut self, bytes_max: usize) -> Result<Reading, ReadError> {
        assert!(bytes_max > 0, "a read has room for a byte");
        if self.closed.get() {
            return Err(ReadError::Closed);
        }
        let contents = Rc::clone(&self.contents);
        let contents = contents.borrow();
        if self.cursor.ordinal < contents.floor {
            if !self.cursor.at_boundary() {
                return Err(ReadError::Lost);
            }
            self.cursor = Cursor::before(contents.floor);
        }
        Ok(row::read(contents.blocks.iter(), &mut self.cursor, bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::store::conformance::{self, Rig};

    struct MemoryRig {
        store: MemoryStore,
    }

    impl Rig for MemoryRig {
        type Store = MemoryStore;

        async fn store(&self, retain: Retain) -> MemoryStore {
            self.store.reopened(retain)
        }

        fn clock(&self) -> &Clock {
            &self.store.clock
        }
    }

    /// Memory never waits.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("an operation in memory waited"),
        }
    }

    macro_rules! on_memory {
        ($property:ident) => {
            let clock = Clock::manual(Timestamp::from_millis(1_000));
            let rig = MemoryRig { store: MemoryStore::new(Retain::default(), clock) };
            now(conformance::$property(&rig));
        };
    }

    crate::conformance_tests!(on_memory);
}
