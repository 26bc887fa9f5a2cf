//! What a real broker delivers (`corpus/deliver`), and what its writers say must be found in it.
//!
//! The listings come from the programs that published, not from a decoder.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may stop on a broken corpus"
)]

use std::fs;
use std::path::{Path, PathBuf};

use ess::proto::amqp10;
use ess::proto::rabbit::chunk::{Chunk, Found, Head, Kind, Scratch};

const FOLDER: &str = "tests/corpus/deliver";

#[test]
fn what_was_published_is_found_at_its_offset() {
    let mut scratch = Scratch::default();
    let mut kinds = [0, 0];
    for path in files("frames") {
        let listing = fs::read_to_string(path.with_extension("expected")).expect("a listing");
        let mut lines = listing.lines();
        let between = lines.next().and_then(between).expect("it begins with two times");
        let expected: Vec<_> = lines.map(|line| expected(line).expect("a whole line")).collect();
        let (mut found, mut next) = (Vec::new(), 0);
        for chunk in chunks(&path) {
            let chunk = Chunk::parse(&chunk).expect("a right chunk");
            let head = chunk.head;
            assert!((between.0..=between.1).contains(&head.timestamp_ms), "{path:?}: {head:?}");
            assert!(head.first_offset >= next, "{path:?}: chunks come in order");
            assert_eq!(head.kind, Kind::User, "{path:?}: no other kind is delivered");
            next = head.next_offset();
            chunk.walk(&mut scratch, &mut |record| found.extend(told(record)));
        }
        assert_eq!(found, expected, "{path:?}");
        kinds[0] += found.iter().filter(|(_, body)| body.is_some()).count();
        kinds[1] += found.iter().filter(|(_, body)| body.is_none()).count();
    }
    assert!(kinds[0] > 400 && kinds[1] > 30, "{kinds:?}: the corpus is not whole");
}

#[test]
fn a_message_id_is_found_where_a_client_gave_one() {
    for (name, id) in [
        ("pika_properties", "message-1"),
        ("rstream_plain", "rstream-1"),
        ("rust_client", "rust-1"),
    ] {
        let mut ids = Vec::new();
        for chunk in chunks(&Path::new(FOLDER).join(name).with_extension("frames")) {
            let chunk = Chunk::parse(&chunk).expect("a right chunk");
            chunk.walk(&mut Scratch::default(), &mut |found| match found {
                Found::Message { message, .. } => {
                    ids.extend(amqp10::message_id(message).map(str::to_owned));
                }
                Found::Malformed { .. } => panic!("{name}: {found:?}"),
            });
        }
        assert_eq!(ids, [id], "{name}");
    }
}

#[test]
fn a_chunk_is_known_by_its_head_and_refused_when_cut() {
    for path in files("frames") {
        for bytes in chunks(&path) {
            let head = Head::read(&bytes[..Head::BYTES]).expect("a head");
            assert_eq!(Chunk::parse(&bytes).map(|chunk| chunk.head), Ok(head), "{path:?}");
            for end in 0..bytes.len() {
                assert!(Chunk::parse(&bytes[..end]).is_err(), "{path:?} cut after {end}");
            }
        }
    }
}

#[test]
fn a_chunk_with_its_trailer_is_the_one_that_was_delivered_without() {
    let stored = fs::read(format!("{FOLDER}/named_producer_0.chunk")).expect("a chunk");
    let delivered = chunks(Path::new("tests/corpus/deliver/named_producer.frames"));
    let trailer = usize::try_from(Head::read(&stored).expect("a head").trailer_bytes);
    assert!(matches!(trailer, Ok(1..)), "a named producer leaves a trailer");
    assert_eq!(Some(stored.len() - delivered[0].len()), trailer.ok());
    let bodies = |bytes: &[u8]| {
        let mut found = Vec::new();
        let chunk = Chunk::parse(bytes).expect("a right chunk");
        chunk.walk(&mut Scratch::default(), &mut |record| found.extend(told(record)));
        (chunk.head, found)
    };
    assert_eq!(bodies(&stored), bodies(&delivered[0]));
}

#[test]
fn a_stored_offset_takes_an_offset_of_the_stream() {
    let heads = [0, 1, 2].map(|index| {
        let bytes = fs::read(format!("{FOLDER}/stored_offset_{index}.chunk")).expect("a chunk");
        let chunk = Chunk::parse(&bytes).expect("a right chunk");
        let mut records = 0;
        chunk.walk(&mut Scratch::default(), &mut |_| records += 1);
        (chunk.head.kind, chunk.head.first_offset, chunk.head.next_offset(), records)
    });
    let expected = [(Kind::User, 0, 2, 2), (Kind::TrackingDelta, 2, 3, 0), (Kind::User, 3, 4, 1)];
    assert_eq!(heads, expected);
}

/// An offset and its body, if it has one that can be delivered.
type Line = (u64, Option<Vec<u8>>);

/// One line for each offset that was found.
fn told(found: Found<'_>) -> Vec<Line> {
    match found {
        Found::Message { offset, message } => {
            vec![(offset, amqp10::body(message).ok().map(|body| body.into_owned()))]
        }
        Found::Malformed { offset, count, .. } => {
            (offset..).take(count.try_into().expect("few")).map(|offset| (offset, None)).collect()
        }
    }
}

fn between(line: &str) -> Option<(i64, i64)> {
    let (first, last) = line.strip_prefix("between\t")?.split_once('\t')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn expected(line: &str) -> Option<Line> {
    let mut fields = line.split('\t');
    let offset = fields.next()?.parse().ok()?;
    match fields.next()? {
        "unreadable" => Some((offset, None)),
        "body" => {
            let count = fields.next()?.parse().ok()?;
            Some((offset, Some(unescaped(fields.next()?)?.repeat(count))))
        }
        _ => None,
    }
}

/// The reverse of `escape_ascii`.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        rest = behind;
        out.push(match (first, rest) {
            (b'\\', [b'x', high, low, ..]) => {
                rest = &rest[3..];
                let digits = [*high, *low];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            (b'\\', [escaped, ..]) => {
                rest = &rest[1..];
                match escaped {
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'r' => b'\r',
                    other => *other,
                }
            }
            _ => *first,
        });
    }
    Some(out)
}

/// The chunks of a file of Deliver frames: length u32, key u16, version u16, subscription u8,
/// chunk.
fn chunks(path: &Path) -> Vec<Vec<u8>> {
    let content = fs::read(path).expect("a corpus file is readable");
    let (mut rest, mut chunks) = (content.as_slice(), Vec::new());
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).expect("a length");
        let (frame, behind) = behind.split_at(length);
        assert_eq!(frame[..5], [0, 8, 0, 1, 0], "{path:?}: a Deliver frame");
        chunks.push(frame[5..].to_vec());
        rest = behind;
    }
    assert!(!chunks.is_empty(), "{path:?}: it holds frames");
    chunks
}

/// The corpus files with this ending.
fn files(ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).expect("the corpus is there");
    let paths = entries.map(|entry| entry.expect("a folder entry is readable").path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|is| is == ending)).collect();
    found.sort();
    found
}
