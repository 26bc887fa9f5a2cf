//! The body of a creation: `{"routing_key":"abc"}`, checked as FastAPI and pydantic 2 do.

use super::json::{self, Value};
use super::{answer, is_json, media_type};
use crate::event::{StreamName, StreamNameError};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::proto::http::{Head, Response, json_string};

/// The stream that the body names; members that aren't known are ignored.
pub(super) fn read(head: &Head, body: &[u8]) -> Result<StreamName, Response> {
    if body.is_empty() {
        return Err(answer::invalid("missing", "\"body\"", "Field required", "null", None));
    }
    let value = match str::from_utf8(body) {
        // A body of another type is a string to pydantic, and a string isn't an object.
        _ if !is_json(&media_type(head)) => Value::Text(String::from_utf8_lossy(body).into_owned()),
        Ok(text) => parsed(text)?,
        Err(_) => return Err(answer::body_unreadable()),
    };
    let Value::Object(members) = &value else {
        let expected = "Input should be a valid dictionary or object to extract fields from";
        let kind = "model_attributes_type";
        return Err(answer::invalid(kind, "\"body\"", expected, &value.json(), None));
    };
    match members.iter().find(|(name, _)| name == "routing_key") {
        None => Err(answer::invalid("missing", KEY, "Field required", &value.json(), None)),
        Some((_, Value::Text(text))) => named(text),
        Some((_, other)) => {
            let expected = "Input should be a valid string";
            Err(answer::invalid("string_type", KEY, expected, &other.json(), None))
        }
    }
}

/// Where the routing key stands in the request.
const KEY: &str = "\"body\",\"routing_key\"";

fn parsed(text: &str) -> Result<Value, Response> {
    // Python drops a byte order mark before it counts.
    json::read(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|fault| match fault {
        json::Fault::TooDeep => answer::body_unreadable(),
        json::Fault::Grammar { position, error } => answer::invalid(
            "json_invalid",
            &format!("\"body\",{position}"),
            "JSON decode error",
            "{}",
            Some(&format!("{{\"error\":{}}}", json_string(error))),
        ),
    })
}

/// The reference takes any text. Ours must also fit AMQP, which counts bytes.
fn named(text: &str) -> Result<StreamName, Response> {
    StreamName::new(text).map_err(|fault| {
        let (kind, expected, limit) = match fault {
            StreamNameError::Empty => (
                "string_too_short",
                "String should have at least 1 character".to_owned(),
                "{\"min_length\":1}".to_owned(),
            ),
            StreamNameError::TooLong => (
                "string_too_long",
                format!("String should have at most {STREAM_NAME_BYTES_MAX} bytes of UTF-8"),
                format!("{{\"max_length\":{STREAM_NAME_BYTES_MAX}}}"),
            ),
        };
        answer::invalid(kind, KEY, &expected, &json_string(text), Some(&limit))
    })
}
