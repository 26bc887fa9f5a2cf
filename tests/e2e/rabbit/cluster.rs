//! A broker of three nodes, of which one at a time is killed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use crate::support::{
    Cluster, EventStream, Listener, Publisher, Server, Stop, ordinal_of, wait_until,
};

use super::{SETUPS, read_all};

const NODES: usize = 3;
const CONSUMERS: usize = 50;
const NEWCOMERS: usize = 3;
const STREAM: &str = "moving";

/// A service by this URL, and its event stream.
fn serve(cluster: &Cluster, url: &str) -> (Server, EventStream) {
    let server = Server::start_at_broker(url, cluster.node(0).stream_port(), SETUPS[0], &[]);
    let stream = server.create(STREAM);
    (server, stream)
}

#[test]
fn consumers_lose_nothing_when_the_leader_is_killed_and_publishes_follow_it() {
    let mut cluster = Cluster::start(NODES);
    let publishers = [0, 1, 2].map(|index| Publisher::start(cluster.node(index)));
    publishers[0].declare(STREAM, &json!({ "x-queue-leader-locator": "client-local" }));
    assert_eq!(cluster.leader(STREAM, 1), Some(0));
    // One service knows all nodes, the other one only the node that is killed first.
    let services = [cluster.url(), cluster.node(0).url()].map(|url| serve(&cluster, &url));
    let confirmed = AtomicU64::new(0);
    let stop = Stop::default();
    thread::scope(|scope| {
        let _end = stop.at_the_latest();
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|n| {
                let (server, stream) = &services[n % 2];
                let query = if n % 4 < 2 { "" } else { "stream_from_ordinal=0" };
                let client = Listener::open(server.public(), &server.url(&stream.uuid, query));
                scope.spawn(move || read_all(client))
            })
            .collect();
        let writer = scope.spawn(|| write(publishers, &confirmed, &stop));
        let flows = |what: &str| {
            tell(what);
            let before = confirmed.load(Ordering::Relaxed);
            wait_until(what, || confirmed.load(Ordering::Relaxed) > before + 200);
        };
        let mut leader = 0;
        for round in 0..2 {
            flows("events to flow");
            let dead = leader;
            cluster.kill(dead);
            flows("events to flow without the leader's node");
            for (server, stream) in &services {
                publish(server, stream, "by ess");
            }
            wait_until("another leader", || {
                leader = cluster.leader(STREAM, (dead + 1) % NODES).unwrap_or(dead);
                leader != dead
            });
            tell(&format!("node {leader} leads, not {dead}"));
            match round {
                0 => newcomers(&mut cluster, dead),
                _ => cluster.restart(dead),
            }
        }
        flows("events to flow again");
        stop.tell();
        writer.join().expect("the writer ends");
        publish(&services[0].0, &services[0].1, "the end");
        for consumer in consumers {
            let seen = consumer.join().expect("a consumer sees an exact sequence");
            assert!(seen >= confirmed.load(Ordering::Relaxed), "every confirmed event is there");
        }
    });
    for (server, _) in &services {
        wait_until("readyz to be well", || server.ask("/readyz").0 == 200);
    }
}

/// Publishes by any node that takes it, and counts what was confirmed. A test that fails prints
/// who did not take it.
fn write(publishers: [Publisher; NODES], confirmed: &AtomicU64, stop: &Stop) {
    let mut nodes = publishers.iter().cycle();
    while !stop.told() {
        let Some(publisher) = nodes.next() else { return };
        let failed = loop {
            match publisher.publish_all("", STREAM, &["event"], 20) {
                Ok(_) => confirmed.fetch_add(20, Ordering::Relaxed),
                Err(failed) => break failed,
            };
            if stop.told() {
                return;
            }
        };
        let confirmed = confirmed.load(Ordering::Relaxed);
        tell(&format!("{confirmed} events are confirmed, the next not: {failed}"));
    }
}

/// For whoever reads why the test failed.
fn tell(what: &str) {
    eprintln!("{} {what}", Server::millis());
}

/// Publishes by the service, once there is a leader.
fn publish(server: &Server, stream: &EventStream, event: &str) {
    wait_until("a publish to find the leader", || {
        server.try_publish(stream.id, "text/plain", event.as_bytes()).is_ok()
    });
}

/// Services that start while a node is down; then it is started again.
fn newcomers(cluster: &mut Cluster, dead: usize) {
    // Again and again: where a stream ends can't be told while its newest events are on their way
    // from node to node.
    for _ in 0..NEWCOMERS {
        let (all, stream) = serve(cluster, &cluster.url());
        let url = all.url(&stream.uuid, "stream_from_ordinal=0");
        let mut client = Listener::open(all.public(), &url);
        for ordinal in 0..200 {
            assert_eq!(ordinal_of(&client.text()), ordinal);
        }
    }
    let (all, _) = serve(cluster, &cluster.url());
    wait_until("readyz to be well, for there are other nodes", || all.ask("/readyz").0 == 200);
    let (one, _) = serve(cluster, &cluster.node(dead).url());
    wait_until("readyz to tell", || {
        let (status, text) = one.ask("/readyz");
        status == 503 && text.contains("RabbitMQ can't be reached at 127.0.0.1:")
    });
    cluster.restart(dead);
    wait_until("readyz to be well", || one.ask("/readyz").0 == 200);
}
