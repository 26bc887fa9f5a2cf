//! What an event costs before it is stored: looked at once, then written with its ordinal.
//!
//! `cargo bench --bench enrich`: bytes a second of body, for three kinds of JSON and for text.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ess::enrich::classify;
use ess::event::{Ordinal, Timestamp};

/// Small, ordinary, large.
const SIZES: [usize; 3] = [200, 2_000, 50_000];

fn bodies(size: usize) -> [(&'static str, String); 4] {
    let mut dense = "{\"job\":\"8f14e45f\",\"state\":\"SUCCESS\",\"rows\":[".to_owned();
    for row in 1.. {
        dense += &format!(
            "{{\"id\":{row},\"smiles\":\"CC(=O)Oc1ccccc1C(=O)O\",\"score\":-{}.{:03},\"ok\":true}}",
            row % 90,
            row % 1_000,
        );
        if dense.len() + "]}".len() >= size {
            break;
        }
        dense.push(',');
    }
    dense += "]}";
    let pretty = serde_json::from_str::<serde_json::Value>(&dense)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_default();
    let words = "The quick brown fox jumps over the lazy dog. ".repeat(size.div_ceil(45));
    let string = format!("{{\"log\":\"{words}\"}}");
    [("dense", dense), ("pretty", pretty), ("string", string), ("text", words)]
}

fn enrich(criterion: &mut Criterion) {
    let (ordinal, timestamp) = (Ordinal::new(123_456), Timestamp::from_millis(1_746_042_171_620));
    for step in ["classify", "enriched_len", "enrich"] {
        let mut group = criterion.benchmark_group(step);
        for size in SIZES {
            for (kind, body) in bodies(size) {
                let body = body.as_bytes();
                let Ok(shape) = classify(body) else { panic!("a {kind} body is deliverable") };
                let mut out = Vec::with_capacity(2 * body.len() + 100);
                group.throughput(Throughput::Bytes(body.len() as u64));
                group.bench_function(BenchmarkId::new(kind, size), |bencher| match step {
                    "classify" => bencher.iter(|| classify(black_box(body))),
                    "enriched_len" => {
                        bencher.iter(|| shape.enriched_len(black_box(body), ordinal, timestamp));
                    }
                    _ => bencher.iter(|| {
                        out.clear();
                        shape.enrich(black_box(body), ordinal, timestamp, &mut out);
                        out.len()
                    }),
                });
            }
        }
    }
}

criterion_group!(benches, enrich);
criterion_main!(benches);
