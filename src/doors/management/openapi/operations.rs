//! What each operation takes and gives.

#![expect(clippy::indexing_slicing, reason = "assigning to a member of a JSON object makes it")]

use serde_json::{Map, Value, json};

use super::super::page;
use super::super::route::NDJSON;
use super::super::status::{LIMIT_DEFAULT, Order};
use super::super::table::{Name, Operation};
use super::examples::{Example, Examples};
use super::schemas::reference;
use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, STATUS_STREAMS_MAX};

/// The operation in OpenAPI's words.
pub(super) fn describe(one: &Operation, examples: &Examples) -> Value {
    let mut operation = json!({
        "summary": one.summary,
        "operationId": id_of(one.name),
        "responses": responses(one.name, examples),
    });
    let mut parameters: Vec<_> = one.parameters().map(path_parameter).collect();
    parameters.extend(other_parameters(one.name));
    if let Value::Object(members) = &mut operation {
        if !parameters.is_empty() {
            members.insert("parameters".into(), json!(parameters));
        }
        if let Some(content) = request_content(one.name, examples) {
            let body = json!({ "required": true, "content": content });
            members.insert("requestBody".into(), body);
        }
    }
    operation
}

fn path_parameter(name: &str) -> Value {
    let (schema, description) = match name {
        "file" => {
            (json!({ "enum": page::names().collect::<Vec<_>>() }), "One of the files of the pages")
        }
        _ => (json!({ "type": "integer" }), "The id of an event stream"),
    };
    json!({
        "name": name, "in": "path", "required": true, "schema": schema, "description": description,
    })
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

fn other_parameters(name: Name) -> Vec<Value> {
    match name {
        Name::Delete => vec![query(
            "force",
            json!({ "type": "boolean", "default": false }),
            "Delete the stream where it lies with its last event stream, also when it was not made \
             here",
        )],
        Name::Publish => vec![json!({
            "name": "Idempotency-Key", "in": "header",
            "schema": {
                "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES_MAX,
                "pattern": "^[ -~]*[!#-~][ -~]*$",
            },
            "description": "Names this publish, so that it may be sent again when no answer came. \
                            With events in RabbitMQ only; the embedded log doesn't remember keys",
        })],
        Name::Status => vec![
            query("contains", json!({ "type": "string" }), "Only streams whose name contains this"),
            query("routing_key", json!({ "type": "string" }), "Only the stream of this name"),
            query(
                "order",
                json!({ "enum": Order::WORDS, "default": Order::WORDS[0] }),
                "What comes first: the most consumed, the first by name, the one whose slowest \
                 consumer is furthest behind, or the largest",
            ),
            query(
                "limit",
                json!({
                    "type": "integer", "minimum": 0, "maximum": STATUS_STREAMS_MAX,
                    "default": LIMIT_DEFAULT,
                }),
                "Most streams to tell of",
            ),
        ],
        Name::Version
        | Name::List
        | Name::Create
        | Name::Show
        | Name::Live
        | Name::Ready
        | Name::Started
        | Name::Metrics
        | Name::LogLevel
        | Name::SetLogLevel
        | Name::OpenApi
        | Name::Docs
        | Name::Page
        | Name::Asset => Vec::new(),
    }
}

fn request_content(name: Name, examples: &Examples) -> Option<Value> {
    let schemas: &[(&str, Value)] = match name {
        Name::Create => &[("application/json", reference("Creation"))],
        Name::SetLogLevel => &[("application/json", reference("LogLevel"))],
        Name::Publish => &[
            (
                "text/plain",
                json!({
                    "type": "string", "minLength": 1,
                    "description": "One event, kept byte for byte",
                }),
            ),
            ("application/json", json!({ "description": "One event, kept byte for byte" })),
            (
                NDJSON,
                // No type: whatever is sent is text, and each line of it an event.
                json!({
                    "minLength": 1, "pattern": "[^\\r\\n]",
                    "description": "One event a line, all or none; empty lines are skipped",
                }),
            ),
        ],
        Name::Version
        | Name::List
        | Name::Show
        | Name::Delete
        | Name::Live
        | Name::Ready
        | Name::Started
        | Name::Metrics
        | Name::LogLevel
        | Name::Status
        | Name::OpenApi
        | Name::Docs
        | Name::Page
        | Name::Asset => return None,
    };
    let id = id_of(name);
    let content = schemas.iter().map(|(media_type, schema)| {
        let mut content = json!({ "schema": schema });
        let shown = examples
            .of(&id)
            .filter(|example| example.status() < 300 && example.media_type() == Some(*media_type))
            .map(|example| (example.name().to_owned(), json!({ "value": example.sent() })));
        content["examples"] = shown.collect::<Map<_, _>>().into();
        ((*media_type).to_owned(), content)
    });
    Some(Value::Object(content.collect()))
}

/// An answer: its status, what it means, the schema of its body.
type Answer = (u16, &'static str, &'static str);

const UNREADABLE: Answer = (400, "The request can't be read", "Error");
const FOREIGN: Answer = (403, "A page of another site may not do that", "Error");
const NOT_KNOWN: Answer = (404, "The event stream is not known", "Error");
const TOO_LONG: Answer = (413, "The body is too long", "Error");
const INVALID: Answer =
    (422, "Something that was given is not what is expected", "ValidationErrors");
const FAILED: Answer = (500, "Something failed: the service's log says more", "Error");
const LATER: Answer = (503, "Not now: the same request may succeed soon", "Error");

const fn answers(name: Name) -> &'static [Answer] {
    const CHECKED: Answer = (503, "No: a part is in trouble", "Health");
    match name {
        Name::Version => &[(200, "Who we are", "Version"), UNREADABLE],
        Name::List => &[(200, "All of them, oldest first", "EventStreams"), UNREADABLE],
        Name::Create => &[
            (201, "Created", "Created"),
            UNREADABLE,
            FOREIGN,
            (409, "The stream can't be declared so: nothing was created", "Error"),
            TOO_LONG,
            INVALID,
            FAILED,
            LATER,
        ],
        Name::Show => &[
            (200, "The event stream and what its stream holds", "EventStreamState"),
            UNREADABLE,
            NOT_KNOWN,
            INVALID,
            FAILED,
            LATER,
        ],
        Name::Delete => {
            &[(204, "Deleted", ""), UNREADABLE, FOREIGN, NOT_KNOWN, INVALID, FAILED, LATER]
        }
        Name::Publish => &[
            (200, "These events were stored by an earlier publish of this key", "Duplicate"),
            (201, "All events are stored, durably", "Receipt"),
            (400, "The request or its key can't be read, or the store takes no keys", "Error"),
            FOREIGN,
            NOT_KNOWN,
            (413, "An event, or the body, is too long: nothing was stored", "Error"),
            (415, "The content type is not known", "Error"),
            INVALID,
            (500, "The log failed", "Error"),
            LATER,
            (507, "The disk is full: nothing was stored", "Error"),
        ],
        Name::Live | Name::Ready | Name::Started => &[(200, "Yes", "Health"), UNREADABLE, CHECKED],
        Name::Metrics => &[(200, "OpenMetrics text", "application/openmetrics-text"), UNREADABLE],
        Name::LogLevel => &[(200, "How much is logged", "LogLevel"), UNREADABLE],
        Name::SetLogLevel => {
            &[(200, "So much is logged now", "LogLevel"), UNREADABLE, FOREIGN, TOO_LONG, INVALID]
        }
        Name::Status => &[(200, "What it does and holds", "Status"), UNREADABLE, INVALID],
        Name::OpenApi => &[(200, "This description", "Description"), UNREADABLE],
        Name::Docs | Name::Page => &[(200, "A page", "text/html"), UNREADABLE],
        Name::Asset => &[
            (200, "The file", "text/javascript text/css image/svg+xml"),
            UNREADABLE,
            (404, "There is no such file", "Error"),
        ],
    }
}

fn responses(name: Name, examples: &Examples) -> Value {
    let examples: Vec<_> = examples.of(&id_of(name)).collect();
    let responses = answers(name).iter().map(|(status, description, schema)| {
        let these =
            || examples.iter().copied().filter(|example| example.status() == u64::from(*status));
        let mut response = json!({ "description": description });
        let text = json!({ "schema": { "type": "string" } });
        let content = match *schema {
            "" => None,
            files if files.contains('/') => {
                let each = files.split(' ').map(|file| (file.to_owned(), text.clone()));
                Some(Value::Object(each.collect()))
            }
            schema => {
                let mut content = json!({ "schema": reference(schema) });
                let shown: Map<_, _> = these().filter_map(Example::shown).collect();
                if !shown.is_empty() {
                    content["examples"] = shown.into();
                }
                Some(json!({ "application/json": content }))
            }
        };
        if let Some(content) = content {
            response["content"] = content;
        }
        if *status == 201 && name == Name::Create {
            response["links"] = links();
        }
        let unshown = these().filter(|example| !example.has_answer());
        let requests: Vec<_> = unshown.map(Example::request).collect();
        if !requests.is_empty() {
            response["x-requests"] = requests.into();
        }
        (status.to_string(), response)
    });
    Value::Object(responses.collect())
}

/// What the id of a new event stream is good for.
fn links() -> Value {
    let with_id = |name: Name| {
        let parameters = json!({ "es_id": "$response.body#/id" });
        json!({ "operationId": id_of(name), "parameters": parameters })
    };
    json!({
        "show": with_id(Name::Show),
        "publish": with_id(Name::Publish),
        "delete": with_id(Name::Delete),
    })
}

fn id_of(name: Name) -> String {
    format!("{name:?}").to_ascii_lowercase()
}
