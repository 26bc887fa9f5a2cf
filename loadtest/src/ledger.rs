//! Which batches are under way: when each was to be sent, and which consumers still lack it.
//!
//! A consumer has a batch when it has had all bytes up to the batch's end. Pure: the clock is the
//! caller's. A batch is complete when the last consumer has it; since consumers get batches in
//! order, batches complete in order.

use std::time::Duration;

use crate::event::frame_bytes;

/// Where a consumer is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Bytes it has had.
    pub(crate) bytes: u64,
    /// The first batch it doesn't have.
    batch: usize,
}

#[derive(Debug)]
struct Entry {
    intended: Duration,
    end: u64,
    waiting: usize,
}

/// All batches of one run.
#[derive(Debug)]
pub(crate) struct Ledger {
    body_bytes: usize,
    per_batch: u64,
    consumers: usize,
    entries: Vec<Entry>,
    end: u64,
}

impl Ledger {
    /// For batches of `per_batch` events to so many consumers; ordinals begin at 1.
    pub(crate) fn new(body_bytes: usize, per_batch: u64, consumers: usize) -> Self {
        Self { body_bytes, per_batch, consumers, entries: Vec::new(), end: 0 }
    }

    /// Another batch, to be sent at `intended`.
    pub(crate) fn publish(&mut self, intended: Duration) {
        let first = self.entries.len() as u64 * self.per_batch + 1;
        for ordinal in first..first + self.per_batch {
            self.end += frame_bytes(self.body_bytes, ordinal) as u64;
        }
        self.entries.push(Entry { intended, end: self.end, waiting: self.consumers });
    }

    /// A consumer has had more bytes. Tells each batch that is complete now: its index and when it
    /// was to be sent. False when it has had more than was published.
    pub(crate) fn received(
        &mut self,
        place: &mut Place,
        bytes: u64,
        mut complete: impl FnMut(usize, Duration),
    ) -> bool {
        place.bytes += bytes;
        while let Some(entry) = self.entries.get_mut(place.batch)
            && entry.end <= place.bytes
        {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                complete(place.batch, entry.intended);
            }
            place.batch += 1;
        }
        place.bytes <= self.end
    }

    /// Batches published so far.
    pub(crate) fn published(&self) -> usize {
        self.entries.len()
    }

    /// Bytes each consumer is to have had in the end.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_batch_is_complete_with_its_last_byte_at_its_last_consumer() {
        let mut ledger = Ledger::new(256, 2, 2);
        ledger.publish(SECOND);
        let end = ledger.end();
        ledger.publish(SECOND * 2);
        let mut places = [Place::default(); 2];
        let mut told = Vec::new();
        let mut tell = |batch, intended| told.push((batch, intended));
        assert!(ledger.received(&mut places[0], ledger.end(), &mut tell));
        assert!(ledger.received(&mut places[1], end - 1, &mut tell));
        assert!(ledger.received(&mut places[1], 1, &mut tell));
        assert!(ledger.received(&mut places[1], ledger.end() - end, &mut tell));
        assert_eq!(told, [(0, SECOND), (1, SECOND * 2)]);
        assert_eq!(ledger.published(), 2);
    }

    #[test]
    fn bytes_that_were_not_published_are_noticed() {
        let mut ledger = Ledger::new(256, 1, 1);
        ledger.publish(SECOND);
        let mut place = Place::default();
        assert!(ledger.received(&mut place, ledger.end(), |_, _| ()));
        assert!(!ledger.received(&mut place, 1, |_, _| ()));
    }
}
