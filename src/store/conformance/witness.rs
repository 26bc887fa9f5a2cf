//! What the suite and the simulation watch a stream with.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;

use crate::event::{Cursor, Ordinal, StreamName, Timestamp};
use crate::proto::websocket::frame::frame_len;
use crate::store::{Block, Kind, Observer, ReadError, Reader, Reading, StreamStore};

/// Keeps every block it is told of.
#[derive(Default)]
pub struct Witness {
    blocks: RefCell<Vec<Block>>,
}

/// An event as a witness or a reader saw it.
#[derive(Clone, Eq, PartialEq)]
pub struct Seen {
    /// Its ordinal.
    pub ordinal: Ordinal,
    /// Its timestamp; a POISON that was read has none.
    pub timestamp: Timestamp,
    /// Its frame; none for a POISON.
    pub frame: Bytes,
}

impl fmt::Debug for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.frame.slice(..self.frame.len().min(24));
        write!(out, "{}@{} {}B {start:?}", self.ordinal, self.timestamp, self.frame.len())
    }
}

impl Witness {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// What was seen.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        self.blocks.borrow().clone()
    }

    /// The events a consumer gets of it, POISON included.
    #[must_use]
    pub fn events(&self) -> Vec<Seen> {
        self.blocks.borrow().iter().flat_map(events_of).collect()
    }
}

impl Observer for Witness {
    fn visible(&self, block: &Block) {
        let mut blocks = self.blocks.borrow_mut();
        if let Some(last) = blocks.last() {
            assert_eq!(block.first, last.next(), "blocks follow each other without gap");
            assert!(block.timestamp >= last.timestamp, "timestamps never decrease");
        }
        assert!(block.count > 0, "a block has an event");
        assert_eq!(block.kind == Kind::Framed, !block.bytes.is_empty());
        blocks.push(block.clone());
    }

    fn restarted(&self, ceiling: Ordinal) {
        // What was seen from there on comes again.
        self.blocks.borrow_mut().retain(|block| block.first < ceiling);
    }
}

/// The events a consumer gets of a block.
fn events_of(block: &Block) -> Vec<Seen> {
    let (first, timestamp) = (block.first, block.timestamp);
    match block.kind {
        Kind::Withheld => Vec::new(),
        Kind::Poison => {
            vec![Seen { ordinal: first, timestamp: Timestamp::EPOCH, frame: Bytes::new() }]
        }
        Kind::Framed => {
            let mut rest = block.bytes.clone();
            let mut events = Vec::new();
            for ordinal in first.get()..block.next().get() {
                let length = usize::try_from(frame_len(&rest).unwrap()).unwrap();
                let (ordinal, frame) = (Ordinal::new(ordinal), rest.split_to(length));
                events.push(Seen { ordinal, timestamp, frame });
            }
            assert!(rest.is_empty(), "a block holds exactly its frames");
            events
        }
    }
}

/// Opens a stream's name.
#[must_use]
pub fn name(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

/// Bodies from texts.
#[must_use]
pub fn bodies<const N: usize>(texts: [&str; N]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect()
}

/// Reads from `from` to the ceiling, cutting nothing out: the bytes of every frame, and whose they
/// are, put together again. The first frame lacks what the cursor says was sent.
///
/// # Errors
///
/// Whatever the reader says.
pub async fn read_all<S: StreamStore>(
    stream: &S,
    from: Cursor,
    bytes_max: usize,
) -> Result<Vec<Seen>, ReadError> {
    read_on(&mut stream.reader(from), bytes_max).await
}

/// Reads on to the ceiling with a reader that stands between two frames, or at its start.
///
/// # Errors
///
/// Whatever the reader says.
pub async fn read_on<R: Reader>(reader: &mut R, bytes_max: usize) -> Result<Vec<Seen>, ReadError> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut end = None;
    loop {
        match reader.read(bytes_max).await? {
            Reading::End => return Ok(seen),
            Reading::Poison(ordinal) => {
                let (timestamp, frame) = (Timestamp::EPOCH, Bytes::new());
                seen.push(Seen { ordinal, timestamp, frame });
                end = None;
            }
            Reading::Piece(piece) => {
                assert!(!piece.bytes.is_empty() && piece.bytes.len() <= bytes_max);
                assert_eq!(piece.runs[0].position, 0);
                if let Some(end) = end {
                    assert!(piece.runs[0].from >= end, "a piece begins where the last one ended");
                }
                end = Some(piece.end);
                put_together(&piece, &mut seen);
            }
        }
    }
}

/// Takes a piece apart, byte by byte where it is small.
fn put_together(piece: &crate::store::Piece, seen: &mut Vec<Seen>) {
    let mut position = 0;
    while position < piece.bytes.len() {
        let cursor = piece.cursor_at(position);
        let run = piece.runs.iter().rev().find(|run| run.position <= position).unwrap();
        let next_run = piece.runs.iter().find(|run| run.position > position);
        let run_end = next_run.map_or(piece.bytes.len(), |run| run.position);
        let mut end = run_end;
        if cursor.at_boundary()
            && let Some(length) = frame_len(&piece.bytes[position..])
        {
            end = end.min(position + usize::try_from(length).unwrap());
        }
        let bytes = &piece.bytes[position..end];
        match seen.last_mut() {
            Some(last) if last.ordinal == cursor.ordinal => {
                assert_eq!(last.timestamp, run.timestamp);
                last.frame = [&last.frame[..], bytes].concat().into();
            }
            _ => seen.push(Seen {
                ordinal: cursor.ordinal,
                timestamp: run.timestamp,
                frame: Bytes::copy_from_slice(bytes),
            }),
        }
        position = end;
    }
}

/// Runs futures side by side, polled in order, to the end of all.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
