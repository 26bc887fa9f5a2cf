//! The walk over a chunk's records.
//!
//! One index moves over the records, by what was told and by nothing else, up to the number in the
//! head: that is how every offset is told once. Bytes behind the last record have no offset and are
//! passed over.

use super::{Compression, EntryFault, Found, Head, Scratch};

/// One entry of a chunk.
enum Entry<'a> {
    Message(&'a [u8]),
    Batch(Batch<'a>),
}

/// A sub-entry batch, as it lies in the chunk.
struct Batch<'a> {
    /// None of them, or a code that is unknown.
    compression: Result<Compression, u8>,
    records: u16,
    inflated_bytes: u32,
    bytes: &'a [u8],
}

/// Shows each record of `data` that is not in front of `from`.
pub(super) fn walk<V: FnMut(Found<'_>)>(
    head: &Head,
    data: &[u8],
    from: u64,
    scratch: &mut Scratch,
    visit: &mut V,
) {
    let mut teller = Teller { first: head.first_offset, from, index: 0, visit };
    let (mut rest, mut fault) = (data, EntryFault::RecordsMissing);
    scratch.begin();
    for _ in 0..head.entries {
        if teller.index == head.records {
            break;
        }
        let Some((entry, behind)) = split(rest) else {
            fault = EntryFault::EntryCut;
            break;
        };
        rest = behind;
        match entry {
            Entry::Message(message) => teller.message(message),
            Entry::Batch(batch) => {
                let end = head.records.min(teller.index + u32::from(batch.records));
                walk_batch(&batch, end, scratch, &mut teller);
            }
        }
    }
    teller.malformed(head.records, fault);
    assert!(teller.index == head.records, "each offset of a chunk is told once");
    scratch.end();
}

/// Tells the records of a batch, which end in front of index `end`.
fn walk_batch<V: FnMut(Found<'_>)>(
    batch: &Batch<'_>,
    end: u32,
    scratch: &mut Scratch,
    teller: &mut Teller<'_, V>,
) {
    if teller.first + u64::from(end) <= teller.from {
        teller.index = end;
        return;
    }
    let mut rows = match batch.rows(scratch) {
        Ok(rows) => rows,
        Err(fault) => return teller.malformed(end, fault),
    };
    while teller.index < end {
        let Some((message, behind)) = split_row(rows) else {
            return teller.malformed(end, EntryFault::RecordCut);
        };
        teller.message(message);
        rows = behind;
    }
}

/// Knows which record comes next, and tells those that are wanted.
struct Teller<'v, V> {
    /// The chunk's first offset.
    first: u64,
    /// The first offset that is wanted.
    from: u64,
    /// Records told or passed over: the next one's place in the chunk.
    index: u32,
    visit: &'v mut V,
}

impl<V: FnMut(Found<'_>)> Teller<'_, V> {
    /// The next record is `message`.
    fn message(&mut self, message: &[u8]) {
        let offset = self.first + u64::from(self.index);
        self.index += 1;
        if offset >= self.from {
            (self.visit)(Found::Message { offset, message });
        }
    }

    /// The next records, in front of index `end`, can't be read.
    fn malformed(&mut self, end: u32, fault: EntryFault) {
        let wanted = u32::try_from(self.from.saturating_sub(self.first)).unwrap_or(u32::MAX);
        let start = self.index.max(wanted.min(end));
        self.index = end;
        if start < end {
            let offset = self.first + u64::from(start);
            (self.visit)(Found::Malformed { offset, count: end - start, fault });
        }
    }
}

impl Batch<'_> {
    /// Its records, a row of length and bytes each.
    fn rows<'s>(&'s self, scratch: &'s mut Scratch) -> Result<&'s [u8], EntryFault> {
        match self.compression {
            // Its two lengths should be the same; only one is needed.
            Ok(Compression::None) => Ok(self.bytes),
            Ok(compression) => scratch.inflate(compression, self.bytes, self.inflated_bytes),
            Err(code) => Err(EntryFault::CompressionUnknown(code)),
        }
    }
}

/// The first entry of `data`, and what is behind it.
fn split(data: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    const BATCH: u32 = 1 << 31;
    let (first, behind) = data.split_first_chunk()?;
    let first = u32::from_be_bytes(*first);
    if first & BATCH == 0 {
        let (message, behind) = behind.split_at_checked(usize::try_from(first).ok()?)?;
        return Some((Entry::Message(message), behind));
    }
    let (head, behind) = data.split_first_chunk()?;
    let [kind, r0, r1, i0, i1, i2, i3, b0, b1, b2, b3] = *head;
    let bytes = usize::try_from(u32::from_be_bytes([b0, b1, b2, b3])).ok()?;
    let (bytes, behind) = behind.split_at_checked(bytes)?;
    let batch = Batch {
        compression: Compression::of((kind >> 4) & 0b111),
        records: u16::from_be_bytes([r0, r1]),
        inflated_bytes: u32::from_be_bytes([i0, i1, i2, i3]),
        bytes,
    };
    Some((Entry::Batch(batch), behind))
}

/// The first record of a batch's rows, and what is behind it.
fn split_row(rows: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, behind) = rows.split_first_chunk()?;
    behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
