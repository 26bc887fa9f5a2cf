//! Lines of an input, as batches: newline-delimited, as the API takes them.
//!
//! A line ends with `\n` or `\r\n`; what is left of it is the event, byte for byte. Empty lines are
//! no events. A batch ends when it is full, when no whole line is waiting (so a slow input is
//! live), or before a line that could never be delivered, which ends it all.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use serde::de::IgnoredAny;

use crate::enrich::{self, Undeliverable};
use crate::limits::{
    EVENT_BYTES_CEILING, PUBLISH_BATCH_BYTES_MAX, PUBLISH_BATCH_EVENTS_MAX, PUBLISH_INPUT_BYTES,
};

/// The lines of an input.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    json: bool,
    /// Lines read, empty ones too: the number of the last.
    number: u64,
    /// Why there are no more.
    fault: Option<String>,
    ended: bool,
}

/// Some lines, each an event.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Batch {
    body: Vec<u8>,
    /// The number of each line, and where its event lies.
    events: Vec<(u64, Range<usize>)>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(input: R, json: bool) -> Self {
        let input = BufReader::with_capacity(PUBLISH_INPUT_BYTES, input);
        Self { input, json, number: 0, fault: None, ended: false }
    }

    /// The next lines, at least one; waits for it. `None` at the end, or at a fault.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        while !self.ended {
            let start = batch.body.len();
            match self.read_line(&mut batch.body) {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(fault) => self.stop(format!("standard input: {fault}")),
            }
            if self.ended {
                batch.body.truncate(start);
                break;
            }
            self.number += 1;
            let line = batch.body.get(start..).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let end = start + line.len();
            if start == end {
                batch.body.truncate(start);
            } else if let Err(why) = deliverable(line, self.json) {
                batch.body.truncate(start);
                self.stop(format!("line {}: not sent: it {why}", self.number));
                break;
            } else {
                batch.events.push((self.number, start..end));
                batch.body.truncate(end);
                batch.body.push(b'\n');
            }
            let full = batch.events.len() >= PUBLISH_BATCH_EVENTS_MAX
                || batch.body.len() >= PUBLISH_BATCH_BYTES_MAX;
            let waiting = self.input.buffer().contains(&b'\n');
            if !batch.events.is_empty() && (full || !waiting) {
                break;
            }
        }
        (!batch.events.is_empty()).then_some(batch)
    }

    /// What ended the lines before their end.
    pub(super) fn fault(self) -> Option<String> {
        self.fault
    }

    /// Reads a line behind `body`, its end included; false at the end of the input.
    fn read_line(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let most = EVENT_BYTES_CEILING + 2;
        let read = self.input.by_ref().take(most).read_until(b'\n', body)?;
        if read as u64 == most && !body.ends_with(b"\n") {
            let number = self.number + 1;
            return Err(io::Error::other(format!("line {number} is longer than an event may be")));
        }
        Ok(read > 0)
    }

    fn stop(&mut self, fault: String) {
        self.fault = Some(fault);
        self.ended = true;
    }
}

impl Batch {
    /// The events, a newline behind each.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many events; at least one.
    pub(super) const fn len(&self) -> usize {
        self.events.len()
    }

    /// How a person finds these lines.
    pub(super) fn name(&self) -> String {
        match (self.events.first(), self.events.last()) {
            (Some((first, _)), Some((last, _))) if first < last => {
                format!("lines {first} to {last}")
            }
            (Some((only, _)), _) => format!("line {only}"),
            _ => "no line".into(),
        }
    }

    /// Two batches of about as many lines each.
    pub(super) fn halves(&self) -> (Self, Self) {
        let half = |events: &[(u64, Range<usize>)]| {
            let mut batch = Self::default();
            for (number, place) in events {
                let start = batch.body.len();
                batch.body.extend_from_slice(self.body.get(place.clone()).unwrap_or_default());
                batch.events.push((*number, start..batch.body.len()));
                batch.body.push(b'\n');
            }
            batch
        };
        let (first, second) = self.events.split_at(self.events.len() / 2);
        (half(first), half(second))
    }
}

/// Whether an event can reach a consumer at all, and is what it was said to be; or why not.
pub(super) fn deliverable(event: &[u8], json: bool) -> Result<(), String> {
    if json && let Err(fault) = serde_json::from_slice::<IgnoredAny>(event) {
        return Err(format!("is not JSON: {fault}"));
    }
    let never = |why: String| Err(format!("could never be delivered: {why}"));
    match enrich::classify(event) {
        Ok(_) => Ok(()),
        Err(Undeliverable::Empty) => never("it is empty".into()),
        Err(Undeliverable::NotUtf8 { position }) => {
            never(format!("not UTF-8 behind byte {position}"))
        }
        Err(Undeliverable::BadJson { position, expected }) => never(format!(
            "it begins with {{ but is no JSON object, {expected} expected behind byte {position}"
        )),
        Err(Undeliverable::TooDeep { position }) => {
            never(format!("its JSON nests too deep behind byte {position}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Gives one piece a read, as a pipe does.
    struct Pipe(VecDeque<Vec<u8>>);

    impl Read for Pipe {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.0.pop_front() else { return Ok(0) };
            let rest = piece.split_off(piece.len().min(out.len()));
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            out[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn lines_of(pieces: &[&[u8]], json: bool) -> Lines<Pipe> {
        Lines::new(Pipe(pieces.iter().map(|piece| piece.to_vec()).collect()), json)
    }

    fn batches(pieces: &[&[u8]]) -> (Vec<(String, String)>, Option<String>) {
        let mut lines = lines_of(pieces, false);
        let mut all = Vec::new();
        while let Some(batch) = lines.next_batch() {
            let body = String::from_utf8(batch.body().to_vec()).expect("is text");
            all.push((batch.name(), body));
        }
        (all, lines.fault())
    }

    #[test]
    fn a_slow_input_is_live_and_a_fast_one_travels_together() {
        let (slow, _) = batches(&[b"a\n", b"b\n", b"c"]);
        let names: Vec<_> = slow.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["line 1", "line 2", "line 3"]);
        let (fast, _) = batches(&[b"a\nb\nc\n"]);
        assert_eq!(fast, [("lines 1 to 3".into(), "a\nb\nc\n".into())]);
        // A line that is not whole yet doesn't hold up those before it.
        let (torn, _) = batches(&[b"a\nb", b"c\n"]);
        assert_eq!(torn, [("line 1".into(), "a\n".into()), ("line 2".into(), "bc\n".into())]);
    }

    #[test]
    fn empty_lines_are_no_events_but_count_as_lines() {
        let (all, fault) = batches(&[b"\n\r\na\r\n\n b \n\n"]);
        assert_eq!(all, [("lines 3 to 5".into(), "a\n b \n".into())]);
        assert_eq!(fault, None);
        assert_eq!(batches(&[b"\n\n"]), (vec![], None));
        assert_eq!(batches(&[]), (vec![], None));
    }

    #[test]
    fn a_line_that_could_never_be_delivered_is_named_behind_those_before_it() {
        let (all, fault) = batches(&[b"a\n\xff\xfe\nc\n"]);
        assert_eq!(all, [("line 1".into(), "a\n".into())]);
        let fault = fault.expect("the second line is bad");
        assert_eq!(fault, "line 2: not sent: it could never be delivered: not UTF-8 behind byte 0");
        let mut lines = lines_of(&[b"{\"a\":1}\n12\nno\n"], true);
        assert_eq!(lines.next_batch().map(|batch| batch.len()), Some(2));
        assert_eq!(lines.next_batch(), None);
        assert!(
            lines.fault().is_some_and(|fault| fault.starts_with("line 3: not sent: it is not"))
        );
    }

    #[test]
    fn both_sides_of_a_full_batch() {
        let text = "x\n".repeat(PUBLISH_BATCH_EVENTS_MAX + 1);
        let mut lines = lines_of(&[text.as_bytes()], false);
        let lens: Vec<_> = std::iter::from_fn(|| lines.next_batch()).map(|b| b.len()).collect();
        assert_eq!(lens, [PUBLISH_BATCH_EVENTS_MAX, 1]);
        let long = "x".repeat(PUBLISH_BATCH_BYTES_MAX / 2 - 1);
        let text = format!("{long}\n{long}\n{long}\n");
        let mut lines = Lines::new(text.as_bytes(), false);
        let lens: Vec<_> = std::iter::from_fn(|| lines.next_batch()).map(|b| b.len()).collect();
        assert_eq!(lens.iter().sum::<usize>(), 3);
        assert!(lens.iter().all(|len| *len <= 2), "{lens:?}");
    }

    #[test]
    fn halves_hold_the_same_lines() {
        let mut lines = lines_of(&[b"a\n\nb\nc\n"], false);
        let (first, second) = lines.next_batch().expect("three events").halves();
        assert_eq!((first.body(), first.name()), (b"a\n".as_slice(), "line 1".into()));
        assert_eq!((second.body(), second.name()), (b"b\nc\n".as_slice(), "lines 3 to 4".into()));
    }

    proptest! {
        #[test]
        fn any_cut_of_the_input_gives_the_same_events(
            text in "[ab\r\n]{0,40}",
            cuts in prop::collection::vec(1..5_usize, 0..40),
        ) {
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            pieces.retain(|piece| !piece.is_empty());
            let joined = |pieces: &[&[u8]]| -> String {
                batches(pieces).0.into_iter().map(|(_, body)| body).collect()
            };
            let events: String = text
                .split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(|line| format!("{line}\n"))
                .collect();
            prop_assert_eq!(joined(&pieces), events);
        }
    }
}
