//! What one option's text means: pure readers, one a kind of value.
//!
//! A reader answers the value or the rest of the sentence `"<text>" …`: what is wrong and what is
//! expected. It knows neither the option's name nor where the text came from; the caller does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::quantity::{
    DURATION_FORM, SIZE_FORM, format_duration, format_size, parse_duration, parse_size,
};
use super::{Driver, Fsync, LogFormat};
use crate::limits::{
    EVENT_BYTES_CEILING, METRICS_STREAMS_MAX, PERIOD_MILLIS_MAX, PERIOD_MILLIS_MIN,
    SEND_BYTES_FLOOR, SEND_BYTES_MAX, SHARDS_MAX, TAIL_BYTES_CEILING, TAIL_BYTES_FLOOR,
};

/// A value, or what is wrong with its text.
pub(super) type Read<T> = Result<T, String>;

/// `IP:PORT`. Names are not resolved: which address a name has is not this file's to find out.
pub(super) fn address(text: &str) -> Read<SocketAddr> {
    text.parse().map_err(|_| {
        "is not an address; expected IP:PORT, such as 127.0.0.1:8080 or [::]:8080".into()
    })
}

/// A path that can stand in a rotation pattern.
pub(super) fn folder(text: &str) -> Read<PathBuf> {
    if text.contains('\0') {
        return Err("is no path; expected a folder".into());
    }
    Ok(PathBuf::from(text))
}

/// A folder, or `-` for none.
pub(super) fn log_folder(text: &str) -> Read<Option<PathBuf>> {
    match text {
        "-" => Ok(None),
        // log4rs fills `{}` and `$ENV{…}` in the names of rotated files.
        _ if text.contains('{') || text.contains('}') => {
            Err("has a brace, which rotated files can't have; expected a folder or -".into())
        }
        _ => folder(text).map(Some),
    }
}

/// A number of shards, or `cores`.
pub(super) fn shards(text: &str, cores: usize) -> Read<usize> {
    if text == "cores" {
        return Ok(cores.clamp(1, SHARDS_MAX));
    }
    match text.parse() {
        Ok(shards @ 1..=SHARDS_MAX) => Ok(shards),
        _ => Err(format!("is not a number of shards; expected 1 to {SHARDS_MAX}, or cores")),
    }
}

/// The I/O driver.
pub(super) fn driver(text: &str) -> Read<Driver> {
    match text {
        "auto" => Ok(Driver::Auto),
        "io-uring" | "io_uring" => Ok(Driver::IoUring),
        "epoll" => Ok(Driver::Epoll),
        _ => Err("is not a driver; expected auto, io-uring or epoll".into()),
    }
}

/// A switch.
pub(super) fn switch(text: &str) -> Read<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" | "on" => Ok(true),
        "no" | "false" | "0" | "off" => Ok(false),
        _ => Err("is neither yes nor no; expected yes, no, true, false, 1 or 0".into()),
    }
}

/// What stands between `ws://` and `/event-stream/…` in a location.
pub(super) fn ingress_location(text: &str) -> Read<String> {
    let expected = "expected HOST or HOST:PORT, such as ess.example.com";
    if text.contains("://") {
        return Err(format!("has a scheme (see --ingress-secure); {expected}"));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:[]/%".contains(c);
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        || !text.chars().all(allowed)
        || text.ends_with(['/', ':'])
    {
        return Err(format!("is not a host; {expected}"));
    }
    Ok(text.into())
}

/// A browser's `Origin` (RFC 6454 §7), in the lower case browsers send.
pub(super) fn origin(text: &str) -> Read<String> {
    let text = text.to_ascii_lowercase();
    let host = text.split_once("://").map(|(scheme, host)| (scheme.is_empty(), host));
    match host {
        Some((false, host)) if !host.is_empty() && !host.contains(['/', '?', '#', ' ']) => Ok(text),
        None if text == "null" || text == "*" => Ok(text),
        _ => Err("is not an origin; expected SCHEME://HOST[:PORT] without a path, such as \
                  https://app.example.com, or * for all"
            .into()),
    }
}

/// When an append counts as stored.
pub(super) fn fsync(text: &str) -> Read<Fsync> {
    let interval = |text: &str| {
        let millis = text.parse().ok().map(Duration::from_millis);
        millis.or_else(|| parse_duration(text)).filter(|every| in_period(*every))
    };
    match (text, text.strip_prefix("interval=")) {
        ("always", _) => Ok(Fsync::Always),
        ("never", _) => Ok(Fsync::Never),
        (_, Some(every)) if interval(every).is_some() => {
            Ok(interval(every).map_or(Fsync::Always, Fsync::Interval))
        }
        _ => Err("is not a rule; expected always, never, or interval= and milliseconds from \
                  10 to 86400000, such as interval=50"
            .into()),
    }
}

/// An interval or timeout.
pub(super) fn period(text: &str) -> Read<Duration> {
    match parse_duration(text) {
        Some(duration) if in_period(duration) => Ok(duration),
        Some(_) => Err(format!("is out of range; expected {}", period_range())),
        None => Err(format!("is not a duration; expected {DURATION_FORM}")),
    }
}

/// An interval or timeout that may be nothing at all.
pub(super) fn period_or_zero(text: &str) -> Read<Duration> {
    match parse_duration(text) {
        Some(Duration::ZERO) => Ok(Duration::ZERO),
        _ => period(text),
    }
}

/// How long to keep, or for ever.
pub(super) fn retain_age(text: &str) -> Read<Option<Duration>> {
    if is_off(text) {
        return Ok(None);
    }
    match parse_duration(text) {
        Some(age) => Ok((!age.is_zero()).then_some(age)),
        None => Err(format!("is not an age; expected {DURATION_FORM}, or forever")),
    }
}

/// How many bytes to keep, or all.
pub(super) fn retain_bytes(text: &str) -> Read<Option<u64>> {
    if is_off(text) {
        return Ok(None);
    }
    match parse_size(text) {
        Some(bytes) => Ok((bytes > 0).then_some(bytes)),
        None => Err(format!("is not a size; expected {SIZE_FORM}, or off")),
    }
}

/// How many events to keep, or all.
pub(super) fn retain_events(text: &str) -> Read<Option<u64>> {
    if is_off(text) {
        return Ok(None);
    }
    match text.parse() {
        Ok(events) => Ok((events > 0).then_some(events)),
        Err(_) => Err("is not a number of events; expected a whole number, or off".into()),
    }
}

/// The largest event.
pub(super) fn event_bytes(text: &str) -> Read<usize> {
    size(text, 1, EVENT_BYTES_CEILING)
}

/// The tail of a stream.
pub(super) fn tail_bytes(text: &str) -> Read<usize> {
    size(text, TAIL_BYTES_FLOOR, TAIL_BYTES_CEILING)
}

/// What a consumer is sent at once.
pub(super) fn send_bytes(text: &str) -> Read<usize> {
    size(text, SEND_BYTES_FLOOR, SEND_BYTES_MAX as u64)
}

/// A count that may be 0.
pub(super) fn count(text: &str) -> Read<u64> {
    text.parse().map_err(|_| "is not a count; expected a whole number, 0 for none".into())
}

/// How many streams have labels of their own.
pub(super) fn metrics_streams(text: &str) -> Read<usize> {
    match text.parse() {
        Ok(count @ 0..=METRICS_STREAMS_MAX) => Ok(count),
        _ => Err(format!("is not a number of streams; expected 0 to {METRICS_STREAMS_MAX}")),
    }
}

/// How much is logged.
pub(super) fn level(text: &str) -> Read<LevelFilter> {
    text.parse()
        .map_err(|_| "is not a level; expected off, error, warn, info, debug or trace".to_owned())
}

/// How a line of the log is written.
pub(super) fn log_format(text: &str) -> Read<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is not a format; expected text or json".into()),
    }
}

fn size(text: &str, least: u64, most: u64) -> Read<usize> {
    let bytes = parse_size(text);
    match bytes.and_then(|bytes| usize::try_from(bytes).ok().filter(|_| bytes <= most)) {
        Some(bytes) if bytes as u64 >= least => Ok(bytes),
        _ if bytes.is_some() => Err(format!(
            "is out of range; expected {} to {}",
            format_size(least),
            format_size(most)
        )),
        _ => Err(format!("is not a size; expected {SIZE_FORM}")),
    }
}

fn in_period(duration: Duration) -> bool {
    let range = PERIOD_MILLIS_MIN.into()..=PERIOD_MILLIS_MAX.into();
    range.contains(&duration.as_millis())
}

fn period_range() -> String {
    let [least, most] = [PERIOD_MILLIS_MIN, PERIOD_MILLIS_MAX].map(Duration::from_millis);
    format!("{} to {}", format_duration(least), format_duration(most))
}

fn is_off(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "off" | "forever")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_sides_of_every_range() {
        assert_eq!(shards("1", 4), Ok(1));
        assert_eq!(shards("1024", 4), Ok(1024));
        assert!(shards("0", 4).is_err() && shards("1025", 4).is_err());
        assert_eq!(shards("cores", 4), Ok(4));
        assert_eq!(shards("cores", 0), Ok(1));
        assert!(period("10ms").is_ok() && period("1d").is_ok());
        assert!(period("9ms").is_err() && period("86400001ms").is_err());
        assert_eq!(period_or_zero("0"), Ok(Duration::ZERO));
        assert!(period_or_zero("9ms").is_err());
        assert!(event_bytes("1").is_ok() && event_bytes("1GiB").is_ok());
        assert!(event_bytes("0").is_err() && event_bytes("1073741825").is_err());
        assert!(tail_bytes("64KiB").is_ok() && tail_bytes("64GiB").is_ok());
        assert!(tail_bytes("65535").is_err() && tail_bytes("68719476737").is_err());
    }

    #[test]
    fn fsync_has_three_rules() {
        assert_eq!(fsync("always"), Ok(Fsync::Always));
        assert_eq!(fsync("never"), Ok(Fsync::Never));
        assert_eq!(fsync("interval=50"), Ok(Fsync::Interval(Duration::from_millis(50))));
        assert_eq!(fsync("interval=2s"), Ok(Fsync::Interval(Duration::from_secs(2))));
        for wrong in
            ["", "interval", "interval=", "interval=0", "interval=9", "interval=x", "Always"]
        {
            assert!(fsync(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn retention_can_be_turned_off() {
        for off in ["0", "off", "forever", "OFF"] {
            assert_eq!(retain_age(off), Ok(None));
            assert_eq!(retain_bytes(off), Ok(None));
            assert_eq!(retain_events(off), Ok(None));
        }
        assert_eq!(retain_age("7d"), Ok(Some(Duration::from_secs(604_800))));
        assert_eq!(retain_bytes("1GiB"), Ok(Some(1 << 30)));
        assert_eq!(retain_events("12"), Ok(Some(12)));
        assert!(retain_age("7").is_err() && retain_bytes("7d").is_err());
        assert!(retain_events("-1").is_err());
    }

    #[test]
    fn a_location_is_a_host_and_nothing_around_it() {
        for right in ["localhost:8080", "ess.example.com", "[::1]:8080", "host/prefix"] {
            assert_eq!(ingress_location(right).as_deref(), Ok(right));
        }
        for wrong in ["", "wss://ess", "host/", "host:", "/x", "a b", "a\"b", "é"] {
            assert!(ingress_location(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_origin_is_compared_as_browsers_send_it() {
        assert_eq!(origin("HTTPS://App.Example.com").as_deref(), Ok("https://app.example.com"));
        assert_eq!(origin("null").as_deref(), Ok("null"));
        for wrong in ["", "app.example.com", "https://", "://a", "https://a/", "https://a b"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn switches_and_words() {
        for yes in ["yes", "true", "1", "YES", "on"] {
            assert_eq!(switch(yes), Ok(true));
        }
        for no in ["no", "false", "0", "No", "off"] {
            assert_eq!(switch(no), Ok(false));
        }
        assert!(switch("").is_err() && switch("maybe").is_err());
        assert_eq!(driver("io_uring"), Ok(Driver::IoUring));
        assert!(driver("uring").is_err());
        assert_eq!(log_folder("-"), Ok(None));
        assert!(log_folder("logs{}").is_err() && log_folder("$ENV{HOME}").is_err());
        assert!(send_bytes("128").is_ok() && send_bytes("256KiB").is_ok());
        assert!(send_bytes("127").is_err() && send_bytes("262145").is_err());
        assert_eq!(level("Debug"), Ok(LevelFilter::Debug));
        assert!(level("verbose").is_err());
        assert_eq!((metrics_streams("0"), metrics_streams("1000")), (Ok(0), Ok(1_000)));
        assert!(metrics_streams("1001").is_err() && metrics_streams("-1").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_refusal_says_what_is_expected(text in "\\PC{0,20}") {
            let refusals = [
                address(&text).err(), log_folder(&text).err(), shards(&text, 2).err(),
                driver(&text).err(), switch(&text).err(), ingress_location(&text).err(),
                origin(&text).err(), fsync(&text).err(), period(&text).err(),
                retain_age(&text).err(), retain_bytes(&text).err(), retain_events(&text).err(),
                event_bytes(&text).err(), tail_bytes(&text).err(), send_bytes(&text).err(),
                count(&text).err(), level(&text).err(),
            ];
            for refusal in refusals.into_iter().flatten() {
                prop_assert!(refusal.contains("; expected "), "{}", refusal);
            }
        }
    }
}
