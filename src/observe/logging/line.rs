//! One record, one line.
//!
//! ```text
//! text  2025-04-30T19:20:37.123Z INFO access 10.0.0.7:4242 GET /readyz 200 request_id=4bf9…
//! json  {"time":"2025-04-30T19:20:37.123Z","level":"INFO","target":"access","message":"…",
//!        "request_id":"4bf9…","peer":"10.0.0.7:4242","status":200}        (in one line)
//! ```

use std::fmt::{self, Write};

use chrono::DateTime;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};

use super::REQUEST;
use crate::config::LogFormat;
use crate::event::Timestamp;
use crate::limits::LOG_MESSAGE_BYTES_MAX;

/// A record on its way to the writer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: String,
    pub(super) message: String,
    /// What else it says, as it stands in the line; see [`fields`].
    pub(super) fields: String,
    /// Records that were dropped right before this one.
    pub(super) dropped: u64,
}

impl Entry {
    /// The line of an entry, without its end. Control characters are escaped, so that nobody can
    /// write a line of their own into the log.
    pub(super) fn line(&self, format: LogFormat) -> String {
        let millis = i64::try_from(self.at.millis()).ok();
        let time = millis.and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        let time = time.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let Self { level, target, message, fields, .. } = self;
        match format {
            LogFormat::Text => {
                let mut line = format!("{time} {level} {target} ");
                put_escaped(message, &mut line);
                line + fields
            }
            LogFormat::Json => {
                let (target, message) = (json(target), json(message));
                format!(
                    "{{\"time\":\"{time}\",\"level\":\"{level}\",\"target\":{target},\
                     \"message\":{message}{fields}}}"
                )
            }
        }
    }
}

/// Formats a message, cut at [`LOG_MESSAGE_BYTES_MAX`]: formatting stops there too.
pub(super) fn message(arguments: &fmt::Arguments<'_>) -> String {
    let mut cut = Cut { text: String::new() };
    if cut.write_fmt(*arguments).is_err() {
        cut.text.push('…');
    }
    cut.text
}

/// The fields of a record as they stand behind its message: in a text ` request_id=…` alone, in
/// JSON all of them, each `,"name":value`.
pub(super) fn fields(record: &Record<'_>, format: LogFormat) -> String {
    let mut fields = Fields { format, text: String::new() };
    // The visitor below refuses nothing.
    let _ = record.key_values().visit(&mut fields);
    fields.text
}

struct Fields {
    format: LogFormat,
    text: String,
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let key = key.as_str();
        match self.format {
            LogFormat::Text if key == REQUEST => {
                self.text.push_str(" request_id=");
                put_escaped(&message(&format_args!("{value}")), &mut self.text);
            }
            LogFormat::Text => {}
            LogFormat::Json => {
                // A library's field must not pass for one of the line's own.
                let own = if OWN.contains(&key) { "_" } else { "" };
                self.text.push(',');
                self.text.push_str(&json(&format!("{own}{key}")));
                self.text.push(':');
                match (value.to_u64(), value.to_bool()) {
                    (Some(number), _) => self.text.push_str(&number.to_string()),
                    (_, Some(fact)) => self.text.push_str(if fact { "true" } else { "false" }),
                    _ => self.text.push_str(&json(&message(&format_args!("{value}")))),
                }
            }
        }
        Ok(())
    }
}

/// The members that every JSON line has.
const OWN: [&str; 4] = ["time", "level", "target", "message"];

fn put_escaped(text: &str, line: &mut String) {
    for piece in text.split_inclusive(char::is_control) {
        match piece.char_indices().next_back() {
            Some((end, control)) if control.is_control() => {
                line.extend(piece.get(..end));
                line.extend(control.escape_default());
            }
            _ => line.push_str(piece),
        }
    }
}

/// `text` as a JSON string that a terminal may show: all control characters are escaped, also
/// those that JSON would take as they are.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

struct Cut {
    text: String,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LOG_MESSAGE_BYTES_MAX - self.text.len();
        let fits = text.floor_char_boundary(room);
        self.text.extend(text.get(..fits));
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: Timestamp, level: Level, message: &str) -> Entry {
        let (message, fields) = (message.to_owned(), String::new());
        Entry { at, level, target: "ess::shard".into(), message, fields, dropped: 0 }
    }

    fn text(at: Timestamp, level: Level, message: &str) -> String {
        entry(at, level, message).line(LogFormat::Text)
    }

    #[test]
    fn a_line_has_utc_time_to_the_millisecond() {
        let at = Timestamp::from_millis(1_746_040_837_123);
        let found = text(at, Level::Info, "hello");
        assert_eq!(found, "2025-04-30T19:20:37.123Z INFO ess::shard hello");
        let whole = text(Timestamp::from_millis(0), Level::Warn, "");
        assert_eq!(whole, "1970-01-01T00:00:00.000Z WARN ess::shard ");
        let _ = text(Timestamp::from_millis(u64::MAX), Level::Warn, "a broken clock is no panic");
    }

    #[test]
    fn nobody_can_write_a_line_of_their_own() {
        let stranger = "a\nb\r\x1b[2J\u{85}é\t\"\\";
        let found = text(Timestamp::EPOCH, Level::Info, stranger);
        assert!(found.ends_with("d a\\nb\\r\\u{1b}[2J\\u{85}é\\t\"\\"), "{found}");
        let found = entry(Timestamp::EPOCH, Level::Info, stranger).line(LogFormat::Json);
        assert!(!found.contains(char::is_control), "{found}");
        let value: serde_json::Value = serde_json::from_str(&found).expect("it is JSON");
        assert_eq!(value["message"], stranger);
    }

    #[test]
    fn json_has_every_field_and_a_text_the_one_its_message_lacks() {
        let pairs = [
            ("peer", Value::from("[::1]:9")),
            (REQUEST, Value::from("abc")),
            ("status", Value::from(200_u16)),
            ("whole", Value::from(true)),
            ("level", Value::from("a\"\nb")),
        ];
        let args = format_args!("hello");
        let record = Record::builder().args(args).key_values(&pairs).build();
        assert_eq!(fields(&record, LogFormat::Text), " request_id=abc");
        let mut whole = entry(Timestamp::EPOCH, Level::Info, "hello");
        whole.fields = fields(&record, LogFormat::Json);
        assert_eq!(
            whole.line(LogFormat::Json),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"INFO\",\"target\":\"ess::shard\",\
             \"message\":\"hello\",\"peer\":\"[::1]:9\",\"request_id\":\"abc\",\"status\":200,\
             \"whole\":true,\"_level\":\"a\\\"\\nb\"}"
        );
    }

    #[test]
    fn both_sides_of_the_longest_message() {
        let most = "x".repeat(LOG_MESSAGE_BYTES_MAX);
        assert_eq!(message(&format_args!("{most}")), most);
        assert_eq!(message(&format_args!("{most}y")), format!("{most}…"));
        assert_eq!(message(&format_args!("{most}{}", "")), most);
        let wide = message(&format_args!("x{}", "é".repeat(LOG_MESSAGE_BYTES_MAX)));
        assert_eq!(wide.len(), LOG_MESSAGE_BYTES_MAX - 1 + '…'.len_utf8());
    }
}
