//! The one table of options: what the flags, the environment, the file, `ess check`, the help and
//! the README all say comes from here.
//!
//! An option's name is its flag (`--public-addr`) and its key in the file (`public-addr`); its
//! environment variable has the same words (`ESS_PUBLIC_ADDR`). A default is a text like any other
//! and goes through the same reader, so it can't be something an operator couldn't write.

use super::Config;
use super::value::{self, Read};

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The flag without its dashes, and the key in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What it is when nothing is said; empty for an empty list.
    pub default: &'static str,
    /// What its value looks like, for the help: `IP:PORT`, `DURATION`.
    pub form: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
    /// Where it stands in the help and the README.
    pub group: Group,
    /// How many values it takes.
    pub arity: Arity,
    /// Reads the value into the configuration.
    pub(super) apply: fn(&mut Config, &Given<'_>) -> Read<()>,
}

/// What an option is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// Addresses and locations.
    Network,
    /// Where events lie and how long.
    Storage,
    /// How consumers are served.
    Delivery,
    /// Threads, logs, stopping.
    Operation,
    /// For conformance suites: in no help and no README.
    Hidden,
}

impl Group {
    /// The headings that are shown, in order.
    pub const SHOWN: [Self; 4] = [Self::Network, Self::Storage, Self::Delivery, Self::Operation];

    /// The heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Storage => "Storage",
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
    pub(super) texts: &'a [String],
    /// Cores of this machine, for `--shards cores`.
    pub(super) cores: usize,
}

impl Given<'_> {
    /// Reads the last text into `slot`; on a fault the sentence begins with the text.
    fn read<T>(&self, slot: &mut T, reader: impl Fn(&str) -> Read<T>) -> Read<()> {
        let text = self.texts.last().map_or("", |text| text.trim());
        *slot = read_one(text, reader)?;
        Ok(())
    }

    fn read_all<T>(&self, slot: &mut Vec<T>, reader: impl Fn(&str) -> Read<T>) -> Read<()> {
        *slot = self
            .texts
            .iter()
            .map(|text| read_one(text.trim(), &reader))
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn read_one<T>(text: &str, reader: impl Fn(&str) -> Read<T>) -> Read<T> {
    if text.is_empty() {
        return Err("is empty; expected a value".into());
    }
    reader(text).map_err(|wrong| format!("\"{}\" {wrong}", text.escape_debug()))
}

/// The option called `name`.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

macro_rules! settings {
    ($($group:ident $arity:ident $name:literal $variable:literal $default:literal $form:literal
       $meaning:literal $apply:expr;)*) => {
        &[$(Setting {
            name: $name, variable: $variable, default: $default, form: $form, meaning: $meaning,
            group: Group::$group, arity: Arity::$arity, apply: $apply,
        },)*]
    };
}

/// Every option, in the order of the help.
pub static SETTINGS: &[Setting] = settings! {
    Network One "public-addr" "ESS_PUBLIC_ADDR" "0.0.0.0:8080" "IP:PORT"
        "Where clients connect: the public WebSocket port."
        |config, given| given.read(&mut config.public_addr, value::address);
    Network One "internal-addr" "ESS_INTERNAL_ADDR" "0.0.0.0:8081" "IP:PORT"
        "Where the internal API listens; keep it out of reach of the public."
        |config, given| given.read(&mut config.internal_addr, value::address);
    Network One "ingress-location" "ESS_INGRESS_LOCATION" "localhost:8080" "HOST[:PORT]"
        "How clients reach the public port: the host in the locations given out."
        |config, given| given.read(&mut config.ingress_location, value::ingress_location);
    Network Switch "ingress-secure" "ESS_INGRESS_SECURE" "no" "yes|no"
        "Give out wss:// locations, because something in front of ess speaks TLS."
        |config, given| given.read(&mut config.ingress_secure, value::switch);
    Network Many "allow-origin" "ESS_ALLOW_ORIGIN" "*" "ORIGIN"
        "Browser origins that may connect; may be repeated; * for all."
        |config, given| {
            given.read_all(&mut config.allowed_origins, value::origin)?;
            if config.allowed_origins.iter().any(|origin| origin == "*") {
                config.allowed_origins.clear();
            }
            Ok(())
        };

    Storage One "data-dir" "ESS_DATA_DIR" "./data" "FOLDER"
        "Where the database and the events are kept."
        |config, given| given.read(&mut config.data_dir, value::folder);
    Storage One "fsync" "ESS_FSYNC" "always" "always|interval=MS|never"
        "When an event counts as stored: always survives a power cut, the others only a crash."
        |config, given| given.read(&mut config.fsync, value::fsync);
    Storage One "retain-age" "ESS_RETAIN_AGE" "7d" "DURATION|forever"
        "Events older than this are dropped."
        |config, given| given.read(&mut config.retain.age, value::retain_age);
    Storage One "retain-bytes" "ESS_RETAIN_BYTES" "1GiB" "SIZE|off"
        "A stream larger than this loses its oldest events."
        |config, given| given.read(&mut config.retain.bytes, value::retain_bytes);
    Storage One "retain-events" "ESS_RETAIN_EVENTS" "off" "COUNT|off"
        "A stream with more events than this loses its oldest."
        |config, given| given.read(&mut config.retain.events, value::retain_events);
    Storage One "retain-interval" "ESS_RETAIN_INTERVAL" "10s" "DURATION"
        "How often the streams are looked at for events to drop."
        |config, given| given.read(&mut config.retain_interval, value::period);
    Storage One "event-bytes-max" "ESS_EVENT_BYTES_MAX" "32MiB" "SIZE"
        "Largest event that is taken."
        |config, given| given.read(&mut config.event_bytes_max, value::event_bytes);

    Delivery One "tail-bytes" "ESS_TAIL_BYTES" "8MiB" "SIZE"
        "Newest events of each stream kept in memory; consumers further behind read from disk."
        |config, given| given.read(&mut config.tail_bytes, value::tail_bytes);
    Delivery Switch "exclusive" "ESS_EXCLUSIVE" "no" "yes|no"
        "One consumer a routing key: a newcomer displaces the one before."
        |config, given| given.read(&mut config.exclusive, value::switch);
    Delivery One "stall-timeout" "ESS_STALL_TIMEOUT" "60s" "DURATION"
        "A consumer that takes no byte for so long is closed (1013)."
        |config, given| given.read(&mut config.stall_timeout, value::period);
    Delivery One "ping-interval" "ESS_PING_INTERVAL" "20s" "DURATION"
        "Time between two pings to a consumer; one that misses two is gone."
        |config, given| given.read(&mut config.ping_interval, value::period);
    Delivery One "message-stats-interval" "ESS_MESSAGE_STATS_INTERVAL" "800" "COUNT"
        "Log a line per consumer every so many events; 0 for none."
        |config, given| given.read(&mut config.message_stats_interval, value::count);

    Operation One "shards" "ESS_SHARDS" "cores" "COUNT|cores"
        "Threads that serve, each pinned to a core."
        |config, given| {
            given.read(&mut config.shards, |text| value::shards(text, given.cores))
        };
    Operation One "driver" "ESS_DRIVER" "auto" "auto|io-uring|epoll"
        "How the kernel is asked for I/O; auto falls back to epoll where io_uring is refused."
        |config, given| given.read(&mut config.driver, value::driver);
    Operation One "drain" "ESS_DRAIN" "5s" "DURATION"
        "Stopping closes the consumers spread over so long."
        |config, given| given.read(&mut config.drain, value::period_or_zero);
    Operation One "log-dir" "ESS_LOG_DIR" "./logs" "FOLDER|-"
        "Folder of es.log, access.log and wsgi.log; - logs to the console only."
        |config, given| given.read(&mut config.log_dir, value::log_folder);
    Operation One "log-level" "ESS_LOG_LEVEL" "info" "off|error|warn|info|debug|trace"
        "How much is logged."
        |config, given| given.read(&mut config.log_level, value::level);

    Hidden Switch "echo" "ESS_ECHO" "no" "yes|no"
        "Serve /echo on the public port, for WebSocket conformance suites."
        |config, given| given.read(&mut config.echo, value::switch);
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
            assert!(!setting.meaning.contains('|'), "{} breaks the README table", setting.name);
        }
    }
}
