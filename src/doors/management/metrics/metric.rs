//! What a metric is: its name, type, unit, labels and meaning, and where its values are.

use super::{Samples, View};

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
    pub(super) samples: Source,
}

/// Takes a metric's values out of what is known.
pub(super) type Source = fn(&View<'_>, &mut Samples<'_>);

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

pub(super) const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: Source,
) -> Metric {
    metric(Kind::Counter, name, labels, meaning, samples)
}

pub(super) const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: Source,
) -> Metric {
    metric(Kind::Info, name, labels, meaning, samples)
}

pub(super) const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: Source,
) -> Metric {
    metric(Kind::Histogram, name, labels, meaning, samples)
}

pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: Source,
) -> Metric {
    metric(Kind::Gauge, name, labels, meaning, samples)
}

const fn metric(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    meaning: &'static str,
    samples: Source,
) -> Metric {
    Metric { name, kind, unit: None, labels, meaning, samples }
}

impl Metric {
    pub(super) const fn in_bytes(mut self) -> Self {
        self.unit = Some("bytes");
        self
    }

    pub(super) const fn in_seconds(mut self) -> Self {
        self.unit = Some("seconds");
        self
    }
}
