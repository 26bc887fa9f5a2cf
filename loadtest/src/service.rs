//! The service as it is shipped, in a process of its own.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::arguments::Service;
use crate::consumers::fault;
use crate::event;
use crate::http::Connection;
use crate::process::{Cores, now, pin, unpin};

/// A running service. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Where clients connect.
    pub(crate) public: SocketAddr,
    /// Where event streams are created.
    pub(crate) internal: SocketAddr,
    /// Goes after the service.
    data: TempDir,
    service: Service,
    cores: Cores,
}

/// An event stream of a running service.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    pub(crate) id: u64,
    /// What clients ask for.
    pub(crate) path: String,
}

impl Running {
    /// Starts the service on the server's core and waits until it serves.
    pub(crate) fn start(
        service: &Service,
        cores: Cores,
        environment: &[(&str, String)],
    ) -> io::Result<Self> {
        let data = tempfile::Builder::new().prefix("ess-load-").tempdir_in(&service.data_parent)?;
        let child = spawn(service, &data, cores, environment)?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let service = service.clone();
        let mut this = Self { child, public: nowhere, internal: nowhere, data, service, cores };
        this.wait_until_ready()?;
        Ok(this)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let ready = ready_line(&mut self.child)?;
        self.public = address(&ready, "clients at ws://")?;
        self.internal = address(&ready, "internal API at http://")?;
        Ok(())
    }

    /// Kills it as a crash would and starts it on the same data; how long it took from its start
    /// until it was ready.
    pub(crate) fn crash_and_start(&mut self) -> io::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let began = now();
        self.child = spawn(&self.service, &self.data, self.cores, &[])?;
        self.wait_until_ready()?;
        Ok(began.elapsed())
    }

    /// Publishes `batches` times `count` events of `body_bytes` to an event stream.
    pub(crate) fn fill(
        &self,
        created: &Created,
        body_bytes: usize,
        count: usize,
        batches: usize,
    ) -> io::Result<()> {
        let mut connection = Connection::open(self.internal)?;
        let mut line = event::body(body_bytes);
        line.push(b'\n');
        let (path, body) = (created.events(), line.repeat(count));
        for _ in 0..batches {
            connection.call(&path, "application/x-ndjson", &body)?;
        }
        Ok(())
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Creates an event stream.
    pub(crate) fn create(&self, routing_key: &str) -> io::Result<Created> {
        let mut connection = Connection::open(self.internal)?;
        let body = serde_json::json!({ "routing_key": routing_key }).to_string();
        let answer = connection.call("/event-stream/", "application/json", body.as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let location = answer.get("location").and_then(Value::as_str);
        let uuid = location.and_then(|location| location.rsplit('/').next());
        let uuid = uuid.ok_or_else(|| fault("no location in the answer"))?;
        let id = answer.get("id").and_then(Value::as_u64);
        let id = id.ok_or_else(|| fault("no id in the answer"))?;
        Ok(Created { id, path: format!("/event-stream/{uuid}") })
    }
}

impl Created {
    /// Where its events are published.
    pub(crate) fn events(&self) -> String {
        format!("/event-stream/{}/events", self.id)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    service: &Service,
    data: &TempDir,
    cores: Cores,
    environment: &[(&str, String)],
) -> io::Result<Child> {
    // The child inherits where this thread may run.
    if service.all_cores {
        unpin()?;
    } else {
        pin(cores.server)?;
    }
    let child = command(service, data).envs(environment.iter().cloned()).spawn();
    pin(cores.client)?;
    child.map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", service.binary.display()))
    })
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
        .args(&service.flags)
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
