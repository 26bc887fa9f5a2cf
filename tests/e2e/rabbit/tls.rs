//! TLS to the broker: its own authority, client certificates, a name that isn't the host's; and
//! what is said of each that doesn't fit.

use tempfile::TempDir;

use crate::support::{
    Broker, Certificates, Foreign, Library, Listener, Publisher, Server, ordinal_of, wait_until,
};

use super::{SETUPS, declared};

const EXCHANGE: &str = "event-streams";
const EXTERNAL: &str = "?auth_mechanism=external";

/// Options and their values.
type Options<'a> = Vec<(&'a str, String)>;

/// A service at this broker with these variables, and its data.
fn start(broker: &Broker, url: &str, more: &[(&str, String)]) -> (Server, TempDir) {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let port = broker.stream_tls_port().to_string();
    let mut env = vec![("ESS_AMPQ_URL", url), ("ESS_STREAM_PORT", &*port)];
    env.extend(more.iter().map(|(name, value)| (*name, &**value)));
    (Server::start_with(SETUPS[0], data.path(), &[], &env), data)
}

/// The authority, and the client certificate of this name.
fn with(certificates: &Certificates, name: &str) -> Options<'static> {
    let file = |name: String| certificates.file(&name).display().to_string();
    vec![
        ("ESS_BROKER_CA", file("ca.pem".into())),
        ("ESS_BROKER_CERT", file(format!("{name}.pem"))),
        ("ESS_BROKER_KEY", file(format!("{name}-key.pem"))),
    ]
}

/// What a service says that is started with these variables, on both of the broker's ports. What the
/// broker says about a client certificate by AMQP is lost where it hangs up fast enough.
fn told(broker: &Broker, query: &str, more: &[(&str, String)], expected: [&str; 2]) {
    const LOST: &str =
        "it hung up during the login: the client certificate, or none (--broker-cert";
    let url = format!("{}{query}", broker.tls_url());
    for (store, expected) in ["rabbitmq", "exchange"].into_iter().zip(expected) {
        let more = [more, &[("ESS_STORE", store.to_owned())]].concat();
        let (server, _data) = start(broker, &url, &more);
        let line = server.logged(" WARN ess::store::", 1);
        let ours = expected.contains("client certificate") || expected.contains("cacertfile");
        let lost = store == "exchange" && ours;
        let told = |text: &str| text.contains(expected) || (lost && text.contains(LOST));
        assert!(told(&line), "{store}: expected {expected:?} in {line}");
        wait_until("readyz to tell", || {
            let (status, text) = server.ask("/readyz");
            status == 503 && told(&text.replace("\\\"", "\""))
        });
    }
}

#[test]
fn a_broker_that_demands_certificates_is_read_from_and_published_to() {
    let (broker, certificates) = Broker::shared_tls();
    let publisher = Publisher::start_tls(&broker, certificates);
    let (server, _data) = start(&broker, &broker.tls_url(), &with(certificates, "client"));
    let stream = declared(&server, &publisher, "secret");
    let foreign = Foreign::start(Library::Websockets);
    let live = foreign.open(&server.url(&stream.uuid, ""));
    let large = "x".repeat(3 << 20);
    publisher.publish_all("", "secret", &["small", &large], 1).expect("the broker stores");
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    for consumer in [live, replay] {
        assert!(consumer.text().starts_with("small|ordinal: 0|"));
        assert!(consumer.text().starts_with(&large));
    }
    assert_eq!(server.publish(stream.id, "by TLS too").first, 2);
    // Frames of all sizes, many in flight: none may wait for the next one inside TLS.
    const EVENTS: u64 = 20_000;
    let url = server.url(&stream.uuid, "stream_from_ordinal=0");
    let mut replay = Listener::open(server.public(), &url);
    let bodies = [10, 700, 5_000].map(|bytes| "y".repeat(bytes));
    let copies = usize::try_from(EVENTS).expect("it fits") / bodies.len();
    publisher.publish_all("", "secret", &bodies, copies).expect("the broker stores");
    for ordinal in 0..EVENTS / 3 * 3 {
        assert_eq!(ordinal_of(&replay.text()), ordinal);
    }
}

#[test]
fn amqp_goes_over_tls_too_by_password_and_by_certificate() {
    let (broker, certificates) = Broker::shared_tls();
    let publisher = Publisher::start_tls(&broker, certificates);
    publisher.exchange(EXCHANGE, "direct");
    for query in ["", EXTERNAL] {
        let url = format!("{}{query}", broker.tls_url());
        let key = format!("by-amqp{}", query.len());
        let more = [with(certificates, "client"), vec![("ESS_STORE", "exchange".to_owned())]];
        let (server, _data) = start(&broker, &url, &more.concat());
        let stream = server.create(&key);
        let foreign = Foreign::start(Library::Ws);
        let consumer = foreign.open(&server.url(&stream.uuid, ""));
        publisher.publish_all(EXCHANGE, &key, &["theirs"], 1).expect("routed");
        assert_eq!(consumer.text(), "theirs");
        let large = "z".repeat(3 << 20);
        for body in ["ours", &large] {
            server.publish(stream.id, body);
            assert_eq!(consumer.text(), body);
        }
    }
    // Streams are read by the stream protocol and published to through the exchange.
    let more = [with(certificates, "client"), vec![("ESS_EXCHANGE", EXCHANGE.to_owned())]];
    let (server, _data) = start(&broker, &broker.tls_url(), &more.concat());
    let stream = declared(&server, &publisher, "through-tls");
    publisher.bind("through-tls", EXCHANGE, "through-tls");
    let published = server.publish_lines(stream.id, &"line\n".repeat(1_000));
    assert_eq!((published.first, published.last), (0, 999));
}

#[test]
fn a_certificate_that_does_not_fit_is_one_line_that_says_what_to_do() {
    let (broker, certificates) = Broker::shared_tls();
    let own = with(certificates, "client");
    let named = |name: &str| [&own[..], &[("ESS_BROKER_SNI", name.to_owned())]].concat();
    // A name that is not in the certificate, and one that is, whatever the host is called.
    let sni = "not valid for name \"broker.example\"";
    told(&broker, "", &named("broker.example"), [sni, sni]);
    let by_address = broker.tls_url().replace("localhost", "127.0.0.1");
    let (wrong, _data) = start(&broker, &by_address, &own);
    let line = wrong.logged("RabbitMQ can't be reached at 127.0.0.1", 1);
    assert!(line.contains("--broker-sni"), "{line}");
    let (right, _data) = start(&broker, &by_address, &named("localhost"));
    wait_until("readyz to be well", || right.ask("/readyz").0 == 200);
    // An authority that signed something else, and none that is trusted.
    let other = vec![("ESS_BROKER_CA", certificates.file("other-ca.pem").display().to_string())];
    for authority in [other, vec![]] {
        let issuer = "UnknownIssuer; name the authority that signed the broker's certificate with \
                      --broker-ca";
        told(&broker, "", &authority, [issuer, issuer]);
    }
    // No certificate, one that has expired, one of somebody else's.
    let none = "demands a client certificate: set --broker-cert";
    told(&broker, "", &own[..1], [none, none]);
    let old = "the client certificate (--broker-cert) needs to be renewed";
    told(&broker, "", &with(certificates, "client-old"), [old, old]);
    let stranger = "its ssl_options.cacertfile must have it";
    told(&broker, "", &with(certificates, "stranger"), [stranger, stranger]);
}

#[test]
fn a_login_by_certificate_opens_the_stream_port_of_a_broker_that_can() {
    let (broker, certificates) = Broker::start_tls(true);
    let own = with(&certificates, "client");
    // RabbitMQ 3.10.8 crashes on it, and the client is told no more than that it hung up.
    let url = format!("{}{EXTERNAL}", broker.tls_url());
    let (server, _data) = start(&broker, &url, &own);
    let line = server.logged("refuses our certificate", 1);
    assert!(line.contains("before 3.10.25") && line.contains("log in by password"), "{line}");
    broker.repair_external_login();
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
    let publisher = Publisher::start_tls(&broker, &certificates);
    let stream = declared(&server, &publisher, "by-certificate");
    let foreign = Foreign::start(Library::Websockets);
    let live = foreign.open(&server.url(&stream.uuid, ""));
    assert_eq!(server.publish(stream.id, "ours").first, 0);
    publisher.publish("by-certificate", "theirs");
    let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    for consumer in [live, replay] {
        assert!(consumer.text().starts_with("ours|ordinal: 0|"));
        assert!(consumer.text().starts_with("theirs|ordinal: 1|"));
    }
    let nobody = ["no user has the name in the certificate; add one", "a certificate that is no"];
    told(&broker, EXTERNAL, &with(&certificates, "nobody"), nobody);
    // The broker's own certificate has expired.
    certificates.replace("server", "server-old");
    broker.ctl(&["eval", "ssl:clear_pem_cache()."]);
    let old = "the broker's certificate needs to be renewed";
    told(&broker, "", &own, [old, old]);
}
