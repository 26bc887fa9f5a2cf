//! The bounds of being watched: probes, the census, metrics.

use std::time::Duration;

/// How long a shard may take to say how it is: one that is busy for so long is as good as stuck.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// With less room on the data directory's disk the service isn't ready: no group of the log's usual
/// size fits, with the zeros behind it.
pub const DISK_FREE_BYTES_MIN: u64 = 1024 * 1024;

/// Streams of a shard that a census tells of one by one: a few hundred kilobytes.
pub const CENSUS_STREAMS_MAX: usize = 1_000;

/// Largest `--metrics-streams-max`: each is a dozen series that Prometheus keeps, and a census
/// tells of no more.
pub const METRICS_STREAMS_MAX: usize = CENSUS_STREAMS_MAX;

/// How long a census waits for a shard: well below the 10 s that Prometheus waits by default.
pub const CENSUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a census serves whoever asks next, so that many who look cost no more than one.
pub const CENSUS_AGE_MAX: Duration = Duration::from_millis(250);

/// How long a stalled consumer's socket takes no byte: longer than a lost packet holds it up.
pub const STALLED_AFTER: Duration = Duration::from_secs(2);

/// Least time over which a stream's pace is measured; at most twice that where somebody looks.
pub const PACE_WINDOW: Duration = Duration::from_secs(60);
