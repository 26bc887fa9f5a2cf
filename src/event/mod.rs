//! The nouns: what an event is, where it stands, where a consumer begins and why it ends.
//!
//! Values only: nothing here reads a socket, a disk or a clock.

mod cursor;
pub mod datetime;
mod ordinal;
mod reason;
mod start;
mod stream_name;
mod timestamp;

pub use cursor::Cursor;
pub use ordinal::Ordinal;
pub use reason::{Cause, Reason, may_return};
pub use start::Start;
pub use stream_name::{StreamName, StreamNameError};
pub use timestamp::Timestamp;
