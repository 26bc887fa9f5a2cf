//! What a person types.
//!
//! [`run`] parses, dispatches and turns every outcome into lines on stderr and an exit code. Data
//! goes to standard output, everything said about it to standard error. The client commands are
//! ordinary blocking programs: no shard runs in them.

mod api;
mod backup;
mod bench;
mod check;
mod command;
mod exit;
mod health;
mod listen;
mod publish;
mod serve;
mod streams;
mod table;
mod target;

use std::env;
use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use clap::ArgMatches;
use clap::error::ErrorKind;
use signal_hook::consts::SIGINT;

use crate::config::{self, Resolved};
use exit::{Exit, Failure, Outcome};

/// Runs the command line to its end.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match command::tree().try_get_matches() {
        Ok(matches) => dispatch(&matches),
        Err(fault) => unparsed(&fault),
    };
    outcome
        .unwrap_or_else(|failure| {
            failure.lines.iter().for_each(|line| say(line));
            failure.exit
        })
        .into()
}

fn dispatch(root: &ArgMatches) -> Outcome {
    match root.subcommand() {
        None => serve::run(resolve(&[root])),
        Some(("serve", inner)) => serve::run(resolve(&[inner, root])),
        Some(("check", inner)) => check::run(&resolve(&[inner, root])),
        Some((name @ ("backup" | "verify" | "restore"), inner)) => {
            end_on_interrupt()?;
            let resolved = resolve(&[inner, root]);
            match name {
                "backup" => backup::take(inner, &resolved),
                "verify" => backup::verify(inner, &resolved),
                _ => backup::restore(inner, &resolved),
            }
        }
        Some((name, inner)) => client(root, name, inner),
    }
}

/// The commands that talk to a running service.
fn client(root: &ArgMatches, name: &str, inner: &ArgMatches) -> Outcome {
    if let Some((flag, _)) = command::flags(&[root]).first() {
        let line = format!("--{flag} is a flag of ess serve and means nothing to ess {name}");
        return Err(Failure::new(Exit::Usage, line));
    }
    if name == "bench" {
        // Has something to take away first.
        return bench::run(inner);
    }
    end_on_interrupt()?;
    match name {
        "publish" => publish::run(inner),
        "listen" => listen::run(inner),
        "health" => health::run(inner),
        _ => streams::run(inner),
    }
}

/// A line for the person, on standard error. Nobody may be there.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "ess: {line}");
}

/// Help and version are answers; anything else is a complaint.
fn unparsed(fault: &clap::Error) -> Outcome {
    let answers = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if answers.contains(&fault.kind()) {
        return fault.print().map(|()| Exit::Done).map_err(|fault| Failure::output(&fault));
    }
    Err(Failure::new(Exit::Usage, command::complaint(fault, env::args_os())))
}

/// The configuration of this process. A variable that is not UTF-8 keeps marks where it is not;
/// they are refused when the value is read.
fn resolve(levels: &[&ArgMatches]) -> Resolved {
    let environment = env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let file = command::config_file(levels);
    config::load(&command::flags(levels), file.as_deref(), environment, cores)
}

/// The value of a flag, or else of a variable that is set and not empty.
fn setting(matches: &ArgMatches, flag: &str, variable: &str) -> Option<String> {
    let flag = matches.get_one::<String>(flag).cloned();
    flag.or_else(|| env::var(variable).ok().filter(|value| !value.is_empty()))
}

/// Ctrl-C ends a client command at once. What it printed is out: it flushes before it waits.
fn end_on_interrupt() -> Result<(), Failure> {
    let always = Arc::new(AtomicBool::new(true));
    let code = exit::INTERRUPTED.into();
    signal_hook::flag::register_conditional_shutdown(SIGINT, code, always)
        .map(drop)
        .map_err(|fault| Failure::new(Exit::Failed, format!("can't handle Ctrl-C: {fault}")))
}
