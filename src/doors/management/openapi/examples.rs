//! Requests with the answers they get, from `examples.json`: by operation, in the order in which
//! they are shown.
//!
//! They can be tried against a service that holds nothing: those that create first, those that
//! delete last; in between the event stream 1 is there, and 999999 isn't.

use serde_json::{Map, Value, json};

/// All examples, read.
#[derive(Debug)]
pub(super) struct Examples(Value);

/// A request and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example<'a>(&'a Map<String, Value>);

impl Examples {
    /// Reads them.
    #[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
    pub(super) fn read() -> Self {
        let text = FILE.replace("{version}", env!("CARGO_PKG_VERSION"));
        Self(serde_json::from_str(&text).expect("the examples are JSON"))
    }

    /// The examples of the operation with this id.
    pub(super) fn of(&self, operation: &str) -> impl Iterator<Item = Example<'_>> {
        let examples = self.0.get(operation).and_then(Value::as_array);
        examples.into_iter().flatten().filter_map(Value::as_object).map(Example)
    }
}

const FILE: &str = include_str!("examples.json");

impl<'a> Example<'a> {
    fn text(self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is shown.
    pub(super) fn name(self) -> &'a str {
        self.text("name")
    }

    /// The status of the answer.
    pub(super) fn status(self) -> u64 {
        self.0.get("status").and_then(Value::as_u64).unwrap_or_default()
    }

    /// The media type of the body.
    pub(super) fn media_type(self) -> Option<&'a str> {
        self.0.get("headers")?.get("content-type")?.as_str()
    }

    /// The body as OpenAPI shows it: JSON as JSON.
    pub(super) fn sent(self) -> Value {
        let body = self.text("body");
        match self.media_type() {
            Some("application/json") => serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
            _ => json!(body),
        }
    }

    /// Whether there is an answer to show.
    pub(super) fn has_answer(self) -> bool {
        self.0.contains_key("answer")
    }

    /// The answer as OpenAPI shows it; `None` without one.
    pub(super) fn shown(self) -> Option<(String, Value)> {
        let value = self.0.get("answer")?;
        Some((self.name().to_owned(), json!({ "value": value, "x-request": self.request() })))
    }

    /// How to ask for it. The method is the operation's.
    pub(super) fn request(self) -> Value {
        let members = ["target", "headers", "body"].into_iter();
        let request = members
            .filter_map(|name| self.0.get(name).map(|value| (name.to_owned(), value.clone())));
        Value::Object(request.collect())
    }
}
