//! From a configured broker to an open AMQP connection, or one line about why not.
//!
//! amqprs tells neither which step failed nor, where the broker just hangs up, why: RabbitMQ says
//! what is wrong with a login only to clients that announce `authentication_failure_close`, which
//! amqprs doesn't. So what can't be known is told as what it may be.

use std::sync::Arc;

use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::security::SecurityCredentials;
use amqprs::tls::TlsAdaptor;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::fault::Fault;
use crate::config::{Broker, BrokerHost};
use crate::limits::{AMQP_HEARTBEAT_SECONDS_MIN, BROKER_NAME_BYTES_MAX};
use crate::net::{Tls, tls_advice};

/// Connects and logs in; `purpose` is what the broker's operator sees the connection called.
///
/// May only be dropped by its own time limit: the future of amqprs is polled before the timer, and
/// on a runtime of one thread its tasks have then answered whatever it still waited for.
pub(super) async fn open(
    broker: &Broker,
    tls: Option<&Tls>,
    purpose: &str,
) -> Result<Connection, Fault> {
    assert!(broker.vhost.len() <= BROKER_NAME_BYTES_MAX, "the configuration sees to that");
    let mut first = None;
    for host in &broker.hosts {
        match open_at(host, broker, tls, purpose).await {
            Ok(connection) => return Ok(connection),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    let others: Vec<_> = broker.hosts.iter().skip(1).map(ToString::to_string).collect();
    #[expect(clippy::expect_used, reason = "the configuration sees to that")]
    Err(first.expect("a broker has a host").nor_at(&others))
}

async fn open_at(
    host: &BrokerHost,
    broker: &Broker,
    tls: Option<&Tls>,
    purpose: &str,
) -> Result<Connection, Fault> {
    let place: Arc<str> = host.to_string().into();
    let arguments = arguments(host, broker, tls, purpose);
    match timeout(broker.connect_timeout, Box::pin(Connection::open(&arguments))).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(explain(&error, broker, place)),
        Err(_) => {
            let seconds = broker.connect_timeout.as_secs_f64();
            let why = format!("no answer within {seconds} s; is this its AMQP port?").into();
            Err(Fault::Unreachable { place, why })
        }
    }
}

fn arguments(
    host: &BrokerHost,
    broker: &Broker,
    tls: Option<&Tls>,
    purpose: &str,
) -> OpenConnectionArguments {
    // It joins host and port with a colon.
    let name = match host.name.contains(':') {
        true => format!("[{}]", host.name),
        false => host.name.clone(),
    };
    let password = broker.password.expose();
    let mut arguments = OpenConnectionArguments::new(&name, host.port, &broker.user, password);
    arguments
        .virtual_host(&broker.vhost)
        .connection_name(purpose)
        .heartbeat(heartbeat(broker.heartbeat.as_secs()));
    if broker.external {
        arguments.credentials(SecurityCredentials::new_external());
    }
    if let Some(tls) = tls {
        let name = tls.name_of(&host.name).to_owned();
        arguments.tls_adaptor(TlsAdaptor::new(TlsConnector::from(tls.config()), name));
    }
    arguments
}

/// What is asked for. None at all (0) can't be: amqprs would take it for "at once".
fn heartbeat(seconds: u64) -> u16 {
    match u16::try_from(seconds) {
        Ok(0) | Err(_) => u16::MAX,
        Ok(seconds) => seconds.max(AMQP_HEARTBEAT_SECONDS_MIN),
    }
}

fn who(broker: &Broker) -> Arc<str> {
    if broker.external {
        format!("our certificate for virtual host {:?}", broker.vhost).into()
    } else {
        format!("user {:?} for virtual host {:?}", broker.user, broker.vhost).into()
    }
}

/// What a failed open means for an operator.
#[expect(clippy::wildcard_enum_match_arm, reason = "amqprs may add kinds of errors at any time")]
fn explain(error: &Error, broker: &Broker, place: Arc<str>) -> Fault {
    let text = match error {
        Error::NetworkError(text) | Error::ConnectionOpenError(text) => text.as_str(),
        _ => "",
    };
    let said = |word: &str| text.contains(word);
    if let Some(why) = quoted(text, "NOT_ALLOWED") {
        let advice = "check the URL's path, or `rabbitmqctl add_vhost` and `set_permissions`";
        return Fault::Refused { place, who: who(broker), why: format!("{why}; {advice}").into() };
    }
    if let Some(why) = quoted(text, "ACCESS_REFUSED") {
        return Fault::Refused { place, who: who(broker), why: why.into() };
    }
    if said("is not supported by server") {
        let wanted = if broker.external { "EXTERNAL" } else { "PLAIN" };
        let why = format!(
            "no login by {wanted} there; add {wanted} to auth_mechanisms (EXTERNAL needs the \
             plugin rabbitmq_auth_mechanism_ssl)"
        );
        return Fault::Refused { place, who: who(broker), why: why.into() };
    }
    let why = text.strip_prefix("network io error: ").unwrap_or(text);
    let why = if said("refused") {
        format!("{why}; is the broker running?")
    } else if let Some(advice) = broker.tls.as_ref().and_then(|_| tls_advice(text)) {
        format!("TLS: {why}; {advice}")
    } else if HANG_UPS.iter().any(|word| said(word)) {
        hung_up(broker)
    } else if why.is_empty() {
        error.to_string()
    } else {
        why.to_owned()
    };
    Fault::Unreachable { place, why: why.into() }
}

fn hung_up(broker: &Broker) -> String {
    let login = match broker.external {
        true => "a certificate that is no user's".to_owned(),
        false => format!(
            "a wrong password of user {:?} (percent-encode it in the URL), or a user that may only \
             come from the broker's own machine",
            broker.user
        ),
    };
    // What a broker says about a certificate may be lost: it hangs up right behind it.
    let certificate = match broker.tls {
        Some(_) => "the client certificate, or none (--broker-cert; the broker's log says why); ",
        None => "",
    };
    format!("it hung up during the login: {certificate}{login}; or this isn't its AMQP port")
}

/// The broker's own words from `keyword` on, out of amqprs' debug print of the frame.
fn quoted<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let from = text.get(text.find(keyword)?..)?;
    Some(from.split('"').next().unwrap_or(from))
}

/// What a hang-up is called by amqprs and by the kernel.
const HANG_UPS: &[&str] =
    &["peer shutdown", "connection interrupted", "reset by peer", "Broken pipe"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{BrokerTls, Secret};

    fn broker() -> Broker {
        Broker {
            hosts: vec![BrokerHost { name: "rabbit".into(), port: 5672 }],
            user: "ann".into(),
            password: Secret::new("hush".into()),
            vhost: "/".into(),
            heartbeat: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            external: false,
            tls: None,
            stream_host: None,
            stream_port: None,
            exchange: None,
            exchange_kind: Default::default(),
        }
    }

    #[test]
    fn no_heartbeat_is_one_that_never_comes_and_a_short_one_is_not_endless() {
        let minimum = AMQP_HEARTBEAT_SECONDS_MIN;
        assert_eq!([0, 1, 2, 90].map(heartbeat), [u16::MAX, minimum, 2, 90]);
        assert_eq!(heartbeat(70_000), u16::MAX);
    }

    #[test]
    fn a_failed_open_says_what_may_help_and_no_secret() {
        let plain = broker();
        let tls = BrokerTls { ca: None, cert: None, key: None, sni: None, verify: true };
        let secure = Broker { tls: Some(tls), external: true, ..broker() };
        let network = |text: &str| Error::NetworkError(format!("network io error: {text}"));
        let vhost = "failed to open connection, reason: Close(MethodHeader { class_id: 10 }, Close \
                     { reply_code: 530, \
                     reply_text: ShortStr(2, \"NOT_ALLOWED - vhost x not found\")";
        for (error, broker, expected) in [
            (network("Connection refused (os error 111)"), &plain, "is the broker running?"),
            (Error::NetworkError("peer shutdown".into()), &plain, "wrong password of user \"ann\""),
            (Error::NetworkError("peer shutdown".into()), &secure, "certificate that is no user's"),
            (network("invalid peer certificate: UnknownIssuer"), &secure, "with --broker-ca"),
            (network("received fatal alert: CertificateRequired"), &secure, "set --broker-cert"),
            (Error::ConnectionOpenError(vhost.into()), &plain, "vhost x not found; check the URL"),
            (
                Error::ConnectionOpenError(
                    "authentication 'EXTERNAL' is not supported by server".into(),
                ),
                &secure,
                "add EXTERNAL to auth_mechanisms",
            ),
        ] {
            let told = explain(&error, broker, "rabbit:5672".into()).to_string();
            assert!(told.contains(expected) && !told.contains('\n'), "{told}");
            assert!(told.contains("rabbit:5672") && !told.contains("hush"), "{told}");
        }
    }
}
