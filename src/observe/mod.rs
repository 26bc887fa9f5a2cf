//! What an operator sees of a running service.
//!
//! [`logging`] is the log. Nothing here decides anything.

pub mod logging;
