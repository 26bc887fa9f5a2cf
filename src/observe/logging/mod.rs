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
//! record is one line whatever a stranger put into it: a text, or a JSON object.
//!
//! A record may carry fields (`info!(peer:% = …; "…")`). JSON has all of them; a text line says
//! most of them in its message, so only [`REQUEST`] is put behind it.
//!
//! How much is logged can be changed while the process runs ([`set_level`], [`toggle_debug`]).
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
use crate::config::LogFormat;
use queue::Front;

/// Target of access lines: one a request or connection, in `access.log`.
pub const ACCESS: &str = "access";

/// Target of HTTP server errors, in `wsgi.log` and `es.log`.
pub const HTTP: &str = "http";

/// Field with the id of the request or connection that a line is about.
pub const REQUEST: &str = "request_id";

/// The log of the process.
static LOG: OnceLock<Front> = OnceLock::new();

thread_local! {
    /// Whether this thread is the writer, which can't wait for itself.
    static WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Starts the log of this process: to the console, and to files in `folder` (made when missing)
/// unless that is `None`. `level` and `format` are what the operator configured.
///
/// # Errors
///
/// One line saying which file could not be opened, or that the log has been started before.
pub fn start(folder: Option<&Path>, level: LevelFilter, format: LogFormat) -> Result<(), String> {
    let (front, back) = queue::queue(level, format, || Clock::System.now());
    let (sinks, faults) = sinks::open(folder, sinks::Console::Stderr)?;
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

/// How much is logged now.
#[must_use]
pub fn level() -> LevelFilter {
    log::max_level()
}

/// Logs so much from now on, until the process ends; `who` wanted that.
pub fn set_level(level: LevelFilter, who: &str) {
    let Some(front) = LOG.get() else { return };
    let before = self::level();
    let tell = || {
        log::warn!(
            "log level: {} now, {} before ({who})",
            level.as_str().to_lowercase(),
            before.as_str().to_lowercase()
        );
    };
    // Told while it can be: at the larger of the two.
    if level < before {
        tell();
    }
    front.set_level(level);
    log::set_max_level(level);
    if level >= before {
        tell();
    }
}

/// Logs at level debug, or again as configured when it does so already.
pub fn toggle_debug(who: &str) {
    let configured = LOG.get().map_or(LevelFilter::Info, Front::configured);
    let wanted = if level() < LevelFilter::Debug {
        LevelFilter::Debug
    } else {
        // Configured so high, the other side of the switch is the default.
        configured.min(LevelFilter::Info)
    };
    set_level(wanted, who);
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
