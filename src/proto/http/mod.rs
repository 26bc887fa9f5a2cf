//! HTTP/1.1 (RFC 9110, RFC 9112), the server's side: a request's head, its body, our response.
//!
//! ```text
//!  bytes ─ head::parse ─▶ Head ─ Body::new(framing, limit) ─ feed ─▶ body ─▶ Response ─ encode ─▶
//! ```
//!
//! Strict where a lenient reader could be made to disagree with a proxy in front of it about where
//! a request ends (request smuggling): both framings at once, differing lengths, folded headers and
//! lines without CR are refused. After a [`Fault`] nothing on the connection can be trusted: answer
//! [`Fault::response`] and close.
//!
//! Not here: HTTP/2, compression, ranges, timeouts (the shell has the clock).

mod body;
mod fault;
mod head;
mod query;
mod request_id;
mod response;

pub use body::{Body, Progress};
pub use fault::Fault;
pub use head::{Framing, Head, Method, Version, parse};
pub use query::{decode_segment, pairs};
pub use request_id::{REQUEST_ID, RequestId};
pub use response::{CONTINUE, Reply, Response, date, json_string};
