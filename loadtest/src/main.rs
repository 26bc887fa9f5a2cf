//! Measures how events reach very many WebSocket consumers: by the bare kernel, by a naive server
//! and by ESS, with the same reader, on the same machine, in the same minutes.
//!
//! ```text
//! arguments -> limit | naive | ess   a server, made to publish       (core 0)
//!              run                   one thread: publish and read    (core 1)
//!                consumers, frames   sockets; ordinals of a sample
//!                ledger              who lacks which batch
//!              outcome, compare      numbers, medians, ratios
//! rabbit                             the service and a bare consumer on a RabbitMQ of its own
//! ```

mod arguments;
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
mod process;
mod rabbit;
mod run;
mod service;
mod summary;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Load, Mode, Service};
use outcome::Outcome;

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
        Mode::Limit(load) => println!("{}", measure_limit(load)?),
        Mode::Naive(load) => println!("{}", measure_naive(load)?),
        Mode::Ess(asked) => println!("{}", measure_ess(&asked.load, &asked.service)?),
        Mode::Compare(asked) => compare::compare(asked)?,
        Mode::Rabbit(asked) => rabbit::measure(asked)?,
    }
    Ok(())
}

fn measure_limit(load: &Load) -> io::Result<Outcome> {
    process::pin(load.client_core)?;
    run::measure(load, &mut limit::start(load)?)
}

fn measure_naive(load: &Load) -> io::Result<Outcome> {
    process::pin(load.client_core)?;
    run::measure(load, &mut naive::start(load)?)
}

fn measure_ess(load: &Load, service: &Service) -> io::Result<Outcome> {
    process::pin(load.client_core)?;
    let mut ess = ess::Ess::start(load, service)?;
    let mut outcome = run::measure(load, &mut ess)?;
    outcome.memory = Some(ess.footprint()?);
    Ok(outcome)
}
