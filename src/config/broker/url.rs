//! `amqp://user:password@host:port/vhost?heartbeat=60`: where the broker is.
//!
//! ```text
//! amqp | amqps :// [user[:password]@] host[:port][,host[:port]…] [/vhost] [?name=value&…]
//! ```
//!
//! As RabbitMQ's URI specification and its page of query parameters have it, with three
//! differences. There may be several hosts, the nodes of a cluster. No vhost and an empty one
//! (`amqp://host/`) both mean `/`: the specification takes the latter as
//! the empty name, but the Python service and its libraries take it as `/`. And a certificate is
//! checked unless `verify=verify_none` says otherwise. User, password, vhost and values are
//! percent-decoded; a `%` that begins no escape stands for itself.
//!
//! A fault never quotes a part of the text: in a text that is not understood, the password can be
//! anywhere. An `@` behind the host and a `#` are refused, because they come from a password with
//! a `/`, `?` or `#` that should have been escaped, and what follows would be taken for something
//! that may be shown. The rules between the parts are `settle`'s.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::{BrokerHost, Secret};
use crate::config::value::Read;
use crate::limits::{
    BROKER_HEARTBEAT_SECONDS_MAX, BROKER_NAME_BYTES_MAX, BROKER_NODES_MAX, BROKER_URL_BYTES_MAX,
    HOST_BYTES_MAX, PERIOD_MILLIS_MAX, PERIOD_MILLIS_MIN,
};

/// A broker's URL, taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::config) struct AmqpUrl {
    /// `amqps`.
    pub(super) tls: bool,
    /// At least one, without brackets.
    pub(super) hosts: Vec<BrokerHost>,
    pub(super) user: String,
    pub(super) password: Secret,
    /// Whether there was one to be seen by others.
    pub(super) has_password: bool,
    pub(super) vhost: String,
    pub(super) query: Query,
}

/// What the query said. `None`: nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Query {
    pub(super) heartbeat: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) external: Option<bool>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) sni: Option<String>,
    pub(super) verify: Option<bool>,
    /// Names of parameters that do nothing here.
    pub(super) unknown: Vec<String>,
}

/// The text cut into its parts, nothing decoded.
struct Parts<'a> {
    tls: bool,
    user: &'a str,
    password: &'a str,
    /// Host and port of each node.
    places: &'a str,
    vhost: &'a str,
    query: &'a str,
}

/// What a URL looks like, for messages.
const FORM: &str = "expected amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS";

/// RabbitMQ's own, and what is used by whoever says nothing.
const GUEST: &str = "guest";
const AMQP_PORT: u16 = 5672;
const AMQPS_PORT: u16 = 5671;

/// Takes a URL apart.
pub(super) fn parse(text: &str) -> Read<AmqpUrl> {
    let parts = cut(text)?;
    let hosts = parts.places.split(',').map(|place| node(place, parts.tls));
    let hosts = hosts.collect::<Read<Vec<_>>>()?;
    if hosts.len() > BROKER_NODES_MAX {
        return Err(format!("has too many hosts; expected at most {BROKER_NODES_MAX}"));
    }
    let or_guest = |text: &str| if text.is_empty() { GUEST } else { text }.to_owned();
    let vhost = name(parts.vhost, "vhost")?;
    let password = decoded(parts.password)
        .filter(|password| !password.contains('\0'))
        .ok_or("has a password that can't be sent; expected UTF-8 without NUL")?;
    Ok(AmqpUrl {
        tls: parts.tls,
        hosts,
        user: or_guest(&name(parts.user, "user")?),
        has_password: !password.is_empty(),
        password: Secret::new(or_guest(&password)),
        vhost: if vhost.is_empty() { "/".into() } else { vhost },
        query: query(parts.query)?,
    })
}

/// Host and port of one node.
fn node(place: &str, tls: bool) -> Read<BrokerHost> {
    let (name, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((name, port)) if name.contains(':') && (port.is_empty() || port.starts_with(':')) => {
            (name, port.strip_prefix(':').unwrap_or(""))
        }
        Some(_) => ("", ""),
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let port = match port {
        "" if tls => AMQPS_PORT,
        "" => AMQP_PORT,
        port => number(port, 1..=u64::from(u16::MAX))
            .and_then(|port| u16::try_from(port).ok())
            .ok_or("has a port that is none; expected 1 to 65535 (and a password's : as %3A)")?,
    };
    let name = host(name).ok_or_else(|| {
        format!("has no host, or one that is none; {FORM}, and an IPv6 address in brackets")
    })?;
    Ok(BrokerHost { name, port })
}

/// `text` as it may be shown: the password as `***`; all of it when it can't be understood.
pub(in crate::config) fn masked(text: &str) -> String {
    let text = text.trim();
    if text == "none" || text.is_empty() {
        return text.into();
    }
    let Ok(parts) = parse(text).and_then(|_| cut(text)) else {
        return "***".into();
    };
    let scheme = if parts.tls { "amqps" } else { "amqp" };
    let login = match (parts.user, parts.password) {
        ("", "") => String::new(),
        (user, "") => format!("{user}@"),
        (user, _) => format!("{user}:***@"),
    };
    let vhost = if parts.vhost.is_empty() { String::new() } else { format!("/{}", parts.vhost) };
    let shown: Vec<_> = pairs(parts.query).map(shown_parameter).collect();
    let query = if shown.is_empty() { String::new() } else { format!("?{}", shown.join("&")) };
    format!("{scheme}://{login}{}{vhost}{query}", parts.places)
}

/// A parameter whose meaning is unknown may be a password.
fn shown_parameter((name, value): (&str, &str)) -> String {
    match Parameter::named(name) {
        Some(_) => format!("{name}={value}"),
        None => format!("{name}=***"),
    }
}

fn cut(text: &str) -> Read<Parts<'_>> {
    if text.len() > BROKER_URL_BYTES_MAX {
        return Err(format!("is too long; expected at most {BROKER_URL_BYTES_MAX} bytes"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a space or control character; expected it percent-encoded".into());
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "amqp" => false,
        "amqps" => true,
        _ => return Err(format!("is not a broker's URL; {FORM}")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if rest.contains(['@', '#']) {
        return Err("has an @ or # behind its host; expected a password's / ? # @ as %2F %3F %23 \
                    %40, and those of a vhost too"
            .into());
    }
    let (login, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let vhost = path.strip_prefix('/').unwrap_or(path);
    Ok(Parts { tls, user, password, places, vhost, query })
}

/// A host name or an address, brackets around an IPv6 address taken off.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.contains(':') {
        return bare.parse::<Ipv6Addr>().is_ok().then(|| bare.into());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let right = bare.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && bare.chars().all(allowed)
        && bare.len() <= HOST_BYTES_MAX
        && bare == text;
    right.then(|| bare.into())
}

/// A decoded name of at most [`BROKER_NAME_BYTES_MAX`] bytes.
fn name(text: &str, what: &str) -> Read<String> {
    decoded(text)
        .filter(|name| name.len() <= BROKER_NAME_BYTES_MAX && !name.contains('\0'))
        .ok_or_else(|| {
            format!(
                "has a {what} that can't be one; expected UTF-8 without NUL, at most \
                 {BROKER_NAME_BYTES_MAX} bytes"
            )
        })
}

/// The parameters that mean something here (RabbitMQ, "URI Query Parameters").
#[derive(Clone, Copy, Eq, PartialEq)]
enum Parameter {
    Heartbeat,
    ConnectionTimeout,
    AuthMechanism,
    CaCertFile,
    CertFile,
    KeyFile,
    ServerNameIndication,
    Verify,
}

impl Parameter {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "heartbeat" => Self::Heartbeat,
            "connection_timeout" => Self::ConnectionTimeout,
            "auth_mechanism" => Self::AuthMechanism,
            "cacertfile" => Self::CaCertFile,
            "certfile" => Self::CertFile,
            "keyfile" => Self::KeyFile,
            "server_name_indication" => Self::ServerNameIndication,
            "verify" => Self::Verify,
            _ => return None,
        })
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn query(text: &str) -> Read<Query> {
    let mut query = Query::default();
    let mut seen = Vec::new();
    for (name, value) in pairs(text) {
        let Some(parameter) = Parameter::named(name) else {
            query.unknown.push(name.escape_debug().to_string());
            continue;
        };
        if seen.contains(&parameter) {
            return Err(format!("has {name} twice in its query; expected it once"));
        }
        seen.push(parameter);
        let value = decoded(value).unwrap_or_default();
        put(&mut query, parameter, &value)
            .map_err(|expected| format!("has a wrong {name} in its query; expected {expected}"))?;
    }
    Ok(query)
}

/// Puts a value into its place, or says what is expected.
fn put(query: &mut Query, parameter: Parameter, value: &str) -> Result<(), String> {
    let word = |words: [&str; 2]| words.iter().position(|word| value.eq_ignore_ascii_case(word));
    let done = match parameter {
        Parameter::Heartbeat => {
            let seconds = number(value, 0..=BROKER_HEARTBEAT_SECONDS_MAX);
            query.heartbeat = seconds.map(Duration::from_secs);
            seconds.is_some()
        }
        Parameter::ConnectionTimeout => {
            let millis = number(value, PERIOD_MILLIS_MIN..=PERIOD_MILLIS_MAX);
            query.connect_timeout = millis.map(Duration::from_millis);
            millis.is_some()
        }
        Parameter::AuthMechanism => {
            let which = word(["plain", "external"]);
            query.external = which.map(|which| which == 1);
            which.is_some()
        }
        Parameter::Verify => {
            let which = word(["verify_none", "verify_peer"]);
            query.verify = which.map(|which| which == 1);
            which.is_some()
        }
        Parameter::ServerNameIndication => {
            query.sni = host(value);
            query.sni.is_some()
        }
        Parameter::CaCertFile => file(&mut query.ca, value),
        Parameter::CertFile => file(&mut query.cert, value),
        Parameter::KeyFile => file(&mut query.key, value),
    };
    if done { Ok(()) } else { Err(expected(parameter)) }
}

fn expected(parameter: Parameter) -> String {
    match parameter {
        Parameter::Heartbeat => {
            format!("seconds from 0 (none) to {BROKER_HEARTBEAT_SECONDS_MAX}")
        }
        Parameter::ConnectionTimeout => {
            format!("milliseconds from {PERIOD_MILLIS_MIN} to {PERIOD_MILLIS_MAX}")
        }
        Parameter::AuthMechanism => "plain or external".into(),
        Parameter::Verify => "verify_peer or verify_none".into(),
        Parameter::ServerNameIndication => "a host name".into(),
        Parameter::CaCertFile | Parameter::CertFile | Parameter::KeyFile => "a file in PEM".into(),
    }
}

fn file(slot: &mut Option<PathBuf>, value: &str) -> bool {
    *slot = (!value.is_empty() && !value.contains('\0')).then(|| value.into());
    slot.is_some()
}

/// Digits and nothing else.
pub(super) fn number(text: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| range.contains(number))
}

/// Percent-decoded (RFC 3986 §2.1); `None` when that is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = match behind {
            [high, low, after @ ..] if first == b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(*high).zip(digit(*low)).map(|(high, low)| high * 16 + low);
                value.and_then(|value| u8::try_from(value).ok()).map(|byte| (byte, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((first, behind));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
