//! A datetime that a consumer may begin at.
//!
//! Whatever the text is, the answer is a time or a fault, and the same twice.

#![no_main]

use ess::event::{Timestamp, datetime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let now = Timestamp::from_millis(1_746_042_171_620);
    assert_eq!(datetime::parse(text, now).ok(), datetime::parse(text, now).ok());
});
