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
    /// Where the last group of events before it begins.
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
        last_group: position,
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
