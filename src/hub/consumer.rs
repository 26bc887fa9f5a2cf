//! One consumer of a stream: a cursor, and what may be put between two events.
//!
//! The driver of a consumer calls [`Consumer::step`], does what it says, and reports with one of
//! the `sent_…` calls how many bytes the socket took, before it does anything else with the
//! consumer or its tail. Control frames go out at a frame boundary only; a consumer that is ending
//! is owed the rest of the frame it is in, the control frames that wait, its close frame, and
//! nothing else.
//!
//! A consumer *waits* while its start lies ahead of the stream (an ordinal or a timestamp to come):
//! events are passed over until it is reached. A POISON among them ends it all the same, for it
//! says that nothing more will come.

use crate::event::{Cursor, Ordinal, Timestamp};
use crate::hub::{Next, Place, Tail};
use crate::proto::websocket::frame::frame_len;

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    place: Place,
    /// Where it would have begun to stand here by what it was sent alone.
    origin: Ordinal,
    /// The stream's ceiling when it joined: a POISON at or beyond it was published to it. Moves on
    /// over events without a POISON that are passed over while it waits.
    joined: Ordinal,
    /// Its start is not reached yet.
    waiting: bool,
    /// Nothing older is wanted (a start in the future). `None` once that is reached.
    not_before: Option<Timestamp>,
    /// Whole control frames to put in at the next boundary, oldest first.
    control: Vec<u8>,
    /// How many bytes of `control` are on the socket.
    control_sent: usize,
    ending: bool,
}

/// What to do next for a consumer.
#[derive(Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// Send these bytes, then [`Consumer::sent_control`].
    Control(&'a [u8]),
    /// Send these bytes, then [`Consumer::sent_tail`] with the place.
    Tail(&'a [u8], Place),
    /// Read the history from this cursor and send it, then [`Consumer::sent_history`]. Reading
    /// takes time: when it is done, [`Consumer::frame_only`] says how much of it may be sent, and
    /// [`Consumer::not_before`] what isn't wanted.
    History(Cursor),
    /// A POISON ends this consumer.
    Poisoned,
    /// Everything owed is sent.
    Idle,
    /// The close frame is on the socket.
    Closed,
}

/// How many bytes of a step went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All.
    Whole,
    /// Only so many.
    Part(usize),
}

impl Outcome {
    /// `sent` of `len` bytes went out.
    #[must_use]
    pub fn of(sent: usize, len: usize) -> Self {
        assert!(sent <= len, "no more is sent than was given");
        if sent == len { Self::Whole } else { Self::Part(sent) }
    }
}

impl Consumer {
    /// A consumer that stands at `cursor` in a stream whose ceiling is `joined`.
    #[must_use]
    pub const fn new(cursor: Cursor, joined: Ordinal, not_before: Option<Timestamp>) -> Self {
        Self {
            place: Place::at(cursor),
            origin: cursor.ordinal,
            joined,
            waiting: not_before.is_some() || cursor.ordinal.since(joined) > 0,
            not_before,
            control: Vec::new(),
            control_sent: 0,
            ending: false,
        }
    }

    /// As it is when it has gone along with others to `place`: where it stands, and how many events
    /// it was sent.
    #[must_use]
    pub const fn standing(&self, place: Option<Place>) -> (Cursor, u64) {
        let cursor = match place {
            Some(place) => place.cursor,
            None => self.place.cursor,
        };
        (cursor, cursor.ordinal.since(self.origin))
    }

    /// Where it stands.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        self.place.cursor
    }

    /// Events it was sent so far. One that can't be delivered counts when it lies between two that
    /// can.
    #[must_use]
    pub const fn delivered(&self) -> u64 {
        self.place.cursor.ordinal.since(self.origin)
    }

    /// What the history may hold that is older is not wanted: to be passed over, not sent.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// Its close frame is queued or sent.
    #[must_use]
    pub const fn ending(&self) -> bool {
        self.ending
    }

    /// Queues a whole control frame for the next boundary. It takes the place of one of the same
    /// kind that still waits: only the most recent ping is owed an answer (RFC 6455 §5.5.3), and
    /// the queue stays bounded. Nothing is queued behind a close.
    ///
    /// # Panics
    ///
    /// When it isn't one whole control frame.
    pub fn control(&mut self, frame: &[u8]) {
        let whole = frame_len(frame) == Some(frame.len() as u64);
        assert!(whole && frame.len() <= CONTROL_FRAME_BYTES_MAX, "one whole control frame");
        if !self.ending {
            self.make_room(frame.first());
            self.control.extend_from_slice(frame);
        }
    }

    /// Queues the close frame, behind which nothing follows.
    pub fn end(&mut self, close_frame: &[u8]) {
        self.control(close_frame);
        self.ending = true;
    }

    /// Drops what is wholly sent, and the frame of this first byte that is not begun.
    fn make_room(&mut self, kind: Option<&u8>) {
        let mut at = 0;
        while let Some(rest) = self.control.get(at..)
            && let Some(length) = frame_len(rest).and_then(|length| usize::try_from(length).ok())
        {
            let sent = self.control_sent.saturating_sub(at).min(length);
            if sent == length || (sent == 0 && rest.first() == kind) {
                self.control.drain(at..at + length);
                self.control_sent -= sent;
            } else {
                at += length;
            }
        }
    }

    /// Whether only the rest of the frame it stands in may be sent: it is ending, or a control
    /// frame waits for the boundary.
    #[must_use]
    pub const fn frame_only(&self) -> bool {
        self.ending || !self.control.is_empty()
    }

    /// Where it stands, when what follows there in the tail is all that matters to it: it doesn't
    /// wait for its start, and nothing is to be put in.
    #[must_use]
    pub const fn owed_tail_only(&self) -> Option<Place> {
        if self.waiting || self.frame_only() { None } else { Some(self.place) }
    }

    /// What to do next. A place that can't be delivered is passed over here.
    pub fn step<'a>(&'a mut self, tail: &'a Tail, bytes_max: usize) -> Step<'a> {
        let inside_frame = !self.place.cursor.at_boundary();
        if !inside_frame || self.control_sent > 0 {
            if self.control_sent < self.control.len() {
                return Step::Control(self.control.get(self.control_sent..).unwrap_or_default());
            }
            if self.ending {
                return Step::Closed;
            }
        }
        if self.waiting && !inside_frame && self.pass_over(tail) {
            return Step::Poisoned;
        }
        loop {
            match tail.next(self.place, bytes_max) {
                Next::Bytes(bytes, end) => return self.tail_step(tail, bytes, end),
                Next::Behind => {
                    return Step::History(self.place.cursor);
                }
                // The history was further than a tail which follows: the rest is there too.
                Next::Nothing(place) if inside_frame => return Step::History(place.cursor),
                Next::Nothing(place) => {
                    self.pass_to(place);
                    return Step::Idle;
                }
                Next::Poison(behind) => {
                    if self.ends_at(self.place_of_poison(behind), tail.ceiling()) {
                        return Step::Poisoned;
                    }
                    self.pass_to(behind);
                }
            }
        }
    }

    /// Passes over what comes before the start. True when a POISON is among it.
    fn pass_over(&mut self, tail: &Tail) -> bool {
        if let Some(timestamp) = self.not_before {
            if self.place.cursor.ordinal < tail.floor() {
                // The tail can't tell which of the events from here to its floor are older.
                return false;
            }
            self.pass_to(tail.first_at(self.place.cursor, timestamp));
        }
        let passed = self.place.cursor.ordinal.min(tail.ceiling());
        if tail.poison_between(self.joined, passed) {
            return true;
        }
        self.joined = self.joined.max(passed);
        if self.place.cursor.ordinal < tail.ceiling() {
            self.waiting = false;
            self.not_before = None;
        }
        false
    }

    /// Goes to `place` without having been sent what lies before it.
    fn pass_to(&mut self, place: Place) {
        self.origin = self.origin.plus(place.cursor.ordinal.since(self.place.cursor.ordinal));
        self.place = place;
    }

    /// The step that sends `bytes` of the tail, or only the rest of the frame it is in.
    fn tail_step<'a>(&self, tail: &Tail, bytes: &'a [u8], end: Place) -> Step<'a> {
        if !self.frame_only() {
            return Step::Tail(bytes, end);
        }
        // Inside a frame, with something to put behind it: only the rest of this frame.
        match tail.rest_of_frame(self.place) {
            Some(rest) if rest < bytes.len() => {
                let end = tail.after(self.place, rest);
                Step::Tail(bytes.get(..rest).unwrap_or_default(), end)
            }
            _ => Step::Tail(bytes, end),
        }
    }

    /// The ordinal of the POISON right before `behind`.
    fn place_of_poison(&self, behind: Place) -> Ordinal {
        let next = behind.cursor.ordinal.get();
        assert!(next > self.place.cursor.ordinal.get(), "a POISON takes an ordinal");
        Ordinal::new(next - 1)
    }

    /// Whether the POISON at `ordinal` ends this consumer: it was published while the consumer was
    /// here, or it is the last word of the stream. A `ceiling` below the one it joined at is that
    /// of a tail which follows: more than that is there.
    #[must_use]
    pub fn ends_at(&self, ordinal: Ordinal, ceiling: Ordinal) -> bool {
        ordinal >= self.joined || ordinal.next() >= ceiling.max(self.joined)
    }

    /// So much of the control frames went out.
    ///
    /// # Panics
    ///
    /// When that is more than the step gave.
    pub fn sent_control(&mut self, outcome: Outcome) {
        self.control_sent = match outcome {
            Outcome::Whole => self.control.len(),
            Outcome::Part(sent) => self.control_sent + sent,
        };
        assert!(self.control_sent <= self.control.len(), "no more is sent than was given");
        if self.control_sent == self.control.len() && !self.ending {
            self.control = Vec::new();
            self.control_sent = 0;
        }
    }

    /// So much of the tail went out, of a step that ends at `end`.
    pub fn sent_tail(&mut self, tail: &Tail, outcome: Outcome, end: Place) {
        self.place = match outcome {
            Outcome::Whole => end,
            Outcome::Part(0) => return,
            Outcome::Part(sent) => tail.after(self.place, sent),
        };
    }

    /// It went along with others to `place`, and was sent what lies between.
    ///
    /// # Panics
    ///
    /// When that is before where it stands.
    pub fn went_along(&mut self, place: Place) {
        assert!(place.cursor >= self.place.cursor, "a consumer never goes back");
        self.place = place;
    }

    /// The history was sent up to `cursor`.
    ///
    /// # Panics
    ///
    /// When that is before where it stands.
    pub fn sent_history(&mut self, cursor: Cursor) {
        assert!(cursor >= self.place.cursor, "a consumer never goes back");
        self.place = Place::at(cursor);
    }

    /// The history was passed over up to `cursor`, without being sent: what isn't wanted, isn't
    /// there, or is a POISON.
    ///
    /// # Panics
    ///
    /// When that is before where it stands.
    pub fn passed_history(&mut self, cursor: Cursor) {
        assert!(cursor >= self.place.cursor, "a consumer never goes back");
        self.pass_to(Place::at(cursor));
    }
}

/// The longest control frame: a header of two bytes and 125 of payload (RFC 6455 §5.5).
const CONTROL_FRAME_BYTES_MAX: usize = 2 + 125;
