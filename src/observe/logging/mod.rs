//! The log: console and rotating files, through one writer thread.
//!
//! ```text
//! shard ─ log!() ─┐                          ┌─ stderr
//! shard ─ log!() ─┼─ bounded queue ─ writer ─┼─ es.log      5 MB × 10
//! panic hook ─────┘   (never waits)  (log4rs)├─ access.log  1 MB × 3   target "access"
//!                                            └─ wsgi.log    1 MB × 3   target "http"
//! ```
//!
//! A log call formats its message, puts it into the queue and returns; it never waits for a disk or
//! a terminal. When the queue is full the record is dropped and counted, and the next one that fits
//! is preceded by a line telling how many are missing. Records of a thread keep their order. A
//! record is one line whatever a stranger put into it.
//!
//! Log calls before [`start`] go nowhere; whoever speaks then writes to stderr. The writer lives as
//! long as the process, so log calls late in shutdown still work; [`flush`] waits for them.
//!
//! This module doesn't decide what is worth a line, and no line may hold a secret.

mod line;
mod queue;
mod sinks;

use std::cell::Cell;
use std::panic;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use log::LevelFilter;

use crate::clock::Clock;
use queue::Front;

/// Target of access lines: one a request or connection, in `access.log`.
pub const ACCESS: &str = "access";

/// Target of HTTP server errors, in `wsgi.log` and `es.log`.
pub const HTTP: &str = "http";

/// The log of the process.
static LOG: OnceLock<Front> = OnceLock::new();

thread_local! {
    /// Whether this thread is the writer, which can't wait for itself.
    static WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Starts the log of this process: to the console, and to files in `folder` (made when missing)
/// unless that is `None`.
///
/// # Errors
///
/// One line saying which file could not be opened, or that the log has been started before.
pub fn start(folder: Option<&Path>, level: LevelFilter) -> Result<(), String> {
    let (front, back) = queue::queue(level, || Clock::System.now());
    let (sinks, faults) = sinks::open(folder, level, sinks::Console::Stderr)?;
    let writer = move || {
        WRITER.set(true);
        back.run(&sinks, &faults);
    };
    let named = thread::Builder::new().name("ess-log".into());
    named.spawn(writer).map_err(|fault| format!("no thread for the log: {fault}"))?;
    log::set_boxed_logger(Box::new(front.clone()))
        .map_err(|_| "the log has been started before")?;
    log::set_max_level(level);
    let _ = LOG.set(front);
    Ok(())
}

/// Waits until everything logged so far has been written, at most
/// [`LOG_FLUSH_MILLIS_MAX`](crate::limits::LOG_FLUSH_MILLIS_MAX). Answers whether it has. Not for a
/// shard that still serves.
pub fn flush() -> bool {
    LOG.get().is_none_or(|front| !WRITER.get() && front.flush())
}

/// Makes a panic leave its message in the log before the process or thread goes on to die, and on
/// stderr as ever.
pub fn install_panic_hook() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        log::error!(
            target: "panic",
            "thread {} panicked at {}: {}",
            thread.name().unwrap_or("unnamed"),
            panic.location().map(ToString::to_string).unwrap_or_default(),
            panic.payload_as_str().unwrap_or("(no message)")
        );
        flush();
        usual(panic);
    }));
}
