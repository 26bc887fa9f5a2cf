//! How a command ends: an exit code for scripts, a line for people.

use std::fmt::Write;
use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exit {
    /// It did what was asked.
    Done,
    /// It could not; what was asked for was right.
    Failed,
    /// What was asked for was wrong: a flag, a value, the configuration.
    Usage,
    /// The service can't be reached, or stopped answering.
    Unreachable,
    /// There is no such event stream.
    Unknown,
    /// The service ended the stream.
    Ended,
    /// Somebody pressed Ctrl-C, and what had to be taken away was.
    Interrupted,
}

/// Every exit code and what the help says of it.
const TABLE: [(u8, &str); 7] = [
    (Exit::Done.code(), "done"),
    (
        Exit::Failed.code(),
        "failed: the service refused, a disk or a pipe broke, check found faults",
    ),
    (Exit::Usage.code(), "wrong usage: a flag, a value, the configuration"),
    (Exit::Unreachable.code(), "the service can't be reached, or stopped answering"),
    (Exit::Unknown.code(), "there is no such event stream"),
    (Exit::Ended.code(), "the service ended what was listened to (it was deleted, or displaced)"),
    (INTERRUPTED, "interrupted with Ctrl-C"),
];

/// Ended by SIGINT: 128 and the signal's number, as shells report it.
pub(super) const INTERRUPTED: u8 = 130;

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Unknown => 4,
            Self::Ended => 5,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What went wrong and what to do; a line each, for stderr. Empty when all has been said, or
    /// when nobody is left to hear it.
    pub(super) lines: Vec<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, lines: vec![line.into()] }
    }

    /// The same, and one more line.
    pub(super) fn and(mut self, line: &str) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Whoever read our output has gone: nothing is wrong and nothing is to be said.
    pub(super) const fn quiet() -> Self {
        Self { exit: Exit::Done, lines: Vec::new() }
    }

    /// A failed write to standard output.
    pub(super) fn output(fault: &std::io::Error) -> Self {
        if fault.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::quiet();
        }
        Self::new(Exit::Failed, format!("can't write to standard output: {fault}"))
    }
}

/// What a command comes to.
pub(super) type Outcome = Result<Exit, Failure>;

/// The exit codes, as the help shows them.
pub(super) fn table() -> String {
    TABLE.iter().fold("Exit codes:\n".into(), |mut out, (code, meaning)| {
        let _ = writeln!(out, "  {code:>3}  {meaning}");
        out
    })
}
