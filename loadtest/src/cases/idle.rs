//! What a connection costs that receives nothing, and what its handshake costs.
//!
//! User-space memory is what of the service is nobody else's (`smaps_rollup`), before and with all
//! consumers. Kernel memory is the whole machine's, of both ends of each connection, since they are
//! on the same machine: what sockets hold in buffers (`sockstat`), and what the kernel has in slabs
//! (`meminfo`), which whatever else happens changes too.

use std::fs;
use std::io;
use std::time::Duration;

use clap::Args;

use super::{Common, mib};
use crate::arguments::at_least_one;
use crate::consumers::upgraded;
use crate::process::{Worker, now, private_bytes, rest};
use crate::report::Setting;
use crate::sheet::Sheet;

#[derive(Args, Clone, Debug)]
pub(crate) struct Idle {
    #[command(flatten)]
    common: Common,
    /// Connections that receive nothing.
    #[arg(long, default_value_t = 10_000, value_parser = at_least_one())]
    consumers: u64,
}

/// After a change the service has this long to come to rest.
const REST: Duration = Duration::from_millis(500);

/// Measures and prints.
pub(crate) fn measure(asked: &Idle) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("idle consumers");
    let row = asked.consumers.to_string();
    for _ in 0..asked.common.rounds.rounds {
        let running = asked.common.start(&[])?;
        let created = running.create("idle")?;
        // What is made once, for the first of them.
        drop(upgraded(running.public, &created.path)?);
        rest(REST);
        let worker = Worker::Process(running.pid());
        let (private, kernel) = (private_bytes(running.pid())?, Kernel::now()?);
        let (began, before) = (now(), worker.cpu()?);
        let mut all = Vec::new();
        for _ in 0..asked.consumers {
            all.push(upgraded(running.public, &created.path)?);
        }
        let (taken, cpu) = (began.elapsed().as_secs_f64(), (worker.cpu()? - before).as_secs_f64());
        rest(REST);
        let (with, kernel_with) = (private_bytes(running.pid())?, Kernel::now()?);
        let each =
            |bytes: u64, before: u64| bytes.saturating_sub(before) as f64 / asked.consumers as f64;
        sheet.add(
            &row,
            &[
                ("service, private, B each", each(with, private)),
                ("service, private, MiB in all", mib(with)),
                (
                    "kernel, socket buffers of both ends, B each",
                    each(kernel_with.sockets, kernel.sockets),
                ),
                ("kernel, slabs of both ends, B each", each(kernel_with.slab, kernel.slab)),
                ("handshakes/s, one after the other", asked.consumers as f64 / taken),
                ("handshakes per CPU-second of the service", asked.consumers as f64 / cpu),
            ],
        );
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}

/// Memory of the kernel, in bytes.
struct Kernel {
    /// Buffers of TCP sockets.
    sockets: u64,
    /// Everything in slabs: sockets, files, epoll entries, directory entries.
    slab: u64,
}

impl Kernel {
    fn now() -> io::Result<Self> {
        let sockstat = fs::read_to_string("/proc/net/sockstat")?;
        let pages = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"));
        let pages =
            pages.and_then(|line| line.split_whitespace().skip_while(|word| *word != "mem").nth(1));
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let slab = meminfo.lines().find_map(|line| line.strip_prefix("Slab:"));
        let slab = slab.and_then(|line| line.trim().strip_suffix(" kB"));
        let number = |text: Option<&str>, unit: u64| {
            let number = text.and_then(|text| text.trim().parse::<u64>().ok());
            number.map(|number| number * unit).ok_or_else(|| io::Error::other("no number there"))
        };
        Ok(Self { sockets: number(pages, 4_096)?, slab: number(slab, 1_024)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        assert!(Kernel::now().unwrap().slab > 0);
    }
}
