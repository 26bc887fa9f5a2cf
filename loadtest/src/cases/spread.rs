//! One shard and two: many streams that spread over both, and one stream with very many consumers.
//!
//! The service may use every core, and competes for them with the reader, so rates say little; what
//! a delivery costs, and how many cores the service keeps busy, is what to look at. A single stream
//! has one home: where nothing spreads it, two shards show what one does.

use std::io;
use std::time::Duration;

use clap::Args;

use super::Common;
use crate::arguments::{Load, Service, at_least_one, seconds};
use crate::compare::{Server, measure as run};
use crate::report::Setting;
use crate::sheet::Sheet;

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
}

/// Measures and prints.
pub(crate) fn measure(asked: &Spread) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("streams × consumers");
    for round in 0..asked.common.rounds.rounds {
        for (streams, consumers) in [(asked.streams, asked.consumers), (1, asked.hot)] {
            let name = |shards| format!("{streams} × {consumers}, {shards} shards");
            let mut shards = [1, 2];
            if round % 2 == 1 {
                shards.reverse();
            }
            for shards in shards {
                let service = Service { shards, all_cores: true, ..asked.common.service.clone() };
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
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}
