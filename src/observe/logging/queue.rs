//! The way of a record from a shard to the writer.
//!
//! The channel has no bound of its own; a counter of bytes has. So putting a record in never waits,
//! and a request to flush always gets in. The last quarter of the room is kept for warnings and
//! errors: a flood of access lines must not hide what went wrong.

use std::fmt;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::line::{self, Entry};
use super::sinks::Faults;
use crate::config::LogFormat;
use crate::event::Timestamp;
use crate::limits::{LOG_FLUSH_MILLIS_MAX, LOG_PAUSE, LOG_QUEUE_BYTES_MAX};

/// The end that shards log into.
#[derive(Clone)]
pub(super) struct Front {
    sender: Sender<Item>,
    load: Arc<Load>,
    /// How much is logged at first.
    configured: LevelFilter,
    format: LogFormat,
    now: fn() -> Timestamp,
}

/// The end that writes.
pub(super) struct Back {
    receiver: Receiver<Item>,
    load: Arc<Load>,
    format: LogFormat,
    now: fn() -> Timestamp,
}

/// What both ends know.
struct Load {
    /// How much is logged now: a [`LevelFilter`] as a number.
    level: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

enum Item {
    Entry(Entry),
    /// Answered when everything before it has been written.
    Flush(Sender<()>),
}

/// Both ends of a new queue.
pub(super) fn queue(
    configured: LevelFilter,
    format: LogFormat,
    now: fn() -> Timestamp,
) -> (Front, Back) {
    let (sender, receiver) = mpsc::channel();
    let load = Arc::new(Load {
        level: AtomicUsize::new(configured as usize),
        bytes: AtomicUsize::default(),
        dropped: AtomicU64::default(),
    });
    let front = Front { sender, load: Arc::clone(&load), configured, format, now };
    (front, Back { receiver, load, format, now })
}

impl Front {
    /// How much is logged when nobody has asked for something else.
    pub(super) const fn configured(&self) -> LevelFilter {
        self.configured
    }

    /// Logs so much from now on.
    pub(super) fn set_level(&self, level: LevelFilter) {
        self.load.level.store(level as usize, Ordering::Relaxed);
    }

    /// Waits until everything logged so far has been written; false when that takes too long.
    pub(super) fn flush(&self) -> bool {
        let (answer, answered) = mpsc::channel();
        let most = Duration::from_millis(LOG_FLUSH_MILLIS_MAX);
        self.sender.send(Item::Flush(answer)).is_ok() && answered.recv_timeout(most).is_ok()
    }

    fn room(level: Level) -> usize {
        if level <= Level::Warn { LOG_QUEUE_BYTES_MAX } else { LOG_QUEUE_BYTES_MAX / 4 * 3 }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Front").field("configured", &self.configured).finish_non_exhaustive()
    }
}

impl Log for Front {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() as usize <= self.load.level.load(Ordering::Relaxed)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let room = Self::room(record.level());
        if self.load.bytes.load(Ordering::Relaxed) >= room {
            self.load.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut entry = Entry {
            at: (self.now)(),
            level: record.level(),
            target: record.target().to_owned(),
            message: line::message(record.args()),
            fields: line::fields(record, self.format),
            dropped: 0,
        };
        let cost = cost(&entry);
        if self.load.bytes.fetch_add(cost, Ordering::Relaxed) + cost > room {
            self.load.bytes.fetch_sub(cost, Ordering::Relaxed);
            self.load.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        entry.dropped = self.load.dropped.swap(0, Ordering::Relaxed);
        // The writer is gone only when the process is going.
        let _ = self.sender.send(Item::Entry(entry));
    }

    fn flush(&self) {
        let _ = Self::flush(self);
    }
}

impl Back {
    /// Writes until every front is gone.
    ///
    /// Who is woken for each line costs the waker, and itself, many times what the line does. So it
    /// pauses behind what it has written, and takes what came meanwhile without being woken.
    pub(super) fn run(self, sinks: &dyn Log, faults: &Faults) {
        while let Ok(first) = self.receiver.recv() {
            for item in iter::once(first).chain(self.receiver.try_iter()) {
                self.serve(item, sinks, faults);
            }
            #[expect(clippy::disallowed_methods, reason = "the writer's own thread")]
            thread::sleep(LOG_PAUSE);
        }
    }

    fn serve(&self, item: Item, sinks: &dyn Log, faults: &Faults) {
        match item {
            Item::Entry(entry) => {
                self.load.bytes.fetch_sub(cost(&entry), Ordering::Relaxed);
                self.tell_dropped(sinks, entry.at, entry.dropped);
                self.write(sinks, &entry);
                if let Some(lost) = faults.overcome() {
                    let told = format!("{lost} lines could not be written to the log files");
                    self.warn(sinks, entry.at, told);
                }
            }
            Item::Flush(answer) => {
                // Nobody may have logged since records were dropped.
                let dropped = self.load.dropped.swap(0, Ordering::Relaxed);
                self.tell_dropped(sinks, (self.now)(), dropped);
                let _ = answer.send(());
            }
        }
    }

    fn tell_dropped(&self, sinks: &dyn Log, at: Timestamp, dropped: u64) {
        if dropped > 0 {
            let told = format!("{dropped} log records were dropped here: the queue was full");
            self.warn(sinks, at, told);
        }
    }

    fn warn(&self, sinks: &dyn Log, at: Timestamp, message: String) {
        let (level, target, fields) = (Level::Warn, OWN.to_owned(), String::new());
        self.write(sinks, &Entry { at, level, target, message, fields, dropped: 0 });
    }

    fn write(&self, sinks: &dyn Log, entry: &Entry) {
        let line = entry.line(self.format);
        let mut record = Record::builder();
        record.level(entry.level).target(&entry.target);
        sinks.log(&record.args(format_args!("{line}")).build());
    }
}

/// What an entry weighs in the queue.
fn cost(entry: &Entry) -> usize {
    size_of::<Item>() + entry.target.len() + entry.message.len() + entry.fields.len()
}

/// Target of what the log says about itself.
const OWN: &str = "ess::log";

#[cfg(test)]
mod tests;
