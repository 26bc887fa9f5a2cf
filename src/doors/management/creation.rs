//! The body of a creation: `{"routing_key":"abc"}`, checked as FastAPI and pydantic 2 do.
//!
//! Three more members ask for the stream itself, in the broker that keeps it: `declare` (true), and
//! what it is to keep, `retain_age` ("7d") and `retain_bytes` ("1GiB"). They are ours.

use std::time::Duration;

use super::json::{self, Value};
use super::{answer, is_json, media_type};
use crate::config::{parse_duration, parse_size};
use crate::event::{StreamName, StreamNameError};
use crate::limits::STREAM_NAME_BYTES_MAX;
use crate::proto::http::{Head, Response, json_string};
use crate::store::Declaration;

/// What is to be created.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Creation {
    /// The stream that the event stream is for.
    pub routing_key: StreamName,
    /// The stream itself is wanted too.
    pub declaration: Option<Declaration>,
}

/// What the body asks for; members that aren't known are ignored.
pub(super) fn read(head: &Head, body: &[u8]) -> Result<Creation, Response> {
    let members = members(head, body)?;
    let routing_key = named(required(&members, "routing_key")?)?;
    Ok(Creation { routing_key, declaration: declaration(&members)? })
}

/// The members of a body that is a JSON object.
pub(super) fn members(head: &Head, body: &[u8]) -> Result<Vec<(String, Value)>, Response> {
    if body.is_empty() {
        return Err(answer::invalid("missing", "\"body\"", "Field required", "null", None));
    }
    let value = match str::from_utf8(body) {
        // A body of another type is a string to pydantic, and a string isn't an object.
        _ if !is_json(&media_type(head)) => Value::Text(String::from_utf8_lossy(body).into_owned()),
        Ok(text) => parsed(text)?,
        Err(_) => return Err(answer::body_unreadable()),
    };
    if let Value::Object(members) = value {
        return Ok(members);
    }
    let expected = "Input should be a valid dictionary or object to extract fields from";
    let kind = "model_attributes_type";
    Err(answer::invalid(kind, "\"body\"", expected, &value.json(), None))
}

/// The text of the member `name`, which has to be there.
pub(super) fn required<'a>(
    members: &'a [(String, Value)],
    name: &str,
) -> Result<&'a str, Response> {
    let loc = format!("\"body\",\"{name}\"");
    match member(members, name) {
        None => {
            let given = Value::Object(members.to_vec()).json();
            Err(answer::invalid("missing", &loc, "Field required", &given, None))
        }
        Some(Value::Text(text)) => Ok(text),
        Some(other) => Err(mistyped("string", &loc, other)),
    }
}

fn member<'a>(members: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    members.iter().find(|(one, _)| one == name).map(|(_, value)| value)
}

/// As [`member`], where `null` is as good as nothing.
fn optional<'a>(members: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    member(members, name).filter(|value| **value != Value::Plain("null".into()))
}

/// Whether the stream itself is wanted, and what it is to keep.
fn declaration(members: &[(String, Value)]) -> Result<Option<Declaration>, Response> {
    let declare = match optional(members, "declare") {
        None => false,
        Some(Value::Plain(word)) if word == "true" || word == "false" => word == "true",
        Some(other) => return Err(mistyped("boolean", "\"body\",\"declare\"", other)),
    };
    let text = |name: &str| match optional(members, name) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(mistyped("string", &format!("\"body\",\"{name}\""), other)),
    };
    let (age_text, bytes_text) = (text("retain_age")?, text("retain_bytes")?);
    for (name, given) in [("retain_age", age_text), ("retain_bytes", bytes_text)] {
        if let (false, Some(given)) = (declare, given) {
            let expected = "it needs \"declare\": true beside it";
            return Err(unusable(name, expected, given));
        }
    }
    let whole = |age: &Duration| age.subsec_nanos() == 0 && age.as_secs() > 0;
    let age = read_as(age_text, "retain_age", AGE_FORM, |text| parse_duration(text).filter(whole))?;
    let bytes = read_as(bytes_text, "retain_bytes", BYTES_FORM, |text| {
        parse_size(text).filter(|bytes| *bytes > 0 && i64::try_from(*bytes).is_ok())
    })?;
    Ok(declare.then_some(Declaration { age, bytes }))
}

fn read_as<T>(
    text: Option<&str>,
    name: &str,
    form: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Response> {
    let Some(text) = text else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| unusable(name, form, text))
}

const AGE_FORM: &str = "expected a whole number and s, m, h or d, such as 7d";
const BYTES_FORM: &str = "expected a number of bytes such as 500MB or 1GiB";

fn mistyped(kind: &str, loc: &str, value: &Value) -> Response {
    let expected = format!("Input should be a valid {kind}");
    let kind = if kind == "boolean" { "bool_type" } else { "string_type" };
    answer::invalid(kind, loc, &expected, &value.json(), None)
}

/// The text of the member `name` is not what it has to be.
pub(super) fn unusable(name: &str, expected: &str, given: &str) -> Response {
    let (loc, message) = (format!("\"body\",\"{name}\""), format!("Value error, {expected}"));
    answer::invalid("value_error", &loc, &message, &json_string(given), Some("{\"error\":{}}"))
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
