//! Frames out of a stream of bytes, wherever it is cut.
//!
//! ```text
//!  size u32 | key u16 | version u16 | …           a control frame
//!  size u32 | 8 | version | subscription u8 | chunk   a Deliver
//! ```
//!
//! The buffer grows with the bytes that have come, never by a size that was only claimed, and
//! shrinks again behind a large frame. A Deliver that is larger than we take is told by the head of
//! its chunk and passed over as it comes, so that its events can be named and those behind it be
//! had.

use std::fmt;

use super::response::key;
use crate::limits::{BROKER_BUFFER_BYTES, BROKER_CONTROL_BYTES_MAX};

/// Collects what a broker sends.
#[derive(Debug)]
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes still to come of a frame that is passed over.
    skipping: usize,
    chunk_bytes_max: usize,
}

/// One frame.
#[derive(Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    /// A chunk of a stream.
    Deliver {
        /// For which subscription.
        subscription: u8,
        /// All of it.
        chunk: &'a [u8],
    },
    /// A chunk that is larger than we take; it won't come.
    Oversized {
        /// For which subscription.
        subscription: u8,
        /// Its first bytes: the chunk's head.
        head: &'a [u8],
        /// Its size, in bytes.
        bytes: usize,
    },
    /// Anything else, to be read as a [`super::Response`].
    Control(&'a [u8]),
}

/// Why the bytes make no sense as frames: what follows can't be found any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A frame too small for what every frame begins with.
    TooSmall(usize),
    /// A frame that isn't a Deliver and still larger than any of those.
    TooLarge(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall(bytes) => write!(out, "a frame of {bytes} bytes, expected at least 4"),
            Self::TooLarge(bytes) => write!(
                out,
                "a control frame of {bytes} bytes, expected at most {BROKER_CONTROL_BYTES_MAX}"
            ),
        }
    }
}

impl Frames {
    /// Nothing has come yet. Chunks of more than `chunk_bytes_max` bytes are passed over.
    #[must_use]
    pub fn new(chunk_bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, end: 0, skipping: 0, chunk_bytes_max }
    }

    /// Room for more bytes, at least one.
    ///
    /// Of a large frame no more than its rest is asked for, so that the next one begins at the
    /// buffer's beginning, and a large frame is never moved.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > SHRINK_BYTES {
                self.buffer = Vec::new();
            }
        }
        let wanted = self.rest_of_large_frame();
        let enough = wanted.map_or(BROKER_BUFFER_BYTES / 4, |rest| rest.min(BROKER_BUFFER_BYTES));
        if self.buffer.len() - self.end < enough {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() - self.end < enough {
                // As much again as has come.
                let bytes = (2 * self.buffer.len()).max(BROKER_BUFFER_BYTES);
                self.buffer.resize(bytes, 0);
            }
        }
        let most = wanted.unwrap_or(BROKER_BUFFER_BYTES);
        let end = self.buffer.len().min(self.end + most);
        self.buffer.get_mut(self.end..end).unwrap_or_default()
    }

    /// What is still to come of a large frame that has begun, once its size has come.
    fn rest_of_large_frame(&self) -> Option<usize> {
        let here = self.buffer.get(self.start..self.end)?;
        let (size, rest) = here.split_first_chunk::<4>()?;
        let size = u32::from_be_bytes(*size) as usize;
        (size > BROKER_BUFFER_BYTES / 4 && size > rest.len()).then(|| size - rest.len())
    }

    /// So many bytes were put into the room.
    ///
    /// # Panics
    ///
    /// When that is more than there was.
    pub fn filled(&mut self, count: usize) {
        self.end += count;
        assert!(self.end <= self.buffer.len(), "no more is filled than there is room");
    }

    /// The next frame, when all of it is here.
    ///
    /// # Errors
    ///
    /// When there is no telling where the next frame begins.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        self.skip();
        let Some(here) = self.buffer.get(self.start..self.end) else { return Ok(None) };
        let Some((size, rest)) = here.split_first_chunk::<4>() else { return Ok(None) };
        let size = u32::from_be_bytes(*size) as usize;
        if size < 4 {
            return Err(Fault::TooSmall(size));
        }
        let Some((frame_key, _)) = rest.split_first_chunk::<2>() else { return Ok(None) };
        let deliver = u16::from_be_bytes(*frame_key) == key::DELIVER;
        if deliver && size >= DELIVER_HEAD_BYTES {
            let chunk_bytes = size - DELIVER_HEAD_BYTES;
            if chunk_bytes > self.chunk_bytes_max {
                return Ok(self.oversized(size));
            }
        } else if size > BROKER_CONTROL_BYTES_MAX {
            return Err(Fault::TooLarge(size));
        }
        if rest.len() < size {
            return Ok(None);
        }
        let frame = self.start + 4;
        self.start = frame + size;
        let frame = self.buffer.get(frame..self.start).unwrap_or_default();
        Ok(Some(match frame.split_at_checked(DELIVER_HEAD_BYTES) {
            Some(([.., subscription], chunk)) if deliver => {
                Frame::Deliver { subscription: *subscription, chunk }
            }
            _ => Frame::Control(frame),
        }))
    }

    /// The head of a chunk that won't be taken, once that has come.
    fn oversized(&mut self, size: usize) -> Option<Frame<'_>> {
        let told = DELIVER_HEAD_BYTES + CHUNK_HEAD_BYTES;
        let frame = self.start + 4;
        if self.end < frame + told || size < told {
            return None;
        }
        self.start = frame + told;
        self.skipping = size - told;
        let frame = self.buffer.get(frame..self.start)?;
        let (head, chunk) = frame.split_at_checked(DELIVER_HEAD_BYTES)?;
        let subscription = *head.last()?;
        Some(Frame::Oversized { subscription, head: chunk, bytes: size - DELIVER_HEAD_BYTES })
    }

    fn skip(&mut self) {
        let skipped = self.skipping.min(self.end - self.start);
        self.start += skipped;
        self.skipping -= skipped;
    }
}

/// A Deliver before its chunk: key, version, subscription.
const DELIVER_HEAD_BYTES: usize = 2 + 2 + 1;

/// What is told of a chunk that isn't taken.
const CHUNK_HEAD_BYTES: usize = super::chunk::Head::BYTES;

/// A buffer larger than this is given back once it is empty.
const SHRINK_BYTES: usize = 4 * BROKER_BUFFER_BYTES;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 1_000;

    fn frame(key: u16, rest: &[u8]) -> Vec<u8> {
        let size = u32::try_from(4 + rest.len()).unwrap();
        [&size.to_be_bytes()[..], &key.to_be_bytes(), &[0, 1], rest].concat()
    }

    fn deliver(subscription: u8, chunk: &[u8]) -> Vec<u8> {
        frame(8, &[&[subscription], chunk].concat())
    }

    /// What comes out when `bytes` come in pieces of these lengths, again and again.
    fn told(bytes: &[u8], pieces: &[usize]) -> Result<Vec<String>, Fault> {
        let mut frames = Frames::new(MAX);
        let mut told = Vec::new();
        let mut rest = bytes;
        let mut pieces = pieces.iter().cycle();
        loop {
            while let Some(frame) = frames.next_frame()? {
                told.push(match frame {
                    Frame::Deliver { subscription, chunk } => {
                        format!("deliver {subscription} {} {:?}", chunk.len(), chunk.first())
                    }
                    Frame::Oversized { subscription, head, bytes } => {
                        format!("oversized {subscription} {} of {bytes}", head.len())
                    }
                    Frame::Control(frame) => format!("control {frame:?}"),
                });
            }
            if rest.is_empty() {
                return Ok(told);
            }
            let room = frames.room();
            let count = (*pieces.next().unwrap()).clamp(1, rest.len()).min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            frames.filled(count);
        }
    }

    fn conversation() -> Vec<u8> {
        [
            frame(23, &[]),
            deliver(3, &[7; MAX]),
            deliver(4, &[]),
            frame(20, &[0, 0, 0, 1, 0, 0, 0, 2]),
            deliver(5, &[8; MAX + 1]),
            deliver(6, &[9; 70_000]),
            frame(23, &[]),
        ]
        .concat()
    }

    #[test]
    fn what_is_too_large_is_told_and_passed_over() {
        let expected = [
            "control [0, 23, 0, 1]",
            "deliver 3 1000 Some(7)",
            "deliver 4 0 None",
            "control [0, 20, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2]",
            "oversized 5 48 of 1001",
            "oversized 6 48 of 70000",
            "control [0, 23, 0, 1]",
        ];
        assert_eq!(told(&conversation(), &[1 << 20]).unwrap(), expected);
    }

    #[test]
    fn sizes_that_make_no_sense_are_faults() {
        assert_eq!(told(&[0, 0, 0, 3, 0, 23, 0], &[9]), Err(Fault::TooSmall(3)));
        let most = u32::try_from(BROKER_CONTROL_BYTES_MAX).unwrap();
        let head = |size: u32| [&size.to_be_bytes()[..], &[0, 23]].concat();
        assert_eq!(told(&head(most), &[9]), Ok(vec![]));
        assert_eq!(told(&head(most + 1), &[9]), Err(Fault::TooLarge(most as usize + 1)));
    }

    #[test]
    fn a_buffer_grows_with_what_came_and_shrinks_behind_it() {
        let mut frames = Frames::new(1 << 30);
        // Claims 512 MiB, sends none of it.
        let claim = [&(512u32 << 20).to_be_bytes()[..], &[0, 8, 0, 1, 0]].concat();
        frames.room()[..claim.len()].copy_from_slice(&claim);
        frames.filled(claim.len());
        assert_eq!(frames.next_frame(), Ok(None));
        assert_eq!(frames.buffer.len(), BROKER_BUFFER_BYTES);

        let mut frames = Frames::new(1 << 30);
        let large = deliver(1, &vec![1; 20 * BROKER_BUFFER_BYTES]);
        let mut rest = &large[..];
        while !rest.is_empty() {
            let room = frames.room();
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            frames.filled(count);
            rest = &rest[count..];
        }
        assert!(matches!(frames.next_frame(), Ok(Some(Frame::Deliver { .. }))));
        assert!(frames.buffer.len() < 3 * large.len());
        let _ = frames.room();
        assert_eq!(frames.buffer.len(), BROKER_BUFFER_BYTES);
    }

    #[test]
    fn a_large_frame_is_read_to_its_end_so_that_the_next_begins_at_the_front() {
        let mut frames = Frames::new(1 << 30);
        let large = deliver(1, &vec![1; 2 * BROKER_BUFFER_BYTES]);
        for _ in 0..3 {
            let mut rest = &large[..];
            while !rest.is_empty() {
                let came = large.len() - rest.len();
                let room = frames.room();
                assert!(came == 0 || room.len() <= rest.len(), "no byte of the next frame");
                let count = room.len().min(rest.len());
                room[..count].copy_from_slice(&rest[..count]);
                frames.filled(count);
                rest = &rest[count..];
                assert_eq!(frames.start, 0);
            }
            assert!(matches!(frames.next_frame(), Ok(Some(Frame::Deliver { .. }))));
            assert_eq!(frames.next_frame(), Ok(None));
        }
        assert!(frames.buffer.len() <= 4 * BROKER_BUFFER_BYTES);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(pieces in prop::collection::vec(1..2_000usize, 1..20)) {
            let bytes = conversation();
            prop_assert_eq!(told(&bytes, &pieces), told(&bytes, &[1 << 20]));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, pieces in prop::collection::vec(1..20usize, 1..9)) {
            let _ = told(&bytes, &pieces);
        }
    }
}
