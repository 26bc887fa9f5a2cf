//! Counting what happens, where it happens: plain cells of one thread.
//!
//! Nothing here locks or asks the time. A count is an addition; a tally, which keeps a count for
//! each word, is for what happens once a connection or less often. What is counted is read by the
//! census, which takes it to another thread as plain data.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Count(Cell<u64>);

impl Count {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.set(self.0.get() + more);
    }

    /// How many there were.
    #[must_use]
    pub const fn get(&self) -> u64 {
        self.0.get()
    }
}

/// A count for each of a few keys.
#[derive(Debug)]
pub struct Tally<K>(RefCell<BTreeMap<K, u64>>);

/// What a tally counted, by key.
pub type Tallied<K> = Vec<(K, u64)>;

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Copy + Ord> Tally<K> {
    /// Counts `more` of `key`.
    pub fn add(&self, key: K, more: u64) {
        *self.0.borrow_mut().entry(key).or_default() += more;
    }

    /// All counts so far.
    #[must_use]
    pub fn get(&self) -> Tallied<K> {
        self.0.borrow().iter().map(|(key, count)| (*key, *count)).collect()
    }
}

/// Adds what was tallied in several places, by key.
#[must_use]
pub fn sum<K: Copy + Ord>(places: impl IntoIterator<Item = Tallied<K>>) -> Tallied<K> {
    let all = Tally::default();
    places.into_iter().flatten().for_each(|(key, count)| all.add(key, count));
    all.get()
}

/// How long something took, each time: how often it took at most so long.
#[derive(Debug, Default)]
pub struct Durations(RefCell<DurationCounts>);

/// What [`Durations`] counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DurationCounts {
    /// How often it took at most the bound of the same place in [`DURATION_BOUNDS`], and longer
    /// than the one before; at the end those that took longer than all.
    pub counts: [u64; DURATION_BOUNDS.len() + 1],
    /// All together.
    pub sum: Duration,
}

/// Upper bounds of what durations are sorted by: three a decade, from what a fast disk needs for a
/// sync to what nobody waits for.
pub const DURATION_BOUNDS: [Duration; 16] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

impl Durations {
    /// Counts one that took so long.
    pub fn add(&self, took: Duration) {
        let mut counts = self.0.borrow_mut();
        let place = DURATION_BOUNDS.partition_point(|bound| *bound < took);
        if let Some(count) = counts.counts.get_mut(place) {
            *count += 1;
        }
        counts.sum += took;
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> DurationCounts {
        *self.0.borrow()
    }
}

impl DurationCounts {
    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        for (count, other) in self.counts.iter_mut().zip(others.counts) {
            *count += other;
        }
        self.sum += others.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_where_it_first_fits() {
        let durations = Durations::default();
        let millis = Duration::from_millis;
        for took in [Duration::ZERO, millis(1), millis(1) + Duration::from_nanos(1), millis(60_000)]
        {
            durations.add(took);
        }
        let counted = durations.get();
        let of = |bound| DURATION_BOUNDS.iter().position(|one| *one == bound).unwrap();
        assert_eq!(counted.counts[0], 1);
        assert_eq!(counted.counts[of(millis(1))], 1, "the bound itself fits");
        assert_eq!(counted.counts[of(millis(1)) + 1], 1);
        assert_eq!(counted.counts[DURATION_BOUNDS.len()], 1, "longer than all");
        assert_eq!(counted.sum, millis(60_002) + Duration::from_nanos(1));
        let mut twice = counted;
        twice.add(&counted);
        assert_eq!(twice.counts.iter().sum::<u64>(), 8);
        assert!(DURATION_BOUNDS.is_sorted());
    }

    #[test]
    fn a_tally_keeps_a_count_for_each_key() {
        let (one, other) = (Tally::default(), Tally::default());
        one.add("b", 2);
        one.add("a", 1);
        other.add("b", 3);
        assert_eq!(one.get(), [("a", 1), ("b", 2)]);
        assert_eq!(sum([one.get(), other.get()]), [("a", 1), ("b", 5)]);
    }
}
