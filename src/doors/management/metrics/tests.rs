//! The text is bounded, whatever there is.

use super::*;
use crate::census::{Consumers, ShardCensus, Slowest};
use crate::event::{Ordinal, StreamName};
use crate::store::Pace;

const STREAMS_MAX: usize = 5;

pub(super) fn stream(name: &str, live: usize) -> StreamCensus {
    StreamCensus {
        name: StreamName::new(name).unwrap(),
        event_streams: Vec::new(),
        floor: Some(Ordinal::new(1)),
        ceiling: Ordinal::new(9),
        bytes: Some(10),
        newest: None,
        pace: Pace::default(),
        traffic: Traffic { events_in: 8, ..Traffic::default() },
        shards: 1,
        consumers: Consumers { live, ..Consumers::default() },
        slowest: Some(Slowest { lag: live as u64, above_floor: Some(3), time_left: None }),
    }
}

fn shown(streams: Vec<StreamCensus>) -> String {
    let mut traffic = Traffic::default();
    streams.iter().for_each(|stream| traffic.add(stream.traffic));
    let busy = Duration::from_millis(1_500);
    let shard = ShardCensus { busy, streams, traffic, ..ShardCensus::idle(0) };
    let census = Census { shards: vec![shard], ..Census::default() };
    let response = Exporter::new(STREAMS_MAX).answer(&Arc::new(census));
    assert_eq!(response.status(), 200);
    String::from_utf8(response.body().to_vec()).unwrap()
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn so_many_streams_have_labels_and_the_others_are_one() {
    let few: Vec<_> = (1..=STREAMS_MAX).map(|n| stream(&n.to_string(), n)).collect();
    let text = shown(few.clone());
    assert_eq!(lines(&text, "ess_stream_consumers{").len(), STREAMS_MAX);
    assert!(!text.contains(OTHERS) && text.ends_with("# EOF\n"));

    let mut more = few;
    more.extend([stream("a", 0), stream("b", 0)]);
    let text = shown(more);
    assert_eq!(lines(&text, "ess_stream_consumers{").len(), STREAMS_MAX + 1);
    assert_eq!(
        lines(&text, "ess_stream_size_bytes{stream=\"(others)\"}")[0].split(' ').nth(1),
        Some("20")
    );
    let counters = lines(&text, "ess_stream_received_events_total{");
    assert_eq!(counters.len(), STREAMS_MAX + 1);
    assert_eq!(counters[STREAMS_MAX], "ess_stream_received_events_total{stream=\"(others)\"} 16");
}

#[test]
fn a_stream_that_is_called_like_the_others_is_one_of_them() {
    let text = shown(vec![stream(OTHERS, 7), stream("a", 2)]);
    let consumers = lines(&text, "ess_stream_consumers{");
    assert_eq!(
        consumers,
        ["ess_stream_consumers{stream=\"a\"} 2", "ess_stream_consumers{stream=\"(others)\"} 7"]
    );
    assert_eq!(lines(&text, "ess_stream_next_ordinal{").len(), 1);
}

#[test]
fn a_name_cannot_break_out_of_its_label() {
    let text = shown(vec![stream("a\"} 1\nfake 2\\", 0)]);
    let label = "{stream=\"a\\\"} 1\\nfake 2\\\\\"} 0";
    assert_eq!(lines(&text, "ess_stream_consumers{"), [format!("ess_stream_consumers{label}")]);
    assert!(lines(&text, "fake").is_empty());
}
