//! What an operator sees of a running service.
//!
//! [`logging`] is the log, [`process`] what it takes of the machine. Nothing here decides anything.

pub mod logging;
pub mod process;
