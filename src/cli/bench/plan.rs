//! What is asked for, within bounds.

use std::time::Duration;

use clap::ArgMatches;

use super::super::exit::{Exit, Failure};
use crate::config::parse_duration;
use crate::limits::{BENCH_DELIVERIES_MAX, BENCH_MILLIS_MAX};

/// A measurement to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    /// Consumers of the stream.
    pub(super) consumers: u64,
    /// Events a second.
    pub(super) rate: u64,
    /// Bytes of an event.
    pub(super) bytes: usize,
    /// How long is published.
    pub(super) time: Duration,
}

impl Plan {
    /// Reads the flags; those that bound each other are looked at together.
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let number = |name: &str| matches.get_one::<u64>(name).copied().unwrap_or(1);
        let text = matches.get_one::<String>("time").map_or("", String::as_str);
        let usage = |line: String| Err(Failure::new(Exit::Usage, line));
        let most = Duration::from_millis(BENCH_MILLIS_MAX);
        let time = match parse_duration(text) {
            Some(time) if !time.is_zero() && time <= most => time,
            _ => {
                let (text, most) = (text.escape_debug(), most.as_secs());
                return usage(format!(
                    "--time: \"{text}\" is not a duration up to {most}s; expected such as 10s"
                ));
            }
        };
        let (consumers, rate) = (number("consumers"), number("rate"));
        if consumers * rate > BENCH_DELIVERIES_MAX {
            return usage(format!(
                "{consumers} consumers times {rate} events/s are {} deliveries a second; at most \
                 {BENCH_DELIVERIES_MAX} are allowed, so as not to hurt a service that has other \
                 work",
                consumers * rate
            ));
        }
        let bytes = usize::try_from(number("bytes")).unwrap_or(usize::MAX);
        Ok(Self { consumers, rate, bytes, time })
    }

    /// Events in all.
    pub(super) fn events(&self) -> u64 {
        let events = self.time.as_secs_f64() * self.rate as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let events = events.ceil() as u64;
        events.max(1)
    }

    /// When an event is due, from the beginning.
    pub(super) fn due(&self, event: u64) -> Duration {
        Duration::from_secs_f64(event as f64 / self.rate as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_evenly_from_the_beginning_to_the_end() {
        let plan = Plan { consumers: 1, rate: 4, bytes: 64, time: Duration::from_millis(1_100) };
        assert_eq!(plan.events(), 5);
        let due = (0..plan.events()).map(|event| plan.due(event).as_millis());
        assert_eq!(due.collect::<Vec<_>>(), [0, 250, 500, 750, 1_000]);
    }
}
