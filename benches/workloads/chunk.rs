//! RabbitMQ chunks of a hundred messages, 200 bytes each.

use std::io::Write;

use ess::proto::amqp10;
use ess::proto::rabbit::chunk::{Chunk, Found, Scratch};

/// Messages of a chunk.
pub(crate) const MESSAGES: u16 = 100;
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

/// All messages, each behind its length.
pub(crate) fn rows() -> Vec<u8> {
    (0..MESSAGES).flat_map(|number| row(&message(number))).collect()
}

/// A chunk of plain entries.
pub(crate) fn plain() -> Vec<u8> {
    chunk(MESSAGES, &rows())
}

/// A chunk of `entries`, which hold [`MESSAGES`] records in all.
pub(crate) fn chunk(entries: u16, data: &[u8]) -> Vec<u8> {
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

/// A sub-entry batch of all messages in the compression with this code.
pub(crate) fn batch(code: u8, rows: &[u8]) -> Vec<u8> {
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

/// A chunk as it came: checked, walked over, bodies found. The sum of their lengths.
pub(crate) fn decode(bytes: &[u8], scratch: &mut Scratch) -> usize {
    let Ok(chunk) = Chunk::parse(bytes) else { panic!("a chunk is a chunk") };
    lengths(&chunk, scratch, body_len)
}

/// Walks over a chunk; the sum of what `length` makes of its messages.
pub(crate) fn lengths(
    chunk: &Chunk<'_>,
    scratch: &mut Scratch,
    length: impl Fn(&[u8]) -> usize,
) -> usize {
    let mut sum = 0;
    chunk.walk(scratch, &mut |found| match found {
        Found::Message { offset, message } => {
            std::hint::black_box(offset);
            sum += length(message);
        }
        Found::Malformed { .. } => panic!("all messages are right"),
    });
    sum
}

/// The length of a message's body.
pub(crate) fn body_len(message: &[u8]) -> usize {
    amqp10::body(message).map(|body| body.len()).unwrap_or_default()
}
