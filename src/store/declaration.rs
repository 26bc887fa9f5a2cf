//! A stream that is wanted in a broker, for sites where nobody else makes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the stream is to keep. `None`: no such bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Declaration {
    /// Events younger than this, in whole seconds.
    pub age: Option<Duration>,
    /// At most about so many bytes.
    pub bytes: Option<u64>,
}

/// What was done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declared {
    /// The stream was made; else it was there.
    pub created: bool,
    /// The exchange that it is bound to, with its own name as routing key.
    pub exchange: Arc<str>,
}

/// Why it was not done. Nothing of it is left behind, as far as the broker lets us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DeclareError {
    /// The store has no streams that could be declared.
    Unsupported,
    /// The stream is there and keeps something else; it was not touched.
    Differs,
    /// The broker doesn't want it: its words.
    Failed(Arc<str>),
    /// The broker can't be reached.
    Unreachable(Arc<str>),
}

impl fmt::Display for DeclareError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => out.write_str(
                "declare: only --store rabbitmq has streams to be declared; leave it out",
            ),
            Self::Differs => out.write_str(
                "the stream is in the broker already, with another retention, and was not touched; \
                 leave retain_age and retain_bytes out to use it as it is",
            ),
            Self::Failed(why) => write!(out, "the stream is not declared: {why}"),
            Self::Unreachable(why) => out.write_str(why),
        }
    }
}

impl std::error::Error for DeclareError {}
