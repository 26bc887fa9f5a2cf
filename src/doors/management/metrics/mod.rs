//! `GET /metrics`: the census as OpenMetrics text, for Prometheus and whoever reads its format.
//!
//! `table` has every metric once: its name, type, unit, labels and meaning, and where in the
//! census its values are. The text and the operations guide are made of it.

#[cfg(test)]
mod guide;
mod others;
mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use crate::census::{Census, StreamCensus, Sum, Traffic};
use crate::meter::{DURATION_BOUNDS, DurationCounts};
use crate::proto::http::Response;
use crate::store::Vitals;

use others::Others;
use table::{Kind, METRICS, Metric};

/// Tells what is counted, to whoever asks again and again.
#[derive(Debug)]
pub struct Exporter {
    streams_max: usize,
    others: RefCell<Others>,
}

impl Exporter {
    /// At most `streams_max` streams get labels of their own.
    #[must_use]
    pub fn new(streams_max: usize) -> Self {
        Self { streams_max, others: RefCell::default() }
    }

    /// The census as OpenMetrics text.
    #[must_use]
    pub fn answer(&self, census: &Arc<Census>) -> Response {
        let (shown, _) = shown(census, self.streams_max);
        let others = self.others.borrow_mut().look(&shown, census.traffic());
        let census = Arc::clone(census);
        encoded(Scrape { census, streams_max: self.streams_max, others })
    }
}

fn encoded(scrape: Scrape) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut out = String::new();
    match text::encode(&mut out, &registry) {
        Ok(()) => Response::new(200).with_body(CONTENT_TYPE, out),
        // A string takes whatever is written to it, and no metric fails by itself.
        Err(fault) => Response::detail(500, &fault.to_string()),
    }
}

/// OpenMetrics 1.0.0, "Text format".
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Stands for all streams that have no label of their own. A stream of this name has none.
const OTHERS: &str = "(others)";

/// What one scrape shows.
#[derive(Debug)]
struct Scrape {
    census: Arc<Census>,
    streams_max: usize,
    /// What passed through streams without labels of their own.
    others: Traffic,
}

/// The streams with labels of their own, and the others in sum.
fn shown(census: &Census, streams_max: usize) -> (Vec<&StreamCensus>, Sum) {
    let (mut streams, mut others) = census.streams(streams_max);
    if let Some(namesake) = streams.iter().position(|one| one.name.as_str() == OTHERS) {
        others.add(streams.remove(namesake));
    }
    (streams, others)
}

/// The census as the metrics show it.
struct View<'a> {
    census: &'a Census,
    /// Those with labels of their own.
    streams: Vec<&'a StreamCensus>,
    others: Sum,
    /// What passed through the others.
    others_traffic: Traffic,
    vitals: Vitals,
}

impl<'a> View<'a> {
    fn of(scrape: &'a Scrape) -> Self {
        let census = &*scrape.census;
        let (streams, others) = shown(census, scrape.streams_max);
        let others_traffic = scrape.others;
        Self { census, streams, others, others_traffic, vitals: census.vitals() }
    }
}

impl Deref for View<'_> {
    type Target = Census;

    fn deref(&self) -> &Census {
        self.census
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let view = View::of(self);
        for metric in METRICS {
            let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
                Kind::Info => MetricType::Info,
            };
            let name = metric.stem();
            let encoder = encoder.encode_descriptor(name, metric.meaning, unit.as_ref(), kind)?;
            let mut samples = Samples { metric, encoder, result: Ok(()) };
            (metric.samples)(&view, &mut samples);
            samples.result?;
        }
        Ok(())
    }
}

/// Takes the samples of one metric.
struct Samples<'a> {
    metric: &'static Metric,
    encoder: MetricEncoder<'a>,
    /// The first failure.
    result: fmt::Result,
}

impl Samples<'_> {
    /// The value for these values of the metric's labels, in their order. [`Kind::Info`] takes no
    /// value.
    fn put(&mut self, labels: &[&str], value: impl Into<Value>) {
        assert!(labels.len() == self.metric.labels.len(), "{}: a value a label", self.metric.name);
        if self.result.is_ok() {
            self.result = self.write(labels, value.into());
        }
    }

    /// The counts of a [`Kind::Histogram`] without labels.
    fn put_durations(&mut self, durations: &DurationCounts) {
        let bounds = DURATION_BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(durations.counts).collect();
        let (sum, count) = (durations.sum.as_secs_f64(), durations.counts.iter().sum());
        if self.result.is_ok() {
            self.result = self.encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None);
        }
    }

    fn write(&mut self, labels: &[&str], value: Value) -> fmt::Result {
        let labels: Vec<_> =
            self.metric.labels.iter().copied().zip(labels.iter().copied()).collect();
        if self.metric.kind == Kind::Info {
            return self.encoder.encode_info(&labels);
        }
        if labels.is_empty() {
            return value.write(self.metric.kind, &mut self.encoder);
        }
        value.write(self.metric.kind, &mut self.encoder.encode_family(&labels)?)
    }
}

/// The value of a sample.
#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Real(f64),
}

impl Value {
    fn write(self, kind: Kind, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;
        match (kind, self) {
            (Kind::Counter, Self::Whole(value)) => encoder.encode_counter(&value, NO_EXEMPLAR),
            (Kind::Counter, Self::Real(value)) => encoder.encode_counter(&value, NO_EXEMPLAR),
            (_, Self::Whole(value)) => encoder.encode_gauge(&value),
            (_, Self::Real(value)) => encoder.encode_gauge(&value),
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Real(value.as_secs_f64())
    }
}
