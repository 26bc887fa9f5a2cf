//! RabbitMQ Streams: the wire contract's rows with events that lie in a real broker, and its bad
//! days.
//!
//! Events are published as the Account Server does it, by AMQP 0.9.1 (`pika`), and by the stream
//! protocol (`rstream`). Tests that leave the broker alone share one node and use streams of their
//! own; those that kill it have their own.

mod cluster;
mod content;
mod outages;
mod publishing;
mod sharing;
mod silence;
mod spread;
mod starts;
mod streams;
mod tls;

use serde_json::json;

use crate::support::{Broker, EventStream, Listener, Publisher, Server, Setup, ordinal_of};

/// Both drivers and numbers of shards, without all their combinations: starting is what takes time.
const SETUPS: [Setup; 2] =
    [Setup { driver: "io-uring", shards: 2 }, Setup { driver: "epoll", shards: 1 }];

/// A stream in the broker, and an event stream for it.
fn declared(server: &Server, publisher: &Publisher, stream: &str) -> EventStream {
    publisher.declare(stream, &json!({}));
    server.create(stream)
}

/// A service on the shared broker, and a publisher there.
fn on_shared(setup: Setup) -> (Server, Publisher) {
    let broker = Broker::shared();
    (Server::start_on(&broker, setup, &[]), Publisher::start(&broker))
}

/// A stream name of this test's own.
fn name(test: &str, setup: Setup) -> String {
    format!("{test}-{}-{}", setup.driver, setup.shards)
}

/// Reads from the first event of a stream until "the end"; how many there were before it.
fn read_all(mut client: Listener) -> u64 {
    let mut next = 0;
    loop {
        let text = client.text();
        assert_eq!(ordinal_of(&text), next, "in order, without gap or double");
        if text.starts_with("the end|") {
            return next;
        }
        next += 1;
    }
}
