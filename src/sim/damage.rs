//! Bytes that change behind the log's back: one block is lost, and everything else stays.

use std::path::{Path, PathBuf};

use super::history::{End, Fault, History, Stream, ensure, seen_as_known};
use super::{Dice, run};
use crate::config::Fsync;
use crate::event::Cursor;
use crate::store::StreamStore;
use crate::store::conformance::witness::read_all;
use crate::store::log::Guards;
use crate::store::log::disk::Disk;

const GUARDS: Guards = Guards { chain: true, fence: true, cut: true, rewrite: true };

/// A stream with some segments, closed; and which ordinals share a block.
fn closed_stream(seed: u64) -> (History, Vec<(u64, u64)>) {
    let mut history = History::new(seed, Fsync::Always, GUARDS);
    let mut blocks = Vec::new();
    run(async {
        for _ in 0..3 {
            let (stream, witness) = history.open().await.map_err(text)?;
            for _ in 0..5 {
                history.append(&stream, &witness, 3).await.map_err(text)?;
            }
            let seen = witness.blocks();
            blocks.extend(seen.iter().map(|block| (block.first.get(), block.next().get())));
            stream.close().await.map_err(|error| error.to_string())?;
        }
        Ok::<(), Fault>(())
    })
    .unwrap();
    (history, blocks)
}

fn text(end: End) -> Fault {
    format!("{end:?}")
}

fn segments(history: &History) -> Vec<PathBuf> {
    let directory = Path::new("/streams/s");
    let listed = run(history.disk.list(directory)).unwrap();
    listed.iter().map(|file| directory.join(&file.name)).collect()
}

/// What can be read is what was written, and only the events of one block are missing.
async fn check_rest(
    history: &History,
    stream: &Stream,
    blocks: &[(u64, u64)],
) -> Result<bool, Fault> {
    let floor = stream.bounds().floor.get();
    let read = read_all(&**stream, Cursor::default(), 300).await;
    let read = seen_as_known(&read.map_err(|error| error.to_string())?);
    let expected = history.expected(floor);
    for event in &read {
        ensure(expected.contains(event), || format!("{event:?} was never there"))?;
    }
    let missing: Vec<u64> = expected
        .iter()
        .filter(|event| !read.contains(event))
        .map(|(ordinal, ..)| *ordinal)
        .collect();
    let Some(first) = missing.first() else { return Ok(false) };
    let block = blocks.iter().find(|(from, until)| (*from..*until).contains(first)).unwrap();
    let together = missing.iter().all(|ordinal| (block.0..block.1).contains(ordinal));
    ensure(together, || format!("{missing:?} are missing for damage in one block"))?;
    Ok(true)
}

#[test]
fn a_flipped_bit_costs_one_block_and_no_ordinal() {
    let (mut lost, mut harmless) = (0, 0);
    for seed in 0..4 {
        let (history, blocks) = closed_stream(seed);
        let mut dice = Dice::new(seed);
        for path in segments(&history) {
            let length = history.disk.contents(&path).len() as u64;
            for _ in 0..60 {
                let (position, bit) = (dice.below(length) as usize, dice.below(8));
                let history = history.fork();
                history.disk.damage(&path, |bytes| bytes[position] ^= 1 << bit);
                let missing = run(reopen_and_append(history, &blocks));
                let missing = missing
                    .unwrap_or_else(|fault| panic!("seed {seed} {path:?} {position}: {fault}"));
                if missing { lost += 1 } else { harmless += 1 }
            }
        }
    }
    println!("{lost} times a block was lost, {harmless} times nothing");
    assert!(lost > 100 && harmless > 100);
}

/// Nobody reuses an ordinal after damage, and the stream goes on.
async fn reopen_and_append(mut history: History, blocks: &[(u64, u64)]) -> Result<bool, Fault> {
    let (stream, witness) = history.open_unchecked().await.map_err(text)?;
    let missing = check_rest(&history, &stream, blocks).await?;
    history.append(&stream, &witness, 2).await.map_err(text)?;
    let again = check_rest(&history, &stream, blocks).await?;
    ensure(missing == again, || "what is missing has changed".into())?;
    Ok(missing)
}

#[test]
fn damage_under_an_open_stream_is_passed_over_too() {
    let mut lost = 0;
    for seed in 0..60 {
        let (history, blocks) = closed_stream(seed);
        let mut dice = Dice::new(seed);
        let files = segments(&history);
        let path = &files[dice.below(files.len() as u64) as usize];
        let end = history.disk.contents(path).len();
        let position = 1_024 + dice.below(end as u64 - 1_024) as usize;
        let missing = run(async {
            let (stream, _) = history.open_unchecked().await.map_err(text)?;
            history.disk.damage(path, |bytes| bytes[position] ^= 0x40);
            check_rest(&history, &stream, &blocks).await
        });
        lost += u32::from(missing.unwrap_or_else(|fault| panic!("seed {seed}: {fault}")));
    }
    assert!(lost > 20);
}

#[test]
fn a_block_written_to_the_wrong_place_is_no_block() {
    let mut damaged = 0;
    for seed in 0..100 {
        let (history, _) = closed_stream(seed);
        let mut dice = Dice::new(seed);
        let files = segments(&history);
        let path = &files[dice.below(files.len() as u64) as usize];
        let bytes = history.disk.contents(path);
        let starts: Vec<usize> =
            (1_024..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"ESSb")).collect();
        let [from, to] = [(); 2].map(|()| starts[dice.below(starts.len() as u64) as usize]);
        let length = 300.min(bytes.len() - from.max(to));
        let moved = bytes[from..from + length].to_vec();
        history.disk.damage(path, |bytes| bytes[to..to + length].copy_from_slice(&moved));
        let read = run(async {
            let (stream, _) = history.open_unchecked().await.map_err(text)?;
            let floor = stream.bounds().floor.get();
            let read = read_all(&*stream, Cursor::default(), 300).await;
            let read = seen_as_known(&read.map_err(|error| error.to_string())?);
            let expected = history.expected(floor);
            ensure(read.iter().all(|event| expected.contains(event)), || format!("{read:?}"))?;
            ensure(read.is_sorted_by_key(|(ordinal, ..)| *ordinal), || "out of order".into())?;
            Ok::<_, Fault>(read.len() < expected.len())
        });
        damaged += u32::from(read.unwrap_or_else(|fault| panic!("seed {seed}: {fault}")));
    }
    assert!(damaged > 10, "{damaged}");
}
