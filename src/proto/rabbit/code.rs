//! Response codes of the stream protocol.

use std::fmt;

/// How a broker answered (`PROTOCOL.adoc`, "Response codes").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code(pub u16);

impl Code {
    /// Done.
    pub const OK: Self = Self(1);
    /// There is no such stream in the virtual host.
    pub const STREAM_DOES_NOT_EXIST: Self = Self(2);
    /// The subscription id is in use on this connection.
    pub const SUBSCRIPTION_ID_EXISTS: Self = Self(3);
    /// There is no such subscription on this connection.
    pub const SUBSCRIPTION_ID_UNKNOWN: Self = Self(4);
    /// A stream of this name is there already.
    pub const STREAM_EXISTS: Self = Self(5);
    /// The stream has no leader now, or this node has no replica of it.
    pub const STREAM_NOT_AVAILABLE: Self = Self(6);
    /// The broker doesn't offer this way to log in.
    pub const MECHANISM_UNSUPPORTED: Self = Self(7);
    /// Wrong user or password.
    pub const AUTHENTICATION_FAILURE: Self = Self(8);
    /// What was sent to log in could not be read.
    pub const SASL_ERROR: Self = Self(9);
    /// More is asked before the login is complete.
    pub const SASL_CHALLENGE: Self = Self(10);
    /// This user may only come from the broker's own machine.
    pub const AUTHENTICATION_FAILURE_LOOPBACK: Self = Self(11);
    /// No such virtual host, or the user may not use it.
    pub const VIRTUAL_HOST_ACCESS_FAILURE: Self = Self(12);
    /// The broker doesn't know this request.
    pub const UNKNOWN_FRAME: Self = Self(13);
    /// The request was larger than the broker allows.
    pub const FRAME_TOO_LARGE: Self = Self(14);
    /// Something went wrong in the broker.
    pub const INTERNAL_ERROR: Self = Self(15);
    /// The user lacks a permission.
    pub const ACCESS_REFUSED: Self = Self(16);
    /// It exists with other properties, or an argument is out of range.
    pub const PRECONDITION_FAILED: Self = Self(17);
    /// There is no such publisher on this connection.
    pub const PUBLISHER_UNKNOWN: Self = Self(18);

    /// Whether it is done.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match *self {
            Self::OK => "ok",
            Self::STREAM_DOES_NOT_EXIST => "the stream does not exist",
            Self::SUBSCRIPTION_ID_EXISTS => "the subscription id is in use",
            Self::SUBSCRIPTION_ID_UNKNOWN => "the subscription id is unknown",
            Self::STREAM_EXISTS => "the stream exists already",
            Self::STREAM_NOT_AVAILABLE => "the stream is not available",
            Self::MECHANISM_UNSUPPORTED => "the SASL mechanism is not supported",
            Self::AUTHENTICATION_FAILURE => "the login was refused",
            Self::SASL_ERROR => "the login could not be read",
            Self::SASL_CHALLENGE => "more is asked to log in",
            Self::AUTHENTICATION_FAILURE_LOOPBACK => {
                "this user may only connect from the broker's machine"
            }
            Self::VIRTUAL_HOST_ACCESS_FAILURE => "the virtual host can't be used",
            Self::UNKNOWN_FRAME => "the request is not known",
            Self::FRAME_TOO_LARGE => "the request is too large",
            Self::INTERNAL_ERROR => "internal error of the broker",
            Self::ACCESS_REFUSED => "the user lacks a permission",
            Self::PRECONDITION_FAILED => "precondition failed",
            Self::PUBLISHER_UNKNOWN => "the publisher is unknown",
            Self(other) => return write!(out, "response code {other}"),
        })
    }
}
