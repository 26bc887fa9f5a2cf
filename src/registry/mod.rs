//! The event streams that the Account Server has created.

mod event_stream;

pub use event_stream::EventStream;
