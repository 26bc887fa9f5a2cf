//! Batches in every compression: what is read, what is bounded.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::super::Found;
use super::super::build::*;
use super::*;

const COMPRESSED: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// Text that compresses, but not to nothing.
fn text(bytes: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| format!("{} and {n}\n", n % 97).into_bytes()).take(bytes).collect()
}

fn inflated(compression: Compression, bytes: &[u8], size: usize) -> Result<Vec<u8>, EntryFault> {
    let mut scratch = Scratch::default();
    scratch.begin();
    scratch.inflate(compression, bytes, size.try_into().unwrap()).map(<[u8]>::to_vec)
}

fn length_fault(size: usize) -> Result<Vec<u8>, EntryFault> {
    Err(EntryFault::BatchLength { stated: size.try_into().unwrap() })
}

#[test]
fn a_batch_is_inflated_to_exactly_the_size_it_states() {
    for compression in COMPRESSED {
        for size in [0, 1, 100, 70_000, 300_000] {
            let plain = text(size);
            let packed = compress(compression, &plain);
            assert_eq!(inflated(compression, &packed, size), Ok(plain), "{compression} {size}");
            let longer = inflated(compression, &packed, size + 1);
            assert_eq!(longer, length_fault(size + 1), "{compression} {size}");
            if let Some(shorter) = size.checked_sub(1) {
                let found = inflated(compression, &packed, shorter);
                assert_eq!(found, length_fault(shorter), "{compression} {size}");
            }
        }
    }
}

#[test]
fn a_batch_cut_anywhere_is_malformed() {
    for compression in COMPRESSED {
        let plain = text(1_000);
        let packed = compress(compression, &plain);
        for end in 0..packed.len() {
            let found = inflated(compression, &packed[..end], plain.len());
            assert!(found.is_err(), "{compression} cut after {end} of {}", packed.len());
        }
    }
}

#[test]
fn a_damaged_batch_with_a_checksum_is_malformed_or_says_the_same() {
    for compression in [Compression::Gzip, Compression::Snappy] {
        let plain = text(500);
        let mut packed = compress(compression, &plain);
        // Behind the header, where gzip has bits that mean nothing.
        for place in 10..packed.len() {
            packed[place] ^= 0x10;
            let found = inflated(compression, &packed, plain.len());
            let same = found.as_ref() == Ok(&plain);
            assert!(found.is_err() || same, "{compression} damaged at {place}");
            packed[place] ^= 0x10;
        }
    }
}

#[test]
fn a_small_batch_that_comes_to_much_is_given_up_early() {
    for compression in COMPRESSED {
        let bomb = compress(compression, &vec![0; 16 << 20]);
        for stated in [0, 1_000, 100_000] {
            let mut scratch = Scratch::default();
            scratch.begin();
            let found = scratch.inflate(compression, &bomb, stated).map(<[u8]>::len);
            assert_eq!(found, Err(EntryFault::BatchLength { stated }), "{compression}");
            assert!(scratch.out.capacity() < 300_000, "{compression}: {:?}", scratch);
        }
    }
}

#[test]
fn a_batch_that_states_much_takes_only_what_comes() {
    let stated = SUB_BATCH_BYTES_MAX;
    for compression in COMPRESSED {
        let mut scratch = Scratch::default();
        scratch.begin();
        let packed = compress(compression, b"hello");
        let found = scratch.inflate(compression, &packed, stated.try_into().unwrap());
        assert!(found.is_err());
        assert!(scratch.out.capacity() < 10_000, "{compression}: {:?}", scratch);
    }
    // A bare snappy block says itself how long it is.
    let mut scratch = Scratch::default();
    scratch.begin();
    let block = [0x80, 0x80, 0x80, 0x20, 0x10, b'h', b'e', b'l', b'l', b'o'];
    assert_eq!(raw::decompress_len(&block), Ok(stated));
    let found = scratch.inflate(Compression::Snappy, &block, stated.try_into().unwrap());
    assert_eq!(found, Err(EntryFault::Inflate(Compression::Snappy)));
    assert_eq!(scratch.out.capacity(), 0);
}

/// A zstd frame of `blocks` times 128 KiB of zeros, and `tail` more.
fn zeros(blocks: usize, tail: u32) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, 0x38];
    for size in std::iter::repeat_n(BLOCK, blocks) {
        frame.extend_from_slice(&(size << 3 | 0b010).to_le_bytes()[..3]);
        frame.push(0);
    }
    frame.extend_from_slice(&(tail << 3 | 0b011).to_le_bytes()[..3]);
    frame.push(0);
    frame
}

#[test]
fn the_largest_batch_is_read_and_a_larger_one_is_not() {
    let size = u32::try_from(SUB_BATCH_BYTES_MAX).unwrap();
    let packed = zeros(511, 128 << 10);
    assert_eq!(
        inflated(Compression::Zstd, &packed, SUB_BATCH_BYTES_MAX).map(|out| out.len()),
        Ok(SUB_BATCH_BYTES_MAX)
    );
    let packed = zeros(512, 1);
    let build = Build::at(0).raw_batch(4, 2, size + 1, &packed).message(b"b");
    let expected = [
        Told::Malformed(0, 2, EntryFault::BatchTooLarge { stated: size + 1 }),
        Told::Message(2, b"b".to_vec()),
    ];
    assert_eq!(build.walked(), expected);
}

#[test]
fn a_chunk_is_inflated_up_to_a_limit_and_its_messages_beyond_are_still_told() {
    let size = u32::try_from(SUB_BATCH_BYTES_MAX).unwrap();
    let largest = zeros(511, 128 << 10);
    let mut build = Build::at(0);
    for _ in 0..CHUNK_INFLATED_BYTES_MAX / SUB_BATCH_BYTES_MAX {
        build = build.raw_batch(4, 1, size, &largest);
    }
    let build = build.raw_batch(4, 1, 1, &zeros(0, 1)).message(b"b");
    let mut scratch = Scratch::default();
    for _ in 0..2 {
        let told = walked_from(&build.bytes(), 0, &mut scratch);
        let (inflated, rest) = told.split_at(16);
        assert!((0..).zip(inflated).all(|(at, told)| *told == Told::Message(at, vec![])));
        let expected =
            [Told::Malformed(16, 1, EntryFault::ChunkTooLarge), Told::Message(17, b"b".to_vec())];
        assert_eq!(rest, expected, "each chunk has a limit of its own");
    }
}

#[test]
fn a_scratch_is_kept_unless_it_became_huge() {
    let mut scratch = Scratch::default();
    let mut kept_after = |bytes: usize| {
        let body = text(bytes);
        let chunk = Build::at(0).batch(Compression::Gzip, &[&body]).bytes();
        let chunk = super::super::Chunk::parse(&chunk).expect("a right chunk");
        let mut seen = 0;
        chunk.walk(&mut scratch, &mut |found| match found {
            Found::Message { message, .. } => seen = message.len(),
            Found::Malformed { .. } => panic!("{found:?}"),
        });
        assert_eq!(seen, bytes);
        scratch.out.capacity()
    };
    let small = kept_after(100_000);
    assert!(small >= 100_000);
    assert_eq!(kept_after(1_000), small);
    assert!(kept_after(2 * SCRATCH_BYTES_KEPT) <= SCRATCH_BYTES_KEPT);
}

#[test]
fn lz4_frames_of_every_make_are_read() {
    let plain = text(200_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            for checked in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(size)
                    .block_checksums(checked)
                    .content_checksum(checked)
                    .content_size(checked.then_some(plain.len() as u64));
                let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
                frame.write_all(&plain).unwrap();
                let mut packed = frame.finish().unwrap();
                assert_eq!(inflated(Compression::Lz4, &packed, plain.len()), Ok(plain.clone()));
                if checked {
                    let last = packed.len() - 1;
                    packed[last] ^= 1;
                    let damaged = inflated(Compression::Lz4, &packed, plain.len());
                    assert_eq!(damaged, Err(EntryFault::Inflate(Compression::Lz4)));
                }
            }
        }
    }
}

#[test]
fn bytes_that_do_not_compress_are_stored_and_read() {
    let noise: Vec<u8> = (0..100_000_u64)
        .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) >> 17).to_le_bytes()[0])
        .collect();
    for compression in COMPRESSED {
        let packed = compress(compression, &noise);
        assert_eq!(inflated(compression, &packed, noise.len()), Ok(noise.clone()), "{compression}");
    }
}

#[test]
fn several_streams_in_a_row_are_one() {
    for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let mut packed = compress(compression, b"one");
        if compression != Compression::Gzip {
            let magic = if compression == Compression::Lz4 { 0x184D_2A53_u32 } else { 0x184D_2A5F };
            packed.extend_from_slice(&magic.to_le_bytes());
            packed.extend_from_slice(&[2, 0, 0, 0, 1, 2]);
        }
        packed.extend_from_slice(&compress(compression, b"two"));
        assert_eq!(inflated(compression, &packed, 6), Ok(b"onetwo".to_vec()), "{compression}");
        packed.push(0);
        let behind = inflated(compression, &packed, 6);
        assert_eq!(behind, Err(EntryFault::Inflate(compression)), "{compression}");
    }
}

#[test]
fn snappy_is_read_framed_and_bare() {
    let plain = text(100_000);
    let bare = raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(inflated(Compression::Snappy, &bare, plain.len()), Ok(plain.clone()));
    let found = inflated(Compression::Snappy, &bare, plain.len() + 1);
    assert_eq!(found, length_fault(plain.len() + 1));
    let found = inflated(Compression::Snappy, &bare[..bare.len() - 1], plain.len());
    assert_eq!(found, Err(EntryFault::Inflate(Compression::Snappy)));
}

#[test]
fn a_zstd_frame_with_a_wrong_checksum_is_malformed() {
    let mut frame = zeros(0, 5);
    frame[4] = 0b100;
    let checksum = {
        let mut decoder = FrameDecoder::new();
        decoder.reset(zeros(0, 5).as_slice()).unwrap();
        decoder.decode_blocks(&zeros(0, 5)[6..], BlockDecodingStrategy::All).unwrap();
        decoder.collect();
        decoder.get_calculated_checksum().unwrap()
    };
    frame.extend_from_slice(&checksum.to_le_bytes());
    assert_eq!(inflated(Compression::Zstd, &frame, 5), Ok(vec![0; 5]));
    *frame.last_mut().unwrap() ^= 1;
    let found = inflated(Compression::Zstd, &frame, 5);
    assert_eq!(found, Err(EntryFault::Inflate(Compression::Zstd)));
}
