//! `ess streams`: list, create and delete event streams.

use std::io::{self, IsTerminal, Write};

use clap::ArgMatches;

use super::api::{Api, Declare, Declared, EventStream};
use super::exit::{Exit, Failure, Outcome};
use super::{say, table, target};

/// Runs the subcommand.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("list", inner)) => show(&Api::of(inner)?.list()?, inner),
        Some(("create", inner)) => create(&Api::of(inner)?, inner),
        Some((_, inner)) => delete(&Api::of(inner)?, inner),
        None => Ok(Exit::Done),
    }
}

fn create(api: &Api, matches: &ArgMatches) -> Outcome {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let declare = matches
        .get_flag("declare")
        .then(|| Declare { retain_age: given("retain-age"), retain_bytes: given("retain-bytes") });
    let (event_stream, declared) = api.create(text(matches, "routing_key"), declare.as_ref())?;
    if let Some(Declared { stream, exchange, routing_key }) = declared {
        say(&format!(
            "stream \"{}\" {} in the broker, bound to exchange \"{}\" with routing key \"{}\"",
            table::cell(&event_stream.routing_key),
            if stream == "created" { "was created" } else { "was there" },
            table::cell(&exchange),
            table::cell(&routing_key)
        ));
    }
    show(&[event_stream], matches)
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// A table on a terminal, tabs elsewhere, objects when asked for.
fn show(streams: &[EventStream], matches: &ArgMatches) -> Outcome {
    let mut out = io::stdout().lock();
    let row = |one: &EventStream| {
        [one.id.to_string(), table::cell(&one.routing_key), table::cell(&one.location)]
    };
    let text = if matches.get_flag("json") {
        let lines: Result<Vec<_>, _> = streams.iter().map(serde_json::to_string).collect();
        let lines = lines.map_err(|fault| Failure::new(Exit::Failed, fault.to_string()))?;
        lines.iter().map(|line| format!("{line}\n")).collect()
    } else {
        let rows: Vec<_> = streams.iter().map(row).collect();
        if out.is_terminal() {
            table::aligned(["ID", "ROUTING KEY", "LOCATION"], &rows)
        } else {
            table::tabbed(&rows)
        }
    };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map(|()| Exit::Done).map_err(|fault| Failure::output(&fault))
}

fn delete(api: &Api, matches: &ArgMatches) -> Outcome {
    let target = text(matches, "target");
    for id in ids(api, target, matches.get_flag("all"))? {
        api.delete(id, matches.get_flag("force"))?;
        say(&format!("deleted event stream {id}"));
    }
    Ok(Exit::Done)
}

/// A number is an id; anything else is looked up, and has to be clear.
fn ids(api: &Api, target: &str, all: bool) -> Result<Vec<u64>, Failure> {
    if let Ok(id) = target.parse() {
        return Ok(vec![id]);
    }
    let listed = api.list()?;
    let found: Vec<_> = target::matching(&listed, target).iter().map(|one| one.id).collect();
    match found.len() {
        0 => Err(Failure::new(
            Exit::Unknown,
            format!(
                "no event stream has the id, location, uuid or routing key \"{}\"; see them \
                     with: ess streams list",
                table::cell(target)
            ),
        )),
        2.. if !all => Err(Failure::new(
            Exit::Usage,
            format!(
                "{} event streams have the routing key \"{}\" (ids {}); name one, or say --all",
                found.len(),
                table::cell(target),
                found.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
            ),
        )),
        _ => Ok(found),
    }
}
