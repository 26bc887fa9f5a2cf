//! The service as it is shipped: its own process, its embedded log, published to over HTTP.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use serde_json::Value;
use tempfile::TempDir;

use crate::arguments::{Load, Service};
use crate::consumers::fault;
use crate::event;
use crate::http::Connection;
use crate::outcome::Footprint;
use crate::process::{Memory, Worker, pin};
use crate::run::{SOURCE_TOKEN, Source};

/// A running service with one event stream. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Ess {
    child: Child,
    public: SocketAddr,
    uuid: String,
    id: u64,
    publishers: Vec<Connection>,
    body: Vec<u8>,
    empty: Memory,
    idle: Memory,
    consumers: u64,
    /// Goes after the service.
    _data: TempDir,
}

impl Ess {
    /// Starts the service on the server's core, and creates an event stream.
    pub(crate) fn start(load: &Load, service: &Service) -> io::Result<Self> {
        let data = tempfile::Builder::new().prefix("ess-load-").tempdir_in(&service.data_parent)?;
        // The child inherits where this thread may run.
        pin(load.server_core)?;
        let child = command(service, &data).spawn();
        pin(load.client_core)?;
        let mut child = child?;
        let ready = ready_line(&mut child);
        let addresses = ready.and_then(|ready| {
            let public = address(&ready, "clients at ws://")?;
            Ok((public, address(&ready, "internal API at http://")?))
        });
        let mut line = event::body(load.bytes as usize);
        line.push(b'\n');
        let per_write = usize::try_from(load.per_write).map_err(io::Error::other)?;
        let mut ess = Self {
            child,
            public: SocketAddr::from(([127, 0, 0, 1], 0)),
            uuid: String::new(),
            id: 0,
            publishers: Vec::new(),
            body: line.repeat(per_write),
            empty: Memory::default(),
            idle: Memory::default(),
            consumers: load.consumers,
            _data: data,
        };
        let (public, internal) = addresses?;
        ess.public = public;
        ess.create(internal)?;
        ess.empty = Memory::of(ess.child.id())?;
        for _ in 0..load.in_flight {
            ess.publishers.push(Connection::open(internal)?);
        }
        Ok(ess)
    }

    fn create(&mut self, internal: SocketAddr) -> io::Result<()> {
        let mut connection = Connection::open(internal)?;
        connection.post("/event-stream/", "application/json", br#"{"routing_key":"load"}"#)?;
        let answer = loop {
            if let Some(answer) = connection.read()? {
                break answer;
            }
        };
        let answer: Value = serde_json::from_slice(&answer)?;
        let location = answer.get("location").and_then(Value::as_str);
        let uuid = location.and_then(|location| location.rsplit('/').next());
        self.uuid = uuid.ok_or_else(|| fault("no location in the answer"))?.to_owned();
        let id = answer.get("id").and_then(Value::as_u64);
        self.id = id.ok_or_else(|| fault("no id in the answer"))?;
        Ok(())
    }

    /// Memory so far.
    pub(crate) fn footprint(&self) -> io::Result<Footprint> {
        let added = self.idle.anonymous.saturating_sub(self.empty.anonymous);
        Ok(Footprint {
            resident_idle: self.idle.resident,
            resident_end: Memory::of(self.child.id())?.resident,
            per_consumer: added as f64 / self.consumers as f64,
        })
    }
}

impl Drop for Ess {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Source for Ess {
    fn address(&self) -> SocketAddr {
        self.public
    }

    fn path(&self) -> String {
        format!("/event-stream/{}", self.uuid)
    }

    fn worker(&self) -> Worker {
        Worker::Process(self.child.id())
    }

    fn begin(&mut self, epoll: &OwnedFd) -> io::Result<()> {
        self.idle = Memory::of(self.child.id())?;
        for (index, publisher) in (SOURCE_TOKEN..).zip(&self.publishers) {
            let data = epoll::EventData::new_u64(index);
            epoll::add(epoll, &publisher.stream, data, epoll::EventFlags::IN)?;
        }
        Ok(())
    }

    fn ready(&self) -> bool {
        self.publishers.iter().any(|publisher| !publisher.busy)
    }

    fn publish(&mut self, batches: u64) -> io::Result<()> {
        let path = format!("/event-stream/{}/events", self.id);
        let idle = self.publishers.iter_mut().find(|publisher| !publisher.busy);
        let publisher = idle.ok_or_else(|| fault("no idle connection to publish on"))?;
        let times = usize::try_from(batches).map_err(io::Error::other)?;
        if times == 1 {
            publisher.post(&path, "application/x-ndjson", &self.body)
        } else {
            publisher.post(&path, "application/x-ndjson", &self.body.repeat(times))
        }
    }

    fn arrived(&mut self, index: u64) -> io::Result<()> {
        let index = usize::try_from(index).map_err(io::Error::other)?;
        let publisher = self.publishers.get_mut(index);
        publisher.ok_or_else(|| fault("no such publisher"))?.read()?;
        Ok(())
    }
}

fn command(service: &Service, data: &TempDir) -> Command {
    let mut command = Command::new(&service.binary);
    command
        .env_clear()
        .arg("serve")
        .args(["--public-addr", "127.0.0.1:0", "--internal-addr", "127.0.0.1:0"])
        .args(["--shards", &service.shards.to_string()])
        .args(["--fsync", &service.fsync])
        // Nothing but events may come: they are counted by their bytes.
        .args(["--ping-interval", "24h", "--message-stats-interval", "0", "--log-dir", "-"])
        .arg("--data-dir")
        .arg(data.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The line of the log that says where the service listens; the rest is read and thrown away.
fn ready_line(child: &mut Child) -> io::Result<String> {
    let stderr = child.stderr.take().ok_or_else(|| fault("standard error is not piped"))?;
    let (sender, ready) = mpsc::channel();
    thread::spawn(move || {
        let mut log = String::new();
        let mut sender = Some(sender);
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains(" ready: ") {
                // Fails only when nobody waits any more.
                let _ = sender.take().map(|sender| sender.send(Ok(line)));
            } else if sender.is_some() {
                log.push_str(&line);
                log.push('\n');
            }
        }
        let _ = sender.take().map(|sender| sender.send(Err(log)));
    });
    let line = ready.recv().map_err(io::Error::other)?;
    line.map_err(|log| fault(&format!("the service ended before it was ready:\n{log}")))
}

fn address(ready: &str, before: &str) -> io::Result<SocketAddr> {
    let rest = ready.split_once(before).and_then(|(_, rest)| rest.split('/').next());
    let address = rest.and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| fault(&format!("no address after {before:?} in {ready:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_are_in_the_ready_line() {
        let line = "INFO ready: 0 event streams, clients at ws://127.0.0.1:41993/event-stream/, \
                    internal API at http://[::1]:44077/event-stream/";
        let public = address(line, "clients at ws://").unwrap();
        assert_eq!(public, "127.0.0.1:41993".parse().unwrap());
        let internal = address(line, "internal API at http://").unwrap();
        assert_eq!(internal, "[::1]:44077".parse().unwrap());
        assert!(address(line, "amqp://").is_err());
    }
}
