//! Few connections and one subscription a stream, however many clients there are.

use serde_json::json;

use crate::support::{Broker, Listener, Publisher, Server, ordinal_of, wait_until};

use super::{SETUPS, declared};

/// Connections of the stream protocol, as the broker counts them.
fn connections(broker: &Broker) -> usize {
    let listed = broker.ctl(&["-q", "--formatter", "csv", "list_stream_connections", "user"]);
    listed.matches("guest").count()
}

#[test]
fn a_thousand_clients_of_one_stream_are_one_subscription_and_a_burst_loses_none() {
    let broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[0], &[]);
    let stream = declared(&server, &publisher, "crowd");
    let url = server.url(&stream.uuid, "");
    let address = server.public();
    let mut clients: Vec<_> = std::thread::scope(|scope| {
        let bursts: Vec<_> = (0..10)
            .map(|_| {
                let url = &url;
                scope.spawn(move || {
                    (0..100).map(|_| Listener::open(address, url)).collect::<Vec<_>>()
                })
            })
            .collect();
        bursts.into_iter().flat_map(|burst| burst.join().expect("all connect")).collect()
    });
    publisher.publish_all("", "crowd", &["a", "b"], 10).expect("the broker stores");
    for client in &mut clients {
        for ordinal in 0..20 {
            assert_eq!(ordinal_of(&client.text()), ordinal);
        }
    }
    let consumers = broker.ctl(&["-q", "--formatter", "csv", "list_stream_consumers", "stream"]);
    assert_eq!(consumers.matches("crowd").count(), 1, "{consumers}");
    assert!(connections(&broker) <= 2, "one a shard");
}

#[test]
fn many_streams_share_connections_and_each_gets_its_own_events() {
    const STREAMS: usize = 300;
    let broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[1], &[]);
    let mut clients = Vec::new();
    for index in 0..STREAMS {
        let key = format!("stream-{index}");
        publisher.declare(&key, &json!({}));
        let stream = server.create(&key);
        clients.push(Listener::open(server.public(), &server.url(&stream.uuid, "")));
    }
    for index in 0..STREAMS {
        publisher.publish(&format!("stream-{index}"), format!("for {index}"));
    }
    for (index, client) in clients.iter_mut().enumerate() {
        assert!(client.text().starts_with(&format!("for {index}|ordinal: 0|")));
    }
    // 256 subscriptions on a connection.
    assert_eq!(connections(&broker), 2);
}

#[test]
fn histories_are_bounded_and_everybody_joins_the_tail_without_gap() {
    const HALF: usize = 10_000;
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    // So few that consumers have to share and to wait.
    let server = Server::start_on(&broker, SETUPS[0], &["--catchup-readers-max", "2"]);
    let stream = declared(&server, &publisher, "histories");
    publisher.publish_all("", "histories", &["event"], HALF).expect("stored");
    let url = |from: u64| server.url(&stream.uuid, &format!("stream_from_ordinal={from}"));
    let address = server.public();
    std::thread::scope(|scope| {
        for reader in 0..12 {
            let url = url(reader * 700);
            scope.spawn(move || {
                let mut client = Listener::open(address, &url);
                let first = if reader == 0 { 0 } else { reader * 700 + 1 };
                for ordinal in first..2 * HALF as u64 {
                    assert_eq!(ordinal_of(&client.text()), ordinal);
                }
            });
        }
        publisher.publish_all("", "histories", &["event"], HALF).expect("stored");
    });
    wait_until("the readers to be gone", || server.consumers(stream.id) == 0);
}
