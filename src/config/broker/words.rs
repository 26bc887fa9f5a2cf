//! What the options about the broker said, each by itself.
//!
//! The readers are of the same kind as those in `value`: a value, or the rest of the sentence
//! `"<text>" …`. Each option has a word for "nothing said" (`none`, `advertised`, `system`,
//! `host`); a file of that name is written `./none`.

use std::path::PathBuf;

use super::url::{self, AmqpUrl};
use super::{ExchangeKind, StoreKind};
use crate::config::value::Read;
use crate::limits::{BROKER_NAME_BYTES_MAX, CATCHUP_READERS_MAX};

/// What was said. `None`: nothing, or the word for it.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Words {
    /// `None`: what follows from the rest (`auto`).
    pub(in crate::config) store: Option<StoreKind>,
    pub(in crate::config) url: Option<AmqpUrl>,
    pub(in crate::config) stream_host: Option<String>,
    pub(in crate::config) stream_port: Option<u16>,
    pub(in crate::config) exchange: Option<String>,
    pub(in crate::config) exchange_kind: ExchangeKind,
    pub(in crate::config) ca: Option<PathBuf>,
    pub(in crate::config) cert: Option<PathBuf>,
    pub(in crate::config) key: Option<PathBuf>,
    pub(in crate::config) sni: Option<String>,
}

/// Where events are kept; `None` for auto.
pub(in crate::config) fn store(text: &str) -> Read<Option<StoreKind>> {
    match text {
        "auto" => Ok(None),
        "log" => Ok(Some(StoreKind::Log)),
        "rabbitmq" => Ok(Some(StoreKind::RabbitMq)),
        "exchange" => Ok(Some(StoreKind::Exchange)),
        _ => Err("is not a store; expected auto, log, rabbitmq or exchange".into()),
    }
}

/// The broker's URL, or `none`.
pub(in crate::config) fn optional_url(text: &str) -> Read<Option<AmqpUrl>> {
    if text == "none" {
        return Ok(None);
    }
    url::parse(text).map(Some)
}

/// A host for the stream protocol, or `advertised`.
pub(in crate::config) fn stream_host(text: &str) -> Read<Option<String>> {
    if text == "advertised" {
        return Ok(None);
    }
    let host = url::host(text).map(Some);
    host.ok_or_else(|| "is not a host; expected a name or an address, or advertised".into())
}

/// A port for the stream protocol, or `advertised`.
pub(in crate::config) fn stream_port(text: &str) -> Read<Option<u16>> {
    if text == "advertised" {
        return Ok(None);
    }
    if text.starts_with("tcp://") {
        return Err("is what Kubernetes tells of a Service called ess-stream; expected a port or \
                    advertised (enableServiceLinks: false keeps it away)"
            .into());
    }
    let port = url::number(text, 1..=u64::from(u16::MAX));
    let port = port.and_then(|port| u16::try_from(port).ok()).map(Some);
    port.ok_or_else(|| "is not a port; expected 1 to 65535, or advertised".into())
}

/// The name of an exchange, or `off`.
pub(in crate::config) fn exchange(text: &str) -> Read<Option<String>> {
    match text {
        "off" => Ok(None),
        _ if text.len() <= BROKER_NAME_BYTES_MAX && !text.chars().any(char::is_control) => {
            Ok(Some(text.into()))
        }
        _ => Err(format!(
            "is not an exchange; expected a name of at most {BROKER_NAME_BYTES_MAX} bytes, or off"
        )),
    }
}

/// How the exchange routes.
pub(in crate::config) fn exchange_kind(text: &str) -> Read<ExchangeKind> {
    match text {
        "direct" => Ok(ExchangeKind::Direct),
        "topic" => Ok(ExchangeKind::Topic),
        _ => Err("is not a type of exchange; expected direct or topic".into()),
    }
}

/// How many readers may catch up at the same time.
pub(in crate::config) fn catchup_readers(text: &str) -> Read<usize> {
    let most = CATCHUP_READERS_MAX;
    let count = url::number(text, 1..=most as u64).and_then(|count| usize::try_from(count).ok());
    count.ok_or_else(|| format!("is not a number of readers; expected 1 to {most}"))
}

/// A file, or `nothing`, the word for none.
pub(in crate::config) fn file_or(nothing: &str, text: &str) -> Read<Option<PathBuf>> {
    match text {
        _ if text == nothing => Ok(None),
        _ if text.contains('\0') => Err(format!("is no path; expected a file, or {nothing}")),
        _ => Ok(Some(text.into())),
    }
}

/// The name that the broker's certificate has, or `host`.
pub(in crate::config) fn server_name(text: &str) -> Read<Option<String>> {
    if text == "host" {
        return Ok(None);
    }
    let name = url::host(text).map(Some);
    name.ok_or_else(|| "is not a host name; expected the name in the certificate, or host".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_word_for_nothing() {
        assert_eq!(store("auto"), Ok(None));
        assert_eq!(optional_url("none"), Ok(None));
        assert_eq!(stream_host("advertised"), Ok(None));
        assert_eq!(stream_port("advertised"), Ok(None));
        assert_eq!(exchange("off"), Ok(None));
        assert_eq!(file_or("system", "system"), Ok(None));
        assert_eq!(file_or("none", "./none"), Ok(Some("./none".into())));
        assert_eq!(server_name("host"), Ok(None));
    }

    #[test]
    fn values_that_are_said() {
        assert_eq!(store("rabbitmq"), Ok(Some(StoreKind::RabbitMq)));
        assert_eq!(store("exchange"), Ok(Some(StoreKind::Exchange)));
        assert_eq!(store("log").map(|kind| kind.map(StoreKind::word)), Ok(Some("log")));
        assert_eq!(stream_host("[::1]"), Ok(Some("::1".into())));
        assert_eq!(stream_host("b.example"), Ok(Some("b.example".into())));
        assert_eq!(exchange_kind("topic"), Ok(ExchangeKind::Topic));
        assert_eq!(server_name("b.example"), Ok(Some("b.example".into())));
        for wrong in ["", "amqp", "Log"] {
            assert!(store(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "a b", "a:1", "amqp://a", "[a]", "[::1", "-a", ".a", "é"] {
            assert!(stream_host(wrong).is_err() && server_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn both_sides_of_every_range() {
        assert_eq!(stream_port("1"), Ok(Some(1)));
        assert_eq!(stream_port("65535"), Ok(Some(65535)));
        assert!(stream_port("0").is_err() && stream_port("65536").is_err());
        let link = stream_port("tcp://10.0.0.1:5552");
        assert!(link.is_err_and(|wrong| wrong.contains("enableServiceLinks: false")));
        assert_eq!(catchup_readers("1"), Ok(1));
        assert_eq!(catchup_readers("4096"), Ok(4096));
        assert!(catchup_readers("0").is_err() && catchup_readers("4097").is_err());
        assert!(exchange(&"x".repeat(255)).is_ok() && exchange(&"x".repeat(256)).is_err());
        assert!(exchange("a\nb").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_refusal_says_what_is_expected(text in "\\PC{0,20}") {
            let refusals = [
                store(&text).err(), optional_url(&text).err(), stream_host(&text).err(),
                stream_port(&text).err(), exchange(&text).err(), exchange_kind(&text).err(),
                catchup_readers(&text).err(), file_or("none", &text).err(),
                server_name(&text).err(),
            ];
            for refusal in refusals.into_iter().flatten() {
                prop_assert!(refusal.contains("; expected "), "{}", refusal);
            }
        }
    }
}
