//! A stream in the broker that two shards serve: live and history, every event once, one end.

use std::thread;

use crate::support::{Broker, Listener, Publisher, Scrape, Seen, Server, ordinal_of, wait_until};

use super::{SETUPS, declared};

#[test]
fn two_shards_serve_a_stream_of_the_broker() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let server = Server::start_on(&broker, SETUPS[0], &["--spread-consumers", "2"]);
    let stream = declared(&server, &publisher, "spread");
    publisher.publish_all("", "spread", &["old"], 2_000).expect("stored");
    let open = |query: &str| Listener::open(server.public(), &server.url(&stream.uuid, query));
    let end: u64 = 2_000;
    let starts = [("", end), ("stream_from_ordinal=0", 0), ("stream_from_ordinal=999", 1000)];
    let starts = [starts, starts, starts].concat();
    // Two at home, two on the other shard, then in turns.
    let mut consumers: Vec<_> = starts.iter().map(|(query, first)| (open(query), *first)).collect();
    Scrape::until(&server, &[("ess_stream_shards{stream=\"spread\"}", 2.0)]);
    assert_eq!(server.consumers(stream.id), consumers.len() as u64);
    publisher.publish_all("", "spread", &["new"], 10).expect("stored");
    for (client, first) in &mut consumers {
        for ordinal in *first..end + 10 {
            assert_eq!(ordinal_of(&client.text()), ordinal);
        }
    }
    publisher.delete("spread");
    for (client, _) in &mut consumers {
        let Seen::End(Some(close)) = client.next() else { panic!("an end that is told") };
        assert_eq!(u16::from(close.code), 1013);
        assert_eq!(close.reason, format!("EventStream {} cannot be found", stream.uuid));
    }
}

/// Bursts far larger than the tail; all together more than the kernel's buffers of a socket take.
const BURSTS: u64 = 20;
const BURST: usize = 10;
const EVENT_BYTES: usize = 100_000;

#[test]
fn who_falls_behind_on_a_branch_reads_the_history_and_joins_the_tail_exactly() {
    let broker = Broker::shared();
    let publisher = Publisher::start(&broker);
    let arguments = ["--spread-consumers", "1", "--tail-bytes", "64KiB"];
    let server = Server::start_on(&broker, SETUPS[0], &arguments);
    let stream = declared(&server, &publisher, "behind");
    let open = || Listener::open(server.public(), &server.url(&stream.uuid, ""));
    let at_home = open();
    // On the other shard, as the second of those that keep up.
    let mut stalled = open();
    let mut keep_up = [at_home, open(), open()];
    Scrape::until(&server, &[("ess_stream_shards{stream=\"behind\"}", 2.0)]);
    let burst = |body: &str| {
        publisher.publish_all("", "behind", &[body], BURST).expect("stored");
    };
    let expect = |client: &mut Listener, ordinals| {
        for ordinal in ordinals {
            assert_eq!(ordinal_of(&client.text()), ordinal);
        }
    };
    let each = BURST as u64;
    let large = "x".repeat(EVENT_BYTES);
    for round in 0..BURSTS {
        burst(&large);
        for client in &mut keep_up {
            expect(client, round * each..(round + 1) * each);
        }
    }
    let mut lag = 0.0;
    wait_until("the branch to tell how far it is behind", || {
        lag = Scrape::of(&server).value("ess_stream_consumer_lag_events{stream=\"behind\"}");
        lag > each as f64
    });
    assert!(lag < (BURSTS * each) as f64, "it was sent what its socket took: {lag}");
    // It catches up while events go on coming, and then gets them as they come.
    let end = 2 * BURSTS * each;
    thread::scope(|scope| {
        let reading = scope.spawn(|| expect(&mut stalled, 0..end));
        (0..BURSTS).for_each(|_| burst("small"));
        reading.join().expect("it sees an exact sequence");
    });
    keep_up.iter_mut().for_each(|client| expect(client, BURSTS * each..end));
    publisher.publish("behind", "live");
    keep_up.iter_mut().chain([&mut stalled]).for_each(|client| expect(client, end..end + 1));
    let scrape = Scrape::of(&server);
    assert_eq!(scrape.value("ess_stream_lost_events_total{stream=\"behind\"}"), 0.0);
    assert!(scrape.value("ess_log_reads_total") > 0.0, "the history was read");
}
