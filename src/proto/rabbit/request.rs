//! What we ask of a broker, as bytes.
//!
//! Encoded by `rabbitmq-stream-protocol`, except Publish: that crate wants its own message type,
//! and a copy of every body.

use std::collections::HashMap;

use rabbitmq_stream_protocol::codec::Encoder;
use rabbitmq_stream_protocol::commands::close::CloseRequest;
use rabbitmq_stream_protocol::commands::create_stream::CreateStreamCommand;
use rabbitmq_stream_protocol::commands::credit::CreditCommand;
use rabbitmq_stream_protocol::commands::declare_publisher::DeclarePublisherCommand;
use rabbitmq_stream_protocol::commands::delete::Delete;
use rabbitmq_stream_protocol::commands::delete_publisher::DeletePublisherCommand;
use rabbitmq_stream_protocol::commands::heart_beat::HeartBeatCommand;
use rabbitmq_stream_protocol::commands::metadata::MetadataCommand;
use rabbitmq_stream_protocol::commands::open::OpenCommand;
use rabbitmq_stream_protocol::commands::peer_properties::PeerPropertiesCommand;
use rabbitmq_stream_protocol::commands::query_publisher_sequence::QueryPublisherRequest;
use rabbitmq_stream_protocol::commands::sasl_authenticate::SaslAuthenticateCommand;
use rabbitmq_stream_protocol::commands::sasl_handshake::SaslHandshakeCommand;
use rabbitmq_stream_protocol::commands::subscribe::{OffsetSpecification, SubscribeCommand};
use rabbitmq_stream_protocol::commands::tune::TunesCommand;
use rabbitmq_stream_protocol::commands::unsubscribe::UnSubscribeCommand;
use rabbitmq_stream_protocol::{Request, ResponseCode};

use super::response::key;

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offset {
    /// The first chunk there is.
    First,
    /// The last chunk there is; what is published next when there is none.
    Last,
    /// The chunk that holds this offset, or the first behind it.
    At(u64),
    /// The first chunk that is not older, in milliseconds since 1970.
    Since(i64),
}

/// Who we are.
#[must_use]
pub fn peer_properties(correlation: u32, properties: &[(&str, &str)]) -> Vec<u8> {
    let properties: HashMap<_, _> =
        properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    encode(PeerPropertiesCommand::new(correlation, properties))
}

/// Which ways to log in are there?
#[must_use]
pub fn sasl_handshake(correlation: u32) -> Vec<u8> {
    encode(SaslHandshakeCommand::new(correlation))
}

/// A login.
#[must_use]
pub fn sasl_authenticate(correlation: u32, mechanism: &str, data: Vec<u8>) -> Vec<u8> {
    encode(SaslAuthenticateCommand::new(correlation, mechanism.into(), data))
}

/// Our limits.
#[must_use]
pub fn tune(frame_max: u32, heartbeat: u32) -> Vec<u8> {
    encode(TunesCommand::new(frame_max, heartbeat))
}

/// Opens a virtual host.
#[must_use]
pub fn open(correlation: u32, virtual_host: &str) -> Vec<u8> {
    encode(OpenCommand::new(correlation, virtual_host.into()))
}

/// Where is this stream?
#[must_use]
pub fn metadata(correlation: u32, stream: &str) -> Vec<u8> {
    encode(MetadataCommand::new(correlation, vec![stream.into()]))
}

/// Sends us a stream, as far as there is credit.
#[must_use]
pub fn subscribe(
    correlation: u32,
    subscription: u8,
    stream: &str,
    from: Offset,
    credit: u16,
) -> Vec<u8> {
    let from = match from {
        Offset::First => OffsetSpecification::First,
        Offset::Last => OffsetSpecification::Last,
        Offset::At(offset) => OffsetSpecification::Offset(offset),
        Offset::Since(millis) => OffsetSpecification::Timestamp(millis),
    };
    let properties = HashMap::new();
    let stream = stream.into();
    encode(SubscribeCommand::new(correlation, subscription, stream, from, credit, properties))
}

/// So many chunks more may be sent.
#[must_use]
pub fn credit(subscription: u8, chunks: u16) -> Vec<u8> {
    encode(CreditCommand::new(subscription, chunks))
}

/// Ends a subscription.
#[must_use]
pub fn unsubscribe(correlation: u32, subscription: u8) -> Vec<u8> {
    encode(UnSubscribeCommand::new(correlation, subscription))
}

/// Who will publish to a stream; with a `reference`, messages are told apart by their ids.
#[must_use]
pub fn declare_publisher(
    correlation: u32,
    publisher: u8,
    reference: Option<&str>,
    stream: &str,
) -> Vec<u8> {
    let reference = reference.map(str::to_owned);
    encode(DeclarePublisherCommand::new(correlation, publisher, reference, stream.into()))
}

/// Who will publish no more.
#[must_use]
pub fn delete_publisher(correlation: u32, publisher: u8) -> Vec<u8> {
    encode(DeletePublisherCommand::new(correlation, publisher))
}

/// The last publishing id that a stream knows of a publisher.
#[must_use]
pub fn query_publisher_sequence(correlation: u32, reference: &str, stream: &str) -> Vec<u8> {
    encode(QueryPublisherRequest::new(correlation, reference.into(), stream.into()))
}

/// Makes a stream.
#[must_use]
pub fn create_stream(correlation: u32, stream: &str, arguments: &[(&str, String)]) -> Vec<u8> {
    let arguments: HashMap<_, _> =
        arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    encode(CreateStreamCommand::new(correlation, stream.into(), arguments))
}

/// Deletes a stream and all that is in it.
#[must_use]
pub fn delete_stream(correlation: u32, stream: &str) -> Vec<u8> {
    encode(Delete::new(correlation, stream.into()))
}

/// A sign of life.
#[must_use]
pub fn heartbeat() -> Vec<u8> {
    encode(HeartBeatCommand::default())
}

/// We close the connection.
#[must_use]
pub fn close(correlation: u32, reason: &str) -> Vec<u8> {
    encode(CloseRequest::new(correlation, ResponseCode::Ok, reason.into()))
}

/// Answers the broker's own Close.
#[must_use]
pub fn closed(correlation: u32) -> Vec<u8> {
    let [a, b, c, d] = correlation.to_be_bytes();
    let [_, key] = key::CLOSE.to_be_bytes();
    // Size, key with the bit of an answer, version 1, correlation, code 1.
    vec![0, 0, 0, 10, 0x80, key, 0, 1, a, b, c, d, 0, 1]
}

/// A Publish frame under construction: messages with their ids.
#[derive(Debug)]
pub struct Publish {
    bytes: Vec<u8>,
    count: u32,
}

impl Publish {
    /// Bytes of the frame before its first message.
    pub const HEAD_BYTES: usize = 4 + 2 + 2 + 1 + 4;

    /// Bytes that a message adds to its own.
    pub const MESSAGE_BYTES: usize = 8 + 4;

    /// A frame of `publisher` without messages.
    #[must_use]
    pub fn new(publisher: u8) -> Self {
        let mut bytes = vec![0; size_of::<u32>()];
        bytes.extend_from_slice(&key::PUBLISH.to_be_bytes());
        bytes.extend_from_slice(&1u16.to_be_bytes());
        bytes.push(publisher);
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, count: 0 }
    }

    /// Adds a message of `length` bytes, which `write` appends.
    ///
    /// # Panics
    ///
    /// When `write` appends another number of bytes: the frame would be read wrongly.
    pub fn message(&mut self, id: u64, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.extend_from_slice(&id.to_be_bytes());
        let told = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&told.to_be_bytes());
        let start = self.bytes.len();
        write(&mut self.bytes);
        assert_eq!(self.bytes.len() - start, told as usize, "a message is as long as was told");
        self.count += 1;
    }

    /// Bytes of the frame as it is, without the four of its size: what a broker's limit counts.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.bytes.len() - size_of::<u32>()
    }

    /// Messages in it.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The frame.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let size = u32::try_from(self.frame_bytes()).unwrap_or(u32::MAX);
        self.bytes.splice(..4, size.to_be_bytes());
        self.bytes.splice(9..13, self.count.to_be_bytes());
        self.bytes
    }
}

fn encode(request: impl Into<Request>) -> Vec<u8> {
    let request = request.into();
    let mut bytes = Vec::with_capacity(request.encoded_size() as usize + size_of::<u32>());
    // A vector takes every write.
    let written = request.encode(&mut bytes).is_ok();
    assert!(written, "requests of ours can be encoded");
    bytes
}

#[cfg(test)]
mod tests {
    use rabbitmq_stream_protocol::codec::Decoder;
    use rabbitmq_stream_protocol::{RequestKind, Response as TheirResponse};

    use super::*;

    fn size(frame: &[u8]) -> usize {
        u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize
    }

    #[test]
    fn every_request_says_its_size() {
        for frame in [
            peer_properties(1, &[("product", "ess")]),
            sasl_handshake(1),
            sasl_authenticate(1, "PLAIN", b"\0u\0p".to_vec()),
            tune(0, 60),
            open(1, "/"),
            metadata(1, "s"),
            subscribe(1, 2, "s", Offset::At(7), 10),
            subscribe(1, 2, "s", Offset::Since(-1), 10),
            credit(2, 1),
            unsubscribe(1, 2),
            declare_publisher(1, 3, Some("r"), "s"),
            declare_publisher(1, 3, None, "s"),
            delete_publisher(1, 3),
            query_publisher_sequence(1, "r", "s"),
            create_stream(1, "s", &[("max-age", "60s".into())]),
            delete_stream(1, "s"),
            heartbeat(),
            close(1, "bye"),
            closed(1),
        ] {
            assert_eq!(size(&frame), frame.len() - 4, "{frame:?}");
        }
    }

    #[test]
    fn our_answer_to_a_close_is_one() {
        let closed = closed(7);
        let (rest, answer) = TheirResponse::decode(&closed).unwrap();
        assert!(rest.is_empty());
        assert_eq!(answer.correlation_id(), Some(7));
    }

    #[test]
    fn a_publish_is_read_as_it_was_meant() {
        let bodies = [&b"\0Su\xA0\x01a"[..], b"\0Su\xA0\x00"];
        let mut publish = Publish::new(9);
        for (id, body) in (40..).zip(bodies) {
            publish.message(id, body.len(), |out| out.extend_from_slice(body));
        }
        let bytes = Publish::HEAD_BYTES - 4 + 2 * Publish::MESSAGE_BYTES + 6 + 5;
        assert_eq!((publish.count(), publish.frame_bytes()), (2, bytes));
        let frame = publish.finish();
        assert_eq!(size(&frame), frame.len() - 4);
        assert_eq!(frame[4..13], [0, 2, 0, 1, 9, 0, 0, 0, 2]);
        let mut rest = &frame[13..];
        for (id, body) in (40u64..).zip(bodies) {
            assert_eq!(rest[..8], id.to_be_bytes());
            assert_eq!(rest[8..12], u32::try_from(body.len()).unwrap().to_be_bytes());
            assert_eq!(&rest[12..12 + body.len()], body);
            rest = &rest[12 + body.len()..];
        }
        assert!(rest.is_empty());
        // The crate reads its own encoding only; that it takes ours for a Publish is enough.
        let (_, request) = Request::decode(&frame).unwrap();
        assert!(matches!(request.kind(), RequestKind::Publish(_)));
    }
}
