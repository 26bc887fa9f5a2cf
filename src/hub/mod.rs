//! Delivery: who is owed which bytes next.
//!
//! Pure. A [`Tail`] holds the newest part of a stream as the bytes that go out; a [`Consumer`] is
//! a cursor with the few facts that decide what follows. Neither touches a socket or a disk: the
//! caller asks for the next [`Step`], does it, and says how far it came. Nothing is kept per
//! consumer and event, so a slow consumer costs what a fast one does.

mod consumer;
mod stretch;
mod tail;
#[cfg(test)]
mod tests;

pub use consumer::{Consumer, Outcome, Step};
pub use stretch::Stretch;
pub use tail::{Follow, Next, Place, Tail};
