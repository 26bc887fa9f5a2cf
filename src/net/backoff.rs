//! How long to wait before coming back.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::limits::{RECONNECT_MILLIS_MAX, RECONNECT_MILLIS_MIN};

/// The wait after `failures` in a row: twice as long each time up to a limit, of which half is left
/// to `dice`, so that a crowd that lost its service together doesn't come back together.
#[must_use]
pub fn wait(failures: u32) -> Duration {
    // The standard library's only source of chance; each of these is seeded anew.
    thrown(failures, RandomState::new().hash_one(failures))
}

fn thrown(failures: u32, dice: u64) -> Duration {
    let doubled = RECONNECT_MILLIS_MIN.saturating_mul(1_u64.checked_shl(failures).unwrap_or(0));
    let most = if doubled == 0 { RECONNECT_MILLIS_MAX } else { doubled.min(RECONNECT_MILLIS_MAX) };
    Duration::from_millis(most / 2 + dice % (most / 2 + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let longest = |failures| thrown(failures, wait_range(failures)).as_millis();
        assert_eq!([longest(0), longest(1), longest(2)], [250, 500, 1_000]);
        assert_eq!([longest(5), longest(6), longest(100)], [8_000, 10_000, 10_000]);
    }

    /// The dice that give the longest wait.
    fn wait_range(failures: u32) -> u64 {
        let all = (0..=RECONNECT_MILLIS_MAX).max_by_key(|dice| thrown(failures, *dice));
        all.expect("there are dice")
    }

    proptest! {
        #[test]
        fn every_wait_is_bounded_on_both_sides(failures: u32, dice: u64) {
            let millis = u64::try_from(thrown(failures, dice).as_millis()).expect("is short");
            prop_assert!((RECONNECT_MILLIS_MIN / 2..=RECONNECT_MILLIS_MAX).contains(&millis));
        }
    }
}
