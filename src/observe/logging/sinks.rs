//! Where lines go: log4rs's appenders, set up as the reference has its files.
//!
//! Lines arrive complete and wanted, time included: log4rs only routes, writes and rotates them.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use log::LevelFilter;
use log4rs::Logger;
use log4rs::append::console::{ConsoleAppender, Target};
use log4rs::append::rolling_file::RollingFileAppender;
use log4rs::append::rolling_file::policy::compound::CompoundPolicy;
use log4rs::append::rolling_file::policy::compound::roll::fixed_window::FixedWindowRoller;
use log4rs::append::rolling_file::policy::compound::trigger::size::SizeTrigger;
use log4rs::config::{Appender, Config, Logger as Route, Root};
use log4rs::encode::pattern::PatternEncoder;

use super::{ACCESS, HTTP};

/// Whether lines go to stderr too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Console {
    Stderr,
    #[cfg(test)]
    Silent,
}

/// A log file: name, largest size in bytes, how many rotated ones are kept beside it.
struct LogFile {
    name: &'static str,
    bytes_max: u64,
    kept: u32,
}

// Sizes and counts are the reference's.
const EVERYTHING: LogFile = LogFile { name: "es.log", bytes_max: 5_000_000, kept: 10 };
const REQUESTS: LogFile = LogFile { name: "access.log", bytes_max: 1_000_000, kept: 3 };
const SERVER_ERRORS: LogFile = LogFile { name: "wsgi.log", bytes_max: 1_000_000, kept: 3 };

/// What log4rs could not write. Told once on stderr, and counted until it works again.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<FaultState>);

#[derive(Debug, Default)]
struct FaultState {
    fresh: AtomicBool,
    lines: AtomicU64,
}

impl Faults {
    fn happened(&self, fault: &dyn std::fmt::Display) {
        self.0.fresh.store(true, Ordering::Relaxed);
        if self.0.lines.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = writeln!(io::stderr(), "ess: the log can't be written: {fault}");
        }
    }

    /// After a line: how many before it were not written, when it was the first to succeed again.
    pub(super) fn overcome(&self) -> Option<u64> {
        if self.0.fresh.swap(false, Ordering::Relaxed) {
            return None;
        }
        let lines = self.0.lines.swap(0, Ordering::Relaxed);
        (lines > 0).then_some(lines)
    }
}

/// Opens the sinks: the console, and the three files in `folder`.
pub(super) fn open(folder: Option<&Path>, console: Console) -> Result<(Logger, Faults), String> {
    let mut config = Config::builder();
    let mut root = Root::builder();
    if console == Console::Stderr {
        let stderr = ConsoleAppender::builder().target(Target::Stderr).encoder(as_it_is()).build();
        config = config.appender(Appender::builder().build("console", Box::new(stderr)));
        root = root.appender("console");
    }
    if let Some(folder) = folder {
        for file in [EVERYTHING, REQUESTS, SERVER_ERRORS] {
            let appender = rolling(folder, &file)?;
            config = config.appender(Appender::builder().build(file.name, appender));
        }
        let access = Route::builder().additive(false).appender(REQUESTS.name);
        let http = Route::builder().additive(true).appender(SERVER_ERRORS.name);
        config = config.logger(access.build(ACCESS, ALL)).logger(http.build(HTTP, ALL));
        root = root.appender(EVERYTHING.name);
    }
    let config = config.build(root.build(ALL)).map_err(|fault| format!("log: {fault}"))?;
    let faults = Faults::default();
    let counted = faults.clone();
    let logger =
        Logger::new_with_err_handler(config, Box::new(move |fault| counted.happened(fault)));
    Ok((logger, faults))
}

/// The queue has passed over what isn't wanted.
const ALL: LevelFilter = LevelFilter::Trace;

fn rolling(folder: &Path, file: &LogFile) -> Result<Box<RollingFileAppender>, String> {
    let path = folder.join(file.name);
    let open = || {
        let pattern = format!("{}.{{}}", path.display());
        let roller = FixedWindowRoller::builder().base(1).build(&pattern, file.kept);
        let roller = roller.map_err(io::Error::other)?;
        let trigger = SizeTrigger::new(file.bytes_max);
        let policy = CompoundPolicy::new(Box::new(trigger), Box::new(roller));
        RollingFileAppender::builder().encoder(as_it_is()).build(&path, Box::new(policy))
    };
    let fault = |fault: io::Error| {
        format!(
            "--log-dir: can't open {}: {fault}; make it writable or choose another, or - for \
                 the console only",
            path.display()
        )
    };
    open().map(Box::new).map_err(fault)
}

/// A line is the whole message.
fn as_it_is() -> Box<PatternEncoder> {
    Box::new(PatternEncoder::new("{m}{n}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use log::{Level, Log, Record};

    use super::*;

    fn write(logger: &Logger, level: Level, target: &str, line: &str) {
        let args = format_args!("{line}");
        logger.log(&Record::builder().level(level).target(target).args(args).build());
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        let mut names: Vec<_> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Fills `file` to the last byte it may have, then adds a line: that rotates it, and only as
    /// many rotated files as are wanted stay.
    fn rotates(file: &LogFile, target: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (logger, _) = open(Some(folder.path()), Console::Silent).expect("opens");
        let prefix = format!("{}.", file.name);
        let rotated =
            || names(folder.path()).iter().filter(|name| name.starts_with(&prefix)).count();
        // 100 lines, their ends included, are exactly the largest size.
        let line = "x".repeat(usize::try_from(file.bytes_max).expect("fits") / 100 - 1);
        let kept = usize::try_from(file.kept).expect("fits");
        for round in 1..=kept + 2 {
            for _ in 0..100 {
                write(&logger, Level::Info, target, &line);
            }
            let bytes = fs::metadata(folder.path().join(file.name)).expect("is there").len();
            assert_eq!((bytes, rotated()), (file.bytes_max, (round - 1).min(kept)));
            write(&logger, Level::Info, target, "one more");
            assert_eq!(rotated(), round.min(kept));
        }
        let newest = fs::read_to_string(folder.path().join(format!("{prefix}1")));
        assert!(newest.expect("readable").ends_with("\none more\n"));
    }

    #[test]
    fn files_rotate_at_their_limits() {
        rotates(&EVERYTHING, "ess");
        rotates(&REQUESTS, ACCESS);
        rotates(&SERVER_ERRORS, HTTP);
    }

    #[test]
    fn each_line_goes_where_the_reference_has_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("made/here");
        let (logger, _) = open(Some(&inner), Console::Silent).expect("opens");
        write(&logger, Level::Info, "ess::shard", "plain");
        write(&logger, Level::Info, ACCESS, "request");
        write(&logger, Level::Error, HTTP, "broken");
        let text = |name: &str| fs::read_to_string(inner.join(name)).expect("readable");
        assert_eq!(names(&inner), ["access.log", "es.log", "wsgi.log"]);
        assert_eq!(text("es.log"), "plain\nbroken\n");
        assert_eq!(text("access.log"), "request\n");
        assert_eq!(text("wsgi.log"), "broken\n");
    }

    #[test]
    fn a_restart_goes_on_in_the_same_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for life in ["first", "second"] {
            let (logger, _) = open(Some(folder.path()), Console::Silent).expect("opens");
            write(&logger, Level::Info, "ess", life);
        }
        let text = fs::read_to_string(folder.path().join("es.log")).expect("readable");
        assert_eq!(text, "first\nsecond\n");
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_one_clear_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writable");
        let fault = open(Some(&file), Console::Silent).expect_err("no folder");
        assert!(fault.starts_with("--log-dir: can't open ") && fault.contains("es.log"), "{fault}");
        assert!(!fault.contains('\n'));
    }

    #[test]
    fn lines_that_could_not_be_written_are_counted_until_one_could() {
        let faults = Faults::default();
        assert_eq!(faults.overcome(), None);
        for _ in 0..3 {
            faults.happened(&"disk full (as this test wants it)");
            assert_eq!(faults.overcome(), None);
        }
        assert_eq!(faults.overcome(), Some(3));
        assert_eq!(faults.overcome(), None);
    }
}
