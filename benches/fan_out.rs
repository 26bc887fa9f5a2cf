//! What delivery costs without the kernel: framing, the tail, and a step for each consumer.
//!
//! `cargo bench --bench fan_out`

mod workloads;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ess::proto::websocket::frame::{Opcode, frame_len, put_header};
use workloads::fan_out::FanOut;
use workloads::{SIZES, bodies, splice};

/// A body on its way to the wire, and the way over its frame.
fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    for size in SIZES {
        for (kind, body) in bodies(size) {
            let mut out = Vec::with_capacity(2 * body.len() + 100);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(BenchmarkId::new(kind, size), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    splice(black_box(body.as_bytes()), 123_456, &mut out)
                });
            });
        }
        let mut header = Vec::with_capacity(16);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("header", size), |bencher| {
            bencher.iter(|| {
                header.clear();
                put_header(Opcode::Text, black_box(size), &mut header);
                frame_len(black_box(&header))
            });
        });
    }
}

/// A block goes into a tail that is full, so that an old one leaves.
fn tail(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tail append");
    for count in [1, 100] {
        let mut fan_out = FanOut::new(0, count);
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| fan_out.push());
        });
    }
}

/// A block for consumers that keep up.
fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan-out");
    for consumers in [1, 100, 1_000, 10_000] {
        for count in [1, 100] {
            let mut fan_out = FanOut::new(consumers, count);
            group.throughput(Throughput::Elements(consumers as u64));
            group.bench_function(BenchmarkId::new(count.to_string(), consumers), |bencher| {
                bencher.iter(|| {
                    fan_out.push();
                    fan_out.serve()
                });
            });
        }
    }
}

criterion_group!(benches, framing, tail, fan_out);
criterion_main!(benches);
