//! What an event costs before it is stored: looked at once, then written with its ordinal.
//!
//! `cargo bench --bench enrich`: bytes a second of body, for three kinds of JSON and for text.

mod workloads;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ess::enrich::classify;
use ess::event::Ordinal;
use workloads::{NOW, SIZES, bodies};

fn enrich(criterion: &mut Criterion) {
    let (ordinal, timestamp) = (Ordinal::new(123_456), NOW);
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
