//! What the broker's options make of each other.
//!
//! Options are stronger than the same thing in the URL's query. What can't be meant is a problem;
//! what does nothing beside the rest, or is unsafe, is a warning.

use std::path::PathBuf;
use std::time::Duration;

use super::url::AmqpUrl;
use super::{Broker, BrokerTls, EVENT_STREAMS, StoreKind, Words};
use crate::config::resolve::{Choice, Origin};

/// Where events are kept, and what is wrong with how that was said.
#[derive(Debug)]
pub(in crate::config) struct Settled {
    pub(in crate::config) store: StoreKind,
    /// There is one whenever the store needs one and there is no problem.
    pub(in crate::config) broker: Option<Broker>,
    pub(in crate::config) problems: Vec<String>,
    pub(in crate::config) warnings: Vec<String>,
}

/// Heartbeat when nothing is said: as RabbitMQ proposes, and the Python service has.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Longest wait for a connection when nothing is said: a broker that accepts is up within it, and
/// one that doesn't is tried again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Options of the embedded log.
const OF_THE_LOG: &[&str] =
    &["fsync", "retain-age", "retain-bytes", "retain-events", "retain-interval"];

/// Options of RabbitMQ's streams.
const OF_STREAMS: &[&str] = &["stream-host", "stream-port", "catchup-readers-max"];

/// Options of any broker.
const OF_THE_BROKER: &[&str] =
    &["exchange", "exchange-type", "broker-ca", "broker-cert", "broker-key", "broker-sni"];

/// Settles the words; `choices` tell who said them.
pub(in crate::config) fn settle(words: Words, choices: &[Choice]) -> Settled {
    let store = words.store.unwrap_or(match words.url {
        Some(_) => StoreKind::RabbitMq,
        None => StoreKind::Log,
    });
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    idle(store, choices, &mut warnings);
    let broker = match (store, words.url.clone()) {
        (StoreKind::Log, _) => None,
        (StoreKind::RabbitMq | StoreKind::Exchange, None) => {
            problems.push(format!(
                "--store {} needs a broker; set --amqp-url or ESS_AMQP_URL, such as \
                 amqp://USER:PASSWORD@HOST:5672/VHOST",
                store.word()
            ));
            None
        }
        (StoreKind::RabbitMq | StoreKind::Exchange, Some(url)) => {
            check(&words, &url, &mut problems);
            advise(&url, choices, &mut warnings);
            Some(broker(words, url, store))
        }
    };
    Settled { store, broker, problems, warnings }
}

fn broker(words: Words, url: AmqpUrl, store: StoreKind) -> Broker {
    let query = url.query;
    let exchange = match store {
        StoreKind::Exchange => words.exchange.or_else(|| Some(EVENT_STREAMS.into())),
        StoreKind::Log | StoreKind::RabbitMq => words.exchange,
    };
    Broker {
        hosts: url.hosts,
        user: url.user,
        password: url.password,
        vhost: url.vhost,
        heartbeat: query.heartbeat.unwrap_or(HEARTBEAT),
        connect_timeout: query.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        external: query.external.unwrap_or(false),
        tls: url.tls.then_some(BrokerTls {
            ca: words.ca.or(query.ca),
            cert: words.cert.or(query.cert),
            key: words.key.or(query.key),
            sni: words.sni.or(query.sni),
            verify: query.verify.unwrap_or(true),
        }),
        stream_host: words.stream_host,
        stream_port: words.stream_port,
        exchange,
        exchange_kind: words.exchange_kind,
    }
}

/// What can't be meant.
fn check(words: &Words, url: &AmqpUrl, problems: &mut Vec<String>) {
    let query = &url.query;
    let stronger =
        |one: &Option<PathBuf>, other: &Option<PathBuf>| one.is_some() || other.is_some();
    let cert = stronger(&words.cert, &query.cert);
    let key = stronger(&words.key, &query.key);
    match (cert, key) {
        (true, false) => problems.push(
            "--broker-cert: a certificate without its key; set --broker-key (keyfile in the URL) \
             too"
            .into(),
        ),
        (false, true) => problems.push(
            "--broker-key: a key without its certificate; set --broker-cert (certfile in the URL) \
             too"
            .into(),
        ),
        (true, true) | (false, false) => {}
    }
    let external = query.external == Some(true);
    if external && url.tls && !cert {
        problems.push(
            "--amqp-url: auth_mechanism=external logs in by a certificate, and there is none; set \
             --broker-cert and --broker-key"
                .into(),
        );
    }
    if url.tls {
        return;
    }
    let of_tls = [
        ("--broker-ca", words.ca.is_some()),
        ("--broker-cert", words.cert.is_some()),
        ("--broker-key", words.key.is_some()),
        ("--broker-sni", words.sni.is_some()),
        ("--amqp-url: cacertfile", query.ca.is_some()),
        ("--amqp-url: certfile", query.cert.is_some()),
        ("--amqp-url: keyfile", query.key.is_some()),
        ("--amqp-url: server_name_indication", query.sni.is_some()),
        ("--amqp-url: verify", query.verify.is_some()),
        ("--amqp-url: auth_mechanism=external", external),
    ];
    for (name, _) in of_tls.iter().filter(|(_, said)| *said) {
        problems.push(format!("{name} needs TLS, which amqp:// is without; write amqps://"));
    }
}

/// What is unsafe, or does nothing.
fn advise(url: &AmqpUrl, choices: &[Choice], warnings: &mut Vec<String>) {
    let by_flag =
        |choice: &Choice| choice.setting.name == "amqp-url" && choice.origin == Origin::Flag;
    if url.has_password && choices.iter().any(by_flag) {
        warnings.push(
            "--amqp-url: a password on the command line is seen by every user of this machine; \
             use ESS_AMQP_URL or the configuration file"
                .into(),
        );
    }
    if url.tls && url.query.verify == Some(false) {
        warnings.push(
            "--amqp-url: verify=verify_none takes whoever answers for the broker and tells it the \
             password; use --broker-ca and verify=verify_peer"
                .into(),
        );
    }
    if !url.query.unknown.is_empty() {
        warnings.push(format!(
            "--amqp-url: {} in its query does nothing in ess",
            url.query.unknown.join(", ")
        ));
    }
}

/// Options that were said and do nothing beside this store.
fn idle(store: StoreKind, choices: &[Choice], warnings: &mut Vec<String>) {
    let said = |names: &'static [&str]| {
        let said = |choice: &&Choice| choice.origin != Origin::Default;
        let names = move |choice: &&Choice| names.contains(&choice.setting.name);
        choices.iter().filter(said).filter(names).map(|choice| choice.setting.name)
    };
    let mut tell = |name: &str, why: &str| {
        let store = store.word();
        warnings.push(format!("--{name} does nothing: {why} (--store {store})"));
    };
    match store {
        StoreKind::Log => {
            let broker = said(OF_STREAMS).chain(said(OF_THE_BROKER));
            let url = choices.iter().filter(|choice| {
                choice.setting.name == "amqp-url" && choice.texts.iter().any(|text| text != "none")
            });
            broker
                .chain(url.map(|choice| choice.setting.name))
                .for_each(|name| tell(name, "no broker is used"));
        }
        StoreKind::RabbitMq => {
            said(OF_THE_LOG)
                .for_each(|name| tell(name, "the broker keeps the events, by its own rules"));
        }
        StoreKind::Exchange => {
            said(OF_THE_LOG).for_each(|name| tell(name, "no event is kept"));
            said(OF_STREAMS).for_each(|name| tell(name, "no stream is read"));
        }
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
