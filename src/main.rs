//! The `ess` binary: parse, then run.

use std::process::ExitCode;

fn main() -> ExitCode {
    ess::cli::run()
}
