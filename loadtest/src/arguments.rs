//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::cases;
use crate::compare::Asked;

/// Measures how fast durable events reach very many WebSocket consumers, beside the bare kernel.
#[derive(Debug, Parser)]
#[command(version, name = "ess-load")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) mode: Mode,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// A bare writer: the same bytes with non-blocking send(2), nothing else.
    Limit(Load),
    /// The bare writer with all sends of a batch in one submission to io_uring.
    LimitRing(Load),
    /// The bare writer that first stores what waits: one write and one fdatasync.
    Durable(Durable),
    /// What one would write with tokio, tokio-tungstenite and a broadcast channel, on one thread.
    Naive(Load),
    /// The service itself, with its embedded log.
    Ess(Ess),
    /// All of them in turn, several rounds, closed loop: deliveries a second.
    Compare(Compare),
    /// All of them in turn, several rounds, at a fixed rate: latency to the last consumer.
    Paced(Paced),
    /// Draws what `compare --json` wrote, as SVG.
    Chart(Chart),
    /// History to 1 and to 16 consumers, beside pread + send of the same bytes.
    Replay(cases::replay::Replay),
    /// Durable publishing over HTTP, beside write + fdatasync.
    Publish(cases::publish::Publish),
    /// Memory of idle WebSockets, and what handshakes cost.
    Idle(cases::idle::Idle),
    /// From connect to the first replayed event.
    Connect(cases::connect::Connect),
    /// What a consumer that stops reading does to the others.
    Stalled(cases::stalled::Stalled),
    /// One shard and two.
    Spread(cases::spread::Spread),
    /// How cost grows with consumers, event size, streams and history.
    Growth(cases::growth::Growth),
    /// A long run with comings and goings: fails where memory or descriptors grow.
    Soak(cases::soak::Soak),
    /// The service on RabbitMQ Streams beside a bare consumer, on a private node.
    Rabbit(Rabbit),
}

/// What every mode is asked to do.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Consumers of each stream.
    #[arg(long, short = 'n', default_value_t = 1_000, value_parser = at_least_one())]
    pub(crate) consumers: u64,
    /// Streams, each with its own consumers; in a closed loop each has its own batches under way.
    #[arg(long, short = 's', default_value_t = 1, value_parser = at_least_one())]
    pub(crate) streams: u64,
    /// Events of a write, a *batch*.
    #[arg(long, short = 'k', default_value_t = 100, value_parser = at_least_one())]
    pub(crate) per_write: u64,
    /// Batches that are published at once, in a closed loop.
    #[arg(long, default_value_t = 1, value_parser = at_least_one())]
    pub(crate) writes: u64,
    /// Most events to publish.
    #[arg(long, default_value_t = u64::MAX, value_parser = at_least_one(), hide_default_value = true)]
    pub(crate) events: u64,
    /// Longest time to publish for; the first tenth is not counted.
    #[arg(long, default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Bytes of an event, before its ordinal and timestamp are added.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) bytes: u32,
    /// Publishes of a stream that may be under way. Where there may be more than a batch, the service
    /// is told to send no more at a time (--send-bytes).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) in_flight: u32,
    /// Publish at this many events a second, whatever has arrived (open loop).
    #[arg(long, conflicts_with = "in_flight", value_parser = at_least_one())]
    pub(crate) rate: Option<u64>,
    /// Core of the server.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// Core of the consumers.
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
}

/// A bare writer with a disk.
#[derive(Args, Clone, Debug)]
pub(crate) struct Durable {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Submit all sends of a batch to io_uring at once.
    #[arg(long)]
    pub(crate) ring: bool,
    /// Where its file is.
    #[arg(long, default_value = "/tmp")]
    pub(crate) data_parent: PathBuf,
}

/// Where the service comes from.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ess {
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) service: Service,
}

/// How the service runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Service {
    /// A release build of the service.
    #[arg(long, default_value = "target/release/ess")]
    pub(crate) binary: PathBuf,
    /// Its shards; all of them on the server's core.
    #[arg(long, default_value_t = 1)]
    pub(crate) shards: u16,
    /// When an event counts as stored.
    #[arg(long, default_value = "always")]
    pub(crate) fsync: String,
    /// Where its temporary data folder is made.
    #[arg(long, default_value = "/tmp")]
    pub(crate) data_parent: PathBuf,
    /// More flags, of what a measurement needs.
    #[arg(skip)]
    pub(crate) flags: Vec<&'static str>,
    /// It has all cores, not only the server's.
    #[arg(skip)]
    pub(crate) all_cores: bool,
}

impl Service {
    /// The same with more flags.
    pub(crate) fn with(&self, flags: &[&'static str]) -> Self {
        Self { flags: [&self.flags, flags].concat(), ..self.clone() }
    }
}

/// How often, and where the numbers go.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rounds {
    /// How often everything is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,
    /// Where to write all numbers, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) rounds: Rounds,
    /// What is measured: consumers of a stream, events a write, and streams. Without the last, one;
    /// with --alone as many as make a thousand consumers, at most 100.
    #[arg(long = "case", value_name = "N,K[,STREAMS]", value_parser = Asked::parse,
        default_values = ["1000,1", "1000,10", "1000,100", "1000,1000", "100,1", "100,100", "10,1",
            "10,100", "1,100", "5000,1", "5000,100"])]
    pub(crate) cases: Vec<Asked>,
    /// Each write is published alone, and the next one of its stream when every consumer has it.
    #[arg(long)]
    pub(crate) alone: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Paced {
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) rounds: Rounds,
    /// Events a second. One at a time, and more than can be sent one by one.
    #[arg(long = "at", value_name = "RATE", value_parser = at_least_one(), default_values = ["20", "20000"])]
    pub(crate) rates: Vec<u64>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Chart {
    /// What `compare --json` wrote.
    pub(crate) numbers: PathBuf,
    /// The picture.
    pub(crate) picture: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Rabbit {
    #[command(flatten)]
    pub(crate) service: Service,
    /// What starts the private node.
    #[arg(long, default_value = "tests/broker/run")]
    pub(crate) node: PathBuf,
    /// Events of a replay, and of a live run.
    #[arg(long, default_value_t = 200_000, value_parser = at_least_one())]
    pub(crate) events: u64,
    /// Bytes of an event, before its ordinal and timestamp are added.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(32..=1 << 16))]
    pub(crate) bytes: u32,
    /// How often everything is measured, after a round to warm up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,
    /// Streams with one client each; 0 leaves that part out.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(0..=5_000))]
    pub(crate) streams: u16,
    /// How long each of them gets an event a second.
    #[arg(long, default_value = "30", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Core of the service, and of the bare consumer in its place.
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// Core of publisher and client. The broker takes what it gets of both.
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
    /// Where to write all numbers, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

pub(crate) fn at_least_one() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..)
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration.is_zero() => Err("more than zero is expected".to_owned()),
        Ok(duration) => Ok(duration),
        Err(fault) => Err(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Mode, clap::Error> {
        Arguments::try_parse_from(line.split(' ')).map(|arguments| arguments.mode)
    }

    #[test]
    fn a_whole_line_is_understood() {
        let line = "ess-load limit --consumers 5 --per-write 6 --events 7 --bytes 8 --seconds 0.5";
        let Ok(Mode::Limit(load)) = parse(line) else { panic!("{line}") };
        assert_eq!((load.consumers, load.per_write, load.events, load.bytes), (5, 6, 7, 8));
        assert_eq!((load.seconds, load.in_flight), (Duration::from_millis(500), 1));
        assert_eq!(load.streams, 1);
    }

    #[test]
    fn cases_replace_the_usual_ones() {
        let Ok(Mode::Compare(usual)) = parse("ess-load compare") else { panic!() };
        assert_eq!(usual.cases.len(), 11);
        let line = "ess-load compare --case 10,1 --case 20,2,3 --case 5000,1";
        let Ok(Mode::Compare(compare)) = parse(line) else { panic!("{line}") };
        let cases = |alone| {
            let cases = compare.cases.iter().map(|asked| asked.case(alone));
            cases.map(|case| (case.consumers, case.per_write, case.streams, case.writes)).collect()
        };
        let busy: Vec<_> = cases(false);
        assert_eq!(busy, [(10, 1, 1, 200), (20, 2, 3, 100), (5000, 1, 1, 1)]);
        let alone: Vec<_> = cases(true);
        assert_eq!(alone, [(10, 1, 100, 1), (20, 2, 3, 1), (5000, 1, 1, 1)]);
    }

    #[test]
    fn what_can_not_be_measured_is_refused() {
        for line in [
            "ess-load limit --consumers 0",
            "ess-load limit --streams 0",
            "ess-load limit --per-write 0",
            "ess-load limit --seconds 0",
            "ess-load limit --seconds -1",
            "ess-load naive --bytes 0",
            "ess-load ess --rate 0",
            "ess-load ess --rate 5 --in-flight 2",
            "ess-load compare --case 10",
            "ess-load compare --case 0,1",
            "ess-load compare --case 1,1,0",
            "ess-load compare --case 1,1,1,1",
            "ess-load limit --writes 0",
            "ess-load paced --at 0",
            "ess-load rabbit --events 0",
            "ess-load rabbit --bytes 31",
            "ess-load rabbit --rounds 0",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
