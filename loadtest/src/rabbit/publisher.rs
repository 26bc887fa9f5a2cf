//! A publisher that goes as fast as the broker confirms.

use std::io::{self, Write};

use super::wire::{Request, Wire, key, message, number};
use crate::consumers::fault;
use crate::event;

/// Events of a Publish frame, as clients gather them.
const FRAME_EVENTS: u64 = 100;
/// Events that may be unconfirmed: ten times what the broker is given at once by usual clients, so
/// that it never waits for us.
const UNCONFIRMED_MAX: u64 = 10_000;

/// Publishes `events` of `bytes` each to a stream, until all are confirmed.
pub(super) fn publish(port: u16, stream: &str, events: u64, bytes: usize) -> io::Result<()> {
    let mut wire = Wire::open(port)?;
    wire.declare_publisher(0, stream)?;
    let message = message(&event::body(bytes));
    let (mut sent, mut confirmed) = (0, 0);
    while confirmed < events {
        while sent < events && sent - confirmed < UNCONFIRMED_MAX {
            let count = FRAME_EVENTS.min(events - sent);
            wire.stream.write_all(&frame(0, sent, count, &message))?;
            sent += count;
        }
        wire.fill()?;
        while let Some((key, rest)) = wire.next_frame()? {
            confirmed += confirms(key, rest)?;
        }
    }
    Ok(())
}

/// A Publish frame of `count` equal messages with the ids from `first` on.
pub(super) fn frame(publisher: u8, first: u64, count: u64, message: &[u8]) -> Vec<u8> {
    let mut request = Request::new(key::PUBLISH).u8(publisher).u32(count as u32);
    for id in first..first + count {
        request = request.u64(id).u32(message.len() as u32).raw(message);
    }
    request.bytes()
}

/// How many messages a frame confirms.
pub(super) fn confirms(key: u16, rest: &[u8]) -> io::Result<u64> {
    match key {
        key::PUBLISH_CONFIRM => number(rest, 1, 4),
        // An answer to what nobody waits for.
        key if key & 0x8000 != 0 => Ok(0),
        key => Err(fault(&format!("RabbitMQ sends {key} to a publisher"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_holds_ids_and_messages() {
        let frame = frame(2, 258, 2, b"m");
        let body = [2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, b'm'];
        assert_eq!(frame[8..26], body);
        assert_eq!(frame.len(), 26 + 13);
    }

    #[test]
    fn only_confirms_count() {
        assert_eq!(confirms(key::PUBLISH_CONFIRM, &[0, 0, 0, 0, 5]).unwrap(), 5);
        assert_eq!(confirms(0x8001, &[]).unwrap(), 0);
        assert!(confirms(4, &[0; 20]).is_err(), "a refused event is a fault");
    }
}
