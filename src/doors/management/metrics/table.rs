//! Every metric, once.
//!
//! Names follow Prometheus' conventions: `ess_`, the unit, `_total` for counters. A label's values
//! are few: they are words of ours, numbers of shards, or the names of at most
//! `--metrics-streams-max` streams.

use std::time::Duration;

use super::{OTHERS, Samples, Value, View};
use crate::census::{Consumers, Driver, Port, ShardCensus, StreamCensus, Sum, Traffic};
use crate::event::Cause;
use crate::meter::{self, Tallied};
use crate::store::Skip;

/// One metric.
pub(super) struct Metric {
    /// As Prometheus knows it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The unit, which the name ends with.
    pub(super) unit: Option<&'static str>,
    pub(super) labels: &'static [&'static str],
    /// What it says, for people.
    pub(super) meaning: &'static str,
    /// Where its values are.
    pub(super) samples: fn(&View<'_>, &mut Samples<'_>),
}

/// What a metric's values are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Grows until the process ends.
    Counter,
    /// Is what it is now.
    Gauge,
    /// How often something took at most so long.
    Histogram,
    /// Is always 1; its labels say it.
    Info,
}

impl Metric {
    /// The name without what follows from its type and unit.
    pub(super) fn stem(&self) -> &'static str {
        let name = match self.kind {
            Kind::Counter => self.name.strip_suffix("_total"),
            Kind::Info => self.name.strip_suffix("_info"),
            Kind::Gauge | Kind::Histogram => Some(self.name),
        };
        let name = name.unwrap_or_else(|| panic!("{} doesn't end as it should", self.name));
        match self.unit {
            None => name,
            Some(unit) => name
                .strip_suffix(unit)
                .and_then(|stem| stem.strip_suffix('_'))
                .unwrap_or_else(|| panic!("{} doesn't end with its unit", self.name)),
        }
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind: Kind::Counter, unit: None, labels, meaning, samples }
}

const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind: Kind::Info, unit: None, labels, meaning, samples }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: None, labels, meaning, samples }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: None, labels, meaning, samples }
}

impl Metric {
    const fn in_bytes(mut self) -> Self {
        self.unit = Some("bytes");
        self
    }

    const fn in_seconds(mut self) -> Self {
        self.unit = Some("seconds");
        self
    }
}

/// The metrics, as the guide shows them.
pub(super) const METRICS: &[Metric] = &[
    info("ess_build_info", &["version"], "The version of this service.", |_, out| {
        out.put(&[env!("CARGO_PKG_VERSION")], 1_u64);
    }),
    gauge("ess_connections", &[], "Connections of both ports.", |view, out| {
        out.put(&[], view.connections);
    }),
    gauge("ess_connections_max", &[], "Connections that there may be.", |view, out| {
        out.put(&[], view.connections_max);
    }),
    gauge(
        "ess_consumers",
        &["state"],
        "Consumers: `live` (they have everything), `catching_up` (behind, and being served), \
         `stalled` (behind, and their socket takes nothing) and `closing`.",
        |view, out| {
            let Consumers { live, catching_up, stalled, closing } = view.consumers();
            out.put(&["live"], live);
            out.put(&["catching_up"], catching_up);
            out.put(&["stalled"], stalled);
            out.put(&["closing"], closing);
        },
    ),
    counter(
        "ess_closes_total",
        &["reason"],
        "Consumers that have ended: `client` (it closed or hung up), `deleted` (the stream, or \
         POISON came), `displaced` (by another, with `--exclusive`), `broken` (the connection), \
         `protocol` (it broke it), `restart` (this service stops), `silent` (pings stayed without \
         an answer), `stalled` (it read nothing for `--stall-timeout`), `unavailable` (the events \
         can't be had).",
        |view, out| causes(view, out, |shard| &shard.closes),
    ),
    counter(
        "ess_refusals_total",
        &["reason"],
        "WebSockets told at once why they can't be consumers: `unknown` (no such event stream), \
         `start` (it can't be understood, or there is no history), `unavailable`, `restart`, \
         `deleted`, `protocol`.",
        |view, out| causes(view, out, |shard| &shard.refusals),
    ),
    counter(
        "ess_http_responses_total",
        &["port", "status"],
        "Answers to HTTP requests, by port (`public`, `internal`) and status. A WebSocket that \
         became a consumer is none.",
        |view, out| {
            let all = view.shards.iter().map(|shard| shard.responses.clone());
            for ((port, status), count) in meter::sum(all) {
                let port = match port {
                    Port::Public => "public",
                    Port::Internal => "internal",
                };
                out.put(&[port, &status.to_string()], count);
            }
        },
    ),
    counter("ess_received_events_total", &[], "Events that became visible.", |view, out| {
        out.put(&[], view.traffic().events_in);
    }),
    counter("ess_received_bytes_total", &[], "Bytes of their frames.", |view, out| {
        out.put(&[], view.traffic().bytes_in);
    })
    .in_bytes(),
    counter(
        "ess_deliveries_total",
        &[],
        "Events sent, each counted for each consumer it was sent to.",
        |view, out| out.put(&[], view.traffic().events_out),
    ),
    counter(
        "ess_sent_bytes_total",
        &[],
        "Bytes that the sockets of consumers took, pings and closes included.",
        |view, out| out.put(&[], view.traffic().bytes_out),
    )
    .in_bytes(),
    counter(
        "ess_lost_events_total",
        &[],
        "Events that were no longer retained when a consumer came to them, each counted for each \
         such consumer.",
        |view, out| out.put(&[], view.traffic().events_lost),
    ),
    counter(
        "ess_skipped_events_total",
        &["reason"],
        "Events that can't be sent: `empty` (which is nothing, by contract), `not_utf8`, \
         `bad_json`, `too_deep`, `unreadable` (no AMQP message, or a batch that can't be read), \
         `too_large` (a chunk of the broker's), `damaged`. Those read from a broker count each \
         time they are read.",
        |view, out| {
            for why in Skip::ALL {
                out.put(&[why.word()], count(&view.vitals.skipped, why));
            }
        },
    ),
    histogram(
        "ess_publish_duration_seconds",
        &[],
        "How long publishes by HTTP took that were stored, from the whole request to the answer.",
        |view, out| out.put_durations(&view.publishes()),
    )
    .in_seconds(),
    histogram(
        "ess_sync_duration_seconds",
        &[],
        "How long the embedded log's syncs to disk (fdatasync) took.",
        |view, out| out.put_durations(&view.vitals.syncs),
    )
    .in_seconds(),
    counter(
        "ess_tail_sends_total",
        &[],
        "Sends to consumers out of memory: many events may be one.",
        |view, out| out.put(&[], view.shards.iter().map(|shard| shard.tail_sends).sum::<u64>()),
    ),
    counter(
        "ess_log_reads_total",
        &[],
        "Reads of a stream's history for a consumer that is behind the tail.",
        |view, out| out.put(&[], view.shards.iter().map(|shard| shard.log_reads).sum::<u64>()),
    ),
    gauge(
        "ess_streams",
        &["state"],
        "Streams: `open`, and `unavailable` (registered, but not open; the log says why).",
        |view, out| {
            let open = view.streams_open();
            out.put(&["open"], open);
            // What a late shard has open is not known.
            if view.late.is_empty() {
                out.put(&["unavailable"], view.streams_registered.saturating_sub(open));
            }
        },
    ),
    gauge("ess_stream_consumers", STREAM, "Consumers of a stream.", |view, out| {
        let all = |consumers: Consumers| Some(consumers.all());
        each(view, out, |one| all(one.consumers), |others| all(others.consumers));
    }),
    gauge("ess_stream_shards", STREAM, "Shards that serve a stream's consumers.", |view, out| {
        each(view, out, |one| Some(one.shards), none);
    }),
    counter(
        "ess_stream_received_events_total",
        STREAM,
        "Events of a stream that became visible.",
        |view, out| counted(view, out, |traffic| traffic.events_in),
    ),
    counter("ess_stream_received_bytes_total", STREAM, "Bytes of their frames.", |view, out| {
        counted(view, out, |traffic| traffic.bytes_in)
    })
    .in_bytes(),
    counter(
        "ess_stream_deliveries_total",
        STREAM,
        "Events of a stream sent, each counted for each consumer it was sent to.",
        |view, out| counted(view, out, |traffic| traffic.events_out),
    ),
    counter(
        "ess_stream_sent_bytes_total",
        STREAM,
        "Bytes that the sockets of a stream's consumers took.",
        |view, out| counted(view, out, |traffic| traffic.bytes_out),
    )
    .in_bytes(),
    counter(
        "ess_stream_lost_events_total",
        STREAM,
        "Events of a stream that were no longer retained when a consumer came to them.",
        |view, out| counted(view, out, |traffic| traffic.events_lost),
    ),
    gauge("ess_stream_size_bytes", STREAM, "Size of a stream in the embedded log.", |view, out| {
        each(view, out, |one| one.bytes, |others| Some(others.bytes))
    })
    .in_bytes(),
    gauge(
        "ess_stream_next_ordinal",
        STREAM,
        "The ordinal that a stream's next event gets; with a broker, as far as it was watched.",
        |view, out| each(view, out, |one| Some(one.ceiling.get()), none),
    ),
    gauge(
        "ess_stream_newest_timestamp_seconds",
        STREAM,
        "When a stream's newest event was taken in, in Unix time.",
        |view, out| {
            let seconds = |one: &StreamCensus| Some(Duration::from_millis(one.newest?.millis()));
            each(view, out, seconds, none);
        },
    )
    .in_seconds(),
    gauge(
        "ess_stream_consumer_lag_events",
        STREAM,
        "Events that a stream's slowest consumer is behind the newest one.",
        |view, out| {
            let lag = |one: &StreamCensus| Some(one.slowest?.lag);
            each(view, out, lag, |others| Some(others.lag));
        },
    ),
    gauge(
        "ess_stream_consumer_floor_distance_events",
        STREAM,
        "Events between the oldest one that is retained and the one that a stream's slowest \
         consumer is owed next: at 0 it begins to lose some. Not with a broker, which doesn't tell \
         its floor.",
        |view, out| {
            let distance = |one: &StreamCensus| one.slowest?.above_floor;
            each(view, out, distance, |others| others.above_floor);
        },
    ),
    gauge(
        "ess_stream_consumer_time_left_seconds",
        STREAM,
        "How long the event that a stream's slowest consumer is owed next will be kept at least, \
         at the present pace of the stream: then that consumer begins to lose events. Only while \
         it is behind, and with the embedded log.",
        |view, out| {
            let left = |one: &StreamCensus| one.slowest?.time_left;
            each(view, out, left, |others| others.time_left);
        },
    )
    .in_seconds(),
    gauge("ess_shards", &["driver"], "Shards, by what drives them.", |view, out| {
        for (driver, name) in [(Driver::IoUring, "io_uring"), (Driver::Epoll, "epoll")] {
            let driven = view.shards.iter().filter(|shard| shard.driver == driver);
            out.put(&[name], driven.count());
        }
    }),
    gauge(
        "ess_shards_late",
        &[],
        "Shards that did not answer within 2 s: what they have is missing from all other metrics.",
        |view, out| out.put(&[], view.late.len()),
    ),
    counter(
        "ess_shard_busy_seconds_total",
        SHARD,
        "Processor time of a shard's thread: at one second a second it has nothing left.",
        |view, out| {
            for ShardCensus { index, busy, .. } in &view.shards {
                out.put(&[&index.to_string()], *busy);
            }
        },
    )
    .in_seconds(),
    gauge(
        "ess_shard_mailbox_messages",
        SHARD,
        "Messages of other shards that wait for a shard.",
        |view, out| {
            for (index, waiting) in view.mailboxes.iter().enumerate() {
                out.put(&[&index.to_string()], *waiting);
            }
        },
    ),
    gauge("ess_requests", &[], "Requests of the internal API under way.", |view, out| {
        out.put(&[], view.shards.iter().map(|shard| shard.requests).sum::<usize>());
    }),
    gauge(
        "ess_broker_up",
        &[],
        "Whether the broker can be reached (1) or not (0). Only with a broker.",
        |view, out| {
            if let Some(broker) = view.vitals.broker {
                out.put(&[], broker.up);
            }
        },
    ),
    gauge(
        "ess_broker_connections",
        &["protocol"],
        "Open connections to the broker, by protocol (`stream`, `amqp`).",
        |view, out| {
            if let Some(broker) = view.vitals.broker {
                out.put(&["stream"], broker.streams.open);
                out.put(&["amqp"], broker.amqp.open);
            }
        },
    ),
    counter(
        "ess_broker_connections_opened_total",
        &["protocol"],
        "Connections made to the broker, by protocol (`stream`, `amqp`): what comes after the \
         first minute was made anew.",
        |view, out| {
            if let Some(broker) = view.vitals.broker {
                out.put(&["stream"], broker.streams.opened);
                out.put(&["amqp"], broker.amqp.opened);
            }
        },
    ),
    counter(
        "ess_broker_connections_failed_total",
        &["protocol"],
        "Attempts to connect to the broker that failed.",
        |view, out| {
            if let Some(broker) = view.vitals.broker {
                out.put(&["stream"], broker.streams.failed);
                out.put(&["amqp"], broker.amqp.failed);
            }
        },
    ),
    gauge(
        "ess_disk_free_bytes",
        &[],
        "What ess may still write to the disk of its data directory.",
        |view, out| {
            if let Some(disk) = view.disk {
                out.put(&[], disk.free_bytes);
            }
        },
    )
    .in_bytes(),
    gauge("ess_disk_size_bytes", &[], "Size of that disk.", |view, out| {
        if let Some(disk) = view.disk {
            out.put(&[], disk.size_bytes);
        }
    })
    .in_bytes(),
    counter("process_cpu_seconds_total", &[], "Processor time of the process.", |view, out| {
        if let Some(process) = view.process {
            out.put(&[], process.busy);
        }
    })
    .in_seconds(),
    gauge(
        "process_resident_memory_bytes",
        &[],
        "Memory of the process that is resident.",
        |view, out| {
            if let Some(process) = view.process {
                out.put(&[], process.resident_bytes);
            }
        },
    )
    .in_bytes(),
    gauge("process_open_fds", &[], "Open descriptors.", |view, out| {
        if let Some(process) = view.process {
            out.put(&[], process.descriptors);
        }
    }),
    gauge("process_max_fds", &[], "Descriptors that may be open.", |view, out| {
        if let Some(max) = view.process.and_then(|process| process.descriptors_max) {
            out.put(&[], max);
        }
    }),
];

const SHARD: &[&str] = &["shard"];
const STREAM: &[&str] = &["stream"];

/// A sample for each cause.
fn causes(view: &View<'_>, out: &mut Samples<'_>, of: impl Fn(&ShardCensus) -> &Tallied<Cause>) {
    let counts = meter::sum(view.shards.iter().map(|shard| of(shard).clone()));
    for cause in Cause::ALL {
        out.put(&[cause.word()], count(&counts, cause));
    }
}

/// The count of `key`, also when it never was: a counter that begins with 1 seems not to have grown
/// to who looks at what it was before.
fn count<K: Copy + Eq>(counts: &Tallied<K>, key: K) -> u64 {
    counts.iter().find(|(one, _)| *one == key).map_or(0, |(_, count)| *count)
}

/// What passed through each of the streams that are shown, and through the others.
fn counted(view: &View<'_>, out: &mut Samples<'_>, of: impl Fn(&Traffic) -> u64) {
    let others = of(&view.others_traffic);
    each(view, out, |one| Some(of(&one.traffic)), |_| Some(others));
}

/// A sample for each of the streams that are shown, and one for the others in sum.
fn each<T: Into<Value>>(
    view: &View<'_>,
    out: &mut Samples<'_>,
    of: impl Fn(&StreamCensus) -> Option<T>,
    of_others: impl Fn(&Sum) -> Option<T>,
) {
    for one in &view.streams {
        if let Some(value) = of(one) {
            out.put(&[one.name.as_str()], value);
        }
    }
    if let Some(value) = of_others(&view.others).filter(|_| view.others.streams > 0) {
        out.put(&[OTHERS], value);
    }
}

/// The others have no such value.
const fn none<T>(_: &Sum) -> Option<T> {
    None
}
