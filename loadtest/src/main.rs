//! Measures how events reach very many WebSocket consumers: by the bare kernel, by a naive server
//! and by ESS, with the same reader, on the same machine, in the same minutes.
//!
//! ```text
//! arguments -> limit | naive | ess   a server, made to publish       (core 0)
//!              run                   one thread: publish and read    (core 1)
//!                consumers, frames   sockets; ordinals of a sample
//!                ledger              who lacks which batch
//!              outcome, compare      numbers, rounds
//!              table, chart, report  medians, ratios, a picture
//! cases                              replay, publishing, memory, connects, growth, a long run
//! rabbit                             the service and a bare consumer on a RabbitMQ of its own
//! ```

mod arguments;
mod cases;
mod chart;
mod compare;
mod consumers;
mod ess;
mod event;
mod frames;
mod http;
mod in_process;
mod ledger;
mod limit;
mod naive;
mod outcome;
mod prewritten;
mod process;
mod rabbit;
mod report;
mod ring;
mod run;
mod segments;
mod service;
mod sheet;
mod stamps;
mod summary;
mod table;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Durable, Mode};
use compare::Server;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match perform(&arguments.mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("ess-load: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn perform(mode: &Mode) -> io::Result<()> {
    process::raise_descriptors()?;
    match mode {
        Mode::Limit(load) => println!("{}", compare::bare(load, false, None)?),
        Mode::LimitRing(load) => println!("{}", compare::bare(load, true, None)?),
        Mode::Durable(Durable { load, ring, data_parent }) => {
            println!("{}", compare::bare(load, *ring, Some(data_parent.clone()))?);
        }
        Mode::Naive(load) => println!("{}", compare::naive(load)?),
        Mode::Ess(asked) => {
            println!("{}", compare::measure(Server::Ess, &asked.load, &asked.service)?);
        }
        Mode::Compare(asked) => compare::compare(asked)?,
        Mode::Paced(asked) => compare::paced(asked)?,
        Mode::Chart(asked) => chart::draw(asked)?,
        Mode::Replay(asked) => cases::replay::measure(asked)?,
        Mode::Publish(asked) => cases::publish::measure(asked)?,
        Mode::Idle(asked) => cases::idle::measure(asked)?,
        Mode::Connect(asked) => cases::connect::measure(asked)?,
        Mode::Stalled(asked) => cases::stalled::measure(asked)?,
        Mode::Spread(asked) => cases::spread::measure(asked)?,
        Mode::Growth(asked) => cases::growth::measure(asked)?,
        Mode::Soak(asked) => cases::soak::measure(asked)?,
        Mode::Rabbit(asked) => rabbit::measure(asked)?,
    }
    Ok(())
}
