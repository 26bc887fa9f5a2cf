//! What one measurement found.

use std::fmt;
use std::io;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// One measurement; what was warming up is not in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    /// Events published, with those of the warm-up.
    pub(crate) events: u64,
    /// Consumers whose every frame and ordinal was looked at.
    pub(crate) sampled: usize,
    /// How long was measured.
    pub(crate) seconds: f64,
    /// Events times consumers a second.
    pub(crate) deliveries_per_second: f64,
    /// Events that a consumer was sent in one TCP segment of at most 64 KiB: of a write, while
    /// writes are no longer than that.
    pub(crate) events_per_segment: f64,
    /// Processor time of the server for a million deliveries.
    pub(crate) server_cpu_seconds_per_million: f64,
    /// Cores the server kept busy.
    pub(crate) server_busy: f64,
    /// Cores the reader kept busy: near 1, the reader is what was measured.
    pub(crate) client_busy: f64,
    /// Cores that everything else on the machine kept busy: near 0, the machine was quiet.
    pub(crate) others_busy: f64,
    /// From when a batch was to be sent until its last consumer had it.
    pub(crate) latency: Latency,
    /// From when publishing ended until everybody had everything: not small, a server that an open
    /// loop is too fast for.
    pub(crate) drained_seconds: f64,
    /// Of a server that is a process of its own.
    pub(crate) memory: Option<Footprint>,
}

/// Latencies, in microseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// An empty histogram of nanoseconds, up to ten minutes; longer counts as that.
    pub(crate) fn histogram() -> io::Result<Histogram<u64>> {
        Histogram::new_with_bounds(1, 600_000_000_000, 3).map_err(io::Error::other)
    }

    /// Of a histogram in nanoseconds.
    pub(crate) fn of(nanos: &Histogram<u64>) -> Self {
        let at = |quantile| nanos.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            count: nanos.len(),
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanos.max() as f64 / 1e3,
        }
    }
}

/// Memory of the server, in bytes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Footprint {
    /// Resident with all consumers connected and nothing published.
    pub(crate) resident_idle: u64,
    /// Resident at the end.
    pub(crate) resident_end: u64,
    /// What each idle consumer added to the memory the server allocated.
    pub(crate) per_consumer: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = self.latency;
        writeln!(f, "deliveries/s      {:.0}", self.deliveries_per_second)?;
        writeln!(f, "events a segment  {:.1}", self.events_per_segment)?;
        writeln!(f, "server CPU        {:.3} s a million", self.server_cpu_seconds_per_million)?;
        writeln!(
            f,
            "cores busy        server {:.2}, reader {:.2}, others {:.2}",
            self.server_busy, self.client_busy, self.others_busy
        )?;
        writeln!(
            f,
            "to last consumer  p50 {:.0} µs, p99 {:.0}, p99.9 {:.0}, max {:.0} ({} batches)",
            latency.p50, latency.p99, latency.p99_9, latency.max, latency.count
        )?;
        writeln!(f, "to drain          {:.3} s", self.drained_seconds)?;
        if let Some(memory) = self.memory {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            writeln!(
                f,
                "server memory     idle {:.1} MiB, end {:.1} MiB, {:.0} B a consumer",
                mib(memory.resident_idle),
                mib(memory.resident_end),
                memory.per_consumer
            )?;
        }
        write!(f, "checked           {} events, {} consumers in full", self.events, self.sampled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_in_microseconds_and_keeps_the_tail() {
        let mut histogram = Latency::histogram().unwrap();
        for millis in 1..=1_000 {
            histogram.saturating_record(millis * 1_000_000_u64);
        }
        let latency = Latency::of(&histogram);
        let near = |value: f64, expect: f64| (value / expect - 1.0).abs() < 0.002;
        assert_eq!(latency.count, 1_000);
        assert!(near(latency.p50, 500_000.0), "{latency:?}");
        assert!(near(latency.p99, 990_000.0), "{latency:?}");
        assert!(near(latency.p99_9, 999_000.0), "{latency:?}");
        assert!(near(latency.max, 1_000_000.0), "{latency:?}");
    }
}
