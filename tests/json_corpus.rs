//! Small JSON bodies worth keeping (`corpus/json`), also the seeds of a fuzzer.
//!
//! `y_…` is an object, `n_…` is not, `x_…` can't be delivered for another reason. Taken together
//! with serde_json, so that a file under a wrong name is noticed.

use std::fs;

use ess::enrich::{Shape, Undeliverable, classify};
use ess::event::{Ordinal, Timestamp};
use serde::de::IgnoredAny;
use serde_json::Value;

#[test]
fn the_corpus_is_judged_as_it_is_named() {
    let mut kinds = [0; 3];
    for entry in fs::read_dir("tests/corpus/json").expect("the corpus is there") {
        let path = entry.expect("a folder entry is readable").path();
        let body = fs::read(&path).expect("a corpus file is readable");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
        let second = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
        let found = classify(&body);
        match (name.split_once('_').map(|(kind, _)| kind), &found) {
            (Some("y"), Ok(shape @ Shape::Json(_))) if second => {
                kinds[0] += 1;
                check_enriched(name, &body, shape);
            }
            (Some("n"), Err(Undeliverable::BadJson { .. })) if !second => kinds[1] += 1,
            (Some("x"), Err(Undeliverable::TooDeep { .. } | Undeliverable::NotUtf8 { .. })) => {
                kinds[2] += 1;
            }
            _ => panic!("{name}: {found:?}, serde_json: {second}"),
        }
    }
    assert!(kinds.iter().all(|kind| *kind > 5), "{kinds:?}: the corpus is not whole");
}

/// The two members are there once, in front.
fn check_enriched(name: &str, body: &[u8], shape: &Shape) {
    let (ordinal, timestamp) = (Ordinal::new(7), Timestamp::from_millis(9));
    let mut out = Vec::new();
    shape.enrich(body, ordinal, timestamp, &mut out);
    assert_eq!(shape.enriched_len(body, ordinal, timestamp), out.len(), "{name}");
    assert!(out.starts_with(b"{\"ess_ordinal\":7,\"ess_timestamp\":9"), "{name}");
    assert!(serde_json::from_slice::<IgnoredAny>(&out).is_ok(), "{name}");
    if let Ok(Value::Object(members)) = serde_json::from_slice(&out) {
        // Of members of one name serde_json keeps the last.
        assert_eq!(members.get("ess_ordinal"), Some(&Value::from(7)), "{name}");
        assert_eq!(members.get("ess_timestamp"), Some(&Value::from(9)), "{name}");
    }
}
