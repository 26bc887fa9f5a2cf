//! One record, one line: `2025-04-30T19:20:37.123Z INFO ess::shard message`.

use std::fmt::{self, Write};

use chrono::DateTime;
use log::Level;

use crate::event::Timestamp;
use crate::limits::LOG_MESSAGE_BYTES_MAX;

/// A record on its way to the writer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) target: String,
    pub(super) message: String,
    /// Records that were dropped right before this one.
    pub(super) dropped: u64,
}

/// Formats a message, cut at [`LOG_MESSAGE_BYTES_MAX`]: formatting stops there too.
pub(super) fn message(arguments: &fmt::Arguments<'_>) -> String {
    let mut cut = Cut { text: String::new() };
    if cut.write_fmt(*arguments).is_err() {
        cut.text.push('…');
    }
    cut.text
}

/// The line of an entry, without its end. Control characters are escaped, so that nobody can write
/// a line of their own into the log.
pub(super) fn line(at: Timestamp, level: Level, target: &str, message: &str) -> String {
    let millis = i64::try_from(at.millis()).ok();
    let time = millis.and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    let time = time.format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let mut line = format!("{time} {level} {target} ");
    for piece in message.split_inclusive(char::is_control) {
        match piece.char_indices().next_back() {
            Some((end, control)) if control.is_control() => {
                line.extend(piece.get(..end));
                line.extend(control.escape_default());
            }
            _ => line.push_str(piece),
        }
    }
    line
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

    #[test]
    fn a_line_has_utc_time_to_the_millisecond() {
        let at = Timestamp::from_millis(1_746_040_837_123);
        let found = line(at, Level::Info, "ess::shard", "hello");
        assert_eq!(found, "2025-04-30T19:20:37.123Z INFO ess::shard hello");
        let whole = line(Timestamp::from_millis(0), Level::Warn, "t", "");
        assert_eq!(whole, "1970-01-01T00:00:00.000Z WARN t ");
        let _ =
            line(Timestamp::from_millis(u64::MAX), Level::Warn, "t", "a broken clock is no panic");
    }

    #[test]
    fn nobody_can_write_a_line_of_their_own() {
        let found = line(Timestamp::EPOCH, Level::Info, "t", "a\nb\r\x1b[2J\u{85}é\t");
        assert!(found.ends_with("t a\\nb\\r\\u{1b}[2J\\u{85}é\\t"), "{found}");
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
