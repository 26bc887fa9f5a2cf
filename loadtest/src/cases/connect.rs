//! From connect to the first replayed event, one at a time and many at a time.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use clap::Args;
use rustix::event::epoll;

use super::{Common, EVENT_BYTES};
use crate::arguments::at_least_one;
use crate::consumers::{fault, request};
use crate::outcome::Latency;
use crate::process::now;
use crate::report::Setting;
use crate::sheet::Sheet;

#[derive(Args, Clone, Debug)]
pub(crate) struct Connect {
    #[command(flatten)]
    common: Common,
    /// Connections that are made, in each round.
    #[arg(long, default_value_t = 2_000, value_parser = at_least_one())]
    connects: u64,
    /// How many of them are under way at the same time.
    #[arg(long = "at-a-time", value_name = "COUNT", value_parser = at_least_one(), default_values = ["1", "50"])]
    at_a_time: Vec<u64>,
    /// Events the stream has.
    #[arg(long, default_value_t = 1_000, value_parser = at_least_one())]
    history: u64,
}

/// Measures and prints.
pub(crate) fn measure(asked: &Connect) -> io::Result<()> {
    let setting = Setting::now();
    let mut sheet = Sheet::new("connect → first replayed event");
    for _ in 0..asked.common.rounds.rounds {
        for at_a_time in &asked.at_a_time {
            let running = asked.common.start(&[])?;
            let created = running.create("connect")?;
            let history = usize::try_from(asked.history).map_err(io::Error::other)?;
            running.fill(&created, EVENT_BYTES as usize, history, 1)?;
            let path = format!("{}?stream_from_ordinal=0", created.path);
            let began = now();
            let latency = storm(running.public, &path, asked.connects, *at_a_time)?;
            sheet.add(
                &format!("{at_a_time} at a time"),
                &[
                    ("p50, ms", latency.p50 / 1e3),
                    ("p99, ms", latency.p99 / 1e3),
                    ("max, ms", latency.max / 1e3),
                    ("connects/s", asked.connects as f64 / began.elapsed().as_secs_f64()),
                ],
            );
        }
    }
    setting.tell(asked.common.rounds.json.as_deref(), &[sheet])
}

/// A connection on its way to its first event.
struct Arriving {
    socket: TcpStream,
    began: Instant,
    had: Vec<u8>,
}

/// So many connects, so many of them under way: how long each took to its first event.
pub(super) fn storm(
    server: SocketAddr,
    path: &str,
    connects: u64,
    at_a_time: u64,
) -> io::Result<Latency> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut histogram = Latency::histogram()?;
    let mut arriving: HashMap<u64, Arriving> = HashMap::new();
    let (mut next, mut events) = (0, Vec::with_capacity(256));
    while histogram.len() < connects {
        while next < connects && (arriving.len() as u64) < at_a_time {
            let began = now();
            let mut socket = TcpStream::connect(server)?;
            socket.write_all(request(server, path).as_bytes())?;
            socket.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(next);
            epoll::add(&epoll, &socket, data, epoll::EventFlags::IN)?;
            arriving.insert(next, Arriving { socket, began, had: Vec::new() });
            next += 1;
        }
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            let Some(one) = arriving.get_mut(&key) else { continue };
            if one.arrived()? {
                let nanos = u64::try_from(one.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                histogram.saturating_record(nanos);
                arriving.remove(&key);
            }
        }
    }
    Ok(Latency::of(&histogram))
}

impl Arriving {
    /// Reads; whether the first event is here whole.
    fn arrived(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4_096];
        match self.socket.read(&mut buffer) {
            Ok(0) => return Err(fault("the server closed a consumer")),
            Ok(got) => self.had.extend_from_slice(buffer.get(..got).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let Some(end) = self.had.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(false);
        };
        if !self.had.starts_with(b"HTTP/1.1 101") {
            let text = String::from_utf8_lossy(&self.had);
            return Err(fault(&format!("no upgrade: {text}")));
        }
        // A text of 126 bytes or more (RFC 6455 §5.2).
        Ok(match self.had.get(end + 4..) {
            Some([0x81, 126, high, low, text @ ..]) => {
                text.len() >= usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => false,
        })
    }
}
