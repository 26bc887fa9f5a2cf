//! What a crash left in the last segment: which groups are whole, and where the log ends.
//!
//! Blocks are checked one after the other: header, payload, link to the block before, ordinal,
//! timestamp. A group counts when all its blocks do, up to the one marked last. At the first fault
//! there are two stories, and only one of them may cut:
//!
//! - *A torn tail.* The group was being written when the power failed. Nothing of it was
//!   acknowledged, and no later group can exist, because a group begins only when the one before
//!   it is complete. The log ends before this group.
//! - *Damage.* A later group exists: some good header names a group that begins behind the fault.
//!   So the damaged group had been complete, its events may be acknowledged, and nothing is cut:
//!   the damaged ordinals are reported, the rest stays, no ordinal is used again.
//!
//! Damage in the very last group can't be told from a torn tail, unless the stream was closed:
//! then the closing mark is the later group.
//!
//! Only reads: what is done about it is `open`'s.

use std::io;

use crate::event::{Ordinal, Timestamp};
use crate::store::Kind;

use super::disk::DiskFile;
use super::header::{BlockKind, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::window::{Found, Window};

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// Behind the last group that counts.
    pub(super) tail: Tail,
    /// Damaged events before it: first ordinal and the one after the last.
    pub(super) damage: Vec<(Ordinal, Ordinal)>,
}

/// A place between two blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) position: u64,
    pub(super) next: Ordinal,
    pub(super) newest: Timestamp,
    /// Check of the block before it. Unknown behind damage: any link is right there.
    pub(super) link: Option<u32>,
    pub(super) ends_in_poison: bool,
    /// Timestamp of the segment's first event.
    pub(super) since: Option<Timestamp>,
    /// Where the last group of events before it begins; where there is none, the segment does.
    pub(super) last_group: u64,
    /// The block before it says that the stream was closed.
    pub(super) closed: bool,
}

/// A walk over a segment.
struct Scanner<'a, F> {
    window: Window<'a, F>,
    salt: u32,
    chain: bool,
    /// Behind the last group that counts.
    tail: Tail,
    /// Behind the last block looked at.
    here: Tail,
    /// The first fault behind `tail`.
    suspect: Option<u64>,
    /// Damage behind `tail`: it counts once a later group is found.
    doubtful: Vec<(Ordinal, Ordinal)>,
    damage: Vec<(Ordinal, Ordinal)>,
}

/// Looks at the blocks of a segment whose file has `end` bytes.
pub(super) async fn scan<F: DiskFile>(
    file: &F,
    end: u64,
    header: &SegmentHeader,
    check: u32,
    chain: bool,
) -> io::Result<Scan> {
    let position = SEGMENT_HEADER_BYTES as u64;
    let start = Tail {
        position,
        next: header.first,
        newest: header.newest,
        link: Some(check),
        ends_in_poison: header.after_poison,
        since: None,
        last_group: 0,
        closed: false,
    };
    let mut scanner = Scanner {
        window: Window::new(file, end),
        salt: header.salt,
        chain,
        tail: start,
        here: start,
        suspect: None,
        doubtful: Vec::new(),
        damage: Vec::new(),
    };
    while scanner.here.position < end && scanner.step().await? {}
    Ok(Scan { tail: scanner.tail, damage: scanner.damage })
}

impl<F: DiskFile> Scanner<'_, F> {
    /// Looks at the next block; false when there is none.
    async fn step(&mut self) -> io::Result<bool> {
        let (here, salt) = (self.here, self.salt);
        let follows = |found: &Found| found.header.timestamp >= here.newest;
        let exact = |found: &Found| {
            let linked = !self.chain || here.link.is_none_or(|link| link == found.header.link);
            linked && found.header.first == here.next && follows(found)
        };
        let found = self.window.header(here.position, salt).await?.filter(exact);
        let found = match found {
            Some(found) => found,
            None => {
                self.suspect.get_or_insert(here.position);
                let later = |found: &Found| found.header.first >= here.next && follows(found);
                match self.window.search(here.position + 1, salt, later).await? {
                    Some(found) => self.skip_to(&found),
                    None => return Ok(false),
                }
            }
        };
        if self.suspect.is_some_and(|suspect| found.header.group > suspect) {
            self.confirm(&found);
        }
        if !self.window.payload_is_whole(&found).await? {
            self.suspect.get_or_insert(found.position);
            self.doubtful.push((found.header.first, found.header.next()));
        }
        self.pass(&found);
        Ok(true)
    }

    /// Goes on at a block behind bytes that are no block.
    fn skip_to(&mut self, found: &Found) -> Found {
        self.doubtful.push((self.here.next, found.header.first));
        self.here.position = found.position;
        self.here.next = found.header.first;
        // What is lost was not newer than this.
        self.here.newest = found.header.timestamp;
        self.here.link = None;
        self.here.ends_in_poison = false;
        *found
    }

    /// A later group than the damaged one exists: everything before it had been complete.
    fn confirm(&mut self, found: &Found) {
        self.tail = Tail { position: found.header.group, ..self.here };
        self.tail.link = self.here.link.filter(|_| found.header.group == found.position);
        self.damage.append(&mut self.doubtful);
        self.suspect = (found.header.group < found.position).then_some(found.header.group);
    }

    fn pass(&mut self, found: &Found) {
        let header = &found.header;
        self.here.position = found.after();
        self.here.next = header.next();
        self.here.newest = header.timestamp;
        self.here.link = Some(found.check);
        self.here.closed = header.kind == BlockKind::Closing;
        if let BlockKind::Events(kind) = header.kind {
            self.here.ends_in_poison = kind == Kind::Poison;
            self.here.since.get_or_insert(header.timestamp);
            self.here.last_group = header.group;
        }
        if header.last && self.suspect.is_none() {
            self.tail = self.here;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;

    use super::super::header::BlockHeader;
    use super::*;
    use crate::checksum::crc32c;

    /// A file that is only read.
    struct Fixed(Vec<u8>);

    impl DiskFile for Fixed {
        async fn write_at(&self, bytes: Bytes, _: u64) -> (io::Result<usize>, Bytes) {
            (Err(io::ErrorKind::Unsupported.into()), bytes)
        }

        async fn read_at(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
            let start = usize::try_from(position).unwrap().min(self.0.len());
            Ok(self.0[start..self.0.len().min(start + length)].to_vec())
        }

        async fn sync_data(&self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        async fn truncate(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a fixed file never waits"),
        }
    }

    /// A segment under construction.
    struct Draft {
        header: SegmentHeader,
        check: u32,
        bytes: Vec<u8>,
    }

    impl Draft {
        fn new() -> Self {
            let header = SegmentHeader {
                salt: 3,
                first: Ordinal::new(1),
                previous: None,
                newest: Timestamp::EPOCH,
                link: 0,
                after_poison: false,
                name: "s".to_owned(),
            };
            let (bytes, check) = header.encode();
            Self { header, check, bytes }
        }

        /// Adds a block of one event and returns its check.
        fn put(&mut self, first: u64, link: u32, group: usize, last: bool, length: usize) -> u32 {
            let payload = vec![b'x'; length];
            let header = BlockHeader {
                kind: BlockKind::Events(Kind::Framed),
                last,
                link,
                first: Ordinal::new(first),
                timestamp: Timestamp::from_millis(5),
                group: group as u64,
                length: u32::try_from(length).unwrap(),
                count: 1,
                payload_crc: crc32c(&payload),
            };
            let (bytes, check) = header.encode(self.header.salt, self.bytes.len() as u64);
            self.bytes.extend_from_slice(&bytes);
            self.bytes.extend_from_slice(&payload);
            check
        }

        fn scan(&self, chain: bool) -> Scan {
            let (file, end) = (Fixed(self.bytes.clone()), self.bytes.len() as u64);
            now(scan(&file, end, &self.header, self.check, chain)).unwrap()
        }
    }

    fn next(scan: &Scan) -> u64 {
        scan.tail.next.get()
    }

    /// An earlier life's block stands right where the new life's last one ends, with the ordinal
    /// that comes next: only its link tells that it does not belong there.
    #[test]
    fn what_an_earlier_life_left_is_not_the_continuation() {
        let mut draft = Draft::new();
        let start = draft.bytes.len();
        let mut earlier = Draft::new();
        let link = earlier.put(1, earlier.check, start, false, 70);
        earlier.put(2, link, start, true, 10);
        draft.put(1, draft.check, start, true, 70);
        let new_end = draft.bytes.len();
        draft.bytes.extend_from_slice(&earlier.bytes[new_end..]);
        assert_eq!(next(&draft.scan(true)), 2);
        assert_eq!(draft.scan(true).tail.position, new_end as u64);
        assert_eq!(next(&draft.scan(false)), 3, "the guard is what kept it out");
    }

    #[test]
    fn a_group_counts_only_as_a_whole() {
        let mut draft = Draft::new();
        let start = draft.bytes.len();
        let link = draft.put(1, draft.check, start, true, 10);
        let second = draft.bytes.len();
        let link = draft.put(2, link, second, false, 10);
        assert_eq!((next(&draft.scan(true)), draft.scan(true).tail.position), (2, second as u64));
        draft.put(3, link, second, true, 10);
        assert_eq!(next(&draft.scan(true)), 4);
        for damaged in second..draft.bytes.len() {
            draft.bytes[damaged] ^= 1;
            let scan = draft.scan(true);
            assert_eq!((next(&scan), scan.tail.position), (2, second as u64), "at {damaged}");
            assert_eq!(scan.damage, []);
            draft.bytes[damaged] ^= 1;
        }
    }

    #[test]
    fn damage_before_a_later_group_is_told_and_not_cut() {
        let mut draft = Draft::new();
        let mut link = draft.check;
        let mut starts = Vec::new();
        for first in 1..=4 {
            starts.push(draft.bytes.len());
            link = draft.put(first, link, draft.bytes.len(), true, 30);
        }
        for (index, start) in starts[..3].iter().enumerate() {
            for damaged in *start..starts[index + 1] {
                draft.bytes[damaged] ^= 0x10;
                let scan = draft.scan(true);
                let first = index as u64 + 1;
                assert_eq!(next(&scan), 5, "at {damaged}");
                assert_eq!(scan.damage, [(Ordinal::new(first), Ordinal::new(first + 1))]);
                draft.bytes[damaged] ^= 0x10;
            }
        }
    }
}
