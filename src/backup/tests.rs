//! What a backup says that it holds. The rest is tested from outside, in `tests/e2e/backup.rs`.

use super::manifest::Manifest;
use super::{Held, Report};
use crate::event::Timestamp;

fn held(stream: &str, first: u64, next: u64) -> Held {
    Held { stream: stream.to_owned(), first, next, bytes: 2_000 }
}

fn report(streams: Vec<Held>) -> Report {
    Report { event_streams: 2, streams, ..Report::default() }
}

#[test]
fn a_manifest_reads_back_and_finds_what_is_missing() {
    let whole = report(vec![held("grüße \"", 3, 9), held("b", 1, 1)]);
    let text = Manifest::of(&whole, Timestamp::from_millis(5)).text().expect("it can be written");
    let manifest = Manifest::read(&text).expect("it can be read");
    assert_eq!(manifest.taken, 5);
    assert_eq!(manifest.differences(&whole), [""; 0]);
    let shorter = report(vec![held("grüße \"", 3, 8), held("b", 1, 1)]);
    assert_eq!(
        manifest.differences(&shorter),
        ["stream \"grüße \\\"\" had the events from 3 to before 9; there are those from 3 \
             to before 8"]
    );
    let missing = report(vec![held("b", 1, 1)]);
    assert_eq!(manifest.differences(&missing), ["stream \"grüße \\\"\" is missing"]);
    let mut fewer = whole;
    fewer.event_streams = 1;
    assert_eq!(manifest.differences(&fewer), ["the backup had 2 event streams; there are 1"]);
}

#[test]
fn a_manifest_of_another_format_is_refused() {
    let text = Manifest::of(&report(vec![]), Timestamp::EPOCH).text().expect("it can be written");
    let later = text.replace("\"format\": 1", "\"format\": 2");
    assert_eq!(Manifest::read(&later).err().as_deref(), Some("has format 2; this version reads 1"));
    assert!(Manifest::read("{}").is_err() && Manifest::read("").is_err());
}
