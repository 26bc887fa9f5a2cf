//! What a consumer that stops reading does to the others, and to the memory of the service.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::{Common, mib};
use crate::arguments::{Load, at_least_one, seconds};
use crate::consumers::upgraded;
use crate::ess::Ess;
use crate::process::{pin, private_bytes};
use crate::report::Setting;
use crate::run::{self, Source};
use crate::sheet::Sheet;

#[derive(Args, Clone, Debug)]
pub(crate) struct Stalled {
    #[command(flatten)]
    common: Common,
    /// Consumers that read.
    #[arg(long, short = 'n', default_value_t = 1_000, value_parser = at_least_one())]
    consumers: u64,
    /// Consumers that read nothing after the handshake.
    #[arg(long, default_value_t = 1, value_parser = at_least_one())]
    stalled: u64,
    /// Events a second.
    #[arg(long, default_value_t = 2_000, value_parser = at_least_one())]
    rate: u64,
    /// How long is published; less than the service's --stall-timeout of 60 s.
    #[arg(long, default_value = "10", value_parser = seconds)]
    seconds: Duration,
}

/// Measures and prints.
pub(crate) fn measure(asked: &Stalled) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("others' latency");
    let with = format!("with {} stalled", asked.stalled);
    for round in 0..asked.common.rounds.rounds {
        let mut sides = [("without", 0), (with.as_str(), asked.stalled)];
        if round % 2 == 1 {
            sides.reverse();
        }
        for (row, stalled) in sides {
            one(asked, row, stalled, &mut sheet)?;
        }
    }
    for (name, of) in
        [("p99, this / without", "p99, ms"), ("private, this / without", "private, MiB")]
    {
        sheet.ratio(name, of, &with, "without");
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}

fn one(asked: &Stalled, row: &str, stalled: u64, sheet: &mut Sheet) -> io::Result<()> {
    let load = asked.common.load(asked.consumers, asked.seconds);
    let load = Load { rate: Some(asked.rate), ..load };
    pin(load.client_core)?;
    let mut ess = Ess::start(&load, &asked.common.service)?;
    let sockets = (0..stalled).map(|_| stall(ess.address(), &ess.path(0)));
    let sockets: Vec<_> = sockets.collect::<io::Result<_>>()?;
    let outcome = run::measure(&load, &mut ess)?;
    let pid = ess.running().pid();
    sheet.add(
        row,
        &[
            ("p50, ms", outcome.latency.p50 / 1e3),
            ("p99, ms", outcome.latency.p99 / 1e3),
            ("max, ms", outcome.latency.max / 1e3),
            ("private, MiB", mib(private_bytes(pid)?)),
            ("server CPU, s/M deliveries", outcome.server_cpu_seconds_per_million),
        ],
    );
    drop(sockets);
    Ok(())
}

/// A consumer that reads nothing more, and has little room in its kernel.
pub(super) fn stall(server: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let (socket, _) = upgraded(server, path)?;
    set_socket_recv_buffer_size(&socket, 4_096)?;
    Ok(socket)
}
