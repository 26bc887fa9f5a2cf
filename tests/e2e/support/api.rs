//! The internal API, for preparing things: every fault is a panic.

use std::net::SocketAddr;

use serde_json::{Value, json};
use ureq::Agent;

use super::wait_until;

/// Talks to the internal API of one service; clones share its connections.
#[derive(Clone)]
pub(crate) struct Api {
    agent: Agent,
    internal: SocketAddr,
}

/// An event stream that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventStream {
    /// Its number in the internal API.
    pub(crate) id: i64,
    /// Its public location, as told.
    pub(crate) location: String,
    /// The last part of the location.
    pub(crate) uuid: String,
}

/// The answer to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Ordinal of the first event.
    pub(crate) first: u64,
    /// Ordinal of the last event.
    pub(crate) last: u64,
    /// Their timestamp, in milliseconds.
    pub(crate) timestamp: u64,
}

impl Api {
    pub(super) fn new(internal: SocketAddr) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).build();
        Self { agent: Agent::new_with_config(config), internal }
    }

    /// The internal port.
    pub(crate) fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// An address on the internal port.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.internal)
    }

    /// Creates an event stream.
    pub(crate) fn create(&self, routing_key: &str) -> EventStream {
        let body = json!({ "routing_key": routing_key }).to_string();
        let (status, text) = self.post("/event-stream/", "application/json", body.as_bytes());
        assert_eq!(status, 201, "create {routing_key:?}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("the answer is JSON");
        let location = answer["location"].as_str().expect("a location").to_owned();
        let uuid = location.rsplit('/').next().expect("a last part").to_owned();
        EventStream { id: answer["id"].as_i64().expect("an id"), location, uuid }
    }

    /// Deletes an event stream.
    pub(crate) fn delete(&self, id: i64) {
        let answer = self.agent.delete(self.at(&format!("/event-stream/{id}"))).call();
        let status = answer.expect("the service answers").status();
        assert_eq!(status, 204, "delete {id}");
    }

    /// The item and its stream's state.
    pub(crate) fn item(&self, id: i64) -> Value {
        let answer = self.agent.get(self.at(&format!("/event-stream/{id}"))).call();
        let text = answer.expect("the service answers").body_mut().read_to_string();
        serde_json::from_str(&text.expect("text")).expect("the answer is JSON")
    }

    /// The oldest ordinal of the item's stream that is retained.
    pub(crate) fn floor(&self, id: i64) -> u64 {
        self.item(id)["floor"].as_u64().expect("an item tells its floor")
    }

    /// How many consumers the item's stream has.
    pub(crate) fn consumers(&self, id: i64) -> u64 {
        self.item(id)["consumers"].as_u64().expect("an item tells its consumers")
    }

    /// Publishes one text event.
    pub(crate) fn publish(&self, id: i64, event: &str) -> Published {
        let published = self.try_publish(id, "text/plain", event.as_bytes());
        published.unwrap_or_else(|why| panic!("publish to {id}: {why}"))
    }

    /// Publishes one event a line.
    pub(crate) fn publish_lines(&self, id: i64, lines: &str) -> Published {
        let published = self.try_publish(id, "application/x-ndjson", lines.as_bytes());
        published.unwrap_or_else(|why| panic!("publish to {id}: {why}"))
    }

    /// Publishes, or says why that wasn't acknowledged.
    pub(crate) fn try_publish(
        &self,
        id: i64,
        kind: &str,
        body: &[u8],
    ) -> Result<Published, String> {
        let answer = self
            .agent
            .post(self.at(&format!("/event-stream/{id}/events")))
            .content_type(kind)
            .send(body);
        let mut answer = answer.map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if answer.status() != 201 {
            return Err(format!("{}: {text}", answer.status()));
        }
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let number = |name: &str| value[name].as_u64().ok_or_else(|| format!("{name}: {text}"));
        Ok(Published {
            first: number("first_ordinal")?,
            last: number("last_ordinal")?,
            timestamp: number("timestamp")?,
        })
    }

    /// Publishes `event` again and again until the stream's clock has moved on; the last answer.
    pub(crate) fn publish_later(&self, id: i64, event: &str, than: u64) -> Published {
        let mut published = self.publish(id, event);
        wait_until("the next millisecond", || {
            let later = published.timestamp > than;
            if !later {
                published = self.publish(id, event);
            }
            later
        });
        published
    }

    /// Publishes under a key: status and body of the answer.
    pub(crate) fn publish_once(&self, id: i64, key: &str, lines: &str) -> (u16, String) {
        let answer = self
            .agent
            .post(self.at(&format!("/event-stream/{id}/events")))
            .content_type("application/x-ndjson")
            .header("idempotency-key", key)
            .send(lines);
        let mut answer = answer.expect("the service answers");
        let text = answer.body_mut().read_to_string().expect("the answer is text");
        (answer.status().as_u16(), text)
    }

    /// Status and body of a GET.
    pub(crate) fn ask(&self, path: &str) -> (u16, String) {
        let answer = self.agent.get(self.at(path)).call();
        let mut answer = answer.expect("the service answers");
        let text = answer.body_mut().read_to_string().expect("the answer is text");
        (answer.status().as_u16(), text)
    }

    fn post(&self, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let answer = self.agent.post(self.at(path)).content_type(kind).send(body);
        let mut answer = answer.expect("the service answers");
        let text = answer.body_mut().read_to_string().expect("the answer is text");
        (answer.status().as_u16(), text)
    }
}
