//! The one table of options: what the flags, the environment, the file, `ess check`, the help and
//! docs/configuration.md all say comes from here.
//!
//! An option's name is its flag (`--public-addr`) and its key in the file (`public-addr`); its
//! environment variable has the same words (`ESS_PUBLIC_ADDR`). A default is a text like any other
//! and goes through the same reader, so it can't be something an operator couldn't write.

use super::Config;
use super::broker::{self, Words};
use super::value::{self, Read};

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The flag without its dashes, and the key in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// Other variables that mean the same: the reference's, where it has a name of its own.
    pub aliases: &'static [&'static str],
    /// What it is when nothing is said; empty for an empty list.
    pub default: &'static str,
    /// What its value looks like, for the help: `IP:PORT`, `DURATION`.
    pub form: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
    /// Where it stands in the help and the documentation.
    pub group: Group,
    /// How many values it takes.
    pub arity: Arity,
    /// How its text may be shown, when it has a secret in it.
    pub(super) mask: Option<fn(&str) -> String>,
    /// Reads the value into the draft.
    pub(super) apply: fn(&mut Draft, &Given<'_>) -> Read<()>,
}

impl Setting {
    /// Its variables, the strongest first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.variable].into_iter().chain(self.aliases.iter().copied())
    }

    /// `text` as it may be shown. A broker's URL can also stand where it doesn't belong.
    pub(super) fn shown(&self, text: &str) -> String {
        let login = text.split_once('@').is_some_and(|(login, _)| login.contains(':'));
        let misplaced = login && !text.starts_with(['/', '.']);
        match self.mask {
            Some(mask) => mask(text),
            None if misplaced => broker::masked(text),
            None => text.to_owned(),
        }
    }
}

/// A configuration in the making: what some options say has to be seen together.
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) broker: Words,
}

/// What an option is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// Addresses and locations.
    Network,
    /// Where events lie and how long.
    Storage,
    /// RabbitMQ, and whether events are kept there.
    Broker,
    /// How consumers are served.
    Delivery,
    /// Threads, logs, stopping.
    Operation,
    /// For conformance suites: in no help and no document.
    Hidden,
}

impl Group {
    /// The headings that are shown, in order.
    pub const SHOWN: [Self; 5] =
        [Self::Network, Self::Storage, Self::Broker, Self::Delivery, Self::Operation];

    /// The heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Storage => "Storage",
            Self::Broker => "Broker",
            Self::Delivery => "Delivery",
            Self::Operation => "Operation",
            Self::Hidden => "Hidden",
        }
    }
}

/// How many values an option takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arity {
    /// Exactly one.
    One,
    /// Yes or no; the bare flag means yes.
    Switch,
    /// Any number: a repeated flag, a list in the file, commas in the environment.
    Many,
}

/// What was said for one option.
pub(super) struct Given<'a> {
    pub(super) setting: &'a Setting,
    pub(super) texts: &'a [String],
    /// Cores of this machine, for `--shards cores`.
    pub(super) cores: usize,
}

impl Given<'_> {
    /// Reads the last text into `slot`; on a fault the sentence begins with the text as it may be
    /// shown.
    fn read<T>(&self, slot: &mut T, reader: impl Fn(&str) -> Read<T>) -> Read<()> {
        let text = self.texts.last().map_or("", |text| text.trim());
        *slot = self.read_one(text, reader)?;
        Ok(())
    }

    fn read_all<T>(&self, slot: &mut Vec<T>, reader: impl Fn(&str) -> Read<T>) -> Read<()> {
        *slot = self
            .texts
            .iter()
            .map(|text| self.read_one(text.trim(), &reader))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn read_one<T>(&self, text: &str, reader: impl Fn(&str) -> Read<T>) -> Read<T> {
        if text.is_empty() {
            return Err("is empty; expected a value".into());
        }
        reader(text)
            .map_err(|wrong| format!("\"{}\" {wrong}", self.setting.shown(text).escape_debug()))
    }
}

/// The option called `name`.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

macro_rules! settings {
    (@mask) => { None };
    (@mask $mask:path) => { Some($mask) };
    ($($group:ident $arity:ident $name:literal $variable:literal $(or $alias:literal)*
       $(shown $mask:path,)? $default:literal $form:literal $meaning:literal $apply:expr;)*) => {
        &[$(Setting {
            name: $name, variable: $variable, aliases: &[$($alias),*], default: $default,
            form: $form, meaning: $meaning, group: Group::$group, arity: Arity::$arity,
            mask: settings!(@mask $($mask)?), apply: $apply,
        },)*]
    };
}

/// Every option, in the order of the help.
pub static SETTINGS: &[Setting] = settings! {
    Network One "public-addr" "ESS_PUBLIC_ADDR" "0.0.0.0:8080" "IP:PORT"
        "Where clients connect: the public WebSocket port."
        |draft, given| given.read(&mut draft.config.public_addr, value::address);
    Network One "internal-addr" "ESS_INTERNAL_ADDR" "0.0.0.0:8081" "IP:PORT"
        "Where the internal API listens; keep it out of reach of the public."
        |draft, given| given.read(&mut draft.config.internal_addr, value::address);
    Network One "ingress-location" "ESS_INGRESS_LOCATION" "localhost:8080" "HOST[:PORT]"
        "How clients reach the public port: the host in the locations given out."
        |draft, given| given.read(&mut draft.config.ingress_location, value::ingress_location);
    Network Switch "ingress-secure" "ESS_INGRESS_SECURE" "no" "yes|no"
        "Give out wss:// locations, because something in front of ess speaks TLS."
        |draft, given| given.read(&mut draft.config.ingress_secure, value::switch);
    Network Many "allow-origin" "ESS_ALLOW_ORIGIN" "*" "ORIGIN"
        "Browser origins that may connect; may be repeated; * for all."
        |draft, given| {
            given.read_all(&mut draft.config.allowed_origins, value::origin)?;
            if draft.config.allowed_origins.iter().any(|origin| origin == "*") {
                draft.config.allowed_origins.clear();
            }
            Ok(())
        };

    Storage One "data-dir" "ESS_DATA_DIR" "./data" "FOLDER"
        "Where the database and the events are kept."
        |draft, given| given.read(&mut draft.config.data_dir, value::folder);
    Storage One "fsync" "ESS_FSYNC" "always" "always|interval=MS|never"
        "When an event counts as stored: always survives a power cut, the others only a crash."
        |draft, given| given.read(&mut draft.config.fsync, value::fsync);
    Storage One "retain-age" "ESS_RETAIN_AGE" "7d" "DURATION|forever"
        "Events older than this are dropped."
        |draft, given| given.read(&mut draft.config.retain.age, value::retain_age);
    Storage One "retain-bytes" "ESS_RETAIN_BYTES" "1GiB" "SIZE|off"
        "A stream larger than this loses its oldest events."
        |draft, given| given.read(&mut draft.config.retain.bytes, value::retain_bytes);
    Storage One "retain-events" "ESS_RETAIN_EVENTS" "off" "COUNT|off"
        "A stream with more events than this loses its oldest."
        |draft, given| given.read(&mut draft.config.retain.events, value::retain_events);
    Storage One "retain-interval" "ESS_RETAIN_INTERVAL" "10s" "DURATION"
        "How often the streams are looked at for events to drop."
        |draft, given| given.read(&mut draft.config.retain_interval, value::period);
    Storage One "event-bytes-max" "ESS_EVENT_BYTES_MAX" "32MiB" "SIZE"
        "Largest event that is taken."
        |draft, given| given.read(&mut draft.config.event_bytes_max, value::event_bytes);

    Broker One "store" "ESS_STORE" "auto" "auto|log|rabbitmq|exchange"
        "Where events are kept: log is embedded; auto is rabbitmq with a broker URL, else log."
        |draft, given| given.read(&mut draft.broker.store, broker::store);
    Broker One "amqp-url" "ESS_AMQP_URL" or "ESS_AMPQ_URL" shown broker::masked,
        "none" "URL|none"
        "The broker, amqp://USER:PASSWORD@HOST:PORT/VHOST; amqps:// for TLS. A cluster: HOST,HOST."
        |draft, given| given.read(&mut draft.broker.url, broker::optional_url);
    Broker One "stream-host" "ESS_STREAM_HOST" "advertised" "HOST|advertised"
        "Connect for streams to this host, whatever the broker advertises: a load balancer."
        |draft, given| given.read(&mut draft.broker.stream_host, broker::stream_host);
    Broker One "stream-port" "ESS_STREAM_PORT" "advertised" "PORT|advertised"
        "Connect for streams to this port; else 5552 (5551 with TLS), then those advertised."
        |draft, given| given.read(&mut draft.broker.stream_port, broker::stream_port);
    Broker One "exchange" "ESS_EXCHANGE" "off" "NAME|off"
        "Publish through this exchange, not into the stream; store exchange: event-streams if off."
        |draft, given| given.read(&mut draft.broker.exchange, broker::exchange);
    Broker One "exchange-type" "ESS_EXCHANGE_TYPE" "direct" "direct|topic"
        "How that exchange routes."
        |draft, given| given.read(&mut draft.broker.exchange_kind, broker::exchange_kind);
    Broker One "catchup-readers-max" "ESS_CATCHUP_READERS_MAX" "64" "COUNT"
        "Readers of older events at the broker at a time; more consumers wait their turn."
        |draft, given| {
            given.read(&mut draft.config.catchup_readers_max, broker::catchup_readers)
        };
    Broker One "broker-ca" "ESS_BROKER_CA" "system" "FILE|system"
        "Authorities that the broker's certificate may be from, PEM; system: this machine's."
        |draft, given| {
            given.read(&mut draft.broker.ca, |text| broker::file_or("system", text))
        };
    Broker One "broker-cert" "ESS_BROKER_CERT" "none" "FILE|none"
        "Certificate shown to the broker, PEM."
        |draft, given| given.read(&mut draft.broker.cert, |text| broker::file_or("none", text));
    Broker One "broker-key" "ESS_BROKER_KEY" "none" "FILE|none"
        "Key of that certificate, PEM."
        |draft, given| given.read(&mut draft.broker.key, |text| broker::file_or("none", text));
    Broker One "broker-sni" "ESS_BROKER_SNI" "host" "NAME|host"
        "Name that the broker's certificate has; host: the one connected to."
        |draft, given| given.read(&mut draft.broker.sni, broker::server_name);

    Delivery One "tail-bytes" "ESS_TAIL_BYTES" "8MiB" "SIZE"
        "Newest events of each stream kept in memory; consumers further behind read from disk."
        |draft, given| given.read(&mut draft.config.tail_bytes, value::tail_bytes);
    Delivery One "send-bytes" "ESS_SEND_BYTES" "256KiB" "SIZE"
        "Most a consumer is sent at once, whole events: with less, others have their turn sooner."
        |draft, given| given.read(&mut draft.config.send_bytes, value::send_bytes);
    Delivery One "spread-consumers" "ESS_SPREAD_CONSUMERS" "0" "COUNT"
        "A stream with so many consumers on its home shard spreads over other shards; 0 for never."
        |draft, given| given.read(&mut draft.config.spread_consumers, value::count);
    Delivery Switch "exclusive" "ESS_EXCLUSIVE" "no" "yes|no"
        "One consumer a routing key: a newcomer displaces the one before."
        |draft, given| given.read(&mut draft.config.exclusive, value::switch);
    Delivery One "stall-timeout" "ESS_STALL_TIMEOUT" "60s" "DURATION"
        "A consumer that takes no byte for so long is closed (1013)."
        |draft, given| given.read(&mut draft.config.stall_timeout, value::period);
    Delivery One "ping-interval" "ESS_PING_INTERVAL" "20s" "DURATION"
        "Time between two pings to a consumer; one that misses two is gone."
        |draft, given| given.read(&mut draft.config.ping_interval, value::period);
    Delivery One "message-stats-interval" "ESS_MESSAGE_STATS_INTERVAL" "800" "COUNT"
        "Log a line per consumer every so many events; 0 for none."
        |draft, given| given.read(&mut draft.config.message_stats_interval, value::count);

    Operation One "shards" "ESS_SHARDS" "cores" "COUNT|cores"
        "Threads that serve, each pinned to a core."
        |draft, given| {
            given.read(&mut draft.config.shards, |text| value::shards(text, given.cores))
        };
    Operation One "driver" "ESS_DRIVER" "auto" "auto|io-uring|epoll"
        "How the kernel is asked for I/O; auto falls back to epoll where io_uring is refused."
        |draft, given| given.read(&mut draft.config.driver, value::driver);
    Operation One "drain" "ESS_DRAIN" "5s" "DURATION"
        "Stopping closes the consumers spread over so long."
        |draft, given| given.read(&mut draft.config.drain, value::period_or_zero);
    Operation One "metrics-streams-max" "ESS_METRICS_STREAMS_MAX" "100" "COUNT"
        "Streams with labels of their own in /metrics, the most consumed ones; the rest in sum."
        |draft, given| given.read(&mut draft.config.metrics_streams_max, value::metrics_streams);
    Operation One "log-dir" "ESS_LOG_DIR" "./logs" "FOLDER|-"
        "Folder of es.log, access.log and wsgi.log; - logs to the console only."
        |draft, given| given.read(&mut draft.config.log_dir, value::log_folder);
    Operation One "log-level" "ESS_LOG_LEVEL" "info" "off|error|warn|info|debug|trace"
        "How much is logged."
        |draft, given| given.read(&mut draft.config.log_level, value::level);
    Operation One "log-format" "ESS_LOG_FORMAT" "text" "text|json"
        "How a line of the log is written: for people, or a JSON object a line."
        |draft, given| given.read(&mut draft.config.log_format, value::log_format);

    Hidden Switch "echo" "ESS_ECHO" "no" "yes|no"
        "Serve /echo on the public port, for WebSocket conformance suites."
        |draft, given| given.read(&mut draft.config.echo, value::switch);
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_variable_has_the_words_of_its_flag() {
        for setting in SETTINGS {
            let expected = format!("ESS_{}", setting.name.to_uppercase().replace('-', "_"));
            assert_eq!(setting.variable, expected);
        }
    }

    #[test]
    fn no_name_is_used_twice() {
        let names: HashSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
    }

    #[test]
    fn every_meaning_is_one_sentence() {
        for setting in SETTINGS {
            assert!(setting.meaning.ends_with('.'), "{}", setting.name);
            assert!(!setting.meaning.contains('|'), "{} breaks the table", setting.name);
        }
    }
}
