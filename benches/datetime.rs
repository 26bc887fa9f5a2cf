//! What a consumer's start by datetime costs: once a connection, so it only has to be no burden.
//!
//! `cargo bench --bench datetime`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ess::event::Timestamp;
use ess::event::datetime::parse;
use ess::limits::DATETIME_BYTES_MAX;

fn datetime(criterion: &mut Criterion) {
    let now = Timestamp::from_millis(1_746_042_171_620);
    let longest = "1 ".repeat(DATETIME_BYTES_MAX / 2);
    for (name, text) in [
        ("ISO 8601", "2025-04-30T19:20:37.123+01:00"),
        ("RFC 2822", "Thu, 25 Sep 2003 10:49:41 -0300 (BRST)"),
        ("a word", "Wednesday"),
        ("refused at once", "yesterday"),
        ("the most tokens", &longest),
    ] {
        criterion.bench_function(name, |bencher| bencher.iter(|| parse(black_box(text), now)));
    }
}

criterion_group!(benches, datetime);
criterion_main!(benches);
