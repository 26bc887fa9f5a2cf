//! What the log itself costs, on a disk in memory: appending, and opening what a crash left.
//!
//! `cargo bench --bench log`; beside a real disk: `cargo bench --bench append`.

mod workloads;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use workloads::log::{Log, bodies};

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append, 256 bytes each");
    for count in [1, 100, 1_000] {
        let (mut log, bodies) = (Log::new(), bodies(count));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(
                || bodies.clone(),
                |bodies| log.append(bodies),
                BatchSize::SmallInput,
            );
        });
    }
}

fn recovery(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recovery");
    for appends in [1, 20, 200] {
        let mut log = Log::new();
        let bodies = bodies(100);
        (0..appends).for_each(|_| log.append(bodies.clone()));
        group.throughput(Throughput::Elements(appends * 100));
        group.bench_function(BenchmarkId::from_parameter(appends * 100), |bencher| {
            bencher.iter(|| log.recover());
        });
    }
}

criterion_group!(benches, append, recovery);
criterion_main!(benches);
