//! `ess backup`, `ess verify` and `ess restore`: copies of a data directory.
//!
//! They work on files, not through the service's API: a backup is taken the same way whether a
//! service runs or not, and nothing of it goes through a shard.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::ArgMatches;

use super::exit::{Exit, Failure, Outcome};
use super::{say, table};
use crate::backup::{self, BackupError, Report};
use crate::clock::Clock;
use crate::config::Resolved;

/// `ess backup TARGET`.
pub(super) fn take(matches: &ArgMatches, resolved: &Resolved) -> Outcome {
    let (data, target) = (data_dir(resolved)?, path(matches, "target"));
    give_way();
    let report = backup::take(&data, &target, &Clock::System).map_err(failed)?;
    show(&report)?;
    if report.faults.is_empty() {
        say(&format!("backed up {} to {}", counted(&report), target.display()));
    } else {
        say("the data directory is damaged; the backup has what there is of it:");
    }
    judged(report)
}

/// `ess verify [FOLDER]`.
pub(super) fn verify(matches: &ArgMatches, resolved: &Resolved) -> Outcome {
    let folder = match matches.get_one::<String>("folder") {
        Some(folder) => PathBuf::from(folder),
        None => data_dir(resolved)?,
    };
    give_way();
    let report = backup::verify(&folder).map_err(failed)?;
    show(&report)?;
    if report.faults.is_empty() {
        say(&format!("nothing is wrong with {}", counted(&report)));
    }
    judged(report)
}

/// `ess restore BACKUP`.
pub(super) fn restore(matches: &ArgMatches, resolved: &Resolved) -> Outcome {
    let (backup, data) = (path(matches, "backup"), data_dir(resolved)?);
    let damaged = matches.get_flag("damaged");
    let report = backup::restore(&backup, &data, damaged).map_err(failed)?;
    show(&report)?;
    say(&format!("restored {} to {}", counted(&report), data.display()));
    judged(report)
}

fn path(matches: &ArgMatches, name: &str) -> PathBuf {
    matches.get_one::<String>(name).map(PathBuf::from).unwrap_or_default()
}

/// The data directory that `ess serve` would use.
fn data_dir(resolved: &Resolved) -> Result<PathBuf, Failure> {
    if resolved.problems.is_empty() {
        return Ok(resolved.config.data_dir.clone());
    }
    Err(Failure { exit: Exit::Usage, lines: resolved.problems.clone() })
}

/// A service on this machine comes first. Refused, it goes on as it is.
fn give_way() {
    let _ = rustix::process::setpriority_process(None, LOWEST);
}

/// The priority of who has all the time in the world (`setpriority(2)`).
const LOWEST: i32 = 19;

fn failed(wrong: BackupError) -> Failure {
    Failure::new(Exit::Failed, wrong.to_string())
}

/// Tells what is unusual and ends as the faults say.
fn judged(report: Report) -> Outcome {
    report.notes.iter().for_each(|note| say(&format!("note: {note}")));
    if report.faults.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure { exit: Exit::Failed, lines: report.faults })
}

fn counted(report: &Report) -> String {
    let plural = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let (streams, logs) = (report.event_streams as u64, report.streams.len() as u64);
    format!(
        "{} and {} with {}, {}",
        plural(streams, "event stream"),
        plural(logs, "log"),
        plural(report.events(), "event"),
        plural(report.bytes(), "byte"),
    )
}

/// The logs, a line each: a table on a terminal, tabs elsewhere.
fn show(report: &Report) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let rows: Vec<_> = report
        .streams
        .iter()
        .map(|held| {
            let [first, next, bytes] = [held.first, held.next, held.bytes].map(|n| n.to_string());
            [table::cell(&held.stream), first, next, bytes]
        })
        .collect();
    let text = if out.is_terminal() {
        table::aligned(["ROUTING KEY", "FIRST ORDINAL", "NEXT ORDINAL", "BYTES"], &rows)
    } else {
        table::tabbed(&rows)
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}
