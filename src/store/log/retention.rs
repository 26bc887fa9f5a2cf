//! What goes, and where a timestamp stands.
//!
//! Age and count move the *floor*, exactly for a count and to a block's edge for an age; a segment
//! goes when all of it lies below the floor. Bytes drop the oldest segments while there is too
//! much. When nothing at all is left to keep, a new segment begins, so that an idle stream gives
//! its disk back; its header remembers the next ordinal and the newest timestamp.

use std::rc::Rc;
use std::time::Duration;

use crate::event::{Ordinal, Timestamp};
use crate::store::{Located, Pace, ReadError, StoreError};

use super::disk::Disk;
use super::segment::Segment;
use super::store_fault;
use super::stream::Shared;
use super::window::Found;

impl<D: Disk> Shared<D> {
    /// Drops what the rules no longer keep; answers how many events that were. Only the queue's
    /// leader may.
    pub(super) async fn retain(&self) -> Result<u64, StoreError> {
        if !self.is_open() {
            return Err(StoreError("the stream is closed".into()));
        }
        let before = self.floor.get();
        self.raise_floor().await?;
        let active_is_used = self.active().first() < self.ceiling.get();
        if active_is_used && self.floor.get() == self.ceiling.get() {
            self.roll().await.map_err(|error| StoreError(error.to_string().into()))?;
        }
        while let Some(oldest) = self.take_oldest() {
            if let Err(error) = self.remove_segment(&oldest).await {
                self.segments.borrow_mut().push_front(oldest);
                return Err(error);
            }
        }
        Ok(self.floor.get().since(before))
    }

    /// Moves the floor as age and count want it.
    pub(super) async fn raise_floor(&self) -> Result<(), StoreError> {
        let retain = self.options.retain;
        if let Some(events) = retain.events {
            let kept = self.ceiling.get().since(self.floor.get()).min(events);
            self.raise_floor_to(Ordinal::new(self.ceiling.get().get() - kept));
        }
        if let Some(age) = retain.age {
            let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            let oldest = self.clock.now().minus_millis(millis);
            let located = self.locate(oldest).await;
            match located.map_err(|error| StoreError(error.to_string().into()))? {
                Located::At(ordinal) | Located::Beyond(ordinal) => self.raise_floor_to(ordinal),
            }
        }
        Ok(())
    }

    fn raise_floor_to(&self, ordinal: Ordinal) {
        assert!(ordinal <= self.ceiling.get(), "the floor never passes the ceiling");
        self.floor.set(self.floor.get().max(ordinal));
    }

    /// Takes the oldest segment out of the stream, if it is not kept; never the active one.
    fn take_oldest(&self) -> Option<Rc<Segment<D>>> {
        let too_much = self.options.retain.bytes.is_some_and(|bytes| self.bytes() > bytes);
        let mut segments = self.segments.borrow_mut();
        let second_first = segments.get(1)?.first();
        if !too_much && second_first > self.floor.get() {
            return None;
        }
        self.raise_floor_to(second_first);
        segments.pop_front()
    }

    /// Removes a segment's file, durably before the next goes: what is left never has a hole.
    async fn remove_segment(&self, segment: &Rc<Segment<D>>) -> Result<(), StoreError> {
        let path = &segment.path;
        match self.disk.remove_file(path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(store_fault("remove", path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let directory = &self.directory;
        self.disk.sync_directory(directory).await.map_err(store_fault("sync", directory))
    }

    /// Finds the first retained event at `timestamp` or later.
    pub(super) async fn locate(&self, timestamp: Timestamp) -> Result<Located, ReadError> {
        loop {
            if self.is_closed() {
                return Err(ReadError::Closed);
            }
            if self.newest.get() < timestamp || self.floor.get() == self.ceiling.get() {
                return Ok(Located::Beyond(self.ceiling.get()));
            }
            let (segment, next) = self.segment_for(timestamp);
            let entry = segment.entry_for_timestamp(timestamp);
            let wanted = |found: &Found| found.header.timestamp >= timestamp;
            let found = match self.walk(&segment, entry, wanted).await {
                // It was dropped meanwhile.
                Err(_) if segment.first() < self.oldest() => continue,
                other => other?,
            };
            let at = match found {
                Some(found) => found.header.first,
                // What stood there is damaged.
                None => next.unwrap_or_else(|| self.ceiling.get()),
            };
            let at = at.max(self.floor.get());
            let beyond = at == self.ceiling.get();
            return Ok(if beyond { Located::Beyond(at) } else { Located::At(at) });
        }
    }

    /// How long the event `ordinal` will be kept at least, if events go on coming at `pace`. An age
    /// is told from the block or segment it lies in, and nothing is read for it.
    pub(super) fn kept_for(&self, ordinal: Ordinal, pace: Pace) -> Option<Duration> {
        let retain = self.options.retain;
        let segments = self.segments.borrow();
        let after = segments.partition_point(|segment| segment.first() <= ordinal);
        let index = after.saturating_sub(1);
        let since = segments.get(index)?.entry_for_ordinal(ordinal).timestamp;
        // The stream's first segment doesn't tell when it began before somebody has walked it.
        let age = retain.age.filter(|_| since > Timestamp::EPOCH).map(|age| {
            let old = self.clock.now().millis().saturating_sub(since.millis());
            age.saturating_sub(Duration::from_millis(old))
        });
        // The segment goes as a whole, once there is too much with it.
        let held: u64 = segments.range(index..).map(|segment| segment.end()).sum();
        let bytes = retain.bytes.and_then(|bytes| time(bytes.saturating_sub(held), pace.bytes));
        let held = self.ceiling.get().since(ordinal);
        let events =
            retain.events.and_then(|events| time(events.saturating_sub(held), pace.events));
        [age, bytes, events].into_iter().flatten().min()
    }

    /// Ordinal of the first event of the oldest segment.
    pub(super) fn oldest(&self) -> Ordinal {
        self.segments.borrow().front().map_or_else(|| self.floor.get(), |oldest| oldest.first())
    }

    /// The segment where the first event at `timestamp` or later stands, and the first ordinal of
    /// the segment after it. Its header tells the newest timestamp before a segment.
    fn segment_for(&self, timestamp: Timestamp) -> (Rc<Segment<D>>, Option<Ordinal>) {
        let segments = self.segments.borrow();
        let after = segments.partition_point(|segment| segment.header.newest < timestamp);
        let index = after.saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "a stream has a segment")]
        let segment = Rc::clone(&segments[index]);
        (segment, segments.get(index + 1).map(|next| next.first()))
    }
}

/// How long `amount` takes at `pace` a second; `None` when it takes for ever.
fn time(amount: u64, pace: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = amount as f64 / pace;
    Duration::try_from_secs_f64(seconds).ok()
}
