//! `ess serve`: everything that has to be right before a shard starts.

use super::exit::{Exit, Failure, Outcome};
use super::say;
use crate::config::{Config, Resolved, preflight};
use crate::observe::logging;

/// Checks, starts the log, serves until told to stop.
pub(super) fn run(resolved: Resolved) -> Outcome {
    let Resolved { config, problems, warnings, .. } = resolved;
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Usage, lines: problems });
    }
    let problems = preflight::problems(&config);
    if !problems.is_empty() {
        return Err(Failure { exit: Exit::Failed, lines: problems });
    }
    let failed = |line| Failure::new(Exit::Failed, line);
    let (folder, level) = (config.log_dir.as_deref(), config.log_level);
    logging::start(folder, level, config.log_format).map_err(failed)?;
    logging::install_panic_hook();
    warnings.iter().for_each(|warning| log::warn!("{warning}"));
    let served = run_shards(config);
    if let Err(fault) = &served {
        log::error!("{fault}");
    }
    if !logging::flush() {
        say("the last lines of the log could not be written");
    }
    // The log's console has said why.
    served.map(|()| Exit::Done).map_err(|_| Failure { exit: Exit::Failed, lines: Vec::new() })
}

/// The one place where the command line meets the shards: serves until a signal, drained and
/// synced when it returns. An error is one line for the operator.
fn run_shards(config: Config) -> Result<(), String> {
    crate::shard::serve(config).map_err(|fault| fault.to_string())
}
