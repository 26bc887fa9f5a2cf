//! A stream's table of consumers, made for one walk: the fan-out's.
//!
//! ```text
//!  seats  | fd, place | fd, place | fd, place | …      walked in a row, event after event
//!             │           │           │
//!          session     session     session             looked at only when something is odd
//! ```
//!
//! Whoever stands at the ceiling with nothing else to be sent *goes along*: its place is kept here,
//! beside its descriptor, so that sending it the next events touches nothing but this table and the
//! kernel. Everybody else who asks where it stands takes the place back into the session first
//! ([`Session::consumer`]).

use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use crate::hub::{Outcome, Place, Stretch, Tail};
use crate::net::send_now;
use crate::store::Store;

use super::session::Session;

/// One consumer's row.
pub(super) struct Seat<S: Store> {
    session: Rc<Session<S>>,
    /// The descriptor of `session.socket`.
    fd: RawFd,
    /// Where it stands while it goes along.
    place: Cell<Option<Place>>,
}

/// What was sent to consumers that go along.
#[derive(Default)]
pub(super) struct Passed {
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) sends: u64,
}

impl<S: Store> Seat<S> {
    pub(super) fn new(session: Rc<Session<S>>) -> Self {
        let fd = session.socket.as_raw_fd();
        Self { session, fd, place: Cell::new(None) }
    }

    pub(super) const fn session(&self) -> &Rc<Session<S>> {
        &self.session
    }

    /// Where it stands, if it goes along.
    pub(super) fn place(&self) -> Option<Place> {
        self.place.get()
    }

    /// Takes its place back: it goes along no more.
    pub(super) fn take_place(&self) -> Option<Place> {
        self.place.take()
    }

    /// Sends the consumer what follows for it in `tail`, once, or sets a pump to work that brings
    /// it to the ceiling. `stretch` is what the one before was sent: most are owed the same.
    /// Whether it is owed more then, without a pump.
    pub(super) fn serve<'a>(
        &self,
        tail: &'a Tail,
        stretch: &mut Option<Stretch<'a>>,
        passed: &mut Passed,
    ) -> bool {
        if let Some(place) = self.place.get() {
            if place.cursor.ordinal >= tail.ceiling() {
                return false;
            }
            if stretch.is_none_or(|stretch| stretch.from() != place) {
                *stretch = Stretch::of(tail, place, self.session.send_bytes());
            }
            if let Some(stretch) = stretch
                && self.send(tail, stretch, passed)
            {
                return stretch.end().cursor.ordinal < tail.ceiling();
            }
        }
        self.session.advance();
        self.place.set(self.session.goes_along(tail));
        false
    }

    /// Sends `stretch`, which begins where the consumer stands. False when it is more than the
    /// socket takes.
    fn send(&self, tail: &Tail, stretch: &Stretch<'_>, passed: &mut Passed) -> bool {
        passed.sends += 1;
        let bytes = stretch.bytes();
        let Ok(sent) = send_now(self.fd(), bytes) else {
            self.session.broken();
            return false;
        };
        passed.bytes += sent as u64;
        if sent == bytes.len() {
            passed.events += stretch.events();
            self.place.set(Some(stretch.end()));
            return true;
        }
        let mut consumer = self.session.consumer();
        passed.events += stretch.sent(&mut consumer, tail, Outcome::Part(sent));
        false
    }

    fn fd(&self) -> BorrowedFd<'_> {
        #[expect(unsafe_code, reason = "the detour through the session is what this table saves")]
        // SAFETY: the descriptor is that of `self.session.socket`, which is never exchanged and is
        // closed when the session is dropped: not before `self`, and so not before the borrow ends.
        unsafe {
            BorrowedFd::borrow_raw(self.fd)
        }
    }
}
