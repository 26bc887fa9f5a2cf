//! All servers in turn, several rounds, in alternating order.
//!
//! Within a round everything runs one after the other, so that a minute with other load touches
//! all alike; every other round runs backwards, so that nothing profits from its place.

use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::arguments::{Compare, Load, Paced, Service};
use crate::limit::Way;
use crate::outcome::Outcome;
use crate::report::Setting;
use crate::{ess, limit, naive, process, run, table};

/// What is measured: how many, how many of them at once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Case {
    /// Of each stream.
    pub(crate) consumers: u64,
    pub(crate) per_write: u64,
    pub(crate) streams: u64,
    /// Writes that are published at once.
    pub(crate) writes: u64,
    /// Events a second, in an open loop.
    pub(crate) rate: Option<u64>,
}

/// Who sends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Server {
    /// The bare writer, send(2).
    Limit,
    /// The bare writer, io_uring.
    LimitRing,
    /// The bare writer that stores first, send(2).
    Durable,
    /// The bare writer that stores first, io_uring.
    DurableRing,
    Naive,
    Ess,
}

/// One server in one case.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) server: Server,
    /// Batches of a stream under way.
    pub(crate) in_flight: u32,
    pub(crate) rounds: Vec<Outcome>,
}

/// A case as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    consumers: u64,
    per_write: u64,
    streams: Option<u64>,
}

/// What is published at once keeps a server busy for about so many sends, that no time is lost
/// between one publish and the next.
const SENDS_AT_ONCE: u64 = 2_000;

/// Most events that are published at once.
const EVENTS_AT_ONCE: u64 = 10_000;

/// Publishes of a stream under way: while one is sent, the next is stored.
const IN_FLIGHT: u32 = 2;

impl Asked {
    /// Reads `N,K` or `N,K,STREAMS`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<NonZero<u64>>, _> = text.split(',').map(str::parse).collect();
        let (consumers, per_write, streams) = match numbers.as_deref() {
            Ok([n, k]) => (n.get(), k.get(), None),
            Ok([n, k, streams]) => (n.get(), k.get(), Some(streams.get())),
            _ => return Err("two or three positive numbers are expected, as in 1000,100".into()),
        };
        Ok(Self { consumers, per_write, streams })
    }

    /// The case; `alone` with one write a publish, and streams that take turns.
    pub(crate) fn case(&self, alone: bool) -> Case {
        let Self { consumers, per_write, streams } = *self;
        let (usual, writes) = if alone {
            (1_000_u64.div_ceil(consumers).min(100), 1)
        } else {
            (1, (SENDS_AT_ONCE / consumers).min(EVENTS_AT_ONCE / per_write).max(1))
        };
        Case { consumers, per_write, streams: streams.unwrap_or(usual), writes, rate: None }
    }
}

/// Measures closed loops, prints the table, writes the JSON.
pub(crate) fn compare(asked: &Compare) -> io::Result<()> {
    use Server::{Durable, DurableRing, Ess, Limit, LimitRing, Naive};
    let mut rows: Vec<Row> = Vec::new();
    let in_flight = if asked.alone { 1 } else { IN_FLIGHT };
    for case in asked.cases.iter().map(|case| case.case(asked.alone)) {
        let row = |server| Row { case, server, in_flight, rounds: Vec::new() };
        rows.extend([Limit, LimitRing, Durable, DurableRing, Naive, Ess].map(row));
    }
    let setting = Setting::now();
    let json = asked.rounds.json.as_deref();
    for round in 1..=asked.rounds.rounds {
        measure_round(round, &mut rows, &asked.load, &asked.service)?;
        // After every round, so that a long run that is stopped leaves what it found.
        setting.write(json, &rows)?;
    }
    println!("{}\n{}", setting.head(), table::closed(&rows));
    Ok(())
}

/// A rate at which the naive server is measured too.
const NAIVE_RATE_MAX: u64 = 1_000;

/// Measures open loops, prints the table, writes the JSON.
pub(crate) fn paced(asked: &Paced) -> io::Result<()> {
    use Server::{Durable, Ess, Limit, LimitRing, Naive};
    let mut rows: Vec<Row> = Vec::new();
    for rate in &asked.rates {
        let Load { consumers, streams, .. } = asked.load;
        let case = Case { consumers, per_write: 1, streams, writes: 1, rate: Some(*rate) };
        let row = |server| Row { case, server, in_flight: 1, rounds: Vec::new() };
        rows.extend([Limit, LimitRing, Durable, Ess].map(row));
        // Beyond that it only falls behind, for minutes.
        if *rate <= NAIVE_RATE_MAX {
            rows.push(row(Naive));
        }
    }
    let setting = Setting::now();
    let json = asked.rounds.json.as_deref();
    for round in 1..=asked.rounds.rounds {
        measure_round(round, &mut rows, &asked.load, &asked.service)?;
        setting.write(json, &rows)?;
    }
    println!("{}\n{}", setting.head(), table::open(&rows));
    Ok(())
}

fn measure_round(round: u16, rows: &mut [Row], load: &Load, service: &Service) -> io::Result<()> {
    let mut order: Vec<&mut Row> = rows.iter_mut().collect();
    if round.is_multiple_of(2) {
        order.reverse();
    }
    for row in order {
        let Case { consumers, per_write, streams, writes, rate } = row.case;
        let in_flight = row.in_flight;
        let load = Load { consumers, per_write, streams, writes, rate, in_flight, ..*load };
        let outcome = measure(row.server, &load, service)?;
        eprintln!(
            "round {round}: {}: {}: {:.0}/s, others {:.2} cores",
            table::case(&row.case),
            table::name(row.server),
            outcome.deliveries_per_second,
            outcome.others_busy
        );
        row.rounds.push(outcome);
    }
    Ok(())
}

/// Measures one server once.
pub(crate) fn measure(server: Server, load: &Load, service: &Service) -> io::Result<Outcome> {
    let stored = || Some(service.data_parent.clone());
    match server {
        Server::Limit => bare(load, false, None),
        Server::LimitRing => bare(load, true, None),
        Server::Durable => bare(load, false, stored()),
        Server::DurableRing => bare(load, true, stored()),
        Server::Naive => naive(load),
        Server::Ess => {
            process::pin(load.client_core)?;
            let mut ess = ess::Ess::start(load, service)?;
            let mut outcome = run::measure(load, &mut ess)?;
            outcome.memory = Some(ess.footprint()?);
            Ok(outcome)
        }
    }
}

/// Measures a bare writer once.
pub(crate) fn bare(load: &Load, ring: bool, store: Option<PathBuf>) -> io::Result<Outcome> {
    process::pin(load.client_core)?;
    run::measure(load, &mut limit::start(load, Way { ring, store })?)
}

/// Measures the naive server once.
pub(crate) fn naive(load: &Load) -> io::Result<Outcome> {
    process::pin(load.client_core)?;
    run::measure(load, &mut naive::start(load)?)
}
