//! One shard and two: many streams that spread over both, and one stream with very many consumers.
//!
//! The service may use every core, and competes for them with the reader, so rates say little; what
//! a delivery costs, and how many cores the service keeps busy, is what to look at.
//!
//! How long one event takes to the last consumer of the one stream is therefore measured with a
//! reader that sleeps until everybody must have it, and asks the kernel when it came.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;

use super::{Common, EVENT_BYTES};
use crate::arguments::{Load, Service, at_least_one, seconds};
use crate::compare::{Server, measure as run};
use crate::consumers::{fault, upgraded};
use crate::event;
use crate::http::Connection;
use crate::outcome::Latency;
use crate::process::{Worker, pin, rest};
use crate::report::Setting;
use crate::service::Running;
use crate::sheet::Sheet;
use crate::stamps;

#[derive(Args, Clone, Debug)]
pub(crate) struct Spread {
    #[command(flatten)]
    common: Common,
    /// Streams of the spread case.
    #[arg(long, default_value_t = 16, value_parser = at_least_one())]
    streams: u64,
    /// Consumers of each of them.
    #[arg(long, default_value_t = 64, value_parser = at_least_one())]
    consumers: u64,
    /// Consumers of the one stream.
    #[arg(long, default_value_t = 5_000, value_parser = at_least_one())]
    hot: u64,
    /// Events of a write.
    #[arg(long, short = 'k', default_value_t = 10, value_parser = at_least_one())]
    per_write: u64,
    /// How long each is measured.
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Isolated events to the one stream; 0 leaves them out.
    #[arg(long, default_value_t = 100)]
    isolated: u64,
    /// Consumers from which on the service spreads a stream.
    #[arg(long, default_value = "1000")]
    spread_consumers: String,
}

/// Measures and prints.
pub(crate) fn measure(asked: &Spread) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("streams × consumers");
    let mut isolated = Sheet::new("an isolated event, reader asleep");
    for round in 0..asked.common.rounds.rounds {
        for (streams, consumers) in [(asked.streams, asked.consumers), (1, asked.hot)] {
            let name = |shards| format!("{streams} × {consumers}, {shards} shards");
            let mut shards = [1, 2];
            if round % 2 == 1 {
                shards.reverse();
            }
            for shards in shards {
                let service = asked.service(shards);
                let load = asked.common.load(consumers, asked.seconds);
                let load = Load { streams, per_write: asked.per_write, ..load };
                let outcome = run(Server::Ess, &load, &service)?;
                sheet.add(
                    &name(shards),
                    &[
                        ("M deliveries/s", outcome.deliveries_per_second / 1e6),
                        ("server CPU, s/M", outcome.server_cpu_seconds_per_million),
                        ("to last consumer p50, ms", outcome.latency.p50 / 1e3),
                        ("p99, ms", outcome.latency.p99 / 1e3),
                        ("cores busy, server", outcome.server_busy),
                        ("reader", outcome.client_busy),
                        ("others", outcome.others_busy),
                    ],
                );
            }
            sheet.ratio("CPU, this / one shard", "server CPU, s/M", &name(2), &name(1));
        }
        alone(asked, round % 2 == 1, &mut isolated)?;
    }
    let sheets = if asked.isolated > 0 { vec![sheet, isolated] } else { vec![sheet] };
    setting.tell(asked.common.rounds.json.as_deref(), &sheets)
}

impl Spread {
    fn service(&self, shards: u16) -> Service {
        // Given once for the life of the process.
        let spread: &'static str = self.spread_consumers.clone().leak();
        let service = self.common.service.with(&["--spread-consumers", spread]);
        Service { shards, all_cores: true, ..service }
    }
}

/// Isolated events to the one stream, on one shard and on two.
fn alone(asked: &Spread, backwards: bool, sheet: &mut Sheet) -> io::Result<()> {
    if asked.isolated == 0 {
        return Ok(());
    }
    let name = |shards| format!("1 × {}, {shards} shards", asked.hot);
    let mut shards = [1, 2];
    if backwards {
        shards.reverse();
    }
    for shards in shards {
        pin(asked.common.client_core)?;
        let running = Running::start(&asked.service(shards), asked.common.cores(), &[])?;
        let Arrivals { latency, cpu } = arrivals(asked, &running)?;
        sheet.add(
            &name(shards),
            &[
                ("to last socket p50, ms", latency.p50 / 1e3),
                ("p99, ms", latency.p99 / 1e3),
                ("server CPU an event, ms", cpu.as_secs_f64() * 1e3),
                ("cores at work", cpu.as_secs_f64() * 1e6 / latency.p50),
            ],
        );
    }
    sheet.ratio("p50, this / one shard", "to last socket p50, ms", &name(2), &name(1));
    Ok(())
}

/// How isolated events arrived.
struct Arrivals {
    /// From before the publish until the last consumer's kernel had it.
    latency: Latency,
    /// Processor time of the service for one of them.
    cpu: Duration,
}

fn arrivals(asked: &Spread, running: &Running) -> io::Result<Arrivals> {
    let created = running.create("isolated")?;
    let mut consumers = Vec::new();
    for _ in 0..asked.hot {
        let (socket, _) = upgraded(running.public, &created.path)?;
        stamps::stamp(&socket)?;
        consumers.push(socket);
    }
    let mut publisher = Connection::open(running.internal)?;
    let body = event::body(EVENT_BYTES as usize);
    let mut histogram = Latency::histogram()?;
    let (mut cpu, server) = (Duration::ZERO, Worker::Process(running.pid()));
    let warm_up = asked.isolated.div_ceil(10);
    for number in 0..asked.isolated + warm_up {
        let (spent, began) = (server.cpu()?, UNIX_EPOCH.elapsed().map_err(io::Error::other)?);
        publisher.call(&created.events(), "text/plain", &body)?;
        rest(ASLEEP);
        let spent = server.cpu()?.saturating_sub(spent);
        let last = last_arrival(&consumers)?;
        if number >= warm_up {
            let taken = last.saturating_sub(began).as_nanos();
            histogram.saturating_record(u64::try_from(taken).unwrap_or(u64::MAX));
            cpu += spent;
        }
    }
    let events = u32::try_from(asked.isolated).map_err(io::Error::other)?;
    Ok(Arrivals { latency: Latency::of(&histogram), cpu: cpu / events })
}

/// When the last of them had the one event that is under way.
fn last_arrival(consumers: &[TcpStream]) -> io::Result<Duration> {
    let mut buffer = [0; 2 * EVENT_BYTES as usize];
    let mut last = Duration::ZERO;
    for socket in consumers {
        let arrived = stamps::read(socket, &mut buffer)?;
        let (count, when) = arrived.ok_or_else(|| fault("an event took longer than the pause"))?;
        if count < EVENT_BYTES as usize {
            return Err(fault("part of an event arrived alone"));
        }
        last = last.max(when);
    }
    Ok(last)
}

/// How long the reader sleeps after a publish: several times what the service takes.
const ASLEEP: Duration = Duration::from_millis(150);
