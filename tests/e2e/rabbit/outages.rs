//! The broker's bad days: consumers stay, and miss nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::support::{Broker, Foreign, Library, Listener, Publisher, Server, Stop, wait_until};

use super::{SETUPS, declared, read_all};

const CONSUMERS: usize = 100;
const ROUNDS: usize = 5;

#[test]
fn a_hundred_consumers_lose_nothing_when_the_broker_is_killed_again_and_again() {
    let mut broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[0], &[]);
    let stream = declared(&server, &publisher, "survivors");
    let confirmed = AtomicU64::new(0);
    let stop = Stop::default();
    // Some from now on, some replaying, all of them through every outage.
    let urls: Vec<_> = (0..CONSUMERS)
        .map(|n| server.url(&stream.uuid, if n % 2 == 0 { "" } else { "stream_from_ordinal=0" }))
        .collect();
    let address = server.public();
    thread::scope(|scope| {
        let _end = stop.at_the_latest();
        let consumers: Vec<_> = urls
            .iter()
            .map(|url| {
                let client = Listener::open(address, url);
                scope.spawn(move || read_all(client))
            })
            .collect();
        let (stop, confirmed) = (&stop, &confirmed);
        let writer = scope.spawn(move || {
            while !stop.told() {
                // Fails while the broker is away; what was confirmed counts.
                if publisher.publish_all("", "survivors", &["event"], 20).is_ok() {
                    confirmed.fetch_add(20, Ordering::Relaxed);
                }
            }
            publisher
        });
        for _ in 0..ROUNDS {
            let before = confirmed.load(Ordering::Relaxed);
            wait_until("events to flow", || confirmed.load(Ordering::Relaxed) > before + 200);
            broker.kill();
            wait_until("the service to notice", || server.ask("/readyz").0 == 503);
            broker.restart();
        }
        let before = confirmed.load(Ordering::Relaxed);
        wait_until("events to flow again", || confirmed.load(Ordering::Relaxed) > before + 200);
        stop.tell();
        let publisher = writer.join().expect("the writer ends");
        publisher.publish("survivors", "the end");
        for consumer in consumers {
            let seen = consumer.join().expect("a consumer sees an exact sequence");
            assert!(seen >= confirmed.load(Ordering::Relaxed), "every confirmed event is there");
        }
    });
    // The shard that has none of these consumers may come back later.
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
}

#[test]
fn while_the_broker_is_away_readyz_says_so_and_consumers_stay() {
    let mut broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[1], &[]);
    let stream = declared(&server, &publisher, "patience");
    publisher.publish_all("", "patience", &["event"], 3).expect("the broker stores");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=0"));
    assert_eq!(consumer.texts(3).len(), 3);
    broker.stop();
    let mut told = String::new();
    wait_until("readyz to tell", || {
        let (status, text) = server.ask("/readyz");
        told = text;
        status == 503
    });
    assert!(told.contains("RabbitMQ can't be reached at 127.0.0.1:"), "{told}");
    assert_eq!(server.ask("/livez").0, 200, "a restart would not help");
    let newcomer = foreign.open(&server.url(&stream.uuid, ""));
    let away = (1013, "The broker cannot be reached now; try again later".to_owned());
    assert_eq!(newcomer.closed(), away);
    let refused = server.try_publish(stream.id, "text/plain", b"event");
    assert!(refused.is_err_and(|why| why.starts_with("503")));
    broker.restart();
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
    wait_until("the publisher to be back", || {
        publisher.publish_all("", "patience", &["after"], 1).is_ok()
    });
    assert!(consumer.text().starts_with("after|ordinal: 3|"));
}

#[test]
fn a_service_that_starts_before_its_broker_serves_when_that_is_there() {
    let mut broker = Broker::start();
    let publisher = Publisher::start(&broker);
    publisher.declare("early", &serde_json::json!({}));
    broker.stop();
    let server = Server::start_on(&broker, SETUPS[0], &[]);
    server.logged("RabbitMQ can't be reached", 1);
    broker.restart();
    wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
    let stream = server.create("early");
    let foreign = Foreign::start(Library::Ws);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    wait_until("the publisher to be back", || {
        publisher.publish_all("", "early", &["event"], 1).is_ok()
    });
    assert!(consumer.text().starts_with("event|ordinal: 0|"));
}

#[test]
fn each_refusal_of_a_broker_is_one_line_that_says_what_to_do() {
    let broker = Broker::shared();
    let setup = SETUPS[1];
    let port = broker.stream_port();
    let amqp = broker.amqp_port();
    for (url, stream_port, expected) in [
        (
            format!("amqp://guest:s3cret%21@127.0.0.1:{amqp}/"),
            port,
            "wrong user or password; check the URL",
        ),
        (
            format!("amqp://guest:guest@127.0.0.1:{amqp}/nowhere"),
            port,
            "\"nowhere\": the virtual host is unknown, or this user may not use it",
        ),
        (broker.url(), 1, "enable streams (rabbitmq-plugins enable rabbitmq_stream)"),
        (broker.url(), amqp, "it speaks another protocol; is this its stream port?"),
    ] {
        let server = Server::start_at_broker(&url, stream_port, setup, &[]);
        let line = server.logged("WARN ess::store", 1);
        assert!(line.contains(expected), "{line}");
        assert!(!line.contains("s3cret"), "{line}");
        let (status, text) = server.ask("/readyz");
        assert_eq!(status, 503, "{text}");
        assert!(!text.contains("s3cret") && text.contains("RabbitMQ"), "{text}");
    }
}
