//! What an operator sees of a running service.
//!
//! [`logging`] is the log, [`process`] what it takes of the machine, [`disk`] what room there is.
//! Nothing here decides anything.

pub mod disk;
pub mod logging;
pub mod process;
