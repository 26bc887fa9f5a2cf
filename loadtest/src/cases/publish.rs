//! Durable publishing over HTTP, beside write + fdatasync of the same bytes.
//!
//! Nobody listens. Each connection sends its next batch when the last is answered, and the service
//! may store what meets together; the bare side stores a batch at a time, and as many together as
//! there are connections.

use std::io;
use std::time::Duration;

use clap::Args;
use rustix::event::epoll;

use super::{Common, EVENT_BYTES};
use crate::arguments::{at_least_one, seconds};
use crate::consumers::fault;
use crate::event;
use crate::http::Connection;
use crate::limit::TIMESTAMP;
use crate::prewritten::Prewritten;
use crate::process::{Worker, now, pin};
use crate::report::Setting;
use crate::sheet::Sheet;

#[derive(Args, Clone, Debug)]
pub(crate) struct Publish {
    #[command(flatten)]
    common: Common,
    /// Events of a request.
    #[arg(long, default_value_t = 100, value_parser = at_least_one())]
    batch: u64,
    /// Connections that publish.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// How long each side is measured.
    #[arg(long, default_value = "3", value_parser = seconds)]
    seconds: Duration,
}

/// Measures and prints.
pub(crate) fn measure(asked: &Publish) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("publish, no consumers");
    let all = format!("write + fdatasync, {} batches each", asked.connections);
    for _ in 0..asked.common.rounds.rounds {
        bare(asked, "write + fdatasync, a batch each", 1, &mut sheet)?;
        bare(asked, &all, asked.connections, &mut sheet)?;
        ess(asked, &mut sheet)?;
        sheet.ratio(
            "rate, this / bare with a batch each",
            "events/s",
            ESS,
            "write + fdatasync, a batch each",
        );
        sheet.ratio("rate, this / bare with all", "events/s", ESS, &all);
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}

const ESS: &str = "**ess**, HTTP";

fn bare(asked: &Publish, row: &str, together: u16, sheet: &mut Sheet) -> io::Result<()> {
    pin(asked.common.server_core)?;
    let mut file = Prewritten::new(&asked.common.service.data_parent, 256 << 20)?;
    let mut batch = event::Batch::new(EVENT_BYTES as usize, asked.batch, TIMESTAMP);
    let (began, before, mut events) = (now(), Worker::here().cpu()?, 0);
    while began.elapsed() < asked.seconds {
        for _ in 0..together {
            file.add(batch.number(events + 1));
            events += asked.batch;
        }
        file.commit()?;
    }
    tell(row, events, began.elapsed(), Worker::here().cpu()? - before, sheet);
    Ok(())
}

fn ess(asked: &Publish, sheet: &mut Sheet) -> io::Result<()> {
    let running = asked.common.start(&[])?;
    let created = running.create("publish")?;
    let path = created.events();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let connections = (0..asked.connections).map(|_| Connection::open(running.internal));
    let mut connections = connections.collect::<io::Result<Vec<_>>>()?;
    let mut line = event::body(EVENT_BYTES as usize);
    line.push(b'\n');
    let body = line.repeat(usize::try_from(asked.batch).map_err(io::Error::other)?);
    for (index, connection) in connections.iter_mut().enumerate() {
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&epoll, &connection.stream, data, epoll::EventFlags::IN)?;
        connection.post(&path, "application/x-ndjson", &body)?;
    }
    let worker = Worker::Process(running.pid());
    let (began, before, mut events, mut busy) = (now(), worker.cpu()?, 0, connections.len());
    let mut ready = Vec::with_capacity(64);
    while busy > 0 {
        ready.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in &ready {
            let index = usize::try_from(event.data.u64()).map_err(io::Error::other)?;
            let connection = connections.get_mut(index);
            let connection = connection.ok_or_else(|| fault("no such connection"))?;
            if connection.read()?.is_some() {
                events += asked.batch;
                if began.elapsed() < asked.seconds {
                    connection.post(&path, "application/x-ndjson", &body)?;
                } else {
                    busy -= 1;
                }
            }
        }
    }
    tell(ESS, events, began.elapsed(), worker.cpu()? - before, sheet);
    Ok(())
}

fn tell(row: &str, events: u64, taken: Duration, cpu: Duration, sheet: &mut Sheet) {
    let rate = events as f64 / taken.as_secs_f64();
    let cpu = cpu.as_secs_f64() / events as f64 * 1e6;
    sheet.add(row, &[("events/s", rate), ("server CPU, µs an event", cpu)]);
}
