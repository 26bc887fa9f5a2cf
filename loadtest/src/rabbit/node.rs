//! A private RabbitMQ node, by `tests/broker/run`; dropped, it is gone with all it wrote.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::Deserialize;

use crate::consumers::fault;

/// A running node.
#[derive(Debug)]
pub(super) struct Node {
    told: Told,
    child: Child,
    /// Its end ends the node.
    orders: Option<ChildStdin>,
}

/// What the script says of the node it has started.
#[derive(Debug, Deserialize)]
struct Told {
    pid: u32,
    ports: BTreeMap<String, u16>,
    ctl: String,
    env: BTreeMap<String, String>,
}

/// A line of the script.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Done(Told),
    Failed(String),
}

impl Node {
    /// Starts one, on all cores the calling thread may use.
    pub(super) fn start(script: &Path) -> io::Result<Self> {
        let spawned = Command::new(script)
            .arg("--orders")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child =
            spawned.map_err(|error| fault(&format!("{}: {error}", script.display())))?;
        let orders = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| fault("standard output is not piped"))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Answer::Done(told)) => Ok(Self { told, child, orders }),
            Ok(Answer::Failed(why)) => Err(fault(&why)),
            Err(error) => Err(fault(&format!("{} said {line:?}: {error}", script.display()))),
        }
    }

    /// The broker's process.
    pub(super) fn pid(&self) -> u32 {
        self.told.pid
    }

    /// A port by its name in the script.
    pub(super) fn port(&self, name: &str) -> io::Result<u16> {
        self.told.ports.get(name).copied().ok_or_else(|| fault(&format!("no port {name:?}")))
    }

    /// How many connections the service has to the stream listener.
    pub(super) fn service_connections(&self) -> io::Result<usize> {
        let output = Command::new(&self.told.ctl)
            .args(["-q", "--formatter", "csv", "list_stream_connections", "client_properties"])
            .env_clear()
            .envs(&self.told.env)
            .output()?;
        if !output.status.success() {
            return Err(fault(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(rows(&String::from_utf8_lossy(&output.stdout)))
    }
}

/// Rows that name the service, which our own connections don't.
fn rows(csv: &str) -> usize {
    csv.matches(PRODUCT).count()
}

/// What the service says it is (`proto::rabbit::handshake`).
const PRODUCT: &str = r#"{""product"",""ESS""}"#;

impl Drop for Node {
    fn drop(&mut self) {
        self.orders.take();
        // Fails only when it is gone already.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_says_is_understood() {
        let line = r#"{"done": {"pid": 7, "epmd": 8, "name": "x", "ports": {"stream": 9},
            "ctl": "/r", "env": {"HOME": "/h"}}}"#;
        let Ok(Answer::Done(told)) = serde_json::from_str(line) else { panic!("{line}") };
        assert_eq!((told.pid, told.ports.get("stream")), (7, Some(&9)));
        let answer = serde_json::from_str(r#"{"failed": "no"}"#);
        assert!(matches!(answer, Ok(Answer::Failed(why)) if why == "no"));
    }

    /// As RabbitMQ 3.10.8 tells it, with a connection of ours in between.
    const ROWS: &str = r#""client_properties"
"[{""connection_name"",""ess""},{""platform"",""Rust""},{""product"",""ESS""},{""version"",""4.0.0""}]"
"[]"
"[{""connection_name"",""ess""},{""platform"",""Rust""},{""product"",""ESS""},{""version"",""4.0.0""}]"
"#;

    #[test]
    fn only_the_service_is_counted() {
        assert_eq!(rows(ROWS), 2);
        assert_eq!(rows(""), 0);
    }
}
