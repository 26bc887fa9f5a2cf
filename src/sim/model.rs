//! The embedded log against the model: whatever is done to both, they answer the same.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{SimDisk, run};
use crate::clock::Clock;
use crate::config::{Fsync, Retain};
use crate::event::{Cursor, Ordinal, Timestamp};
use crate::store::conformance::witness::{Witness, name, read_all};
use crate::store::log::{LogOptions, LogStore};
use crate::store::{MemoryStore, ReadError, Store, StreamStore};

#[derive(Clone, Debug)]
enum Step {
    /// Bodies of these lengths; 0 is withheld, 1 a POISON.
    Append(Vec<usize>),
    /// From this ordinal, so far into its frame, with so much room.
    Read(u64, u64, usize),
    Locate(u64),
    Retain,
    Clock(u64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let length = prop_oneof![4 => 2..40_usize, 1 => 0..2_usize, 1 => 100..3_000_usize,
        1 => Just(70_000_usize)];
    let step = prop_oneof![
        4 => prop::collection::vec(length, 1..6).prop_map(Step::Append),
        4 => (0..80_u64, 0..5_u64, prop_oneof![1..50_usize, 1_000..100_000_usize])
            .prop_map(|(ordinal, sent, room)| Step::Read(ordinal, sent, room)),
        1 => (0..400_u64).prop_map(Step::Locate),
        1 => Just(Step::Retain),
        2 => (0..400_u64).prop_map(Step::Clock),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

fn rules() -> impl Strategy<Value = Retain> {
    prop_oneof![
        Just(Retain::default()),
        (1..40_u64).prop_map(|events| Retain { events: Some(events), ..Retain::default() }),
        (1..100_u64)
            .prop_map(|age| Retain { age: Some(Duration::from_millis(age)), ..Retain::default() }),
    ]
}

fn bodies(lengths: &[usize]) -> Vec<Bytes> {
    let body = |length: &usize| match length {
        0 => Bytes::new(),
        1 => Bytes::from_static(b"POISON"),
        length => Bytes::from(vec![b'a' + (length % 26) as u8; *length]),
    };
    lengths.iter().map(body).collect()
}

/// Both stores, step by step.
async fn compare(retain: Retain, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let clock = Clock::manual(Timestamp::from_millis(100));
    let model = MemoryStore::new(retain, clock.clone());
    let mut options = LogOptions::new(Fsync::Always, retain);
    options.segment_bytes_max = 4_000;
    options.write_ahead_bytes_max = 500;
    let (disk, streams) = (SimDisk::new(3), PathBuf::from("/streams"));
    let log = LogStore::new(disk, streams, options, clock.clone());
    let witness = Witness::new();
    let expected = model.open(&name("s"), Witness::new()).await.unwrap();
    let mut stream = log.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
    for step in steps {
        match step {
            Step::Append(lengths) => {
                let receipt = stream.append(bodies(&lengths)).await.unwrap();
                prop_assert_eq!(receipt, expected.append(bodies(&lengths)).await.unwrap());
            }
            Step::Read(ordinal, sent, room) => {
                let ordinal = Ordinal::new(ordinal);
                let events = witness.events();
                let frame = events.iter().find(|seen| seen.ordinal == ordinal);
                let sent = frame.map_or(0, |seen| sent.min((seen.frame.len() as u64).max(1) - 1));
                let from = Cursor { ordinal, sent };
                match (read_all(&*stream, from, room).await, read_all(&*expected, from, room).await)
                {
                    (Ok(seen), Ok(expected)) => prop_assert_eq!(seen, expected),
                    (Err(ReadError::Lost), Err(ReadError::Lost)) => {}
                    (seen, expected) => {
                        return Err(TestCaseError::fail(format!("{seen:?} and {expected:?}")));
                    }
                }
            }
            Step::Locate(millis) => {
                let timestamp = Timestamp::from_millis(millis);
                let located = stream.locate(timestamp).await.unwrap();
                prop_assert_eq!(located, expected.locate(timestamp).await.unwrap());
            }
            Step::Retain => {
                let gone = stream.retain().await.unwrap();
                prop_assert_eq!(gone, expected.retain().await.unwrap());
            }
            Step::Clock(millis) => {
                // The floor of an age is not stored: a clock that goes back between two lives
                // brings events back that are still on disk.
                let earliest = if retain.age.is_some() { clock.now() } else { Timestamp::EPOCH };
                clock.set(Timestamp::from_millis(millis).max(earliest));
            }
            Step::Reopen => {
                stream.close().await.unwrap();
                stream = log.open(&name("s"), Rc::clone(&witness) as _).await.unwrap();
                // Opening applies the rules to what is there.
                expected.retain().await.unwrap();
            }
        }
        let (mut bounds, expected) = (stream.bounds(), expected.bounds());
        bounds.bytes = expected.bytes;
        prop_assert_eq!(bounds, expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_log_answers_as_the_model_does(retain in rules(), steps in steps()) {
        run(compare(retain, steps))?;
    }
}
