//! What is measured, for the benches and for the count of instructions: bodies, blocks, chunks, a
//! fan-out without sockets, a disk in memory.

#![allow(dead_code, reason = "each bench uses its part")]

pub(crate) mod chunk;
pub(crate) mod disk;
pub(crate) mod fan_out;
pub(crate) mod log;

use ess::enrich::classify;
use ess::event::{Ordinal, Timestamp};
use ess::proto::websocket::frame::{Opcode, put_header};

/// When every event of the benches was taken in.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_746_042_171_620);

/// Small, ordinary, large.
pub(crate) const SIZES: [usize; 3] = [200, 2_000, 50_000];

/// An event of about `size` bytes in four kinds: three of JSON, and text.
pub(crate) fn bodies(size: usize) -> [(&'static str, String); 4] {
    let dense = dense(size);
    let pretty = serde_json::from_str::<serde_json::Value>(&dense)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_default();
    let words = text(size);
    let string = format!("{{\"log\":\"{words}\"}}");
    [("dense", dense), ("pretty", pretty), ("string", string), ("text", words)]
}

/// JSON without a space.
pub(crate) fn dense(size: usize) -> String {
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
    dense + "]}"
}

/// Words.
pub(crate) fn text(size: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".repeat(size.div_ceil(45))
}

/// One event on its way to the wire: looked at, framed, written with its ordinal.
pub(crate) fn splice(body: &[u8], ordinal: u64, out: &mut Vec<u8>) -> usize {
    let Ok(shape) = classify(body) else { panic!("the body is deliverable") };
    let ordinal = Ordinal::new(ordinal);
    put_header(Opcode::Text, shape.enriched_len(body, ordinal, NOW), out);
    shape.enrich(body, ordinal, NOW, out);
    out.len()
}
