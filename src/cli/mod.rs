//! What a person types.

use std::process::ExitCode;

/// Runs the command line to its end.
#[must_use]
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
