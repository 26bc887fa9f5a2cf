//! Publishers and administrators of RabbitMQ that were not written here, each in a process.
//!
//! The programs and their orders are in `tests/e2e/clients/README.md`. A publish returns when the
//! broker has confirmed all of it. Whatever fails stops the test with what the program said, except
//! where a method answers a `Result`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::orders::Orders;
use super::{Certificates, Node};
use crate::support::toolchain;

/// Python `pika`: AMQP 0.9.1, as the Account Server speaks it.
pub(crate) struct Publisher {
    orders: RefCell<Orders>,
}

/// Python `rstream`: the stream protocol.
pub(crate) struct StreamPublisher {
    orders: RefCell<Orders>,
}

/// How `rstream` packs what it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Packing {
    /// An entry for each event, AMQP 1.0 with one Data section.
    Plain,
    /// An entry for each event, its bytes without AMQP 1.0 around them: malformed.
    Raw,
    /// One sub-entry batch of all, not compressed.
    Batch,
    /// One sub-entry batch of all, gzip.
    GzipBatch,
}

impl Publisher {
    /// As the default user, by password.
    pub(crate) fn start(broker: &Node) -> Self {
        Self::with(&broker.url(), &[])
    }

    /// Over TLS, as the user that the client's certificate names.
    pub(crate) fn start_tls(broker: &Node, tls: &Certificates) -> Self {
        Self::with(&broker.tls_url(), &tls.client_files())
    }

    /// Over TLS, by password, without a certificate of its own.
    pub(crate) fn start_tls_anonymous(broker: &Node, tls: &Certificates) -> Self {
        Self::with(&broker.tls_url(), &[tls.file("ca.pem")])
    }

    fn with(url: &str, files: &[PathBuf]) -> Self {
        let mut command = program("pika_publisher.py");
        Self { orders: RefCell::new(Orders::start(command.arg(url).args(files))) }
    }

    /// A durable stream queue with these arguments (`{"x-max-age": "1h"}`).
    pub(crate) fn declare(&self, stream: &str, arguments: &Value) {
        self.done(&json!({ "do": "declare", "stream": stream, "arguments": arguments }));
    }

    /// A durable exchange.
    pub(crate) fn exchange(&self, exchange: &str, kind: &str) {
        self.done(&json!({ "do": "exchange", "exchange": exchange, "type": kind }));
    }

    /// Binds a stream to an exchange.
    pub(crate) fn bind(&self, stream: &str, exchange: &str, key: &str) {
        self.done(&json!({ "do": "bind", "stream": stream, "exchange": exchange, "key": key }));
    }

    /// To the stream itself, by the default exchange.
    pub(crate) fn publish(&self, stream: &str, body: impl AsRef<[u8]>) {
        self.publish_all("", stream, &[body], 1).unwrap_or_else(|failed| panic!("{failed}"));
    }

    /// All the bodies, one after the other, and all of that so many times.
    pub(crate) fn publish_all(
        &self,
        exchange: &str,
        key: &str,
        bodies: &[impl AsRef<[u8]>],
        copies: usize,
    ) -> Result<usize, String> {
        let order = json!({
            "do": "publish", "exchange": exchange, "key": key, "bodies": texts(bodies),
            "copies": copies,
        });
        count(self.ask(&order))
    }

    /// Deletes a stream, also when there is none.
    pub(crate) fn delete(&self, stream: &str) {
        self.done(&json!({ "do": "delete", "stream": stream }));
    }

    /// Deletes a stream and declares it again.
    pub(crate) fn recreate(&self, stream: &str, arguments: &Value) {
        self.done(&json!({ "do": "recreate", "stream": stream, "arguments": arguments }));
    }

    /// How many events the broker last counted in a stream; it counts every 5 s. `None`: no such
    /// stream.
    pub(crate) fn messages(&self, stream: &str) -> Result<Option<u64>, String> {
        let stats = self.ask(&json!({ "do": "queue_stats", "stream": stream }))?;
        Ok(stats["messages"].as_u64())
    }

    /// Anything that is not simply done or a panic.
    pub(crate) fn ask(&self, order: &Value) -> Result<Value, String> {
        self.orders.borrow_mut().ask(&order.to_string())
    }

    fn done(&self, order: &Value) {
        self.ask(order).unwrap_or_else(|failed| panic!("pika: {order}: {failed}"));
    }
}

impl StreamPublisher {
    /// As the default user, by password.
    pub(crate) fn start(broker: &Node) -> Self {
        Self::with(&broker.url(), broker.stream_port(), &[])
    }

    /// Over TLS with the client's certificate, as the default user, by password: RabbitMQ 3.10.8
    /// takes no EXTERNAL on this port.
    pub(crate) fn start_tls(broker: &Node, tls: &Certificates) -> Self {
        Self::with(&broker.tls_url(), broker.stream_tls_port(), &tls.client_files())
    }

    fn with(url: &str, port: u16, files: &[PathBuf]) -> Self {
        let mut command = program("rstream_publisher.py");
        command.arg(url).arg(port.to_string()).args(files);
        Self { orders: RefCell::new(Orders::start(&mut command)) }
    }

    /// All the bodies, one after the other, and all of that so many times.
    pub(crate) fn publish_all(
        &self,
        stream: &str,
        bodies: &[impl AsRef<[u8]>],
        copies: usize,
        packing: Packing,
    ) -> Result<usize, String> {
        let batch = match packing {
            Packing::Plain | Packing::Raw => None,
            Packing::Batch => Some("none"),
            Packing::GzipBatch => Some("gzip"),
        };
        let order = json!({
            "do": "publish", "stream": stream, "bodies": texts(bodies), "copies": copies,
            "batch": batch, "raw": matches!(packing, Packing::Raw),
        });
        count(self.orders.borrow_mut().ask(&order.to_string()))
    }
}

/// A client program under the Python that has its library.
fn program(name: &str) -> Command {
    let mut command = Command::new(toolchain::python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients").join(name));
    command
}

/// Bytes as characters (Latin-1), which JSON can carry.
fn texts(bodies: &[impl AsRef<[u8]>]) -> Vec<String> {
    let text = |body: &[u8]| body.iter().copied().map(char::from).collect();
    bodies.iter().map(|body| text(body.as_ref())).collect()
}

fn count(answer: Result<Value, String>) -> Result<usize, String> {
    let events = answer?.as_u64().and_then(|events| usize::try_from(events).ok());
    Ok(events.expect("a publish is answered with the number of events"))
}
