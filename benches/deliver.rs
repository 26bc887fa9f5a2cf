//! What a RabbitMQ chunk costs before its events are looked at: checked, walked, bodies found.
//!
//! `cargo bench --bench deliver`: messages a second, 100 of 200 bytes in a chunk; plain, and as one
//! sub-entry batch in each compression.

mod workloads;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ess::proto::rabbit::chunk::{Chunk, Scratch};
use workloads::chunk::{MESSAGES, batch, body_len, chunk, decode, lengths, rows};

fn deliver(criterion: &mut Criterion) {
    let rows = rows();
    let plain = chunk(MESSAGES, &rows);
    let mut scratch = Scratch::default();
    let mut group = criterion.benchmark_group("deliver");
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| Chunk::parse(black_box(&plain)).is_ok());
    });
    let Ok(parsed) = Chunk::parse(&plain) else { panic!("a chunk is a chunk") };
    group.bench_function("walk", |bencher| {
        bencher.iter(|| lengths(&parsed, &mut scratch, <[u8]>::len));
    });
    group.bench_function("walk and body", |bencher| {
        bencher.iter(|| lengths(&parsed, &mut scratch, body_len));
    });
    group.bench_function("parse, walk and body", |bencher| {
        bencher.iter(|| decode(black_box(&plain), &mut scratch));
    });
    for (code, name) in [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")] {
        let bytes = chunk(1, &batch(code, &rows));
        let Ok(parsed) = Chunk::parse(&bytes) else { panic!("a chunk is a chunk") };
        group.bench_function(format!("batch {name}, walk and body"), |bencher| {
            bencher.iter(|| lengths(&parsed, &mut scratch, body_len));
        });
    }
}

criterion_group!(benches, deliver);
criterion_main!(benches);
