//! A row of Deliver frames, as `tests/corpus/deliver/*.frames`: u32 length, 5 bytes, a chunk.
//!
//! Whatever a chunk's data is, each offset of it is told exactly once and in order; a walk begun in
//! the middle tells the same from there; a used scratch makes no difference. Magic, length and
//! checksum are put right first, so that mutations reach the entries.

#![no_main]

use ess::proto::amqp10;
use ess::proto::rabbit::chunk::{Chunk, EntryFault, Found, Head, Scratch};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (mut rest, mut scratch) = (input, Scratch::default());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (frame, behind) = behind.split_at(length.min(behind.len()));
        let chunk = frame.get(5..).unwrap_or_default();
        let _ = Chunk::parse(chunk);
        if let Some(righted) = righted(chunk) {
            check(&righted, &mut scratch);
        }
        rest = behind;
    }
});

/// The chunk with what every broker gets right put right.
fn righted(chunk: &[u8]) -> Option<Vec<u8>> {
    let (head, data) = chunk.split_at_checked(Head::BYTES)?;
    let mut out = head.to_vec();
    out[..2].copy_from_slice(&[0x50, 0]);
    out[24] &= 0x3F;
    out[32..36].copy_from_slice(&crc32fast::hash(data).to_be_bytes());
    out[36..40].copy_from_slice(&u32::try_from(data.len()).ok()?.to_be_bytes());
    out.extend_from_slice(data);
    Some(out)
}

#[derive(Debug, Eq, PartialEq)]
enum Told {
    Message(u64, Vec<u8>),
    Malformed(u64, u32, EntryFault),
}

fn check(bytes: &[u8], used: &mut Scratch) {
    let chunk = Chunk::parse(bytes).expect("it was put right");
    let told = walked(&chunk, 0, &mut Scratch::default());
    let mut next = chunk.head.first_offset;
    for found in &told {
        let (offset, count) = match found {
            Told::Message(offset, message) => {
                if let Ok(body) = amqp10::body(message) {
                    assert!(body.len() <= message.len());
                }
                (*offset, 1)
            }
            Told::Malformed(offset, count, _) => (*offset, *count),
        };
        assert_eq!(offset, next, "in order");
        assert!(count > 0);
        next += u64::from(count);
    }
    assert_eq!(next, chunk.head.next_offset(), "each offset");
    let from = chunk.head.first_offset + u64::from(chunk.head.records / 2);
    let half = told.into_iter().filter_map(|found| behind(found, from)).collect::<Vec<_>>();
    assert_eq!(half, walked(&chunk, from, used));
}

fn walked(chunk: &Chunk<'_>, from: u64, scratch: &mut Scratch) -> Vec<Told> {
    let mut told = Vec::new();
    chunk.walk_from(from, scratch, &mut |found| {
        told.push(match found {
            Found::Message { offset, message } => Told::Message(offset, message.to_vec()),
            Found::Malformed { offset, count, fault } => Told::Malformed(offset, count, fault),
        });
    });
    told
}

/// The part of what was told that isn't in front of `from`.
fn behind(found: Told, from: u64) -> Option<Told> {
    match found {
        Told::Message(offset, _) => (offset >= from).then_some(found),
        Told::Malformed(offset, count, fault) => {
            let next = offset + u64::from(count);
            let begin = offset.max(from);
            let count = u32::try_from(next.checked_sub(begin)?).expect("it got smaller");
            (count > 0).then_some(Told::Malformed(begin, count, fault))
        }
    }
}
