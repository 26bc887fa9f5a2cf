//! What a peer can do wrong in HTTP, and the one place that says which status it gets.

use std::fmt;

use super::Response;
use crate::limits::{
    HTTP_CHUNK_EXTENSIONS_BYTES_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_TRAILERS_BYTES_MAX,
};

/// The peer's fault. Where the next request begins is unknown after it: the connection must close.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No request line.
    RequestLine,
    /// Not HTTP/1.0 or HTTP/1.1.
    Version,
    /// A header field that isn't `name: value`, or is folded (RFC 9112 §5.2).
    Header,
    /// A line of the head ends with LF alone (RFC 9112 §2.2).
    BareLineFeed,
    /// The head is longer than [`HTTP_HEAD_BYTES_MAX`].
    HeadTooLong,
    /// More header fields than [`HTTP_HEADERS_MAX`].
    TooManyHeaders,
    /// The target is neither a path nor an absolute URL (RFC 9112 §3.2).
    Target,
    /// HTTP/1.1 without Host (RFC 9112 §3.2).
    HostMissing,
    /// More than one Host.
    HostTwice,
    /// A Host that is no `name[:port]`.
    Host,
    /// Content-Length and Transfer-Encoding (RFC 9112 §6.3).
    BothFramings,
    /// Content-Lengths that differ.
    LengthsDiffer,
    /// A Content-Length that is no number.
    Length,
    /// A transfer coding other than chunked (RFC 9112 §6.1).
    CodingUnknown,
    /// Transfer-Encoding that is empty, says chunked twice, or comes with HTTP/1.0.
    Coding,
    /// The body is longer than this many bytes.
    BodyTooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// A chunk whose size line or end isn't as RFC 9112 §7.1 wants.
    Chunk,
    /// Chunk extensions longer than [`HTTP_CHUNK_EXTENSIONS_BYTES_MAX`] in all.
    ExtensionsTooLong,
    /// A trailer line without CRLF.
    Trailer,
    /// Trailers longer than [`HTTP_TRAILERS_BYTES_MAX`].
    TrailersTooLong,
}

impl Fault {
    /// The status that answers this fault (RFC 9110 §15.5, §15.6).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::RequestLine
            | Self::Header
            | Self::BareLineFeed
            | Self::Target
            | Self::HostMissing
            | Self::HostTwice
            | Self::Host
            | Self::BothFramings
            | Self::LengthsDiffer
            | Self::Length
            | Self::Coding
            | Self::Chunk
            | Self::ExtensionsTooLong
            | Self::Trailer
            | Self::TrailersTooLong => 400,
            Self::BodyTooLong { .. } => 413,
            Self::HeadTooLong | Self::TooManyHeaders => 431,
            Self::CodingUnknown => 501,
            Self::Version => 505,
        }
    }

    /// The response to send before the connection closes.
    #[must_use]
    pub fn response(self) -> Response {
        Response::detail(self.status(), &self.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestLine => out.write_str("Bad request line: expected METHOD /path HTTP/1.1"),
            Self::Version => out.write_str("Unsupported HTTP version: expected HTTP/1.1"),
            Self::Header => out.write_str("Bad header field: expected name: value on one line"),
            Self::BareLineFeed => out.write_str("Bad line end in the head: expected CR LF"),
            Self::HeadTooLong => {
                write!(out, "Head too long: at most {HTTP_HEAD_BYTES_MAX} bytes are read")
            }
            Self::TooManyHeaders => {
                write!(out, "Too many header fields: at most {HTTP_HEADERS_MAX} are read")
            }
            Self::Target => out.write_str("Bad request target: expected a path beginning with /"),
            Self::HostMissing => out.write_str("No Host header: HTTP/1.1 requires one"),
            Self::HostTwice => out.write_str("Several Host headers: expected one"),
            Self::Host => out.write_str("Bad Host header: expected name or name:port"),
            Self::BothFramings => out.write_str(
                "Both Content-Length and Transfer-Encoding: expected one of them at the most",
            ),
            Self::LengthsDiffer => out.write_str("Content-Length headers differ: expected one"),
            Self::Length => out.write_str("Bad Content-Length: expected a decimal number of bytes"),
            Self::CodingUnknown => {
                out.write_str("Unknown transfer coding: only chunked is understood")
            }
            Self::Coding => {
                out.write_str("Bad Transfer-Encoding: expected chunked, once, with HTTP/1.1")
            }
            Self::BodyTooLong { bytes_max } => {
                write!(out, "Body too long: at most {bytes_max} bytes are taken here")
            }
            Self::Chunk => {
                out.write_str("Bad chunk: expected its size in hexadecimal, CR LF, data, CR LF")
            }
            Self::ExtensionsTooLong => write!(
                out,
                "Chunk extensions too long: at most {HTTP_CHUNK_EXTENSIONS_BYTES_MAX} bytes are \
                 read"
            ),
            Self::Trailer => out.write_str("Bad trailer: expected lines that end with CR LF"),
            Self::TrailersTooLong => {
                write!(out, "Trailers too long: at most {HTTP_TRAILERS_BYTES_MAX} bytes are read")
            }
        }
    }
}

impl std::error::Error for Fault {}
