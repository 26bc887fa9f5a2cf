//! kill -9 under load, ten rounds, with a ledger of what was acknowledged.
//!
//! Publishers write each acknowledgement into the ledger; the service is killed after a random
//! number of them and started again over the same data; two more rounds end with SIGTERM under the
//! same load. In the end, for every stream: what is in
//! the ledger is in the log, under its ordinal and with its content; nothing is in the log that was
//! never sent, and nothing twice; no ordinal was given out twice, also not to a consumer; and each
//! consumer, resuming after every kill from its last ordinal, has seen the log without a gap.
//!
//! It proves recovery, not fdatasync: the page cache survives a kill.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::support::{Dice, EventStream, Listener, Seen, Server, Setup, everywhere, ordinal_of};

everywhere!(nothing_acknowledged_is_lost);

/// Ten by kill -9, and each [`GENTLE`]th by SIGTERM.
const ROUNDS: u64 = 12;
const GENTLE: u64 = 6;
/// Streams, so that two shards both have some.
const STREAMS: usize = 3;
const PUBLISHERS: usize = 2;
const CONSUMERS: usize = 2;
/// Acknowledgements after which the service is killed, at most.
const ACKNOWLEDGED_MAX: u64 = 150;

/// Everything known about one stream.
struct Ledger {
    stream: EventStream,
    acknowledged: BTreeMap<u64, String>,
    attempted: HashSet<String>,
    /// What each consumer saw, in order.
    seen: [Vec<String>; CONSUMERS],
}

/// A batch: acknowledged under this first ordinal, or sent without an answer.
struct Report {
    stream: usize,
    bodies: Vec<String>,
    first: Option<u64>,
}

fn nothing_acknowledged_is_lost(setup: Setup) {
    let mut dice = Dice::seeded(9_999);
    let data = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start_in(setup, data.path(), &[]);
    let ledger = |stream| Ledger {
        stream,
        acknowledged: BTreeMap::new(),
        attempted: HashSet::new(),
        seen: Default::default(),
    };
    let names = (0..STREAMS).map(|number| format!("stream {number}"));
    let mut ledgers: Vec<Ledger> = names.map(|name| ledger(server.create(&name))).collect();
    server.kill();

    for round in 0..ROUNDS {
        let server = Server::start_in(setup, data.path(), &["--drain", "200ms"]);
        run_until_ended(server, &mut ledgers, round, &mut dice);
    }

    let server = Server::start_in(setup, data.path(), &[]);
    for ledger in &mut ledgers {
        ledger.check(&server);
    }
}

/// One life of the service.
fn run_until_ended(server: Server, ledgers: &mut [Ledger], round: u64, dice: &mut Dice) {
    let (reports, received) = channel();
    let kill_after = 1 + dice.below(ACKNOWLEDGED_MAX);
    thread::scope(|scope| {
        for (number, ledger) in ledgers.iter_mut().enumerate() {
            let id = ledger.stream.id;
            for publisher in 0..PUBLISHERS {
                let (api, reports, dice) = (server.clone(), reports.clone(), dice.split());
                let name = format!("{number} {publisher} {round}");
                scope.spawn(move || {
                    let publish = |lines: &str| {
                        let kind = "application/x-ndjson";
                        let published = api.try_publish(id, kind, lines.as_bytes());
                        published.ok().map(|published| published.first)
                    };
                    publish_until_refused(publish, number, &name, dice, &reports);
                });
            }
            for seen in &mut ledger.seen {
                let after = seen.last().map_or(0, |text| ordinal_of(text));
                let query = format!("stream_from_ordinal={after}");
                let (public, url) = (server.public(), server.url(&ledger.stream.uuid, &query));
                scope.spawn(move || {
                    // The service may be gone before a busy machine comes to this.
                    if let Some(listener) = Listener::try_open(public, &url) {
                        listen_to_the_end(listener, seen);
                    }
                });
            }
        }
        drop(reports);
        let batches = receive(&received, kill_after);
        if (round + 1).is_multiple_of(GENTLE) {
            server.terminate();
            assert_eq!(server.ended().code(), Some(0));
        } else {
            server.kill();
        }
        batches.into_iter().chain(received).collect::<Vec<_>>()
    })
    .into_iter()
    .for_each(|report| ledgers[report.stream].enter(report));
}

fn publish_until_refused(
    publish: impl Fn(&str) -> Option<u64>,
    stream: usize,
    name: &str,
    mut dice: Dice,
    reports: &Sender<Report>,
) {
    for batch in 0u64.. {
        let size = 1 + dice.below(40);
        let padding = "x".repeat(usize::try_from(dice.below(300)).expect("small"));
        let bodies = (0..size).map(|line| format!("{name} {batch} {line} {padding}"));
        let bodies: Vec<String> = bodies.collect();
        let first = publish(&bodies.join("\n"));
        let refused = first.is_none();
        if reports.send(Report { stream, bodies, first }).is_err() || refused {
            return;
        }
    }
}

fn listen_to_the_end(mut listener: Listener, seen: &mut Vec<String>) {
    while let Seen::Text(text) = listener.next() {
        let ordinal = ordinal_of(&text);
        let expected = seen.last().map_or(1, |last| ordinal_of(last) + 1);
        assert_eq!(ordinal, expected, "a gap or a repetition: {text}");
        seen.push(text.to_string());
    }
}

/// The reports up to this number of acknowledgements.
fn receive(reports: &Receiver<Report>, acknowledged: u64) -> Vec<Report> {
    let mut received = Vec::new();
    while u64::try_from(received.len()).expect("so many fit") < acknowledged {
        let report = reports.recv().expect("publishers run until the service is killed");
        assert!(report.first.is_some(), "a publish was refused before the service was killed");
        received.push(report);
    }
    received
}

impl Ledger {
    fn enter(&mut self, report: Report) {
        for (ordinal, body) in (report.first.unwrap_or(0)..).zip(report.bodies) {
            if report.first.is_some()
                && let Some(before) = self.acknowledged.insert(ordinal, body.clone())
            {
                panic!("ordinal {ordinal} was given out twice: {before:?}, {body:?}");
            }
            assert!(self.attempted.insert(body), "bodies are unique");
        }
    }

    fn check(&mut self, server: &Server) {
        let end = server.publish(self.stream.id, "the end");
        self.attempted.insert("the end".to_owned());
        self.acknowledged.insert(end.first, "the end".to_owned());
        let url = server.url(&self.stream.uuid, "stream_from_ordinal=0");
        let log = read(&mut Listener::open(server.public(), &url), 1, end.first);
        assert!(self.acknowledged.len() > 10, "the ledger is not empty");

        for (ordinal, body) in &self.acknowledged {
            let stored = &log[usize::try_from(ordinal - 1).expect("so many fit")];
            assert_eq!(body_of(stored), body, "ordinal {ordinal}");
        }
        let times = log.windows(2).map(|pair| (timestamp_of(&pair[0]), timestamp_of(&pair[1])));
        assert!(times.into_iter().all(|(one, next)| one <= next), "time went back");
        let mut once = HashSet::new();
        for stored in &log {
            assert!(self.attempted.contains(body_of(stored)), "never sent: {stored}");
            assert!(once.insert(body_of(stored)), "stored twice: {stored}");
        }
        for seen in &mut self.seen {
            let next = seen.last().map_or(1, |text| ordinal_of(text) + 1);
            let query = format!("stream_from_ordinal={}", next - 1);
            let url = server.url(&self.stream.uuid, &query);
            seen.extend(read(&mut Listener::open(server.public(), &url), next, end.first));
            assert!(*seen == log, "a consumer saw what isn't in the log, with its timestamp");
        }
    }
}

/// The events from one ordinal to another.
fn read(listener: &mut Listener, first: u64, last: u64) -> Vec<String> {
    let read = (first..=last).map(|expected| {
        let text = listener.text();
        assert_eq!(ordinal_of(&text), expected, "{text}");
        text.to_string()
    });
    read.collect()
}

fn body_of(text: &str) -> &str {
    text.split_once("|ordinal: ").map_or(text, |(body, _)| body)
}

fn timestamp_of(text: &str) -> u64 {
    let digits = text.rsplit_once("|timestamp: ").map(|(_, digits)| digits);
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no time in {text}"))
}
