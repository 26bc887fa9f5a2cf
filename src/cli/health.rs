//! `ess health`: asks a running service how it is, for container and service managers.

use clap::ArgMatches;

use super::api::Api;
use super::exit::{Exit, Failure, Outcome};
use super::say;

/// Asks, and says what is wrong.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let probe = if matches.get_flag("live") { "livez" } else { "readyz" };
    let health = Api::of(matches)?.health(probe)?;
    if health.troubles.is_empty() {
        say(&health.status);
        return Ok(Exit::Done);
    }
    let lines = health.troubles.iter().map(|(part, why)| format!("{part}: {why}")).collect();
    Err(Failure { exit: Exit::Failed, lines })
}
