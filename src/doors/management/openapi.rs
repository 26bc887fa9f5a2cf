//! The description of the API: OpenAPI 3.1, and a page for people made of the same.
//!
//! Paths, methods and summaries come from the table that routes; here is what each takes and gives.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::route::NDJSON;
use super::table::{ID_SEGMENT, Name, OPERATIONS, Operation};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::proto::http::Method;

/// The description as JSON.
pub(super) fn description() -> Value {
    let mut paths = Map::new();
    for one in OPERATIONS {
        let path = paths.entry(one.path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            methods.insert(method(one).to_ascii_lowercase(), operation(one));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ESS internal API",
            "description": "Creates, lists and deletes event streams and publishes events. \
                            Clients receive them on the location of an event stream.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

/// The description as HTML that loads nothing.
pub(super) fn page() -> String {
    let mut rows = String::new();
    for one in OPERATIONS {
        let (takes, gives) = words(one.name);
        let _ = write!(
            rows,
            "<section><h2><b>{}</b> <code>{}</code></h2><p>{}</p><dl><dt>takes</dt><dd>{takes}\
             </dd><dt>gives</dt><dd>{gives}</dd></dl></section>",
            method(one),
            one.path,
            one.summary
        );
    }
    PAGE.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{operations}", &rows)
}

const PAGE: &str = include_str!("docs.html");

fn method(one: &Operation) -> &'static str {
    match one.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Head | Method::Options | Method::Patch | Method::Other => {
            unreachable!("no operation has it")
        }
    }
}

/// What an operation takes and gives, for people.
const fn words(name: Name) -> (&'static str, &'static str) {
    match name {
        Name::Version => ("nothing", "200 <code>{\"protocol\",\"name\",\"version\"}</code>"),
        Name::List => (
            "nothing",
            "200 <code>{\"event_streams\":[{\"id\",\"location\",\"routing_key\"}]}</code>",
        ),
        Name::Create => (
            "<code>{\"routing_key\":\"abc\"}</code>, 1 to 255 bytes; with \
             <code>\"declare\":true</code> \
             the stream is made in RabbitMQ and bound to the exchange, to keep \
             <code>\"retain_age\":\"7d\"</code> and <code>\"retain_bytes\":\"1GiB\"</code>",
            "201 <code>{\"id\",\"location\"}</code>, and <code>\"declared\"</code> with what was \
             done in \
             RabbitMQ; 409 when the stream is there and keeps something else, or there is no \
             RabbitMQ; 422 when the body is not so",
        ),
        Name::Show => (
            "nothing",
            "200 <code>{\"id\",\"location\",\"routing_key\",\"floor\",\"next_ordinal\",\"bytes\",\
             \"consumers\"}</code>; 404 when it is not known",
        ),
        Name::Delete => (
            "nothing; <code>?force=yes</code> deletes the stream in RabbitMQ with its last event \
             stream, also when it was not made here",
            "204; 404 when it is not known",
        ),
        Name::Publish => (
            "<code>text/plain</code> or <code>application/json</code>: the body is one event, kept \
             byte for byte; <code>application/x-ndjson</code>: each line that is not empty is one",
            "201 <code>{\"first_ordinal\",\"last_ordinal\",\"timestamp\"}</code> once the events \
             are durable, and <code>\"undeliverable\"</code> when some can never be sent; 404 when \
             the event stream is not known, 413 when an event is too long, 415 for another content \
             type, 422 without an event, 507 when the disk is full",
        ),
        Name::Live | Name::Ready | Name::Started => (
            "nothing",
            "200 <code>{\"status\",\"parts\"}</code>; 503 when a part is in trouble, with its \
             reason",
        ),
        Name::Metrics => ("nothing", "200 OpenMetrics text"),
        Name::LogLevel => ("nothing", "200 <code>{\"log_level\"}</code>"),
        Name::SetLogLevel => (
            "<code>{\"log_level\":\"debug\"}</code>: off, error, warn, info, debug or trace",
            "200 <code>{\"log_level\"}</code>; 422 when it is none of these",
        ),
        Name::OpenApi => ("nothing", "200 OpenAPI 3.1"),
        Name::Docs => ("nothing", "200 this page"),
    }
}

fn operation(one: &Operation) -> Value {
    let mut operation = json!({
        "summary": one.summary,
        "operationId": format!("{:?}", one.name).to_ascii_lowercase(),
        "responses": responses(one.name),
    });
    if let Value::Object(members) = &mut operation {
        if one.path.contains(ID_SEGMENT) {
            let id = json!({
                "name": "es_id", "in": "path", "required": true, "schema": { "type": "integer" },
            });
            let mut parameters = vec![id];
            if one.name == Name::Delete {
                parameters.push(json!({
                    "name": "force", "in": "query", "schema": { "type": "boolean" },
                    "description": "Delete the stream where it lies with its last event stream, \
                                    also when it was not made here",
                }));
            }
            members.insert("parameters".into(), json!(parameters));
        }
        if let Some(content) = request_content(one.name) {
            let body = json!({ "required": true, "content": content });
            members.insert("requestBody".into(), body);
        }
    }
    operation
}

fn request_content(name: Name) -> Option<Value> {
    match name {
        Name::Create => Some(json!({ "application/json": { "schema": reference("Creation") } })),
        Name::SetLogLevel => {
            Some(json!({ "application/json": { "schema": reference("LogLevel") } }))
        }
        Name::Publish => Some(json!({
            "text/plain": { "schema": { "type": "string", "minLength": 1 } },
            "application/json": { "schema": {} },
            NDJSON: { "schema": {
                "type": "string",
                "description": "One event a line; empty lines are skipped",
            } },
        })),
        Name::Version
        | Name::List
        | Name::Show
        | Name::Delete
        | Name::Live
        | Name::Ready
        | Name::Started
        | Name::Metrics
        | Name::LogLevel
        | Name::OpenApi
        | Name::Docs => None,
    }
}

fn responses(name: Name) -> Value {
    let ok = |schema| json!({ "200": answer("Successful Response", schema) });
    let not_known = answer("The event stream is not known", "Error");
    let invalid = answer("Validation Error", "ValidationErrors");
    match name {
        Name::Version => ok("Version"),
        Name::List => ok("EventStreams"),
        Name::Create => json!({
            "201": answer("Created", "Created"),
            "409": answer("The stream can't be declared so: nothing was created", "Error"),
            "422": invalid,
        }),
        Name::Show => json!({
            "200": answer("Successful Response", "EventStreamState"),
            "404": not_known,
            "422": invalid,
        }),
        Name::Delete => json!({
            "204": { "description": "Deleted" },
            "404": not_known,
            "422": invalid,
        }),
        Name::Publish => json!({
            "201": answer("All events are stored, durably", "Receipt"),
            "404": not_known,
            "413": answer("An event, or the body, is too long: nothing was stored", "Error"),
            "415": answer("The content type is not known", "Error"),
            "422": invalid,
            "500": answer("The log failed", "Error"),
            "507": answer("The disk is full: nothing was stored", "Error"),
        }),
        Name::Live | Name::Ready | Name::Started => json!({
            "200": answer("Yes", "Health"),
            "503": answer("No: a part is in trouble", "Health"),
        }),
        Name::Metrics => json!({ "200": {
            "description": "OpenMetrics text",
            "content": { "application/openmetrics-text": { "schema": { "type": "string" } } },
        } }),
        Name::LogLevel => ok("LogLevel"),
        Name::SetLogLevel => json!({
            "200": answer("Successful Response", "LogLevel"),
            "422": invalid,
        }),
        Name::OpenApi => json!({ "200": {
            "description": "This description",
            "content": { "application/json": { "schema": { "type": "object" } } },
        } }),
        Name::Docs => json!({ "200": {
            "description": "A page",
            "content": { "text/html": { "schema": { "type": "string" } } },
        } }),
    }
}

fn answer(description: &str, schema: &str) -> Value {
    let content = json!({ "application/json": { "schema": reference(schema) } });
    json!({ "description": description, "content": content })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// An object whose members are all required.
fn object(properties: &Value) -> Value {
    let required: Vec<_> =
        properties.as_object().map(|all| all.keys().collect()).unwrap_or_default();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// Adds members that may be left out.
fn add_optional(object: &mut Value, members: &[(&str, Value)]) {
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, schema) in members {
            properties.insert((*name).into(), schema.clone());
        }
    }
}

fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    let (id, location, routing_key) =
        (number(), json!({ "type": "string", "format": "uri" }), text());
    let event_stream = json!({ "id": id, "location": location, "routing_key": routing_key });
    let mut receipt = object(&json!({
        "first_ordinal": number(), "last_ordinal": number(), "timestamp": number(),
    }));
    // Only there when there is something to tell.
    let one = object(&json!({ "ordinal": number(), "reason": text() }));
    add_optional(&mut receipt, &[("undeliverable", json!({ "type": "array", "items": one }))]);
    let mut creation = object(&json!({ "routing_key": {
        "type": "string", "minLength": 1, "maxLength": STREAM_NAME_BYTES_MAX,
    } }));
    add_optional(
        &mut creation,
        &[
            ("declare", json!({ "type": "boolean", "default": false })),
            ("retain_age", json!({ "type": "string", "examples": ["7d"] })),
            ("retain_bytes", json!({ "type": "string", "examples": ["1GiB"] })),
        ],
    );
    let mut created = object(&json!({ "id": id, "location": location }));
    let declared = object(&json!({
        "stream": { "enum": ["created", "was there"] },
        "exchange": text(),
        "routing_key": text(),
    }));
    add_optional(&mut created, &[("declared", declared)]);
    json!({
        "Version": object(&json!({ "protocol": text(), "name": text(), "version": text() })),
        "EventStream": object(&event_stream),
        "EventStreams": object(&json!({
            "event_streams": { "type": "array", "items": reference("EventStream") },
        })),
        "EventStreamState": { "allOf": [reference("EventStream"), object(&json!({
            "floor": number(), "next_ordinal": number(), "bytes": number(), "consumers": number(),
        }))] },
        "Creation": creation,
        "Created": created,
        "Receipt": receipt,
        "Health": object(&json!({ "status": text(), "parts": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": { "status": { "enum": ["ok", "trouble"] }, "reason": text() },
                "required": ["status"],
            },
        } })),
        "LogLevel": object(&json!({ "log_level": {
            "enum": ["off", "error", "warn", "info", "debug", "trace"],
        } })),
        "Error": object(&json!({ "detail": text() })),
        "ValidationErrors": object(&json!({ "detail": {
            "type": "array", "items": reference("ValidationError"),
        } })),
        "ValidationError": object(&json!({
            "type": text(),
            "loc": { "type": "array", "items": { "type": ["string", "integer"] } },
            "msg": text(),
            "input": {},
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_and_every_reference_is_met() {
        let description = description();
        for one in OPERATIONS {
            let method = method(one).to_ascii_lowercase();
            let found = &description["paths"][one.path][&method];
            assert_eq!(found["summary"], one.summary);
            assert!(found["responses"].as_object().is_some_and(|all| !all.is_empty()));
        }
        let text = description.to_string();
        for place in text.split("\"#/components/schemas/").skip(1) {
            let name = place.split('"').next().unwrap();
            assert!(description["components"]["schemas"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn the_page_names_every_operation_and_loads_nothing() {
        let page = page();
        for one in OPERATIONS {
            assert!(page.contains(one.path) && page.contains(one.summary), "{}", one.path);
        }
        for outside in ["http://", "https://", "<script src", "<link", "@import", "<img"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("{version}") && !page.contains("{operations}"));
    }
}
