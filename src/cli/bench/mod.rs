//! `ess bench`: measures a running service from outside, as its clients meet it.
//!
//! It makes an event stream of its own, connects consumers to it, publishes at a fixed rate for a
//! while, and takes the stream away again, also after Ctrl-C or a fault. Consumers, rate, size and
//! time are bounded, so that it can't hurt a service that has other work.
//!
//! ```text
//! plan        what is asked for, within bounds
//! publisher   a thread of its own: what is due is sent, whatever has arrived
//! consumers   the main thread reads for all of them
//! report      what was found, for people and programs
//! ```
//!
//! Latency counts from when an event was due, not from when it was sent: a publisher that is held
//! up, by the service or by this machine, counts as latency.

mod consumers;
mod plan;
mod publisher;
mod report;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::ArgMatches;
use signal_hook::consts::{SIGINT, SIGTERM};
use uuid::Uuid;

use super::api::{Api, Declare, EventStream};
use super::exit::{self, Exit, Failure, Outcome};
use super::listen::Location;
use super::table::cell;
use super::{say, setting};
use crate::clock;
use consumers::Consumers;
use plan::Plan;
use publisher::Publisher;
use report::Report;

/// Measures; the stream is gone when this returns.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let plan = Plan::of(matches)?;
    let stop = stop_on_signals()?;
    let api = Api::of(matches)?;
    tell_leftovers(&api)?;
    let declare = matches
        .get_flag("declare")
        .then(|| Declare { retain_age: Some("1h".into()), retain_bytes: Some("1GiB".into()) });
    let name = format!("{PREFIX}{}", Uuid::new_v4().hyphenated());
    let (event_stream, _) = api.create(&name, declare.as_ref())?;
    let place = setting(matches, "ws", "ESS_WS");
    let measured = measure(&plan, &api, &event_stream, place.as_deref(), &stop);
    let deleted = api.delete(event_stream.id, false).map_err(|failure| {
        let id = event_stream.id;
        failure.and(&format!("event stream {id} is left; try: ess streams delete {id}"))
    });
    let report = match (measured, &deleted) {
        (Err(failure), Err(left)) => {
            return Err(left.lines.iter().fold(failure, |failure, line| failure.and(line)));
        }
        (measured, _) => measured?,
    };
    print(&report, matches.get_flag("json"))?;
    deleted?;
    match report.fault() {
        _ if stop.load(Ordering::Relaxed) => Err(interrupted()),
        Some(fault) => Err(Failure::new(Exit::Failed, fault)),
        None => Ok(Exit::Done),
    }
}

/// What the routing keys of such streams begin with.
const PREFIX: &str = "ess-bench-";

/// Ctrl-C and SIGTERM end the measurement, and what was made is taken away; the second one ends
/// the program at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let code = exit::INTERRUPTED.into();
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|fault| {
                Failure::new(Exit::Failed, format!("can't handle signals: {fault}"))
            })?;
    }
    Ok(stop)
}

/// A run that was killed could not take its stream away.
fn tell_leftovers(api: &Api) -> Result<(), Failure> {
    for old in api.list()?.iter().filter(|one| one.routing_key.starts_with(PREFIX)) {
        let name = cell(&old.routing_key);
        say(&format!(
            "event stream {} ({name}) is of another ess bench; if that runs no more: ess streams \
             delete {}",
            old.id, old.id
        ));
    }
    Ok(())
}

fn measure(
    plan: &Plan,
    api: &Api,
    event_stream: &EventStream,
    place: Option<&str>,
    stop: &AtomicBool,
) -> Result<Report, Failure> {
    let location = Location::at(place, &event_stream.location)
        .map_err(|wrong| Failure::new(Exit::Usage, wrong))?;
    let mut consumers = Consumers::connect(&location, plan, stop)?;
    let began = clock::monotonic();
    let publisher = Publisher { plan, api, id: event_stream.id, began, stop };
    let over = AtomicBool::new(false);
    let (published, received) = thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let published = publisher.run(&over);
            over.store(true, Ordering::Release);
            published
        });
        let received = consumers.receive(began, &over, stop);
        if received.is_err() {
            // Nobody is left to publish for.
            over.store(true, Ordering::Release);
        }
        let published = publishing.join();
        (published, received)
    });
    #[expect(clippy::expect_used, reason = "a panic is a bug, and has been told")]
    let published = published.expect("publishing doesn't panic");
    received?;
    Ok(Report::new(plan, published?, consumers))
}

fn interrupted() -> Failure {
    Failure { exit: Exit::Interrupted, lines: Vec::new() }
}

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    let text = if json { report.json() } else { report.text() };
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|fault| Failure::output(&fault))
}
