//! A long run with comings and goings: does memory stay flat, do descriptors come back?
//!
//! Events flow to a number of streams all the time, old ones are dropped, and again and again a
//! consumer goes and another comes (some with history, some without), or a whole stream is deleted
//! with its consumers and another made. The number of streams and of consumers stays, so what the
//! service needs should.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use serde::Serialize;

use super::{Common, EVENT_BYTES, mib};
use crate::arguments::{at_least_one, seconds};
use crate::consumers::{fault, upgraded};
use crate::event;
use crate::http::Connection;
use crate::process::{Memory, Worker, descriptors, now, private_bytes};
use crate::report::Setting;
use crate::service::{Created, Running};

#[derive(Args, Clone, Debug)]
pub(crate) struct Soak {
    #[command(flatten)]
    common: Common,
    /// How long; less than half an hour shows little.
    #[arg(long, default_value = "1800", value_parser = seconds)]
    seconds: Duration,
    /// Streams at any time.
    #[arg(long, default_value_t = 20, value_parser = at_least_one())]
    streams: u64,
    /// Consumers at any time, of all streams.
    #[arg(long, default_value_t = 500, value_parser = at_least_one())]
    consumers: u64,
    /// Events a second, of all streams.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(20..))]
    rate: u64,
    /// Comings and goings a second.
    #[arg(long, default_value_t = 20, value_parser = at_least_one())]
    churn: u64,
    /// Time between two samples.
    #[arg(long, default_value = "10", value_parser = seconds)]
    every: Duration,
}

/// What the service has, at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
struct Sample {
    seconds: f64,
    private: u64,
    resident: u64,
    descriptors: usize,
    disk: u64,
    /// Cores kept busy since the last sample.
    busy: f64,
    events: u64,
    /// Connects, deletions of streams, so far.
    connects: u64,
    deletions: u64,
}

/// Of a hundred comings and goings so many are of a stream, the others of a consumer.
const STREAM_PART: u64 = 5;
/// Batches a second.
const BATCHES: u64 = 20;
/// Everything that fills up is full before the first third is over.
const FLAGS: [&str; 8] = [
    "--retain-bytes",
    "4MiB",
    "--retain-age",
    "60s",
    "--retain-interval",
    "1s",
    "--tail-bytes",
    "256KiB",
];

/// Runs, prints, and fails where something grew.
pub(crate) fn measure(asked: &Soak) -> io::Result<()> {
    let setting = Setting::now();
    let running = asked.common.start(&FLAGS)?;
    let mut soak = Soaking::new(asked, running)?;
    let mut samples: Vec<Sample> = Vec::new();
    let began = now();
    let mut cpu = soak.worker().cpu()?;
    while began.elapsed() < asked.seconds {
        let until = asked.every.mul_f64(samples.len() as f64 + 1.0).min(asked.seconds);
        while began.elapsed() < until {
            soak.turn(began.elapsed())?;
        }
        let before = samples.last().map_or(0.0, |sample| sample.seconds);
        let sample = soak.sample(began.elapsed(), before, &mut cpu)?;
        eprintln!(
            "{:>6.0} s  private {:.1} MiB, resident {:.1}, {} descriptors, disk {:.1} MiB, {:.2} cores",
            sample.seconds,
            mib(sample.private),
            mib(sample.resident),
            sample.descriptors,
            mib(sample.disk),
            sample.busy
        );
        samples.push(sample);
        setting.write(asked.common.rounds.json.as_deref(), &samples)?;
    }
    println!("{}\n{}", setting.head(), table(&samples));
    let verdict = verdict(&samples);
    println!("{}", verdict.as_ref().map_or_else(|grown| grown.as_str(), String::as_str));
    verdict.map(drop).map_err(|grown| fault(&grown))
}

struct Stream {
    created: Created,
    /// Keys of its consumers.
    consumers: Vec<u64>,
}

struct Soaking<'a> {
    asked: &'a Soak,
    running: Running,
    api: Connection,
    epoll: OwnedFd,
    streams: Vec<Stream>,
    consumers: HashMap<u64, TcpStream>,
    /// Never used again: keys of consumers, names of streams.
    next: u64,
    batch: Vec<u8>,
    batches: u64,
    churned: u64,
    connects: u64,
    deletions: u64,
    dice: u64,
    buffer: Vec<u8>,
}

impl<'a> Soaking<'a> {
    fn new(asked: &'a Soak, running: Running) -> io::Result<Self> {
        let api = Connection::open(running.internal)?;
        let mut line = event::body(EVENT_BYTES as usize);
        line.push(b'\n');
        let count = usize::try_from(asked.rate / BATCHES).map_err(io::Error::other)?;
        let mut this = Self {
            asked,
            running,
            api,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            streams: Vec::new(),
            consumers: HashMap::new(),
            next: 0,
            batch: line.repeat(count),
            batches: 0,
            churned: 0,
            connects: 0,
            deletions: 0,
            dice: 0x9e37_79b9_7f4a_7c15,
            buffer: vec![0; 1 << 20],
        };
        for _ in 0..asked.streams {
            this.make_stream()?;
        }
        for _ in 0..asked.consumers {
            this.connect()?;
        }
        Ok(this)
    }

    fn worker(&self) -> Worker {
        Worker::Process(self.running.pid())
    }

    /// What is due by now, then what can be read within a few milliseconds.
    fn turn(&mut self, passed: Duration) -> io::Result<()> {
        let due = |rate: u64| (passed.as_secs_f64() * rate as f64) as u64;
        if self.batches < due(BATCHES) {
            let turn = usize::try_from(self.batches % self.asked.streams).unwrap_or_default();
            let stream = self.streams.get(turn).ok_or_else(|| fault("no such stream"))?;
            self.api.call(&stream.created.events(), "application/x-ndjson", &self.batch)?;
            self.batches += 1;
        }
        if self.churned < due(self.asked.churn) {
            if self.roll(100) < STREAM_PART {
                self.replace_stream()?
            } else {
                self.replace_consumer()?
            }
            self.churned += 1;
        }
        self.read()
    }

    fn read(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let wait = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait))?;
        for event in &events {
            let Some(socket) = self.consumers.get(&event.data.u64()) else { continue };
            match recv(socket, self.buffer.as_mut_slice(), RecvFlags::TRUNC) {
                Ok((_, 0)) => {
                    return Err(fault("the service closed a consumer of a stream that is there"));
                }
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn make_stream(&mut self) -> io::Result<()> {
        let created = self.running.create(&format!("soak-{}", self.next))?;
        self.next += 1;
        self.streams.push(Stream { created, consumers: Vec::new() });
        Ok(())
    }

    /// One more consumer somewhere: of two, one has all of the history first.
    fn connect(&mut self) -> io::Result<()> {
        let (key, of) = (self.next, self.roll(self.streams.len() as u64));
        self.next += 1;
        let start = if self.roll(2) == 0 { "?stream_from_ordinal=0" } else { "" };
        let of = usize::try_from(of).map_err(io::Error::other)?;
        let stream = self.streams.get_mut(of).ok_or_else(|| fault("no such stream"))?;
        let path = format!("{}{start}", stream.created.path);
        let (socket, _) = upgraded(self.running.public, &path)?;
        socket.set_nonblocking(true)?;
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(key), epoll::EventFlags::IN)?;
        stream.consumers.push(key);
        self.consumers.insert(key, socket);
        self.connects += 1;
        Ok(())
    }

    fn replace_consumer(&mut self) -> io::Result<()> {
        let of = usize::try_from(self.roll(self.streams.len() as u64)).map_err(io::Error::other)?;
        let gone = self.streams.get_mut(of).and_then(|stream| stream.consumers.pop());
        if let Some(key) = gone {
            self.consumers.remove(&key);
            self.connect()?;
        }
        Ok(())
    }

    fn replace_stream(&mut self) -> io::Result<()> {
        let of = usize::try_from(self.roll(self.streams.len() as u64)).map_err(io::Error::other)?;
        let gone = self.streams.swap_remove(of);
        self.api.delete(&format!("/event-stream/{}", gone.created.id))?;
        self.deletions += 1;
        self.make_stream()?;
        for key in gone.consumers {
            self.consumers.remove(&key);
            self.connect()?;
        }
        Ok(())
    }

    /// A number below `most` (xorshift; the same in every run).
    fn roll(&mut self, most: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % most.max(1)
    }

    fn sample(&self, at: Duration, before: f64, cpu: &mut Duration) -> io::Result<Sample> {
        let pid = self.running.pid();
        let spent = self.worker().cpu()?;
        let busy = spent.saturating_sub(*cpu).as_secs_f64() / (at.as_secs_f64() - before);
        *cpu = spent;
        Ok(Sample {
            seconds: at.as_secs_f64(),
            private: private_bytes(pid)?,
            resident: Memory::of(pid)?.resident,
            descriptors: descriptors(pid)?,
            disk: folder_bytes(self.running.data())?,
            busy,
            events: self.batches * (self.asked.rate / BATCHES),
            connects: self.connects,
            deletions: self.deletions,
        })
    }
}

/// Bytes of all files below a folder. What vanishes meanwhile counts nothing.
fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)?.filter_map(Result::ok) {
        sum += match entry.metadata() {
            Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()).unwrap_or_default(),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        };
    }
    Ok(sum)
}

/// A line for about every twentieth part of the run.
fn table(samples: &[Sample]) -> String {
    let mut text = String::from(
        "| s | private, MiB | resident, MiB | descriptors | disk, MiB | cores busy | events | \
         connects | streams deleted |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let step = samples.len().div_ceil(20).max(1);
    for sample in samples.iter().skip(step - 1).step_by(step) {
        text += &format!(
            "| {:.0} | {:.1} | {:.1} | {} | {:.1} | {:.2} | {} | {} | {} |\n",
            sample.seconds,
            mib(sample.private),
            mib(sample.resident),
            sample.descriptors,
            mib(sample.disk),
            sample.busy,
            sample.events,
            sample.connects,
            sample.deletions
        );
    }
    text
}

type Number = fn(&Sample) -> u64;

/// What must not grow, and how much more of it is nothing.
const WATCHED: [(&str, Number, u64); 3] = [
    ("private bytes", |sample| sample.private, 1 << 20),
    ("descriptors", |sample| sample.descriptors as u64, 16),
    ("bytes on disk", |sample| sample.disk, 4 << 20),
];

/// Whether the last third of the run needs what the middle third did, within a twentieth and a
/// little; the first third is warming up.
fn verdict(samples: &[Sample]) -> Result<String, String> {
    let third = samples.len() / 3;
    let most = |part: &[Sample], number: Number| part.iter().map(number).max();
    let middle = samples.get(third..2 * third).unwrap_or_default();
    let last = samples.get(2 * third..).unwrap_or_default();
    let mut grown = Vec::new();
    for (name, number, slack) in WATCHED {
        let (Some(middle), Some(last)) = (most(middle, number), most(last, number)) else {
            return Err("too few samples to say whether anything grew".to_owned());
        };
        if last > middle + middle / 20 + slack {
            grown.push(format!("{name} grew from at most {middle} to {last}"));
        }
    }
    if grown.is_empty() {
        return Ok("Flat: the last third needs no more than the middle third.".to_owned());
    }
    Err(grown.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(private: [u64; 6]) -> Vec<Sample> {
        let sample = |private| Sample {
            seconds: 1.0,
            private: private << 20,
            resident: 0,
            descriptors: 10,
            disk: 0,
            busy: 0.0,
            events: 0,
            connects: 0,
            deletions: 0,
        };
        private.map(sample).to_vec()
    }

    #[test]
    fn what_grows_is_told_from_what_warms_up() {
        assert!(verdict(&samples([1, 50, 100, 100, 90, 101])).is_ok());
        let grown = verdict(&samples([100, 100, 100, 100, 110, 120])).unwrap_err();
        assert!(grown.contains("private bytes grew"), "{grown}");
        assert!(verdict(&samples([1; 6])[..2]).is_err(), "too few");
    }
}
