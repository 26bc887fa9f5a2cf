//! What was found, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::consumers::Consumers;
use super::plan::Plan;
use super::publisher::Published;

/// Latencies, to three digits.
pub(super) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the bounds are constants")]
        let histogram = Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3).expect("in order");
        Self(histogram)
    }
}

/// Ten minutes; longer counts as that.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

impl Latency {
    /// One more.
    pub(super) fn record(&mut self, taken: Duration) {
        self.0.saturating_record(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
    }

    fn row(&self) -> Row {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let at = |quantile| millis(self.0.value_at_quantile(quantile));
        let max = millis(self.0.max());
        Row { count: self.0.len(), p50: at(0.5), p99: at(0.99), p99_9: at(0.999), max }
    }
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Row {
    count: u64,
    p50: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    consumers: u64,
    event_bytes: usize,
    /// Asked for.
    events_per_second: u64,
    events_published: u64,
    publish_requests: u64,
    seconds: f64,
    deliveries: u64,
    deliveries_missing: u64,
    deliveries_per_second: f64,
    connect_ms: Row,
    due_to_stored_ms: Row,
    due_to_consumer_ms: Row,
    due_to_last_consumer_ms: Row,
}

impl Report {
    /// Of a measurement that came to its end.
    pub(super) fn new(plan: &Plan, published: Published, consumers: Consumers) -> Self {
        let deliveries = consumers.deliveries();
        let seconds = published.time.as_secs_f64();
        Self {
            consumers: consumers.count(),
            event_bytes: plan.bytes,
            events_per_second: plan.rate,
            events_published: published.events,
            publish_requests: published.requests,
            seconds,
            deliveries,
            deliveries_missing: (published.events * consumers.count()).saturating_sub(deliveries),
            deliveries_per_second: if seconds > 0.0 { deliveries as f64 / seconds } else { 0.0 },
            connect_ms: consumers.connected.row(),
            due_to_stored_ms: published.stored.row(),
            due_to_consumer_ms: consumers.received.row(),
            due_to_last_consumer_ms: consumers.completed.row(),
        }
    }

    /// What must not be, if it is.
    pub(super) fn fault(&self) -> Option<String> {
        let missing = self.deliveries_missing;
        (missing > 0).then(|| format!("{missing} deliveries are missing"))
    }

    /// An object on one line.
    pub(super) fn json(&self) -> String {
        // Numbers and names only: it can't fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// A table.
    pub(super) fn text(&self) -> String {
        let Self { consumers, event_bytes, events_per_second, seconds, .. } = self;
        let mut text = format!(
            "consumers   {consumers}\n\
             published   {} events of {event_bytes} bytes in {seconds:.1} s ({events_per_second} a \
             second asked for), {} requests\n\
             delivered   {} of {}, {:.0} a second\n\n\
             ms                        p50       p99     p99.9       max     count\n",
            self.events_published,
            self.publish_requests,
            self.deliveries,
            self.deliveries + self.deliveries_missing,
            self.deliveries_per_second,
        );
        for (name, row) in [
            ("connect", self.connect_ms),
            ("due to stored", self.due_to_stored_ms),
            ("due to a consumer", self.due_to_consumer_ms),
            ("due to the last one", self.due_to_last_consumer_ms),
        ] {
            let Row { count, p50, p99, p99_9, max } = row;
            // A string takes all.
            let _ = writeln!(
                text,
                "{name:<19}{p50:>10.2}{p99:>10.2}{p99_9:>10.2}{max:>10.2}{count:>10}"
            );
        }
        text
    }
}
