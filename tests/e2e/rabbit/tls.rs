//! TLS to the broker: its own authority, a client certificate, a name that isn't the host's.

use tempfile::TempDir;

use crate::support::{Broker, Foreign, Library, Publisher, Server, wait_until};

use super::{SETUPS, declared};

/// A service at this broker with these variables, and its data.
fn start(broker: &Broker, url: &str, more: &[(&str, String)]) -> (Server, TempDir) {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let port = broker.stream_tls_port().to_string();
    let mut env = vec![("ESS_AMPQ_URL", url), ("ESS_STREAM_PORT", &*port)];
    env.extend(more.iter().map(|(name, value)| (*name, &**value)));
    (Server::start_with(SETUPS[0], data.path(), &[], &env), data)
}

#[test]
fn a_broker_that_demands_certificates_is_read_from_over_tls() {
    let (broker, certificates) = Broker::start_tls(true);
    let publisher = Publisher::start_tls(&broker, &certificates);
    let file = |name: &str| certificates.file(name).display().to_string();
    let authority = ("ESS_BROKER_CA", file("ca.pem"));
    let own = [
        authority.clone(),
        ("ESS_BROKER_CERT", file("client.pem")),
        ("ESS_BROKER_KEY", file("client-key.pem")),
    ];
    let (server, _data) = start(&broker, &broker.tls_url(), &own);
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

    // A name that is not in the certificate, and one that is, whatever the host is called.
    let named = |name: &str| [&own[..], &[("ESS_BROKER_SNI", name.to_owned())]].concat();
    let (wrong, _data) = start(&broker, &broker.tls_url(), &named("broker.example"));
    let line = wrong.logged("RabbitMQ can't be reached", 1);
    assert!(line.contains("TLS: ") && line.contains("--broker-sni"), "{line}");
    let by_address = broker.tls_url().replace("localhost", "127.0.0.1");
    let (right, _data) = start(&broker, &by_address, &named("localhost"));
    wait_until("readyz to be well", || right.ask("/readyz").0 == 200);

    // An authority that nobody here trusts, and no certificate of our own.
    let (stranger, _data) = start(&broker, &broker.tls_url(), &[]);
    let line = stranger.logged("RabbitMQ", 1);
    assert!(line.contains("certificate") && line.contains("--broker-ca"), "{line}");
    let (anonymous, _data) = start(&broker, &broker.tls_url(), &[authority]);
    let line = anonymous.logged("RabbitMQ can't be reached", 1);
    assert!(line.contains("--broker-cert"), "{line}");
}
