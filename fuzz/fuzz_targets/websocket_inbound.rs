//! What a client sends on a WebSocket: the first byte says how the rest is cut.
//!
//! The same input cut anywhere gives the same facts and the same message bytes.

#![no_main]

use ess::proto::websocket::{Fact, Inbound, Sink, Slice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let piece = usize::from(*cut % 16) + 1;
    assert_eq!(facts(bytes, bytes.len().max(1)), facts(bytes, piece));
});

#[derive(Default)]
struct Collected(Vec<u8>);

impl Sink for Collected {
    fn data(&mut self, slice: Slice<'_>) {
        self.0.extend_from_slice(slice.bytes);
    }
}

/// The facts of `bytes`, fed in pieces, and the bytes of whole messages.
fn facts(bytes: &[u8], piece: usize) -> (Vec<Fact>, Vec<u8>) {
    let (mut inbound, mut sink, mut found) = (Inbound::default(), Collected::default(), vec![]);
    let mut messages = Vec::new();
    for piece in bytes.to_vec().chunks_mut(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            let fed = inbound.feed(rest, &mut sink);
            assert!(fed.used > 0, "every call takes something");
            rest = &mut rest[fed.used..];
            if let Some(Fact::Message { .. }) = fed.fact {
                messages.append(&mut sink.0);
            }
            found.extend(fed.fact);
        }
    }
    (found, messages)
}
