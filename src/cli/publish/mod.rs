//! `ess publish`: events from the command line or standard input, ordinals out.
//!
//! Batches go one after the other, each all or nothing, so at any moment it is clear which lines
//! are stored. What a slow producer writes is sent line by line; while one batch is being stored,
//! the pipe fills for the next.

mod lines;

use std::io::{self, IsTerminal, Read, Write};

use clap::ArgMatches;

use super::api::{Api, EventStream, Fault, Receipt};
use super::exit::{Exit, Failure, Outcome};
use super::{say, target};
use crate::limits::EVENT_BYTES_CEILING;
use lines::{Batch, Lines};

/// Publishes what the command line says.
pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let routing_key = matches.get_one::<String>("routing_key").map_or("", String::as_str);
    let words: Vec<&str> =
        matches.get_many::<String>("text").unwrap_or_default().map(String::as_str).collect();
    let json = matches.get_flag("json");
    let one = match words.as_slice() {
        [] | ["-"] if matches.get_flag("whole") => Some(whole(io::stdin().lock())?),
        [] | ["-"] => None,
        words => Some(words.join(" ").into_bytes()),
    };
    if let Some(event) = &one {
        lines::deliverable(event, json)
            .map_err(|why| Failure::new(Exit::Usage, format!("the event {why}")))?;
    }
    let api = Api::of(matches)?;
    let stream = match target::find(&api, routing_key) {
        Err(Failure { exit: Exit::Unknown, .. }) if matches.get_flag("create") => {
            api.create(routing_key, None)?.0
        }
        Err(mut failure) => {
            failure.lines.iter_mut().filter(|_| failure.exit == Exit::Unknown).for_each(|line| {
                line.push_str(", or publish with --create");
            });
            return Err(failure);
        }
        Ok(stream) => stream,
    };
    let publisher = Publisher { api, stream, quiet: matches.get_flag("quiet") };
    match one {
        Some(event) => publisher.one(&event, json),
        None => publisher.lines(json),
    }
}

/// All of the input as one event.
fn whole(input: impl Read) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, format!("standard input: {why}"));
    let mut event = Vec::new();
    let read = input.take(EVENT_BYTES_CEILING + 1).read_to_end(&mut event);
    read.map_err(|fault| failed(fault.to_string()))?;
    if event.len() as u64 > EVENT_BYTES_CEILING {
        return Err(failed("larger than any service takes as one event".into()));
    }
    Ok(event)
}

struct Publisher {
    api: Api,
    stream: EventStream,
    quiet: bool,
}

impl Publisher {
    fn one(&self, event: &[u8], json: bool) -> Outcome {
        let content = if json { "application/json" } else { "text/plain" };
        let receipt = self.api.publish(self.stream.id, content, event);
        let receipt = receipt.map_err(|fault| self.failure("the event", &fault))?;
        self.print(&receipt, 1, "the event")?;
        Ok(Exit::Done)
    }

    fn lines(&self, json: bool) -> Outcome {
        let input = io::stdin();
        if input.is_terminal() {
            say("reading events from the keyboard, one a line; Ctrl-D ends");
        }
        let mut lines = Lines::new(input.lock(), json);
        while let Some(batch) = lines.next_batch() {
            self.batch(&batch)?;
        }
        match lines.fault() {
            None => Ok(Exit::Done),
            Some(fault) => Err(Failure::new(Exit::Failed, fault)),
        }
    }

    /// Publishes a batch. A service that finds it too large gets it in halves, down to the line
    /// that is.
    fn batch(&self, batch: &Batch) -> Result<(), Failure> {
        match self.api.publish(self.stream.id, "application/x-ndjson", batch.body()) {
            Ok(receipt) => self.print(&receipt, batch.len() as u64, &batch.name()),
            Err(Fault::Refused(413, _)) if batch.len() > 1 => {
                let (first, second) = batch.halves();
                self.batch(&first)?;
                self.batch(&second)
            }
            Err(fault) => Err(self.failure(&batch.name(), &fault)),
        }
    }

    fn print(&self, receipt: &Receipt, events: u64, name: &str) -> Result<(), Failure> {
        let Receipt { first_ordinal: first, last_ordinal: last } = *receipt;
        if last.checked_sub(first).and_then(|more| more.checked_add(1)) != Some(events) {
            let line = format!("{name}: {events} sent, but stored as ordinals {first} to {last}");
            return Err(Failure::new(Exit::Failed, line));
        }
        if self.quiet {
            return Ok(());
        }
        let text: String = (first..=last).map(|ordinal| format!("{ordinal}\n")).collect();
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|fault| Failure::output(&fault))
    }

    /// What is said of events that may not be stored.
    fn failure(&self, name: &str, fault: &Fault) -> Failure {
        match fault {
            Fault::Unsent(_) => self.api.failure(name, fault).and(&format!("{name}: not stored")),
            Fault::Unanswered(_) => {
                self.api.failure(name, fault).and(&format!("{name}: perhaps stored, perhaps not"))
            }
            Fault::Refused(status, why) => {
                let exit = if *status == 404 { Exit::Unknown } else { Exit::Failed };
                Failure::new(exit, format!("{name}: not stored ({status}): {why}"))
            }
        }
    }
}
