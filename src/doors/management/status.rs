//! What the service does and holds, for the page and for whoever wants it as JSON: `GET /status`.
//!
//! The answer is bounded whatever there is: it tells of so many streams as were asked for, of
//! [`STATUS_STREAMS_MAX`] at most, and says how many there are. Rates are the caller's: counters
//! grow from the start of the service, and `at` says when they were read.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::answer::{self, Ingress};
use crate::census::{Census, Consumers, ShardCensus, StreamCensus, Traffic};
use crate::event::{StreamName, Timestamp};
use crate::limits::STATUS_STREAMS_MAX;
use crate::proto::http::{Head, Response, json_string, pairs};
use crate::registry::EventStream;

/// Streams that are told of unless the caller says how many.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// What the caller wants to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// Streams with this in their name, in any case.
    contains: String,
    /// The stream of this name alone.
    routing_key: Option<String>,
    order: Order,
    limit: usize,
}

/// Which streams come first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    /// Those with the most consumers.
    Consumers,
    /// By name.
    Name,
    /// Those whose slowest consumer is furthest behind.
    Lag,
    /// The largest.
    Bytes,
}

impl Order {
    /// How they are asked for; the first is the default.
    pub(super) const WORDS: [&'static str; 4] = ["consumers", "name", "lag", "bytes"];

    fn named(word: &str) -> Option<Self> {
        [Self::Consumers, Self::Name, Self::Lag, Self::Bytes]
            .into_iter()
            .find(|one| one.word() == word)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Consumers => "consumers",
            Self::Name => "name",
            Self::Lag => "lag",
            Self::Bytes => "bytes",
        }
    }
}

/// Reads the query.
pub(super) fn read(head: &Head) -> Result<Question, Response> {
    let mut question = Question {
        contains: String::new(),
        routing_key: None,
        order: Order::Consumers,
        limit: LIMIT_DEFAULT,
    };
    for (name, value) in pairs(head.query().unwrap_or_default()) {
        match &*name {
            "contains" => question.contains = value.to_lowercase(),
            "routing_key" => question.routing_key = Some(value.into_owned()),
            "order" => {
                let found = Order::named(&value);
                question.order = found.ok_or_else(|| answer::order_unknown(&value))?;
            }
            "limit" => question.limit = limit(&value)?,
            _ => {}
        }
    }
    Ok(question)
}

fn limit(value: &str) -> Result<usize, Response> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().unwrap_or(usize::MAX);
    match () {
        () if !digits => Err(answer::limit_unreadable(value)),
        () if number > STATUS_STREAMS_MAX => Err(answer::limit_too_large(value)),
        () => Ok(number),
    }
}

impl Question {
    /// Of the streams named `registered`, how many were asked for, and which of them are told of.
    /// A stream that the census doesn't tell of comes behind those that it does, by name.
    #[must_use]
    pub fn choose(&self, registered: Vec<StreamName>, census: &Census) -> (usize, Vec<StreamName>) {
        let wanted = |name: &StreamName| match &self.routing_key {
            Some(key) => name.as_str() == key,
            None => true,
        };
        let contained = |name: &StreamName| {
            self.contains.is_empty() || name.as_str().to_lowercase().contains(&self.contains)
        };
        let mut names: Vec<_> =
            registered.into_iter().filter(|name| wanted(name) && contained(name)).collect();
        let matching = names.len();
        if self.order == Order::Name {
            names.sort();
        } else {
            let told: HashMap<_, _> = census
                .shards
                .iter()
                .flat_map(|shard| &shard.streams)
                .map(|stream| (&stream.name, self.weight(stream)))
                .collect();
            names.sort_by_cached_key(|name| {
                (Reverse(told.get(name).copied()), name.as_str().to_owned())
            });
        }
        names.truncate(self.limit);
        (matching, names)
    }

    fn weight(&self, stream: &StreamCensus) -> u64 {
        match self.order {
            Order::Consumers => stream.consumers.all() as u64,
            Order::Lag => stream.slowest.map_or(0, |slowest| slowest.lag + 1),
            Order::Bytes => stream.bytes.unwrap_or(0),
            Order::Name => 0,
        }
    }
}

/// What a stream that was chosen is told with.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Its name.
    pub name: &'a StreamName,
    /// Its home.
    pub shard: usize,
    /// What its home says; `None` when it isn't open there.
    pub census: Option<&'a StreamCensus>,
    /// What leads to it, oldest first.
    pub event_streams: Vec<Arc<EventStream>>,
}

/// The service as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// Where events are kept: `log`, `rabbitmq` or `exchange`.
    pub store: &'a str,
    /// When it was asked.
    pub at: Timestamp,
    /// Where clients are told to connect.
    pub ingress: Ingress<'a>,
}

/// The answer.
#[must_use]
pub fn answer<'a>(
    service: &Service<'_>,
    census: &Census,
    question: &Question,
    matching: usize,
    streams: impl Iterator<Item = Told<'a>>,
) -> Response {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let mut out = format!(
        "{{\"service\":{{\"name\":\"{name}\",\"version\":\"{version}\",\"store\":\"{}\"}},\
         \"at\":{},\"totals\":{{",
        service.store, service.at
    );
    let bytes = census.shards.iter().map(bytes_of).sum();
    write_load(&mut out, &census.traffic(), census.streams_open(), census.consumers(), bytes);
    let _ = write!(out, ",\"connections\":{}}},\"shards\":[", census.connections);
    write_shards(&mut out, census);
    let _ = write!(
        out,
        "],\"order\":\"{}\",\"matching\":{matching},\"registered\":{},\"streams\":[",
        question.order.word(),
        census.streams_registered
    );
    for (place, told) in streams.enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        write_stream(&mut out, &told, service.ingress);
    }
    out.push_str("]}");
    // It has locations in it, which are as good as passwords.
    Response::json(200, out).with_header("cache-control", "no-store")
}

fn write_shards(out: &mut String, census: &Census) {
    let mut shards: Vec<_> = census.shards.iter().map(|one| (one.index, Some(one))).collect();
    shards.extend(census.late.iter().map(|index| (*index, None)));
    shards.sort_by_key(|(index, _)| *index);
    for (place, (index, shard)) in shards.into_iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{{\"shard\":{index},\"late\":{}", shard.is_none());
        if let Some(shard) = shard {
            let open = shard.streams.len() + shard.others.streams;
            out.push(',');
            write_load(out, &shard.traffic, open, shard.consumers, bytes_of(shard));
        }
        out.push('}');
    }
}

fn bytes_of(shard: &ShardCensus) -> u64 {
    let told: u64 = shard.streams.iter().filter_map(|stream| stream.bytes).sum();
    told + shard.others.bytes
}

fn write_load(
    out: &mut String,
    traffic: &Traffic,
    streams: usize,
    consumers: Consumers,
    bytes: u64,
) {
    write_traffic(out, traffic);
    let _ = write!(out, ",\"streams\":{streams},\"consumers\":");
    write_consumers(out, consumers);
    let _ = write!(out, ",\"bytes\":{bytes}");
}

fn write_traffic(out: &mut String, Traffic { events_in, events_out, events_lost, .. }: &Traffic) {
    let _ =
        write!(out, "\"published\":{events_in},\"delivered\":{events_out},\"lost\":{events_lost}");
}

fn write_consumers(out: &mut String, consumers: Consumers) {
    let Consumers { live, catching_up, stalled, closing } = consumers;
    let _ = write!(
        out,
        "{{\"live\":{live},\"catching_up\":{catching_up},\"stalled\":{stalled},\
         \"closing\":{closing}}}"
    );
}

fn write_stream(out: &mut String, told: &Told<'_>, ingress: Ingress<'_>) {
    let Told { name, shard, census, event_streams } = told;
    let name = json_string(name.as_str());
    let _ = write!(out, "{{\"routing_key\":{name},\"shard\":{shard},");
    let _ = write!(out, "\"open\":{},", census.is_some());
    write_traffic(out, &census.map(|census| census.traffic).unwrap_or_default());
    let floor = census.and_then(|census| census.floor);
    let slowest = census.and_then(|census| census.slowest);
    for (name, value) in [
        ("floor", floor.map(|floor| floor.get())),
        ("next_ordinal", census.map(|census| census.ceiling.get())),
        ("bytes", census.and_then(|census| census.bytes)),
        ("lag", slowest.map(|slowest| slowest.lag)),
        ("seconds_left", slowest.and_then(|slowest| slowest.time_left).map(|left| left.as_secs())),
    ] {
        let value = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        let _ = write!(out, ",\"{name}\":{value}");
    }
    out.push_str(",\"consumers\":");
    write_consumers(out, census.map(|census| census.consumers).unwrap_or_default());
    let event_streams: Vec<_> = event_streams
        .iter()
        .map(|one| {
            let location = json_string(&ingress.location_of(one));
            format!("{{\"id\":{},\"location\":{location}}}", one.id)
        })
        .collect();
    let _ = write!(out, ",\"event_streams\":[{}]}}", event_streams.join(","));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::census::{Slowest, Sum};
    use crate::event::Ordinal;
    use crate::proto::http::parse;
    use crate::store::Pace;

    fn name(name: &str) -> StreamName {
        StreamName::new(name).unwrap()
    }

    fn stream(key: &str, live: usize, bytes: u64, lag: Option<u64>) -> StreamCensus {
        let slowest =
            |lag| Slowest { lag, above_floor: None, time_left: Some(Duration::from_millis(5_999)) };
        StreamCensus {
            name: name(key),
            event_streams: Vec::new(),
            floor: Some(Ordinal::new(3)),
            ceiling: Ordinal::new(9),
            bytes: Some(bytes),
            newest: None,
            pace: Pace::default(),
            traffic: Traffic { events_in: 8, events_out: 16, events_lost: 1, ..Traffic::default() },
            shards: 1,
            consumers: Consumers { live, ..Consumers::default() },
            slowest: lag.map(slowest),
        }
    }

    fn census(streams: Vec<StreamCensus>) -> Census {
        let others = Sum { streams: 7, bytes: 100, ..Sum::default() };
        let shard = ShardCensus { streams, others, ..ShardCensus::idle(0) };
        Census { shards: vec![shard], late: vec![1], ..Census::default() }
    }

    #[track_caller]
    fn question(query: &str) -> Result<Question, u16> {
        let text = format!("GET /status?{query} HTTP/1.1\r\nhost: h\r\n\r\n");
        let (head, _) = parse(text.as_bytes()).unwrap().unwrap();
        read(&head).map_err(|response| response.status())
    }

    #[test]
    fn a_question_is_bounded_on_both_sides() {
        for (query, limit) in [
            ("", Ok(LIMIT_DEFAULT)),
            ("limit=0", Ok(0)),
            ("limit=1000", Ok(STATUS_STREAMS_MAX)),
            ("limit=1001", Err(422)),
            ("limit=99999999999999999999999", Err(422)),
            ("limit=-1", Err(422)),
            ("limit=", Err(422)),
            ("order=age", Err(422)),
            ("other=1", Ok(LIMIT_DEFAULT)),
        ] {
            assert_eq!(question(query).map(|question| question.limit), limit, "{query}");
        }
    }

    #[test]
    fn streams_are_chosen_by_name_and_order_and_those_unknown_come_last() {
        let census = census(vec![
            stream("b", 1, 30, Some(0)),
            stream("Ab", 3, 10, None),
            stream("c", 2, 20, Some(5)),
        ]);
        let all = || ["b", "zz", "Ab", "c", "aa"].map(name).to_vec();
        for (query, matching, chosen) in [
            ("", 5, "Ab c b aa zz"),
            ("order=name", 5, "Ab aa b c zz"),
            ("order=lag", 5, "c b Ab aa zz"),
            ("order=bytes", 5, "b c Ab aa zz"),
            ("limit=2", 5, "Ab c"),
            ("limit=0", 5, ""),
            ("contains=B", 2, "Ab b"),
            ("contains=x", 0, ""),
            ("routing_key=b", 1, "b"),
            ("routing_key=B", 0, ""),
        ] {
            let (found, names) = question(query).unwrap().choose(all(), &census);
            let names: Vec<_> = names.iter().map(StreamName::as_str).collect();
            assert_eq!((found, &*names.join(" ")), (matching, chosen), "{query}");
        }
    }

    #[test]
    fn what_is_not_known_is_null_and_a_late_shard_has_no_numbers() {
        let known = stream("a \"b\"", 2, 30, Some(5));
        let census = census(vec![known.clone()]);
        let ingress = Ingress { location: "localhost:8080", secure: false };
        let service = Service { store: "log", at: Timestamp::from_millis(7), ingress };
        let other = name("other");
        let event_streams =
            vec![Arc::new(EventStream { id: 4, uuid: "u".into(), routing_key: name("x") })];
        let told = [
            Told { name: &known.name, shard: 0, census: Some(&known), event_streams },
            Told { name: &other, shard: 1, census: None, event_streams: Vec::new() },
        ];
        let asked = question("order=lag").unwrap();
        let response = answer(&service, &census, &asked, 2, told.into_iter());
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let value: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(value["totals"]["bytes"], 130);
        assert_eq!(value["totals"]["streams"], 8);
        assert_eq!(value["shards"][1], serde_json::json!({ "shard": 1, "late": true }));
        let (first, second) = (&value["streams"][0], &value["streams"][1]);
        assert_eq!(first["routing_key"], "a \"b\"");
        assert_eq!((&first["floor"], &first["next_ordinal"]), (&3.into(), &9.into()));
        assert_eq!((&first["lag"], &first["seconds_left"]), (&5.into(), &5.into()));
        assert_eq!(first["event_streams"][0]["location"], "ws://localhost:8080/event-stream/u");
        assert_eq!((&second["open"], &second["shard"]), (&false.into(), &1.into()));
        for member in ["floor", "next_ordinal", "bytes", "lag", "seconds_left"] {
            assert!(second[member].is_null(), "{member}");
        }
    }
}
