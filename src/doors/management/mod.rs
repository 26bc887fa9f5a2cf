//! The internal REST API that the Account Server calls (port 8081). Pure: no socket, no database.
//!
//! ```text
//!  Head ─ route ─▶ Route ─ body_rule ─▶ how to take the body
//!  Route + body ─ call ─▶ Call ─ carried out by the shell ─▶ answer::… ─▶ Response
//!      └────────────┴──── refused ─▶ Response
//! ```
//!
//! Statuses and bodies are those of the Python service this one replaces, which FastAPI made; a
//! table of real FastAPI answers is the test (`tests/reference`). Where ours differ on purpose, the
//! place says so.

pub mod answer;
mod creation;
pub mod health;
mod json;
pub mod metrics;
mod openapi;
mod publication;
mod route;
mod table;
mod verbosity;

use bytes::Bytes;
use log::LevelFilter;

use crate::proto::http::{Head, Response};

pub use creation::Creation;
use health::Probe;
pub use publication::Publication;
pub use route::{BodyRule, Route, route};

/// What is asked, whole and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    /// Who we are.
    Version,
    /// All event streams.
    List,
    /// A new event stream.
    Create(Creation),
    /// One event stream and the state of its stream.
    Show {
        /// Which.
        id: i64,
    },
    /// An event stream is no longer needed.
    Delete {
        /// Which.
        id: i64,
        /// When it is the last one of its stream, that is deleted too wherever it lies.
        force: bool,
    },
    /// Append events, all or none.
    Publish {
        /// To the stream of which event stream.
        id: i64,
        /// What.
        publication: Publication,
    },
    /// How are we?
    Health(Probe),
    /// What do we have and do?
    Metrics,
    /// How much is logged?
    LogLevel,
    /// Log so much from now on.
    SetLogLevel(LevelFilter),
    /// The description of this API.
    OpenApi,
    /// The same for people.
    Docs,
}

/// What `route` asks with this body.
///
/// # Errors
///
/// The response that says what is wrong with the body.
pub fn call(
    route: Route,
    head: &Head,
    body: Bytes,
    event_bytes_max: usize,
) -> Result<Call, Response> {
    Ok(match route {
        Route::Version => Call::Version,
        Route::List => Call::List,
        Route::Create => Call::Create(creation::read(head, &body)?),
        Route::Show { id } => Call::Show { id },
        Route::Delete { id, force } => Call::Delete { id, force },
        Route::Publish { id } => {
            Call::Publish { id, publication: publication::read(head, body, event_bytes_max)? }
        }
        Route::Health(probe) => Call::Health(probe),
        Route::Metrics => Call::Metrics,
        Route::LogLevel => Call::LogLevel,
        Route::SetLogLevel => Call::SetLogLevel(verbosity::read(head, &body)?),
        Route::OpenApi => Call::OpenApi,
        Route::Docs => Call::Docs,
    })
}

/// The media type of a request's body, lower case and without parameters; empty without one.
fn media_type(head: &Head) -> String {
    let value = head.header("content-type").unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    String::from_utf8_lossy(essence).to_ascii_lowercase()
}

/// Whether a media type is JSON: `application/json` or `application/*+json`.
fn is_json(media_type: &str) -> bool {
    media_type.strip_prefix("application/").is_some_and(|subtype| {
        !subtype.contains('/') && (subtype == "json" || subtype.ends_with("+json"))
    })
}

#[cfg(test)]
mod tests;
