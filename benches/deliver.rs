//! What a RabbitMQ chunk costs before its events are looked at: checked, walked, bodies found.
//!
//! `cargo bench --bench deliver`: messages a second, 100 of 200 bytes in a chunk; plain, and as one
//! sub-entry batch in each compression.

use std::hint::black_box;
use std::io::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ess::proto::amqp10;
use ess::proto::rabbit::chunk::{Chunk, Found, Scratch};

const MESSAGES: u16 = 100;
const BODY_BYTES: usize = 200;

/// An event as jobs send them; no two are the same.
fn message(number: u16) -> Vec<u8> {
    let mut body = format!(
        "{{\"job\":\"{:08x}-{:04x}\",\"state\":\"RUNNING\",\"step\":{number},\"text\":\"",
        u32::from(number).wrapping_mul(2_654_435_769),
        number.wrapping_mul(40_503),
    );
    let words = ["docking", "ligand", "score", "minimised", "conformer", "written", "retry"];
    for word in 0..BODY_BYTES {
        body += words.get((word * 5 + usize::from(number) * 3 + word / 4) % 7).unwrap_or(&"");
        body.push(' ');
    }
    body.truncate(BODY_BYTES - 2);
    body += "\"}";
    let mut out = Vec::new();
    amqp10::put_message(None, body.as_bytes(), &mut out);
    out
}

fn row(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or_default();
    [&length.to_be_bytes(), message].concat()
}

/// A chunk of such entries, which hold `MESSAGES` records in all.
fn chunk(entries: u16, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x50, 0];
    out.extend_from_slice(&entries.to_be_bytes());
    out.extend_from_slice(&u32::from(MESSAGES).to_be_bytes());
    out.extend_from_slice(&[0; 24]);
    out.extend_from_slice(&crc32fast::hash(data).to_be_bytes());
    out.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(data);
    out
}

fn batch(code: u8, rows: &[u8]) -> Vec<u8> {
    let packed = match code {
        1 => {
            let mut gzip =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(rows).and_then(|()| gzip.finish()).unwrap_or_default()
        }
        2 => {
            let mut snappy = snap::write::FrameEncoder::new(Vec::new());
            let written = snappy.write_all(rows);
            written.ok().and_then(|()| snappy.into_inner().ok()).unwrap_or_default()
        }
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            let written = lz4.write_all(rows);
            written.ok().and_then(|()| lz4.finish().ok()).unwrap_or_default()
        }
        4 => ruzstd::encoding::compress_to_vec(rows, ruzstd::encoding::CompressionLevel::Fastest),
        _ => rows.to_vec(),
    };
    let mut out = vec![0x80 | (code << 4)];
    out.extend_from_slice(&MESSAGES.to_be_bytes());
    for length in [rows.len(), packed.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_be_bytes());
    }
    out.extend_from_slice(&packed);
    out
}

fn deliver(criterion: &mut Criterion) {
    let rows: Vec<u8> = (0..MESSAGES).flat_map(|number| row(&message(number))).collect();
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
        bencher.iter(|| {
            let chunk = Chunk::parse(black_box(&plain));
            chunk.map(|chunk| lengths(&chunk, &mut scratch, body_len))
        });
    });
    for (code, name) in [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")] {
        let bytes = chunk(1, &batch(code, &rows));
        let Ok(parsed) = Chunk::parse(&bytes) else { panic!("a chunk is a chunk") };
        group.bench_function(format!("batch {name}, walk and body"), |bencher| {
            bencher.iter(|| lengths(&parsed, &mut scratch, body_len));
        });
    }
}

/// Walks over a chunk; the sum of what `length` makes of its messages.
fn lengths(chunk: &Chunk<'_>, scratch: &mut Scratch, length: impl Fn(&[u8]) -> usize) -> usize {
    let mut sum = 0;
    chunk.walk(scratch, &mut |found| match found {
        Found::Message { offset, message } => {
            black_box(offset);
            sum += length(message);
        }
        Found::Malformed { .. } => panic!("all messages are right"),
    });
    sum
}

fn body_len(message: &[u8]) -> usize {
    amqp10::body(message).map(|body| body.len()).unwrap_or_default()
}

criterion_group!(benches, deliver);
criterion_main!(benches);
