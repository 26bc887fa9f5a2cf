//! The service on RabbitMQ Streams beside a consumer that only reads and credits, on one private
//! node, in turn.
//!
//! ```text
//! node        the broker, by tests/broker/run
//! wire        the stream protocol, as little of it as this needs
//! publisher   publishes as fast as the broker confirms
//! stream      one stream, one consumer: replay and live, bare and through the service
//! streams     many streams, one client each: latency, connections, memory
//! connects    from connect to first event
//! table       what is printed
//! ```
//!
//! Service and bare consumer have a core to themselves; publisher and client the other. The broker
//! isn't pinned: it has the machine's cores as it would have them, and competes for them with both
//! sides alike.

mod connects;
mod node;
mod publisher;
mod stream;
mod streams;
mod table;
mod wire;

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::arguments::Rabbit;
use crate::outcome::Latency;
use crate::process::{Cores, Memory, Worker, pin, private_bytes};
use crate::report::Setting;
use crate::service::Running;
use connects::First;
use node::Node;
use stream::{Bench, Taken};
use streams::{Publishers, Receivers};
use wire::Wire;

/// All that was found.
#[derive(Debug, Default, Serialize)]
struct Found {
    bare_replay: Vec<Taken>,
    relay_replay: Vec<Taken>,
    ess_replay: Vec<Taken>,
    bare_live: Vec<Taken>,
    ess_live: Vec<Taken>,
    streams: Option<Streams>,
}

/// Of many streams with one client each.
#[derive(Debug, Serialize)]
struct Streams {
    streams: usize,
    bare: Latency,
    ess: Latency,
    /// Of the service, to the broker.
    connections: usize,
    /// With event streams, without clients.
    empty: Footprint,
    /// With all clients, before anything is published.
    idle: Footprint,
    /// After the run.
    end: Footprint,
    /// Of the service while an event a second came to each, in µs of processor time an event.
    cpu_us_per_event: f64,
    first: First,
}

/// Memory of the service, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Footprint {
    resident: u64,
    private: u64,
}

impl Footprint {
    fn of(process: u32) -> io::Result<Self> {
        let resident = Memory::of(process)?.resident;
        Ok(Self { resident, private: private_bytes(process)? })
    }
}

/// Measures and prints.
pub(crate) fn measure(asked: &Rabbit) -> io::Result<()> {
    let setting = Setting::now();
    // Before this thread is pinned: the broker has all cores.
    let node = Node::start(&asked.node)?;
    let mut found = Found::default();
    rounds(asked, &node, &mut found)?;
    if asked.streams > 0 {
        found.streams = Some(many(asked, &node)?);
    }
    setting.write(asked.json.as_deref(), &found)?;
    println!("{}\n{}", setting.head(), table::text(&found));
    Ok(())
}

fn cores(asked: &Rabbit) -> Cores {
    Cores { server: asked.server_core, client: asked.client_core }
}

fn start(asked: &Rabbit, node: &Node) -> io::Result<Running> {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/", node.port("amqp")?);
    let port = node.port("stream")?.to_string();
    let environment = [("ESS_AMPQ_URL", url), ("ESS_STREAM_PORT", port)];
    Running::start(&asked.service, cores(asked), &environment)
}

/// One stream with one consumer, bare and through the service in turn.
fn rounds(asked: &Rabbit, node: &Node, found: &mut Found) -> io::Result<()> {
    let running = start(asked, node)?;
    let bench = Bench {
        stream_port: node.port("stream")?,
        broker: node.pid(),
        running: &running,
        cores: cores(asked),
        events: asked.events,
        bytes: usize::try_from(asked.bytes).map_err(io::Error::other)?,
    };
    let mut control = Wire::open(bench.stream_port)?;
    control.create("replay")?;
    publisher::publish(bench.stream_port, "replay", bench.events, bench.bytes)?;
    let replay = running.create("replay")?;
    for round in 0..=asked.rounds {
        // The first warms up, and looks at every ordinal.
        let check = round == 0;
        let taken = [
            bench.bare_replay("replay")?,
            bench.relay_replay("replay")?,
            bench.ess_replay(&replay.path, check)?,
            live(&mut control, &format!("bare-{round}"), |name| bench.bare_live(name))?,
            live(&mut control, &format!("ess-{round}"), |name| {
                bench.ess_live(name, &running.create(name)?.path, check)
            })?,
        ];
        let rates = taken.map(|taken| format!("{:.0}", taken.events_per_second)).join(", ");
        eprintln!(
            "round {round}: bare, relayed and ess replay, bare and ess live: {rates} events/s"
        );
        if round > 0 {
            let [bare_replay, relay_replay, ess_replay, bare_live, ess_live] = taken;
            found.bare_replay.push(bare_replay);
            found.relay_replay.push(relay_replay);
            found.ess_replay.push(ess_replay);
            found.bare_live.push(bare_live);
            found.ess_live.push(ess_live);
        }
    }
    control.delete("replay")
}

/// With a stream of its own, so that all begin alike.
fn live(
    control: &mut Wire,
    name: &str,
    run: impl FnOnce(&str) -> io::Result<Taken>,
) -> io::Result<Taken> {
    control.create(name)?;
    let taken = run(name)?;
    control.delete(name)?;
    Ok(taken)
}

/// New streams with an event each, and who publishes to them.
fn declared(asked: &Rabbit, port: u16, prefix: &str) -> io::Result<(Vec<String>, Publishers)> {
    let names: Vec<String> = (0..asked.streams).map(|index| format!("{prefix}-{index}")).collect();
    let mut control = Wire::open(port)?;
    for name in &names {
        control.create(name)?;
    }
    let bytes = usize::try_from(asked.bytes).map_err(io::Error::other)?;
    let mut publishers = Publishers::declare(port, &names, bytes)?;
    for stream in 0..names.len() {
        publishers.publish(stream, Duration::ZERO)?;
    }
    publishers.settle(names.len() as u64)?;
    Ok((names, publishers))
}

/// Many streams: without the service, then others with it.
fn many(asked: &Rabbit, node: &Node) -> io::Result<Streams> {
    let (port, cores) = (node.port("stream")?, cores(asked));
    pin(cores.client)?;
    let bare = {
        let (names, mut publishers) = declared(asked, port, "bare")?;
        let mut receivers = Receivers::bare(port, &names)?;
        let bare = streams::latency(&mut publishers, &mut receivers, names.len(), asked.seconds)?;
        let mut control = Wire::open(port)?;
        for name in &names {
            control.delete(name)?;
        }
        bare
    };
    let (names, mut publishers) = declared(asked, port, "ess")?;
    let count = names.len();
    let running = start(asked, node)?;
    let paths = names.iter().map(|name| Ok(running.create(name)?.path));
    let paths: Vec<String> = paths.collect::<io::Result<_>>()?;
    let empty = Footprint::of(running.pid())?;
    let (clients, first) = connects::clients(running.public, &paths)?;
    let connections = node.service_connections()?;
    let mut clients = Receivers::Clients(clients);
    let idle = Footprint::of(running.pid())?;
    let worker = Worker::Process(running.pid());
    let cpu = worker.cpu()?;
    let ess = streams::latency(&mut publishers, &mut clients, count, asked.seconds)?;
    let cpu = worker.cpu()?.saturating_sub(cpu);
    let end = Footprint::of(running.pid())?;
    let cpu_us_per_event = cpu.as_secs_f64() * 1e6 / ess.count as f64;
    Ok(Streams {
        streams: count,
        bare,
        ess,
        connections,
        empty,
        idle,
        end,
        cpu_us_per_event,
        first,
    })
}
