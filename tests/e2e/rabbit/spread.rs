//! A stream in the broker that two shards serve: live and history, every event once, one end.

use crate::support::{Broker, Listener, Publisher, Scrape, Seen, Server, ordinal_of};

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
