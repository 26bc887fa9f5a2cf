//! Every promise of the store contract, as tests that any backend runs.
//!
//! A backend says in a [`Rig`] how its store is started (again), and lists the properties with
//! [`conformance_tests!`](crate::conformance_tests). Bytes are compared with what the observer saw;
//! what bodies become is `enrich`'s to test.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test stops where a promise is broken"
)]

mod appending;
mod reading;
mod retaining;
pub mod witness;

use crate::clock::Clock;
use crate::config::Retain;
use crate::store::Store;

pub use appending::*;
pub use reading::*;
pub use retaining::*;

/// How a backend is tested.
#[expect(async_fn_in_trait, reason = "a test runs on one thread")]
pub trait Rig {
    /// The backend.
    type Store: Store;

    /// Starts the store; every time on what the one before, whose streams are closed, left.
    async fn store(&self, retain: Retain) -> Self::Store;

    /// The manual clock that the stores go by.
    fn clock(&self) -> &Clock;
}

/// One `#[test]` for each property: `$run` is called with the property's name and must run
/// `conformance::property(&rig)` to its end.
#[macro_export]
macro_rules! conformance_tests {
    ($run:ident) => {
        $crate::conformance_tests!($run:
            a_new_stream_is_empty,
            ordinals_are_dense_and_receipts_say_them,
            the_observer_sees_everything_before_the_answer,
            appends_that_meet_stay_whole_and_in_order,
            timestamps_never_go_back,
            what_is_never_sent_takes_an_ordinal,
            a_closed_stream_refuses,
            a_removed_stream_begins_anew,
            streams_do_not_mix,
            every_name_is_a_stream_of_its_own,
            readers_yield_what_the_observer_saw_from_any_cursor,
            a_reader_goes_on_when_more_is_appended,
            a_cursor_beyond_the_ceiling_waits,
            a_poison_is_told_in_its_place,
            large_events_come_in_pieces,
            everything_survives_being_opened_again,
            locate_finds_the_first_not_older,
            retention_by_count_is_exact,
            retention_by_age_keeps_the_young,
            retention_by_bytes_drops_the_oldest,
            an_emptied_stream_keeps_its_place,
            a_cursor_below_the_floor_moves_up_or_is_lost,
            a_reader_survives_retention,
        );
    };
    ($run:ident: $($property:ident,)*) => {
        $(
            #[test]
            fn $property() {
                $run!($property);
            }
        )*
    };
}
