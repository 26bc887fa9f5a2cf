//! WebSocket (RFC 6455), the server's side.
//!
//! ```text
//!  Head ─ check ─▶ Accept ─ response ─▶ 101
//!  bytes ─ Inbound::feed ─▶ facts: ping, pong, close, a message's end, a fault
//!  payload ─ frame::put_header ─▶ bytes;  reason ─ close::frame ─▶ bytes
//! ```
//!
//! No extension and no subprotocol is ever agreed, so a reserved bit is a fault. Who answers a ping
//! and when is the connection's business.

pub mod close;
pub mod frame;
mod handshake;
mod header;
mod inbound;
mod mask;
mod utf8;

pub use handshake::{Accept, HandshakeFault, check};
pub use inbound::{Fact, Fed, Ignored, Inbound, Sink, Slice};

/// How a client broke the protocol. Each maps to one close code (RFC 6455 §7.4.1); what follows on
/// the connection can't be trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A reserved bit is set and no extension was agreed (§5.2).
    ReservedBit,
    /// An opcode that the RFC keeps for later (§5.2).
    ReservedOpcode,
    /// A client's frame without mask (§5.1).
    Unmasked,
    /// A control frame in pieces (§5.5).
    ControlFragmented,
    /// A control frame of more than 125 bytes (§5.5).
    ControlTooLong,
    /// A length not in its shortest form, or with its top bit set (§5.2).
    BadLength,
    /// A continuation where no message is open (§5.4).
    NothingToContinue,
    /// A new message inside an open one (§5.4).
    MessageOpen,
    /// Text, or the reason of a close, that isn't UTF-8 (§8.1).
    NotUtf8,
    /// A close frame with half a code (§5.5.1).
    CloseHalfCode,
    /// A close code that must not be sent (§7.4).
    CloseCode,
    /// A message longer than [`crate::limits::WEBSOCKET_MESSAGE_BYTES_MAX`].
    MessageTooLong,
}

impl Fault {
    /// The code of the close frame that answers this fault.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::MessageTooLong => 1009,
            Self::ReservedBit
            | Self::ReservedOpcode
            | Self::Unmasked
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::BadLength
            | Self::NothingToContinue
            | Self::MessageOpen
            | Self::CloseHalfCode
            | Self::CloseCode => 1002,
        }
    }

    /// The reason of the close frame: what was wrong and what was expected.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ReservedBit => "Reserved bit set, but no extension was agreed",
            Self::ReservedOpcode => "Reserved opcode: expected 0, 1, 2, 8, 9 or 10",
            Self::Unmasked => "Unmasked frame: a client must mask its frames",
            Self::ControlFragmented => "Fragmented control frame: expected FIN",
            Self::ControlTooLong => "Control frame too long: expected at most 125 bytes",
            Self::BadLength => "Bad frame length: expected its shortest form, below 2^63",
            Self::NothingToContinue => "Continuation frame, but no message is open",
            Self::MessageOpen => "New message inside an open one: expected a continuation",
            Self::NotUtf8 => "Text is not UTF-8",
            Self::CloseHalfCode => "Close payload of 1 byte: expected none or a code of 2",
            Self::CloseCode => "Close code that must not be sent",
            Self::MessageTooLong => "Message too long: expected at most 64 MiB",
        }
    }
}
