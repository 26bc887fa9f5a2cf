//! A classic exchange: version 1 of the wire contract, and publishing through an exchange.
//!
//! Events are published as the Account Server does it, by AMQP 0.9.1 (`pika`). Tests that leave the
//! broker alone share one node and use routing keys of their own.

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::support::{
    Broker, Foreign, Library, Listener, Publisher, Scrape, Seen, Server, Setup, ordinal_of,
    wait_until,
};

const EXCHANGE: &str = "event-streams";

/// Both drivers and numbers of shards, without all their combinations.
const SETUPS: [Setup; 2] =
    [Setup { driver: "io-uring", shards: 2 }, Setup { driver: "epoll", shards: 1 }];

/// A service of version 1 on this broker.
fn live(broker: &Broker, setup: Setup) -> Server {
    Server::start_on(broker, setup, &["--store", "exchange"])
}

/// A service that keeps its events in streams and publishes through the exchange.
fn through(broker: &Broker, setup: Setup) -> Server {
    Server::start_on(broker, setup, &["--exchange", EXCHANGE])
}

/// Queues that are bound to the exchange with this routing key.
fn queues(broker: &Broker, key: &str) -> usize {
    let listed = broker.ctl(&["-q", "list_bindings", "source_name", "routing_key"]);
    listed.lines().filter(|line| *line == format!("{EXCHANGE}\t{key}")).count()
}

fn name(test: &str, setup: Setup) -> String {
    format!("{test}-{}-{}", setup.driver, setup.shards)
}

#[test]
fn bodies_are_passed_on_as_they_are() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    for setup in SETUPS {
        let server = live(&broker, setup);
        let key = name("unchanged", setup);
        let stream = server.create(&key);
        for foreign in Foreign::each() {
            let consumer = foreign.open(&server.url(&stream.uuid, ""));
            let bodies: [&[u8]; 7] = [
                b"hello",
                b"{\"a\": 1.50, \"ess_ordinal\": 7}",
                b"{not json",
                b"",
                b"\xFF\xFE",
                "gr\u{fc}\u{df}e".as_bytes(),
                b"the end",
            ];
            publisher.publish_all(EXCHANGE, &key, &bodies, 1).expect("the broker routes it");
            let expected =
                ["hello", "{\"a\": 1.50, \"ess_ordinal\": 7}", "{not json", "gr\u{fc}\u{df}e"];
            assert_eq!(consumer.texts(4), expected);
            assert_eq!(consumer.text(), "the end");
            server.logged("an event is skipped: not UTF-8 at byte 0", 1);
        }
    }
}

#[test]
fn what_is_published_before_is_not_sent_and_what_is_published_after_the_101_is() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = live(&broker, SETUPS[0]);
    let stream = server.create("from-now");
    let foreign = Foreign::start(Library::Websockets);
    let first = foreign.open(&server.url(&stream.uuid, ""));
    publisher.publish_all(EXCHANGE, "from-now", &["old"], 3).expect("routed");
    assert_eq!(first.texts(3), ["old", "old", "old"]);
    let second = foreign.open(&server.url(&stream.uuid, ""));
    publisher.publish_all(EXCHANGE, "from-now", &["new"], 1).expect("routed");
    assert_eq!((first.text(), second.text()), ("new".to_owned(), "new".to_owned()));
}

#[test]
fn poison_ends_the_consumers_and_is_not_sent() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    for setup in SETUPS {
        let server = live(&broker, setup);
        let key = name("poison", setup);
        let stream = server.create(&key);
        let foreign = Foreign::start(Library::Ws);
        let consumers = [(); 3].map(|()| foreign.open(&server.url(&stream.uuid, "")));
        publisher.publish_all(EXCHANGE, &key, &["last words", "POISON"], 1).expect("routed");
        for consumer in &consumers {
            assert_eq!(consumer.text(), "last words");
            assert_eq!(consumer.closed(), (1000, "The stream has been deleted".to_owned()));
        }
        // Who comes later begins anew.
        let consumer = foreign.open(&server.url(&stream.uuid, ""));
        publisher.publish_all(EXCHANGE, &key, &["again"], 1).expect("routed");
        assert_eq!(consumer.text(), "again");
    }
}

#[test]
fn a_start_is_refused_because_nothing_is_kept() {
    let broker = Broker::shared();
    let server = live(&broker, SETUPS[0]);
    let stream = server.create("no-start");
    let foreign = Foreign::start(Library::Websockets);
    let url = |query: &str| server.url(&stream.uuid, query);
    for query in [
        "stream_from_ordinal=0",
        "stream_from_ordinal=7",
        "stream_from_timestamp=1746042171000",
        "stream_from_datetime=2025-04-30",
    ] {
        let (code, reason) = foreign.open(&url(query)).closed();
        assert_eq!(code, 1002, "{query}: {reason}");
        assert!(reason.starts_with("This backend keeps no history"), "{reason}");
    }
    let header = foreign.connect_with(&url(""), &[("X-StreamFromOrdinal", "1")]).opened();
    assert_eq!(header.closed().0, 1002);
    // What can't be understood is told as everywhere.
    let (_, reason) = foreign.open(&url("stream_from_ordinal=x")).closed();
    assert_eq!(reason, "stream_from_ordinal must be an integer");
}

#[test]
fn many_sockets_are_one_queue_and_it_goes_with_the_event_stream_and_the_service() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = live(&broker, SETUPS[0]);
    let (one, two) = (server.create("one-queue"), server.create("other-queue"));
    assert_eq!(queues(&broker, "one-queue"), 0, "no consumer, no queue");
    let (url, address) = (server.url(&one.uuid, ""), server.public());
    let mut clients: Vec<_> = (0..100).map(|_| Listener::open(address, &url)).collect();
    let mut other = Listener::open(address, &server.url(&two.uuid, ""));
    assert_eq!((queues(&broker, "one-queue"), queues(&broker, "other-queue")), (1, 1));
    publisher.publish_all(EXCHANGE, "one-queue", &["a", "b"], 10).expect("routed");
    for client in &mut clients {
        for expected in ["a", "b"].iter().cycle().take(20) {
            assert_eq!(client.text().as_str(), *expected);
        }
    }
    publisher.publish_all(EXCHANGE, "other-queue", &["mine"], 1).expect("routed");
    assert_eq!(other.text().as_str(), "mine");
    server.delete(one.id);
    wait_until("the queue to be gone", || queues(&broker, "one-queue") == 0);
    assert_eq!(queues(&broker, "other-queue"), 1);
    server.terminate();
    assert!(matches!(other.next(), Seen::End(Some(frame)) if u16::from(frame.code) == 1012));
    drop(other);
    assert!(server.ended().success());
    assert_eq!(queues(&broker, "other-queue"), 0, "the connection is closed before it ends");
}

#[test]
fn consumers_stay_while_the_broker_is_killed_and_go_on_with_what_comes_then() {
    let mut broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = live(&broker, SETUPS[0]);
    let stream = server.create("survivor");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    for round in 1..=3 {
        let before = format!("before {round}");
        wait_until("the queue to be there", || {
            publisher.publish_all(EXCHANGE, "survivor", &[&before], 1).is_ok()
        });
        assert_eq!(consumer.text(), before);
        broker.kill();
        server.logged("not consumed now, what is published meanwhile is lost", round);
        wait_until("readyz to tell", || server.ask("/readyz").0 == 503);
        let newcomer = foreign.open(&server.url(&stream.uuid, ""));
        let away = (1013, "The broker cannot be reached now; try again later".to_owned());
        assert_eq!(newcomer.closed(), away);
        broker.restart();
        server.logged("survivor: consumed again", round);
        wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
    }
}

#[test]
fn a_queue_that_is_deleted_in_the_broker_is_made_again() {
    let broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = live(&broker, SETUPS[1]);
    let stream = server.create("dropped");
    let foreign = Foreign::start(Library::Ws);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    let queue = broker.ctl(&["-q", "list_queues", "name"]);
    let queue = queue.lines().find(|name| name.starts_with("amq.gen-")).expect("it is there");
    broker.ctl(&[
        "eval",
        &format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
         rabbit_amqqueue:delete(Q, false, false, <<\"test\">>)."
        ),
    ]);
    server.logged("dropped: not consumed now", 1);
    server.logged("dropped: consumed again", 1);
    publisher.publish_all(EXCHANGE, "dropped", &["again"], 1).expect("routed");
    assert_eq!(consumer.text(), "again");
}

#[test]
fn a_service_that_takes_nothing_is_sent_no_more_than_is_acknowledged_later() {
    const EVENTS: usize = 1_000;
    const PREFETCH: usize = 64;
    let broker = Broker::start();
    let publisher = Publisher::start(&broker);
    let server = live(&broker, SETUPS[0]);
    let stream = server.create("held");
    let mut consumer = Listener::open(server.public(), &server.url(&stream.uuid, ""));
    kill_process(server.pid(), Signal::STOP).expect("it can be signalled");
    publisher.publish_all(EXCHANGE, "held", &["event"], EVENTS).expect("routed");
    let listed = broker.ctl(&["-q", "list_queues", "messages_ready", "messages_unacknowledged"]);
    kill_process(server.pid(), Signal::CONT).expect("it can be signalled");
    let counts: Vec<usize> =
        listed.split_whitespace().filter_map(|count| count.parse().ok()).collect();
    assert_eq!(counts, [EVENTS - PREFETCH, PREFETCH], "{listed}");
    for _ in 0..EVENTS {
        assert_eq!(consumer.text().as_str(), "event");
    }
}

#[test]
fn refusals_do_not_use_up_the_channels_of_a_connection() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[0], &["--exchange", "late"]);
    publisher.declare("patient", &json!({}));
    let stream = server.create("patient");
    // More than there are numbers for channels by default.
    for _ in 0..2_100 {
        let refused = server.try_publish(stream.id, "text/plain", b"event");
        assert!(refused.is_err_and(|why| why.contains("no exchange 'late'")));
    }
    publisher.exchange("late", "direct");
    publisher.bind("patient", "late", "patient");
    assert_eq!(server.publish(stream.id, "event").first, 0);
}

#[test]
fn each_refusal_is_one_line_that_says_what_to_do_and_no_secret() {
    let broker = Broker::shared();
    let amqp = broker.amqp_port();
    for (url, more, expected) in [
        (
            format!("amqp://guest:s3cret%21@127.0.0.1:{amqp}/"),
            &[][..],
            "wrong password of user \"guest\"",
        ),
        (
            format!("amqp://guest:guest@127.0.0.1:{amqp}/nowhere"),
            &[],
            "vhost nowhere not found; check the URL's path",
        ),
        ("amqp://guest:guest@127.0.0.1:1/".to_owned(), &[], "is the broker running?"),
    ] {
        let arguments = [&["--store", "exchange"], more].concat();
        let server = Server::start_at_broker(&url, 1, SETUPS[1], &arguments);
        let line = server.logged("WARN ess::store", 1);
        assert!(line.contains(expected), "{line}");
        wait_until("readyz to tell", || server.ask("/readyz").0 == 503);
        let (_, text) = server.ask("/readyz");
        assert!(text.contains("RabbitMQ") && !format!("{text}{line}").contains("s3cret"), "{text}");
    }
}

#[test]
fn an_exchange_of_another_type_is_told() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    publisher.exchange("of-topics", "topic");
    let as_topic = ["--store", "exchange", "--exchange", "of-topics", "--exchange-type", "topic"];
    let server = Server::start_on(&broker, SETUPS[1], &as_topic);
    let stream = server.create("a.b");
    let foreign = Foreign::start(Library::Ws);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    publisher.publish_all("of-topics", "a.b", &["by topic"], 1).expect("routed");
    assert_eq!(consumer.text(), "by topic");

    let server = Server::start_on(&broker, SETUPS[1], &as_topic[..4]);
    let stream = server.create("a.b");
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    assert_eq!(consumer.closed().0, 1013);
    let refused = server.try_publish(stream.id, "text/plain", b"event");
    let why = refused.expect_err("it is another exchange");
    assert!(why.contains("current is 'topic'; see --exchange-type"), "{why}");
}

#[test]
fn a_consumer_that_does_not_read_delays_nobody_and_loses_what_it_missed() {
    does_not_read("slow", &[]);
}

#[test]
fn on_another_shard_too_who_does_not_read_loses_what_it_missed() {
    // The second consumer is on the other shard.
    does_not_read("slow-elsewhere", &["--spread-consumers", "1"]);
}

fn does_not_read(key: &str, more: &[&str]) {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let arguments = [&["--store", "exchange", "--tail-bytes", "64KiB"], more].concat();
    let server = Server::start_on(&broker, SETUPS[0], &arguments);
    let stream = server.create(key);
    let url = server.url(&stream.uuid, "");
    let mut fast = Listener::open(server.public(), &url);
    let mut slow = Listener::open(server.public(), &url);
    let shards = if more.is_empty() { 1.0 } else { 2.0 };
    Scrape::until(&server, &[(&format!("ess_stream_shards{{stream=\"{key}\"}}"), shards)]);
    let large = "x".repeat(100_000);
    for _ in 0..20 {
        publisher.publish_all(EXCHANGE, key, &[&large], 10).expect("routed");
        for _ in 0..10 {
            assert_eq!(fast.text().len(), large.len());
        }
    }
    // It reads again: whole frames from before, none in part; then it is cut off inside the frame
    // whose rest is gone, or goes on with what comes now.
    let mut whole = 0;
    loop {
        match slow.next() {
            Seen::Text(text) if text.as_str() == "now" => break,
            Seen::Text(text) => assert_eq!(text.as_str(), large),
            Seen::End(None) => break,
            Seen::End(Some(frame)) => panic!("{frame:?}"),
        }
        whole += 1;
        // One a turn, so that there is something to go on with.
        publisher.publish_all(EXCHANGE, key, &["now"], 1).expect("routed");
        assert_eq!(fast.text().as_str(), "now");
    }
    assert!(whole < 200, "some were lost: {whole}");
    server.logged(&format!("{key}: a consumer was too slow and has lost"), 1);
}

#[test]
fn two_shards_serve_a_routing_key_from_one_queue() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let spread = ["--store", "exchange", "--spread-consumers", "2"];
    let server = Server::start_on(&broker, SETUPS[0], &spread);
    let stream = server.create("two-shards");
    let open = || Listener::open(server.public(), &server.url(&stream.uuid, ""));
    // Two at home, two on the other shard, then in turns.
    let mut consumers: Vec<_> = (0..6).map(|_| open()).collect();
    Scrape::until(&server, &[("ess_stream_shards{stream=\"two-shards\"}", 2.0)]);
    assert_eq!(server.consumers(stream.id), consumers.len() as u64);
    assert_eq!(queues(&broker, "two-shards"), 1);
    let bodies: [&[u8]; 5] =
        [b"{\"a\": 1.50, \"ess_ordinal\": 7}", b"{not json", b"\xFF\xFE", b"", b"early"];
    publisher.publish_all(EXCHANGE, "two-shards", &bodies, 100).expect("routed");
    for client in &mut consumers {
        for _ in 0..100 {
            for expected in ["{\"a\": 1.50, \"ess_ordinal\": 7}", "{not json", "early"] {
                assert_eq!(client.text().as_str(), expected);
            }
        }
    }
    // Whoever comes now is sent what comes now, wherever it is.
    consumers.extend([open(), open()]);
    publisher.publish_all(EXCHANGE, "two-shards", &["late", "POISON"], 1).expect("routed");
    for client in &mut consumers {
        assert_eq!(client.text().as_str(), "late");
        let Seen::End(Some(close)) = client.next() else { panic!("an end that is told") };
        assert_eq!(u16::from(close.code), 1000, "{close:?}");
    }
}

#[test]
fn a_publish_to_the_live_exchange_reaches_its_consumers() {
    let broker = Broker::shared();
    let server = live(&broker, SETUPS[0]);
    let stream = server.create("own-publish");
    let foreign = Foreign::start(Library::Websockets);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    let lines: String = (0..500).map(|n| format!("line {n}\n")).collect();
    let published = server.publish_lines(stream.id, &lines);
    assert_eq!(published.last - published.first, 499);
    for n in 0..500 {
        assert_eq!(consumer.text(), format!("line {n}"));
    }
    let (status, text) = server.publish_once(stream.id, "key", "x\n");
    assert_eq!(status, 400, "{text}");
}

#[test]
fn a_publish_through_the_exchange_lands_in_the_stream_and_is_answered_with_its_place() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    publisher.exchange(EXCHANGE, "direct");
    for setup in SETUPS {
        let server = through(&broker, setup);
        let key = name("through", setup);
        publisher.declare(&key, &json!({}));
        publisher.bind(&key, EXCHANGE, &key);
        let stream = server.create(&key);
        publisher.publish_all("", &key, &["before"], 5).expect("the broker stores");
        let one = server.publish(stream.id, "{\"a\":1}");
        assert_eq!((one.first, one.last), (5, 5));
        let lines: String = (0..1_000).map(|n| format!("line {n}\n")).collect();
        let many = server.publish_lines(stream.id, &lines);
        assert_eq!((many.first, many.last), (6, 1_005));
        let foreign = Foreign::start(Library::Websockets);
        let replay = foreign.open(&server.url(&stream.uuid, "stream_from_ordinal=4"));
        assert_eq!(ordinal_of(&replay.text()), 5);
        for n in 0..1_000 {
            let seen = replay.text();
            assert!(seen.starts_with(&format!("line {n}|ordinal: {}|", n + 6)), "{seen}");
        }
    }
}

#[test]
fn through_the_exchange_an_event_may_be_larger_than_a_frame_of_the_stream_protocol() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    publisher.exchange(EXCHANGE, "direct");
    let server = through(&broker, SETUPS[0]);
    publisher.declare("twenty", &json!({}));
    publisher.bind("twenty", EXCHANGE, "twenty");
    let stream = server.create("twenty");
    let foreign = Foreign::start(Library::Ws);
    let consumer = foreign.open(&server.url(&stream.uuid, ""));
    let large = "x".repeat(20 << 20);
    let published = server.try_publish(stream.id, "text/plain", large.as_bytes());
    assert_eq!(published.expect("it is stored").first, 0);
    let seen = consumer.text();
    assert!(seen.starts_with("xxxx") && ordinal_of(&seen) == 0 && seen.len() > 20 << 20);
    assert_eq!(server.publish(stream.id, "small").first, 1);
}

#[test]
fn what_has_no_way_through_the_exchange_is_named() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    publisher.exchange(EXCHANGE, "direct");
    let server = through(&broker, SETUPS[1]);
    publisher.declare("unbound", &json!({}));
    let stream = server.create("unbound");
    let refused = server.try_publish(stream.id, "text/plain", b"event");
    let why = refused.expect_err("nothing is bound");
    assert!(why.starts_with("404"), "{why}");
    assert!(why.contains("\\\"event-streams\\\"") && why.contains("\\\"unbound\\\""), "{why}");
    let (status, text) = server.publish_once(stream.id, "key", "x\n");
    assert_eq!(status, 400);
    assert!(text.contains("Idempotency-Key: an exchange remembers no keys"), "{text}");

    let nowhere = Server::start_on(&broker, SETUPS[1], &["--exchange", "not-there"]);
    let stream = nowhere.create("unbound");
    let refused = nowhere.try_publish(stream.id, "text/plain", b"event");
    let why = refused.expect_err("there is no such exchange");
    assert!(why.contains("no exchange 'not-there'") && why.contains("--exchange"), "{why}");
}
