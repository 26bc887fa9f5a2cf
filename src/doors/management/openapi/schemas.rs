//! The shapes of bodies, by name.

#![expect(clippy::indexing_slicing, reason = "assigning to a member of a JSON object makes it")]

use serde_json::{Value, json};

use super::super::status::Order;
use crate::limits::{STREAM_NAME_BYTES_MAX, UNDELIVERABLE_TOLD_MAX};

/// A reference to the schema of this name.
pub(super) fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// All schemas.
pub(super) fn all() -> Value {
    let mut all = json!({
        "Version": object(&json!({
            "protocol": constant("WEBSOCKET"), "name": text(), "version": text(),
        })),
        "Description": { "type": "object", "description": "OpenAPI 3.1" },
        "Health": health(),
        "LogLevel": object(&json!({ "log_level": {
            "enum": ["off", "error", "warn", "info", "debug", "trace"],
        } })),
        "Error": object(&json!({ "detail": said("What was wrong and what was expected") })),
        "ValidationErrors": object(&json!({ "detail": {
            "type": "array", "minItems": 1, "items": reference("ValidationError"),
        } })),
        "ValidationError": validation_error(),
    });
    for schemas in [event_streams(), publishing(), status()] {
        if let (Value::Object(all), Value::Object(more)) = (&mut all, schemas) {
            all.extend(more);
        }
    }
    all
}

fn event_streams() -> Value {
    let location = json!({
        "type": "string", "format": "uri",
        "description": "Where clients connect; whoever knows it may read the stream",
    });
    let routing_key = json!({ "type": "string", "minLength": 1 });
    let event_stream = json!({ "id": id(), "location": location, "routing_key": routing_key });
    let mut creation = object(&json!({ "routing_key": {
        "type": "string", "minLength": 1, "maxLength": STREAM_NAME_BYTES_MAX,
        "description": "At most 255 bytes of UTF-8",
    } }));
    let kept = |example: &str, pattern: &str, description: &str| {
        json!({
            "type": ["string", "null"], "examples": [example], "pattern": pattern,
            "description": description,
        })
    };
    add_optional(
        &mut creation,
        &[
            (
                "declare",
                json!({
                    "type": ["boolean", "null"], "default": false,
                    "description": "Make the stream in RabbitMQ too and bind it to the exchange",
                }),
            ),
            (
                "retain_age",
                kept("7d", "^[1-9][0-9]{0,2}[smhd]$", "With declare: how long events are kept"),
            ),
            (
                "retain_bytes",
                kept("1GiB", "^[1-9][0-9]{0,2}([KMG]i?B)?$", "With declare: how much is kept"),
            ),
        ],
    );
    // One without the other means nothing.
    creation["dependentSchemas"] = json!({
        "retain_age": declared_only("retain_age"), "retain_bytes": declared_only("retain_bytes"),
    });
    let mut created = object(&json!({ "id": id(), "location": location }));
    let declared = object(&json!({
        "stream": { "enum": ["created", "was there"] },
        "exchange": text(),
        "routing_key": text(),
    }));
    add_optional(&mut created, &[("declared", declared)]);
    json!({
        "EventStream": object(&event_stream),
        "EventStreams": object(&json!({
            "event_streams": { "type": "array", "items": reference("EventStream") },
        })),
        "EventStreamState": { "allOf": [reference("EventStream"), object(&json!({
            "floor": number("Oldest retained ordinal"),
            "next_ordinal": number("Ordinal of the next event"),
            "bytes": number("Size in the store"),
            "consumers": number("Clients connected through this event stream"),
        }))] },
        "Creation": creation,
        "Created": created,
    })
}

/// Whatever has `member` has `declare` too, unless it is null.
fn declared_only(member: &str) -> Value {
    json!({ "anyOf": [
        { "properties": { member: { "type": "null" } } },
        { "properties": { "declare": { "const": true } }, "required": ["declare"] },
    ] })
}

fn publishing() -> Value {
    let mut receipt = object(&json!({
        "first_ordinal": number("Ordinal of the first event"),
        "last_ordinal": number("Ordinal of the last event"),
        "timestamp": number("Of all of them, in milliseconds since 1970"),
    }));
    // Only there when there is something to tell.
    let one = object(&json!({ "ordinal": number("Which"), "reason": text() }));
    add_optional(
        &mut receipt,
        &[(
            "undeliverable",
            json!({
                "type": "array", "minItems": 1, "maxItems": UNDELIVERABLE_TOLD_MAX, "items": one,
                "description": "Events that are stored and will be sent to nobody, and why",
            }),
        )],
    );
    json!({
        "Receipt": receipt,
        "Duplicate": object(&json!({ "duplicate": { "const": true } })),
    })
}

/// What passed through, of the service, a shard or a stream.
fn traffic() -> Value {
    json!({
        "published": number("Events that became visible, since the start of the service"),
        "delivered": number("Events sent to consumers, each counted for each of them"),
        "lost": number("Events that were no longer retained when a consumer came to them"),
    })
}

/// What there is, of the service or a shard.
fn load() -> Value {
    json!({
        "streams": number("Streams that are open"),
        "consumers": reference("Consumers"),
        "bytes": number("Size in the store, where it is known"),
    })
}

fn status() -> Value {
    let mut shard = object(&json!({
        "shard": number("Which"),
        "late": {
            "type": "boolean",
            "description": "It didn't answer in time: nothing is known of it",
        },
    }));
    for more in [traffic(), load()] {
        for (name, schema) in more.as_object().into_iter().flatten() {
            add_optional(&mut shard, &[(name, schema.clone())]);
        }
    }
    let mut totals = traffic();
    merge(&mut totals, load());
    merge(&mut totals, json!({ "connections": number("Connections of both ports") }));
    let service = json!({
        "name": text(), "version": text(), "store": { "enum": ["log", "rabbitmq", "exchange"] },
    });
    json!({
        "Consumers": object(&json!({
            "live": number("They have everything"),
            "catching_up": number("They are behind, and being served"),
            "stalled": number("They are behind, and don't read"),
            "closing": number("They are told to end"),
        })),
        "Shard": shard,
        "Stream": stream(),
        "Status": object(&json!({
            "service": object(&service),
            "at": number("When, in milliseconds since 1970"),
            "totals": object(&totals),
            "shards": { "type": "array", "items": reference("Shard") },
            "order": { "enum": Order::WORDS },
            "matching": number("Streams that were asked for, told of or not"),
            "registered": number("Streams that event streams are registered for"),
            "streams": { "type": "array", "items": reference("Stream") },
        })),
    })
}

fn stream() -> Value {
    let mut stream = traffic();
    merge(
        &mut stream,
        json!({
            "routing_key": text(),
            "shard": number("Its home"),
            "open": { "type": "boolean", "description": "Nothing is known of one that isn't" },
            "floor": maybe("Oldest retained ordinal; null where only the broker knows"),
            "next_ordinal": maybe("Ordinal of the next event, as far as the stream was watched"),
            "bytes": maybe("Size in the store; null where only the broker knows"),
            "consumers": reference("Consumers"),
            "lag": maybe("Events that the slowest consumer is behind; null without consumers"),
            "seconds_left": maybe("When it begins to lose events at the present pace; null: never"),
            "event_streams": {
                "type": "array",
                "items": object(&json!({ "id": id(), "location": text() })),
            },
        }),
    );
    object(&stream)
}

fn health() -> Value {
    object(&json!({ "status": text(), "parts": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": { "status": { "enum": ["ok", "trouble"] }, "reason": text() },
            "required": ["status"],
        },
    } }))
}

/// As FastAPI's.
fn validation_error() -> Value {
    let mut error = object(&json!({
        "type": text(),
        "loc": { "type": "array", "items": { "type": ["string", "integer"] } },
        "msg": text(),
        "input": { "description": "What was given" },
    }));
    add_optional(&mut error, &[("ctx", json!({ "type": "object" }))]);
    error
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn said(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn constant(value: &str) -> Value {
    json!({ "const": value })
}

fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn maybe(description: &str) -> Value {
    let mut schema = number(description);
    schema["type"] = json!(["integer", "null"]);
    schema
}

fn id() -> Value {
    json!({ "type": "integer", "minimum": 1 })
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

fn merge(all: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (all, more) {
        all.extend(more);
    }
}
