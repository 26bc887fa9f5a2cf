//! History to 1 consumer and to many, beside pread + send of the same bytes.
//!
//! Everything comes from the page cache: it was written just before. The bare side reads 256 KiB at
//! a time from a file and sends them, each socket in turn, as far as it takes them.

use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::{Common, EVENT_BYTES};
use crate::arguments::at_least_one;
use crate::consumers::{fault, upgraded};
use crate::event::{Batch, frame_bytes};
use crate::limit::{TIMESTAMP, accept};
use crate::process::{Worker, now, pin};
use crate::report::Setting;
use crate::sheet::Sheet;

#[derive(Args, Clone, Debug)]
pub(crate) struct Replay {
    #[command(flatten)]
    common: Common,
    /// MiB of events.
    #[arg(long, default_value_t = 1_024, value_parser = at_least_one())]
    mib: u64,
    /// How many consumers replay at the same time.
    #[arg(long = "to", value_name = "CONSUMERS", value_parser = at_least_one(), default_values = ["1", "16"])]
    to: Vec<u64>,
}

/// Events of a batch that is filled in.
const FILL_EVENTS: usize = 4_000;

/// Measures and prints.
pub(crate) fn measure(asked: &Replay) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("replay");
    let running = asked.common.start(&["--retain-bytes", "off"])?;
    let created = running.create("replay")?;
    let batches = usize::try_from(asked.mib << 20).map_err(io::Error::other)?
        / (FILL_EVENTS * EVENT_BYTES as usize);
    let batches = batches.max(1);
    running.fill(&created, EVENT_BYTES as usize, FILL_EVENTS, batches)?;
    let events = (batches * FILL_EVENTS) as u64;
    let bytes: u64 = (1..=events).map(|ordinal| frame_bytes(256, ordinal) as u64).sum();
    let file = written(events, &asked.common)?;
    let path = format!("{}?stream_from_ordinal=0", created.path);
    for _ in 0..asked.common.rounds.rounds {
        for consumers in &asked.to {
            let count = usize::try_from(*consumers).map_err(io::Error::other)?;
            let (bare, ess) = (format!("bare, {consumers}"), format!("**ess**, {consumers}"));
            let side = serve(&asked.common, &file, bytes, count)?;
            let sides = [
                (&bare, side.address, side.worker, "/"),
                (&ess, running.public, Worker::Process(running.pid()), path.as_str()),
            ];
            for (row, address, worker, path) in sides {
                let before = worker.cpu()?;
                let taken = receive(address, path, count, bytes)?;
                let cpu = worker.cpu()?.saturating_sub(before).as_secs_f64();
                let gib = (bytes * consumers) as f64 / f64::from(1 << 30);
                let seconds = taken.as_secs_f64();
                sheet.add(
                    row,
                    &[
                        ("GiB/s", gib / seconds),
                        ("M events/s", (events * consumers) as f64 / seconds / 1e6),
                        ("server CPU, s/GiB", cpu / gib),
                    ],
                );
            }
            sheet.ratio("rate, this / bare", "GiB/s", &ess, &bare);
        }
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}

/// The same bytes as a file without a name.
fn written(events: u64, common: &Common) -> io::Result<File> {
    let mut file = tempfile::tempfile_in(&common.service.data_parent)?;
    let mut first = 1;
    while first <= events {
        let count = 1_000.min(events + 1 - first);
        file.write_all(Batch::new(EVENT_BYTES as usize, count, TIMESTAMP).number(first))?;
        first += count;
    }
    Ok(file)
}

/// From the first connect until everybody has had everything.
fn receive(server: SocketAddr, path: &str, count: usize, bytes: u64) -> io::Result<Duration> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let began = now();
    let mut sockets: Vec<(TcpStream, u64)> = Vec::with_capacity(count);
    for index in 0..count {
        let (socket, early) = upgraded(server, path)?;
        socket.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
        sockets.push((socket, early.len() as u64));
    }
    let mut buffer = vec![0; 1 << 20];
    let mut events = Vec::with_capacity(64);
    let mut left = count;
    while left > 0 {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let index = usize::try_from(event.data.u64()).map_err(io::Error::other)?;
            let Some((socket, had)) = sockets.get_mut(index) else { continue };
            match recv(&*socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
                Ok((_, 0)) => return Err(fault("the server closed a consumer")),
                Ok((_, got)) => *had += got as u64,
                Err(Errno::AGAIN) => continue,
                Err(errno) => return Err(errno.into()),
            }
            if *had >= bytes {
                left -= 1;
                epoll::delete(&epoll, &*socket)?;
            }
        }
    }
    let taken = began.elapsed();
    if sockets.iter().any(|(_, had)| *had != bytes) {
        return Err(fault("a consumer has had more bytes than there are"));
    }
    Ok(taken)
}

/// The bare side of one run. Its thread lives as long as this, also when it has sent everything.
struct Bare {
    address: SocketAddr,
    worker: Worker,
    _measured: Sender<()>,
}

/// Starts the bare side for one run.
fn serve(common: &Common, file: &File, bytes: u64, count: usize) -> io::Result<Bare> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let (told, worker) = mpsc::channel();
    let (measured, over) = mpsc::channel();
    let (core, file) = (common.server_core, file.try_clone()?);
    thread::spawn(move || {
        let ready = pin(core).map(|()| Worker::here());
        // A reader that is gone has said why; nobody is left to tell.
        if told.send(ready).is_ok() && send_file(&listener, &file, bytes, count).is_ok() {
            // Its processor time is asked for once more.
            let _ = over.recv();
        }
    });
    let worker = worker.recv().map_err(io::Error::other)??;
    Ok(Bare { address, worker, _measured: measured })
}

struct Sending {
    socket: TcpStream,
    /// What was read and isn't sent.
    piece: Vec<u8>,
    sent: usize,
    place: u64,
}

fn send_file(listener: &TcpListener, file: &File, bytes: u64, count: usize) -> io::Result<()> {
    let accepted = (0..count).map(|_| {
        let socket = accept(listener, true)?;
        Ok(Sending { socket, piece: Vec::new(), sent: 0, place: 0 })
    });
    let mut all: Vec<Sending> = accepted.collect::<io::Result<_>>()?;
    while !all.is_empty() {
        let mut moved = false;
        for one in &mut all {
            moved |= one.go_on(file, bytes)?;
        }
        all.retain(|one| one.place < bytes || one.sent < one.piece.len());
        if !moved {
            let mut waiting: Vec<PollFd<'_>> =
                all.iter().map(|one| PollFd::new(&one.socket, PollFlags::OUT)).collect();
            poll(&mut waiting, None)?;
        }
    }
    Ok(())
}

impl Sending {
    /// One piece further; false when the socket is full.
    fn go_on(&mut self, file: &File, bytes: u64) -> io::Result<bool> {
        if self.sent == self.piece.len() {
            let left = usize::try_from(bytes - self.place).map_err(io::Error::other)?;
            self.piece.resize(left.min(PIECE_BYTES), 0);
            file.read_exact_at(&mut self.piece, self.place)?;
            self.place += self.piece.len() as u64;
            self.sent = 0;
        }
        let rest = self.piece.get(self.sent..).unwrap_or_default();
        match send(&self.socket, rest, SendFlags::NOSIGNAL) {
            Ok(sent) => self.sent += sent,
            Err(Errno::AGAIN) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        }
        Ok(true)
    }
}

/// What the service reads at once.
const PIECE_BYTES: usize = 256 << 10;
