//! An event's body.
//!
//! What is enriched is as long as it was said to be and still deliverable; a JSON object stays one,
//! and what serde_json takes for one is taken.

#![no_main]

use ess::enrich::{Shape, Undeliverable, classify};
use ess::event::{Ordinal, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|body: &[u8]| {
    let second = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    let shape = match classify(body) {
        Ok(shape) => shape,
        Err(fault) => {
            assert!(!(second && matches!(fault, Undeliverable::BadJson { .. })));
            return;
        }
    };
    let (ordinal, timestamp) = (Ordinal::new(7), Timestamp::from_millis(1_746_042_171_620));
    let mut out = Vec::new();
    shape.enrich(body, ordinal, timestamp, &mut out);
    assert_eq!(out.len(), shape.enriched_len(body, ordinal, timestamp));
    match shape {
        Shape::Poison => assert!(out.is_empty()),
        Shape::Text => assert!(out.starts_with(body)),
        Shape::Json(_) => {
            assert!(out.starts_with(b"{\"ess_ordinal\":7,\"ess_timestamp\":1746042171620"));
            assert!(matches!(classify(&out), Ok(Shape::Json(_))), "it stays an object");
            assert!(!second || serde_json::from_slice::<IgnoredAny>(&out).is_ok());
        }
    }
});
