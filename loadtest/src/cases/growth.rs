//! How cost grows: with consumers, with the size of events, with streams, with history.
//!
//! Consumers and streams are measured at a fixed rate, so that more of them mean more work and not
//! other batches; the size of events in a closed loop. History is what a stream keeps: what it costs
//! to publish behind it, to begin in it, and to start the service after a crash.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};

use super::connect::storm;
use super::{Common, mib};
use crate::arguments::{Load, at_least_one, seconds};
use crate::ess::Ess;
use crate::http::Connection;
use crate::outcome::{Latency, Outcome};
use crate::process::{descriptors, now, pin, private_bytes};
use crate::report::Setting;
use crate::run;
use crate::service::{Created, Running};
use crate::sheet::Sheet;

/// What grows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Of {
    Consumers,
    Bytes,
    Streams,
    History,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Growth {
    #[command(flatten)]
    common: Common,
    /// What grows.
    #[arg(long, value_enum, value_delimiter = ',',
        default_values = ["consumers", "bytes", "streams", "history"])]
    of: Vec<Of>,
    /// Most consumers.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one())]
    consumers_max: u64,
    /// Most bytes of an event.
    #[arg(long, default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    bytes_max: u32,
    /// Most streams.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one())]
    streams_max: u64,
    /// Most MiB of history.
    #[arg(long, default_value_t = 10_240, value_parser = at_least_one())]
    history_max: u64,
    /// How long each is measured.
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
}

/// Streams that are published to, of however many there are.
const BUSY_STREAMS_MAX: u64 = 1_000;
/// Most handshakes of a history's start that is timed.
const STARTS: u64 = 200;

/// Measures and prints.
pub(crate) fn measure(asked: &Growth) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheets = [
        Sheet::new("consumers, 20 events/s"),
        Sheet::new("bytes an event, 100 consumers, closed loop"),
        Sheet::new("streams, 1,000 events/s in all"),
        Sheet::new("MiB of history"),
    ];
    let [consumers, bytes, streams, history] = &mut sheets;
    for _ in 0..asked.common.rounds.rounds {
        for of in &asked.of {
            match of {
                Of::Consumers => of_consumers(asked, consumers)?,
                Of::Bytes => of_bytes(asked, bytes)?,
                Of::Streams => of_streams(asked, streams)?,
                Of::History => of_history(asked, history)?,
            }
        }
    }
    let found: Vec<Sheet> = sheets.into_iter().filter(|sheet| !sheet.is_empty()).collect();
    setting.tell(asked.common.rounds.json.as_deref(), &found)
}

/// 1, 10, 100, … up to `most`, and `most`.
fn powers(most: u64) -> Vec<u64> {
    let mut all: Vec<u64> =
        (0..20).map(|power| 10_u64.pow(power)).take_while(|n| *n < most).collect();
    all.push(most);
    all
}

fn of_consumers(asked: &Growth, sheet: &mut Sheet) -> io::Result<()> {
    for consumers in powers(asked.consumers_max) {
        let load = asked.common.load(consumers, asked.seconds);
        let load = Load { rate: Some(20), ..load };
        let (outcome, private, _) = one(asked, &load, 0)?;
        sheet.add(&consumers.to_string(), &delivery(&outcome));
        sheet.add(&consumers.to_string(), &[("private, MiB", mib(private))]);
    }
    Ok(())
}

fn of_bytes(asked: &Growth, sheet: &mut Sheet) -> io::Result<()> {
    let sizes = (0..).map(|step| 64_u32 << (2 * step)).take_while(|size| *size < asked.bytes_max);
    for bytes in sizes.chain([asked.bytes_max]) {
        let load = Load { bytes, ..asked.common.load(100, asked.seconds) };
        let (outcome, private, _) = one(asked, &load, 0)?;
        let row = bytes.to_string();
        sheet.add(&row, &delivery(&outcome));
        let rate = outcome.deliveries_per_second;
        sheet.add(
            &row,
            &[
                ("thousand deliveries/s", rate / 1e3),
                ("GiB/s", rate * f64::from(bytes) / f64::from(1 << 30)),
                ("private, MiB", mib(private)),
            ],
        );
    }
    Ok(())
}

fn of_streams(asked: &Growth, sheet: &mut Sheet) -> io::Result<()> {
    for streams in powers(asked.streams_max) {
        let busy = streams.min(BUSY_STREAMS_MAX);
        let load = asked.common.load(1, asked.seconds);
        let load = Load { streams: busy, rate: Some(1_000), ..load };
        let (outcome, private, (files, restart)) = one(asked, &load, streams - busy)?;
        let row = streams.to_string();
        sheet.add(&row, &delivery(&outcome));
        sheet.add(
            &row,
            &[
                ("private, MiB", mib(private)),
                ("descriptors", files as f64),
                ("start after kill -9, s", restart.as_secs_f64()),
            ],
        );
    }
    Ok(())
}

/// What a load came to, the memory after it, and what it took to start again.
fn one(
    asked: &Growth,
    load: &Load,
    other_streams: u64,
) -> io::Result<(Outcome, u64, (usize, Duration))> {
    pin(load.client_core)?;
    let mut ess = Ess::start_beside(load, &asked.common.service, other_streams)?;
    let outcome = run::measure(load, &mut ess)?;
    let pid = ess.running().pid();
    let (private, files) = (private_bytes(pid)?, descriptors(pid)?);
    let restart = ess.into_running().crash_and_start()?;
    Ok((outcome, private, (files, restart)))
}

fn delivery(outcome: &Outcome) -> [(&'static str, f64); 4] {
    [
        ("server CPU, µs a delivery", outcome.server_cpu_seconds_per_million),
        ("to last consumer p50, ms", outcome.latency.p50 / 1e3),
        ("p99, ms", outcome.latency.p99 / 1e3),
        ("cores busy, server", outcome.server_busy),
    ]
}

fn of_history(asked: &Growth, sheet: &mut Sheet) -> io::Result<()> {
    let mut running = asked.common.start(&["--retain-bytes", "off", "--retain-age", "forever"])?;
    let created = running.create("history")?;
    let mut have = 0;
    for mib_wanted in powers(asked.history_max) {
        let middle = millis();
        let more = usize::try_from(mib_wanted - have).map_err(io::Error::other)?;
        let began = now();
        // A batch is a MiB.
        running.fill(&created, 1_023, 1_024, more)?;
        let filled = began.elapsed();
        have = mib_wanted;
        let row = mib_wanted.to_string();
        let events = have * 1_024;
        for (column, start) in [
            ("begin at the first event, p50 ms", "stream_from_ordinal=0".to_owned()),
            ("in the middle, ms", format!("stream_from_ordinal={}", events / 2)),
            ("at a time, ms", format!("stream_from_timestamp={middle}")),
            ("10 before the end, ms", format!("stream_from_ordinal={}", events - 10)),
        ] {
            let path = format!("{}?{start}", created.path);
            let latency = storm(running.public, &path, STARTS, 1)?;
            sheet.add(&row, &[(column, latency.p50 / 1e3)]);
        }
        let publish = publish_one(&running, &created)?;
        let private = mib(private_bytes(running.pid())?);
        let restart = running.crash_and_start()?.as_secs_f64();
        sheet.add(
            &row,
            &[
                ("publish one event, p50 ms", publish.p50 / 1e3),
                ("MiB/s filled", more as f64 / filled.as_secs_f64()),
                ("private, MiB", private),
                ("start after kill -9, s", restart),
            ],
        );
        // What was published one by one counts too little to matter.
    }
    Ok(())
}

/// How long a durable publish takes.
fn publish_one(running: &Running, created: &Created) -> io::Result<Latency> {
    let mut connection = Connection::open(running.internal)?;
    let mut histogram = Latency::histogram()?;
    for _ in 0..STARTS {
        let began = now();
        connection.call(&created.events(), "text/plain", b"one more")?;
        histogram.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(Latency::of(&histogram))
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a start is a time of the day")]
fn millis() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_grows_tenfold_to_its_end() {
        assert_eq!(powers(1), [1]);
        assert_eq!(powers(250), [1, 10, 100, 250]);
        assert_eq!(powers(1_000), [1, 10, 100, 1_000]);
    }
}
