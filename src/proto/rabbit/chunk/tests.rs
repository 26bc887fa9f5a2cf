//! Chunks right and wrong, one property each.

use super::build::*;
use super::*;
use crate::limits::ORDINAL_MAX;

fn message(offset: u64, text: &str) -> Told {
    Told::Message(offset, text.as_bytes().to_vec())
}

#[test]
fn a_head_is_read_before_its_data_has_arrived() {
    let mut build = Build::at(41).message(b"one").message(b"two");
    build.trailer = vec![1; 20];
    let bytes = build.bytes();
    let head = Head::read(&bytes[..Head::BYTES]).expect("a head");
    assert_eq!(head, Chunk::parse(&bytes).expect("a chunk").head);
    assert_eq!((head.kind, head.entries, head.records), (Kind::User, 2, 2));
    assert_eq!((head.timestamp_ms, head.epoch), (1_746_042_171_620, 7));
    assert_eq!((head.first_offset, head.next_offset()), (41, 43));
    assert_eq!((head.data_bytes, head.trailer_bytes), (14, 20));
    for have in 0..Head::BYTES {
        assert_eq!(Head::read(&bytes[..have]), Err(Fault::HeadCut { have }));
    }
}

#[test]
fn another_magic_version_or_kind_is_a_fault() {
    let change = |place: usize, byte: u8| {
        let mut bytes = Build::at(0).message(b"x").bytes();
        bytes[place] = byte;
        Chunk::parse(&bytes).map(|chunk| chunk.head.kind)
    };
    assert_eq!(change(0, 0x40), Err(Fault::Magic(0x40)));
    assert_eq!(change(0, 0x51), Err(Fault::Magic(0x51)));
    assert_eq!(change(1, 3), Err(Fault::Kind(3)));
    assert_eq!(change(1, 2), Ok(Kind::TrackingSnapshot));
}

#[test]
fn offsets_end_where_ordinals_end() {
    let last = Build::at(ORDINAL_MAX - 1).message(b"x");
    assert_eq!(last.walked(), [message(ORDINAL_MAX - 1, "x")]);
    for first in [ORDINAL_MAX, u64::MAX] {
        let bytes = Build::at(first).message(b"x").bytes();
        assert_eq!(Head::read(&bytes), Err(Fault::Offsets { first, records: 1 }));
    }
}

#[test]
fn a_trailer_is_there_as_a_whole_or_not_at_all() {
    let mut build = Build::at(3).message(b"x");
    build.trailer = vec![9; 10];
    let bytes = build.bytes();
    let data_end = bytes.len() - 10;
    for end in Head::BYTES..bytes.len() {
        let whole = Chunk::parse(&bytes[..end]).is_ok();
        assert_eq!(whole, end == data_end, "{end} of {}", bytes.len());
    }
    assert!(Chunk::parse(&bytes).is_ok());
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(Chunk::parse(&longer).err(), Some(Fault::Length { have: 16, data: 5 }));
}

#[test]
fn damaged_data_is_a_fault() {
    let bytes = Build::at(3).message(b"abc").bytes();
    for place in Head::BYTES..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << bit;
            assert!(matches!(Chunk::parse(&bytes), Err(Fault::Checksum { .. })));
        }
    }
}

#[test]
fn records_have_consecutive_offsets_across_entries() {
    for compression in ALL {
        let build = Build::at(10)
            .message(b"a")
            .batch(compression, &[b"b", b"", b"c"])
            .message(b"")
            .batch(compression, &[])
            .message(b"d");
        let told = build.walked();
        let expected = ["a", "b", "", "c", "", "d"];
        let expected: Vec<_> = (10..).zip(expected).map(|(at, text)| message(at, text)).collect();
        assert_eq!(told, expected, "{compression}");
    }
}

#[test]
fn a_tracking_chunk_takes_offsets_and_has_no_message() {
    for kind in [1, 2] {
        let mut build = Build::at(5).message(b"tracking");
        build.kind = kind;
        assert_eq!(build.walked(), []);
        assert_eq!(Head::read(&build.bytes()).map(|head| head.next_offset()), Ok(6));
    }
}

#[test]
fn an_entry_that_is_cut_costs_only_what_is_behind_it() {
    let mut build = Build::at(0).message(b"a").message(b"b").message(b"cde");
    build.data.pop();
    let rest = Told::Malformed(2, 1, EntryFault::EntryCut);
    assert_eq!(build.walked(), [message(0, "a"), message(1, "b"), rest]);
    build.data.truncate(7);
    let rest = Told::Malformed(1, 2, EntryFault::EntryCut);
    assert_eq!(build.walked(), [message(0, "a"), rest]);
    let mut build = Build::at(0).message(b"a").batch(Compression::Gzip, &[b"b", b"c"]);
    for _ in 0..build.data.len() - 5 {
        build.data.pop();
        let rest = Told::Malformed(1, 2, EntryFault::EntryCut);
        assert_eq!(build.walked(), [message(0, "a"), rest]);
    }
}

#[test]
fn a_batch_that_breaks_in_the_middle_costs_only_its_rest() {
    for compression in ALL {
        let mut rows = rows(&[b"a", b"b", b"c"]);
        *rows.last_chunk_mut().expect("five bytes") = [0, 0, 0, 9, b'c'];
        let stated = rows.len().try_into().unwrap();
        let build = Build::at(0)
            .raw_batch(code(compression), 3, stated, &compress(compression, &rows))
            .message(b"d");
        let broken = Told::Malformed(2, 1, EntryFault::RecordCut);
        let expected = [message(0, "a"), message(1, "b"), broken, message(3, "d")];
        assert_eq!(build.walked(), expected, "{compression}");
    }
}

#[test]
fn a_batch_that_counts_more_records_than_it_has_ends_in_malformed_ones() {
    let rows = rows(&[b"a"]);
    let build = Build::at(0).raw_batch(0, 4, 5, &rows).message(b"b");
    let missing = Told::Malformed(1, 3, EntryFault::RecordCut);
    assert_eq!(build.walked(), [message(0, "a"), missing, message(4, "b")]);
}

#[test]
fn a_batch_that_counts_fewer_records_than_it_has_keeps_its_neighbours_offsets() {
    let rows = rows(&[b"a", b"extra"]);
    let stated = rows.len().try_into().unwrap();
    let build = Build::at(0).raw_batch(0, 1, stated, &rows).message(b"b");
    assert_eq!(build.walked(), [message(0, "a"), message(1, "b")]);
}

#[test]
fn an_unknown_compression_costs_its_batch() {
    for code in 5..8 {
        let build = Build::at(0).raw_batch(code, 2, 5, b"?????").message(b"b");
        let unknown = Told::Malformed(0, 2, EntryFault::CompressionUnknown(code));
        assert_eq!(build.walked(), [unknown, message(2, "b")]);
    }
}

#[test]
fn a_chunk_with_fewer_records_than_it_counts_ends_in_malformed_ones() {
    let mut build = Build::at(7).message(b"a");
    build.records = u32::MAX;
    let missing = Told::Malformed(8, u32::MAX - 1, EntryFault::RecordsMissing);
    assert_eq!(build.walked(), [message(7, "a"), missing]);
}

#[test]
fn a_chunk_with_more_records_than_it_counts_tells_no_offset_of_the_next() {
    for records in 0..=5 {
        let mut build =
            Build::at(7).message(b"a").batch(Compression::None, &[b"b", b"c"]).message(b"d");
        build.records = records;
        let texts = ["a", "b", "c", "d"];
        let mut expected: Vec<_> = (7..).zip(texts).map(|(at, text)| message(at, text)).collect();
        expected.truncate(records.try_into().unwrap());
        if records == 5 {
            expected.push(Told::Malformed(11, 1, EntryFault::RecordsMissing));
        }
        assert_eq!(build.walked(), expected);
    }
}

#[test]
fn a_walk_may_begin_anywhere() {
    let mut build = Build::at(10)
        .message(b"a")
        .batch(Compression::Lz4, &[b"b", b"c"])
        .raw_batch(7, 3, 0, b"")
        .message(b"d");
    build.records += 4;
    let whole = build.walked();
    let unknown = Told::Malformed(13, 3, EntryFault::CompressionUnknown(7));
    let missing = Told::Malformed(17, 4, EntryFault::RecordsMissing);
    assert_eq!(whole[3..], [unknown, message(16, "d"), missing]);
    let from = |from| walked_from(&build.bytes(), from, &mut Scratch::default());
    for begin in 0..=10 {
        assert_eq!(from(begin), whole);
    }
    assert_eq!(from(12), whole[2..]);
    let unknown = Told::Malformed(15, 1, EntryFault::CompressionUnknown(7));
    assert_eq!(from(15)[0], unknown);
    assert_eq!(from(16), whole[4..]);
    assert_eq!(from(20), [Told::Malformed(20, 1, EntryFault::RecordsMissing)]);
    assert_eq!(from(21), []);
    assert_eq!(from(u64::MAX), []);
}

#[test]
fn faults_say_what_was_wrong_and_what_was_expected() {
    let text = Fault::Magic(0x7b).to_string();
    assert_eq!(text, "no chunk: it begins with 0x7b, expected 0x50");
    let text = EntryFault::Inflate(Compression::Zstd).to_string();
    assert_eq!(text, "batch is not zstd, as it says");
}
