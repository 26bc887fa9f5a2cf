//! `ess serve`: everything that has to be right before a shard starts.

use super::exit::{Exit, Failure, Outcome};
use super::say;
use crate::config::{Config, Resolved, StoreKind, preflight};
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
    log::info!("{}", greeting(&config));
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

/// What starts, and where its events are.
fn greeting(config: &Config) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let data_dir = config.data_dir.display();
    let broker = config.broker.as_ref();
    let broker =
        broker.map(|one| one.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    match (config.store, broker) {
        (StoreKind::RabbitMq, Some(broker)) => {
            format!("ess {version}: events in RabbitMQ Streams at {broker}, database in {data_dir}")
        }
        (StoreKind::Exchange, Some(broker)) => {
            format!("ess {version}: events from RabbitMQ at {broker}, database in {data_dir}")
        }
        _ => format!("ess {version}: events and database in {data_dir}"),
    }
}

/// The one place where the command line meets the shards: serves until a signal, drained and
/// synced when it returns. An error is one line for the operator.
fn run_shards(config: Config) -> Result<(), String> {
    crate::shard::serve(config).map_err(|fault| fault.to_string())
}
