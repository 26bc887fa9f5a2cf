//! What a broker says, other than Deliver: answers to requests, and what it says unasked.
//!
//! ```text
//!  size u32 | key u16 (top bit: an answer) | version u16 | [correlation u32 | code u16] | …
//! ```
//!
//! A frame of a kind that isn't known is [`Response::Other`]: a newer broker may say more than we
//! understand. Bytes behind what is known are passed over for the same reason.

use super::Code;
use super::reader::Reader;

/// One frame from the broker, without its size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// An answer that says no more than how it went.
    Done {
        /// Which request it answers.
        correlation: u32,
        /// How it went.
        code: Code,
    },
    /// What the broker says about itself.
    PeerProperties {
        /// Which request it answers.
        correlation: u32,
        /// How it went.
        code: Code,
        /// Names and values.
        properties: Vec<(String, String)>,
    },
    /// The ways to log in.
    SaslMechanisms {
        /// Which request it answers.
        correlation: u32,
        /// How it went.
        code: Code,
        /// Their names.
        mechanisms: Vec<String>,
    },
    /// The broker's limits, to be answered with ours.
    Tune {
        /// Largest frame a client may send, in bytes; 0 for no limit.
        frame_max: u32,
        /// Longest silence, in seconds; 0 for no heartbeats.
        heartbeat: u32,
    },
    /// The virtual host is open.
    Opened {
        /// Which request it answers.
        correlation: u32,
        /// How it went.
        code: Code,
        /// Names and values: `advertised_host`, `advertised_port`.
        properties: Vec<(String, String)>,
    },
    /// Where streams are.
    Metadata {
        /// Which request it answers.
        correlation: u32,
        /// The nodes that are named below.
        nodes: Vec<Node>,
        /// The streams that were asked for.
        streams: Vec<Placement>,
    },
    /// Something about a stream has changed: its subscriptions and publishers on this connection
    /// are gone.
    MetadataUpdate {
        /// What.
        code: Code,
        /// Of which stream.
        stream: String,
    },
    /// These messages are stored.
    Confirmed {
        /// Whose they were.
        publisher: u8,
        /// Their publishing ids.
        ids: Vec<u64>,
    },
    /// These messages are not stored.
    NotPublished {
        /// Whose they were.
        publisher: u8,
        /// Their publishing ids, and why.
        ids: Vec<(u64, Code)>,
    },
    /// The last publishing id that the stream knows of a publisher.
    Sequence {
        /// Which request it answers.
        correlation: u32,
        /// How it went.
        code: Code,
        /// The id; 0 when there is none.
        sequence: u64,
    },
    /// Credit was given that can't be used; one that can be gets no answer.
    CreditRefused {
        /// Why.
        code: Code,
        /// For which subscription.
        subscription: u8,
    },
    /// The broker closes the connection.
    Close {
        /// To be answered with.
        correlation: u32,
        /// Why.
        code: Code,
        /// Why, in words.
        reason: String,
    },
    /// A sign of life.
    Heartbeat,
    /// Something we don't know.
    Other {
        /// Its key.
        key: u16,
    },
}

/// A node of the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// What it is called in this answer.
    pub reference: u16,
    /// The host it advertises to clients.
    pub host: String,
    /// And the port.
    pub port: u32,
}

/// Where a stream is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placement {
    /// Its name.
    pub stream: String,
    /// Whether it is anywhere.
    pub code: Code,
    /// The node that takes publishes.
    pub leader: u16,
    /// The other nodes that have it.
    pub replicas: Vec<u16>,
}

impl Response {
    /// Reads a frame without its size. `None` when it is cut short or no text where text should be.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(frame);
        let key = reader.u16()? & !ANSWER;
        let _version = reader.u16()?;
        Some(match key {
            key::TUNE => Self::Tune { frame_max: reader.u32()?, heartbeat: reader.u32()? },
            key::METADATA_UPDATE => Self::MetadataUpdate {
                code: Code(reader.u16()?),
                stream: reader.text()?.to_owned(),
            },
            key::PUBLISH_CONFIRM => {
                Self::Confirmed { publisher: reader.u8()?, ids: reader.row(Reader::u64)? }
            }
            key::PUBLISH_ERROR => Self::NotPublished {
                publisher: reader.u8()?,
                ids: reader.row(|one| Some((one.u64()?, Code(one.u16()?))))?,
            },
            key::CREDIT => {
                Self::CreditRefused { code: Code(reader.u16()?), subscription: reader.u8()? }
            }
            key::HEARTBEAT => Self::Heartbeat,
            key::METADATA => Self::Metadata {
                correlation: reader.u32()?,
                nodes: reader.row(node)?,
                streams: reader.row(placement)?,
            },
            // Of the rest, only the broker's own Close comes unasked.
            key::CLOSE if !is_answer(frame) => Self::Close {
                correlation: reader.u32()?,
                code: Code(reader.u16()?),
                reason: reader.text()?.to_owned(),
            },
            key if is_answer(frame) => Self::answer(key, reader)?,
            key => Self::Other { key },
        })
    }

    fn answer(key: u16, mut reader: Reader<'_>) -> Option<Self> {
        let correlation = reader.u32()?;
        let code = Code(reader.u16()?);
        Some(match key {
            key::PEER_PROPERTIES => {
                Self::PeerProperties { correlation, code, properties: reader.row(property)? }
            }
            key::SASL_HANDSHAKE => Self::SaslMechanisms {
                correlation,
                code,
                mechanisms: reader.row(|one| one.text().map(str::to_owned))?,
            },
            key::OPEN => Self::Opened {
                correlation,
                code,
                properties: if code.is_ok() { reader.row(property)? } else { Vec::new() },
            },
            key::QUERY_PUBLISHER_SEQUENCE => {
                Self::Sequence { correlation, code, sequence: reader.u64()? }
            }
            _ => Self::Done { correlation, code },
        })
    }

    /// Which request it answers, and how that went.
    #[must_use]
    pub const fn answers(&self) -> Option<(u32, Code)> {
        match self {
            Self::Done { correlation, code }
            | Self::PeerProperties { correlation, code, .. }
            | Self::SaslMechanisms { correlation, code, .. }
            | Self::Opened { correlation, code, .. }
            | Self::Sequence { correlation, code, .. } => Some((*correlation, *code)),
            Self::Metadata { correlation, .. } => Some((*correlation, Code::OK)),
            Self::Tune { .. }
            | Self::MetadataUpdate { .. }
            | Self::Confirmed { .. }
            | Self::NotPublished { .. }
            | Self::CreditRefused { .. }
            | Self::Close { .. }
            | Self::Heartbeat
            | Self::Other { .. } => None,
        }
    }
}

fn property(reader: &mut Reader<'_>) -> Option<(String, String)> {
    Some((reader.text()?.to_owned(), reader.text()?.to_owned()))
}

fn node(reader: &mut Reader<'_>) -> Option<Node> {
    Some(Node { reference: reader.u16()?, host: reader.text()?.to_owned(), port: reader.u32()? })
}

fn placement(reader: &mut Reader<'_>) -> Option<Placement> {
    Some(Placement {
        stream: reader.text()?.to_owned(),
        code: Code(reader.u16()?),
        leader: reader.u16()?,
        replicas: reader.row(Reader::u16)?,
    })
}

fn is_answer(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// The bit of a key that marks an answer.
const ANSWER: u16 = 0x8000;

/// Keys of frames (`PROTOCOL.adoc`, "Commands").
pub(super) mod key {
    pub(in crate::proto::rabbit) const PUBLISH: u16 = 2;
    pub(super) const PUBLISH_CONFIRM: u16 = 3;
    pub(super) const PUBLISH_ERROR: u16 = 4;
    pub(super) const QUERY_PUBLISHER_SEQUENCE: u16 = 5;
    pub(in crate::proto::rabbit) const DELIVER: u16 = 8;
    pub(super) const CREDIT: u16 = 9;
    pub(super) const METADATA: u16 = 15;
    pub(super) const METADATA_UPDATE: u16 = 16;
    pub(super) const PEER_PROPERTIES: u16 = 17;
    pub(super) const SASL_HANDSHAKE: u16 = 18;
    pub(super) const TUNE: u16 = 20;
    pub(super) const OPEN: u16 = 21;
    pub(in crate::proto::rabbit) const CLOSE: u16 = 22;
    pub(super) const HEARTBEAT: u16 = 23;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        [&length.to_be_bytes()[..], text.as_bytes()].concat()
    }

    /// One frame of each kind, as a broker writes it.
    fn frames() -> Vec<(Vec<u8>, Response)> {
        let answer = |key: u16, rest: &[u8]| {
            [&(key | ANSWER).to_be_bytes()[..], &[0, 1, 0, 0, 0, 7, 0, 1], rest].concat()
        };
        let told = |key: u16, rest: &[u8]| [&key.to_be_bytes()[..], &[0, 1], rest].concat();
        let one = 1u32.to_be_bytes();
        let pair = [&one[..], &text("a"), &text("b")].concat();
        let properties = vec![("a".to_owned(), "b".to_owned())];
        let (correlation, code) = (7, Code::OK);
        vec![
            (answer(7, &[]), Response::Done { correlation, code }),
            (
                answer(17, &pair),
                Response::PeerProperties { correlation, code, properties: properties.clone() },
            ),
            (
                answer(18, &[&one[..], &text("PLAIN")].concat()),
                Response::SaslMechanisms { correlation, code, mechanisms: vec!["PLAIN".into()] },
            ),
            (answer(21, &pair), Response::Opened { correlation, code, properties }),
            (answer(5, &9u64.to_be_bytes()), Response::Sequence { correlation, code, sequence: 9 }),
            (
                told(20, &[0, 0x10, 0, 0, 0, 0, 0, 60]),
                Response::Tune { frame_max: 1 << 20, heartbeat: 60 },
            ),
            (
                told(16, &[&[0, 6][..], &text("s")].concat()),
                Response::MetadataUpdate { code: Code(6), stream: "s".into() },
            ),
            (
                told(3, &[&[2][..], &one, &4u64.to_be_bytes()].concat()),
                Response::Confirmed { publisher: 2, ids: vec![4] },
            ),
            (
                told(4, &[&[2][..], &one, &4u64.to_be_bytes(), &[0, 18]].concat()),
                Response::NotPublished { publisher: 2, ids: vec![(4, Code(18))] },
            ),
            (
                answer(9, &[])[..4].iter().copied().chain([0, 4, 3]).collect(),
                Response::CreditRefused { code: Code(4), subscription: 3 },
            ),
            (
                told(22, &[&[0, 0, 0, 7, 0, 15][..], &text("bye")].concat()),
                Response::Close { correlation, code: Code(15), reason: "bye".into() },
            ),
            (told(23, &[]), Response::Heartbeat),
            (told(99, &[1]), Response::Other { key: 99 }),
            metadata(),
        ]
    }

    fn metadata() -> (Vec<u8>, Response) {
        let one = 1u32.to_be_bytes();
        let frame = [
            &[0x80, 15, 0, 1, 0, 0, 0, 7][..],
            &one,
            &[0, 3],
            &text("host"),
            &5552u32.to_be_bytes(),
            &one,
            &text("s"),
            &[0, 1, 0, 3],
            &2u32.to_be_bytes(),
            &[0, 4, 0, 5],
        ];
        let placement =
            Placement { stream: "s".into(), code: Code::OK, leader: 3, replicas: vec![4, 5] };
        let metadata = Response::Metadata {
            correlation: 7,
            nodes: vec![Node { reference: 3, host: "host".into(), port: 5552 }],
            streams: vec![placement],
        };
        (frame.concat(), metadata)
    }

    #[test]
    fn every_kind_is_read_and_bytes_behind_it_are_passed_over() {
        for (mut frame, expected) in frames() {
            assert_eq!(Response::read(&frame), Some(expected.clone()));
            frame.extend_from_slice(b"more");
            assert_eq!(Response::read(&frame), Some(expected));
        }
    }

    #[test]
    fn a_refused_open_has_no_properties() {
        let frame = [0x80, 21, 0, 1, 0, 0, 0, 7, 0, 12];
        let refused = Response::Opened { correlation: 7, code: Code(12), properties: Vec::new() };
        assert_eq!(Response::read(&frame), Some(refused));
    }

    #[test]
    fn a_frame_cut_anywhere_is_none_or_something_shorter() {
        for (frame, whole) in frames() {
            for end in 0..frame.len() {
                let cut = Response::read(&frame[..end]);
                let bare = matches!(whole, Response::Other { .. });
                assert!(cut.is_none() || bare, "{whole:?} cut at {end}: {cut:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_frame_panics(
            which: prop::sample::Index,
            place: prop::sample::Index,
            byte: u8,
            more: Vec<u8>,
        ) {
            let mut frames = frames();
            let (mut frame, _) = frames.swap_remove(which.index(frames.len()));
            let place = place.index(frame.len());
            frame[place] = byte;
            let _ = Response::read(&frame);
            frame.truncate(place);
            frame.extend_from_slice(&more);
            let _ = Response::read(&frame);
        }
    }
}
