//! Fixed workloads of the path of an event, to count instructions of: `benches/instructions/run`.
//!
//! `instructions WORKLOAD TIMES` does one of them so often; without arguments all are done once,
//! and with `--list` named. Everything is deterministic and waits for nothing, so the difference
//! between two counts is what the additional times cost, whatever else the machine does.

#[path = "../workloads/mod.rs"]
mod workloads;

use std::env;
use std::hint::black_box;

use ess::proto::rabbit::chunk::Scratch;
use workloads::chunk::{MESSAGES, decode, plain};
use workloads::fan_out::FanOut;
use workloads::log::{Log, bodies};
use workloads::{dense, splice, text};

/// Name, events each time, and what is done so many times.
type Workload = (&'static str, u64, fn(u64));

const WORKLOADS: [Workload; 13] = [
    ("splice and frame, JSON 200 B", 1, |times| spliced(&dense(200), times)),
    ("splice and frame, JSON 2 KB", 1, |times| spliced(&dense(2_000), times)),
    ("splice and frame, JSON 50 KB", 1, |times| spliced(&dense(50_000), times)),
    ("splice and frame, text 200 B", 1, |times| spliced(&text(200), times)),
    ("splice and frame, text 2 KB", 1, |times| spliced(&text(2_000), times)),
    ("splice and frame, text 50 KB", 1, |times| spliced(&text(50_000), times)),
    ("tail append, 1 event a block", 1, |times| delivered(0, 1, times)),
    ("tail append, 100 events a block", 100, |times| delivered(0, 100, times)),
    ("tail append and fan-out, 1,000 consumers, a delivery", 1_000, |times| {
        delivered(1_000, 1, times);
    }),
    ("log append, 1 event", 1, |times| logged(1, times)),
    ("log append, 100 events", 100, |times| logged(100, times)),
    ("log recovery of 10,000 events, an event", 10_000, recovered),
    ("Deliver decode, 100 messages", MESSAGES as u64, delivered_by_broker),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let known = |name: &str| WORKLOADS.iter().find(|(known, ..)| *known == name);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--list"] => WORKLOADS.iter().for_each(|(name, events, _)| println!("{events}\t{name}")),
        [name, times] if known(name).is_some() => {
            let Ok(times) = times.parse() else { panic!("a number of times is expected") };
            if let Some((_, _, work)) = known(name) {
                work(times);
            }
        }
        _ => WORKLOADS.iter().for_each(|(.., work)| work(1)),
    }
}

fn spliced(body: &str, times: u64) {
    let mut out = Vec::with_capacity(2 * body.len() + 100);
    for time in 0..times {
        out.clear();
        black_box(splice(black_box(body.as_bytes()), 100_000 + time, &mut out));
    }
}

fn delivered(consumers: usize, count: u32, times: u64) {
    let mut fan_out = FanOut::new(consumers, count);
    for _ in 0..times {
        fan_out.push();
        black_box(fan_out.serve());
    }
}

fn logged(count: usize, times: u64) {
    let (mut log, bodies) = (Log::new(), bodies(count));
    for _ in 0..times {
        log.append(black_box(&bodies).clone());
    }
}

fn recovered(times: u64) {
    let (mut log, bodies) = (Log::new(), bodies(100));
    (0..100).for_each(|_| log.append(bodies.clone()));
    for _ in 0..times {
        black_box(log.recover());
    }
}

fn delivered_by_broker(times: u64) {
    let (bytes, mut scratch) = (plain(), Scratch::default());
    for _ in 0..times {
        black_box(decode(black_box(&bytes), &mut scratch));
    }
}
