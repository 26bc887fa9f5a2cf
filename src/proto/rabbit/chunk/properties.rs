//! Properties of chunks put together and broken at random.
//!
//! The checksum is always right: what is told of a chunk must hold whatever its publisher wrote.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::build::*;
use super::*;

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..40), 0..6)
}

/// Entries of one chunk: a message, or a batch of them.
fn entries() -> impl Strategy<Value = Vec<(Option<Compression>, Vec<Vec<u8>>)>> {
    let entry = prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(|message| (None, vec![message])),
        (select(ALL.to_vec()).prop_map(Some), messages()),
    ];
    vec(entry, 0..6)
}

fn build(first: u64, entries: &[(Option<Compression>, Vec<Vec<u8>>)]) -> Build {
    entries.iter().fold(Build::at(first), |build, (compression, messages)| match compression {
        Some(compression) => {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            build.batch(*compression, &messages)
        }
        None => build.message(&messages[0]),
    })
}

/// Each offset of the chunk is told once, in order.
fn reconcile(bytes: &[u8], told: &[Told]) -> Result<(), TestCaseError> {
    let head = Head::read(bytes).expect("a right chunk");
    let mut next = head.first_offset;
    for told in told {
        let (offset, count) = match told {
            Told::Message(offset, _) => (*offset, 1),
            Told::Malformed(offset, count, _) => (*offset, *count),
        };
        prop_assert_eq!(offset, next);
        prop_assert!(count > 0);
        next += u64::from(count);
    }
    prop_assert_eq!(next, head.next_offset());
    Ok(())
}

proptest! {
    #[test]
    fn what_was_put_in_comes_out(first in 0..u64::MAX / 4, entries in entries()) {
        let told = build(first, &entries).walked();
        let messages = entries.into_iter().flat_map(|(_, messages)| messages);
        let expected = (first..).zip(messages).map(|(at, message)| Told::Message(at, message));
        prop_assert_eq!(told, expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_offset_is_told_once_whatever_the_data_is(
        first in 0..u64::MAX / 4,
        entries in entries(),
        flips in vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
        cut in any::<bool>(),
        records in prop_oneof![Just(None), (0..50_u32).prop_map(Some)],
        from in 0..20_u64,
    ) {
        let mut build = build(first, &entries);
        for (place, byte) in flips {
            if !build.data.is_empty() {
                let place = place.index(build.data.len());
                build.data[place] = byte;
            }
        }
        if cut {
            build.data.truncate(end.index(build.data.len() + 1));
        }
        build.records = records.unwrap_or(build.records);
        let (bytes, mut scratch) = (build.bytes(), Scratch::default());
        let told = walked_from(&bytes, 0, &mut scratch);
        reconcile(&bytes, &told)?;
        prop_assert_eq!(&told, &walked_from(&bytes, first, &mut scratch), "a used scratch");

        let from = first + from;
        let mut rest = told;
        rest.retain_mut(|told| match told {
            Told::Message(offset, _) => *offset >= from,
            Told::Malformed(offset, count, _) => {
                let skipped = from.saturating_sub(*offset).min(u64::from(*count));
                *offset += skipped;
                *count -= u32::try_from(skipped).unwrap();
                *count > 0
            }
        });
        prop_assert_eq!(rest, walked_from(&bytes, from, &mut scratch), "begun in the middle");
    }

    #[test]
    fn no_bytes_panic(mut bytes in vec(any::<u8>(), 0..200), fix in any::<bool>()) {
        if fix && bytes.len() >= Head::BYTES {
            bytes[..2].copy_from_slice(&[0x50, 0]);
            bytes[24] = 0;
            let data = bytes.split_off(Head::BYTES);
            bytes[32..36].copy_from_slice(&crc32fast::hash(&data).to_be_bytes());
            bytes[36..40].copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(&data);
            reconcile(&bytes, &walked_from(&bytes, 0, &mut Scratch::default()))?;
        }
        let _ = Chunk::parse(&bytes);
    }

    #[test]
    fn no_compressed_bytes_panic(
        compression in select(ALL.to_vec()),
        bytes in vec(any::<u8>(), 0..200),
        keep in 0..20_usize,
        stated in 0..2_000_u32,
    ) {
        // Magic and header as they should be, the rest not.
        let mut whole = compress(compression, &[b'x'; 100]);
        whole.truncate(keep);
        whole.extend_from_slice(&bytes);
        let build = Build::at(0).raw_batch(code(compression), 9, stated, &whole);
        reconcile(&build.bytes(), &build.walked())?;
    }
}
