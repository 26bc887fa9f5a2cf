//! The head of a request: request line and header fields, checked.
//!
//! ```text
//!  GET /event-stream/abc?stream_from_ordinal=7 HTTP/1.1 CR LF
//!  Host: localhost:8080 CR LF
//!  CR LF                                  ◀ `parse` says how many bytes that was
//! ```
//!
//! A [`Head`] owns its bytes in one allocation and remembers where in them each part lies, so it
//! may outlive the socket's buffer. Nothing is percent-decoded here.

use std::ops::Range;

use super::Fault;
use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

/// The checked head of a request.
#[derive(Clone, Debug)]
pub struct Head {
    bytes: Box<[u8]>,
    method: Method,
    version: Version,
    framing: Framing,
    keep_alive: bool,
    method_name: Span,
    path: Span,
    query: Option<Span>,
    host: Option<Span>,
    fields: Box<[Field]>,
}

/// What a request asks for (RFC 9110 §9.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are the RFC's own")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Patch,
    /// Any other; [`Head::method_name`] has it.
    Other,
}

/// The version a request speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0: closes unless asked not to, knows neither chunks nor 100.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// How the end of a request's body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, up to an empty one.
    Chunked,
}

/// Reads a head from the front of `bytes`: the head and its length. `Ok(None)` when it may be good
/// but isn't whole: keep the bytes, add more, ask again.
///
/// # Errors
///
/// The first [`Fault`] found.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
    let window = bytes.get(..HTTP_HEAD_BYTES_MAX).unwrap_or(bytes);
    let mut fields = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let used = match request.parse(window) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) if window.len() < HTTP_HEAD_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(Fault::HeadTooLong),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooManyHeaders),
        Err(httparse::Error::Version) => return Err(Fault::Version),
        Err(httparse::Error::HeaderName | httparse::Error::HeaderValue) => {
            return Err(Fault::Header);
        }
        Err(httparse::Error::NewLine | httparse::Error::Token | httparse::Error::Status) => {
            return Err(Fault::RequestLine);
        }
    };
    let raw = window.get(..used).ok_or(Fault::RequestLine)?;
    if has_bare_line_feed(raw) {
        return Err(Fault::BareLineFeed);
    }
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(Fault::RequestLine);
    };
    Ok(Some((Head::build(raw, method, target, version, request.headers)?, used)))
}

impl Head {
    fn build(
        raw: &[u8],
        method: &str,
        target: &str,
        version: u8,
        headers: &[httparse::Header<'_>],
    ) -> Result<Self, Fault> {
        let span = |part: &[u8]| Span::of(part, raw);
        let target = Target::split(target)?;
        let fields = headers
            .iter()
            .map(|header| Field { name: span(header.name.as_bytes()), value: span(header.value) })
            .collect();
        let mut head = Self {
            bytes: raw.into(),
            method: Method::named(method),
            version: if version == 0 { Version::Http10 } else { Version::Http11 },
            framing: Framing::None,
            keep_alive: false,
            method_name: span(method.as_bytes()),
            path: span(target.path.as_bytes()),
            query: target.query.map(|query| span(query.as_bytes())),
            host: None,
            fields,
        };
        head.host = head.checked_host()?;
        if let Some(authority) = target.authority {
            head.host = Some(span(authority.as_bytes()));
        }
        head.framing = head.checked_framing()?;
        head.keep_alive = !head.has_token("connection", "close")
            && (head.version == Version::Http11 || head.has_token("connection", "keep-alive"));
        Ok(head)
    }

    /// What is asked for.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The method as it was sent.
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.text(self.method_name)
    }

    /// The path as it was sent, percent-encoding and all; begins with `/` and has no `?`.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.text(self.path) {
            "" => "/",
            path => path,
        }
    }

    /// What follows the `?`, as it was sent; `None` without a `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.map(|query| self.text(query))
    }

    /// The version spoken.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The host asked, `name` or `name:port`: from an absolute target, else from the Host header.
    /// Made of characters that are safe in a header of ours. `None` when there is none (HTTP/1.0)
    /// or it is empty.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.map(|host| self.text(host)).filter(|host| !host.is_empty())
    }

    /// How the end of the body is found.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the connection stays open after the answer (RFC 9112 §9.3).
    #[must_use]
    pub const fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether the client waits for [`super::CONTINUE`] before it sends the body (RFC 9110
    /// §10.1.1).
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11
            && self.framing != Framing::None
            && self.framing != Framing::Length(0)
            && self.has_token("expect", "100-continue")
    }

    /// The first header named `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// Every header named `name`, in any case, in the order they came.
    pub fn headers<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.fields
            .iter()
            .filter(move |field| self.slice(field.name).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| self.slice(field.value))
    }

    /// Whether one of the headers named `name`, read as lists, holds `token`, in any case
    /// (RFC 9110 §5.6.1).
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.headers(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    fn checked_host(&self) -> Result<Option<Span>, Fault> {
        let mut hosts = self
            .fields
            .iter()
            .filter(|field| self.slice(field.name).eq_ignore_ascii_case(b"host"))
            .map(|field| field.value);
        let Some(host) = hosts.next() else {
            return match self.version {
                Version::Http10 => Ok(None),
                Version::Http11 => Err(Fault::HostMissing),
            };
        };
        if hosts.next().is_some() {
            return Err(Fault::HostTwice);
        }
        if !self.slice(host).iter().all(|byte| is_host_byte(*byte)) {
            return Err(Fault::Host);
        }
        Ok(Some(host))
    }

    fn checked_framing(&self) -> Result<Framing, Fault> {
        let mut codings = self.headers("transfer-encoding").peekable();
        let mut lengths = self.headers("content-length");
        if codings.peek().is_none() {
            let Some(first) = lengths.next() else { return Ok(Framing::None) };
            let length = decimal(first).ok_or(Fault::Length)?;
            for other in lengths {
                if decimal(other).ok_or(Fault::Length)? != length {
                    return Err(Fault::LengthsDiffer);
                }
            }
            return Ok(Framing::Length(length));
        }
        if lengths.next().is_some() {
            return Err(Fault::BothFramings);
        }
        if self.version == Version::Http10 {
            return Err(Fault::Coding);
        }
        let mut chunked = 0;
        for coding in codings.flat_map(|value| value.split(|byte| *byte == b',')) {
            match coding.trim_ascii() {
                b"" => return Err(Fault::Coding),
                coding if coding.eq_ignore_ascii_case(b"chunked") => chunked += 1,
                _ => return Err(Fault::CodingUnknown),
            }
        }
        if chunked == 1 { Ok(Framing::Chunked) } else { Err(Fault::Coding) }
    }

    #[expect(clippy::indexing_slicing, reason = "a span was measured inside these very bytes")]
    fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[Range::from(span)]
    }

    #[expect(clippy::expect_used, reason = "`Span::of` is called with text for these")]
    fn text(&self, span: Span) -> &str {
        str::from_utf8(self.slice(span)).expect("method, target and host were parsed as text")
    }
}

impl Method {
    fn named(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }
}

/// A request target in its parts (RFC 9112 §3.2).
struct Target<'a> {
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Takes origin-form and absolute-form; the other two belong to proxies.
    fn split(target: &'a str) -> Result<Self, Fault> {
        if target.contains('#') {
            return Err(Fault::Target);
        }
        let (authority, rest) = if target.starts_with('/') {
            (None, target)
        } else {
            let (scheme, rest) = target.split_once("://").ok_or(Fault::Target)?;
            if !["http", "https", "ws", "wss"].iter().any(|one| one.eq_ignore_ascii_case(scheme)) {
                return Err(Fault::Target);
            }
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if authority.is_empty() || !authority.bytes().all(is_host_byte) {
                return Err(Fault::Target);
            }
            (Some(authority), rest)
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(Self { authority, path, query })
    }
}

/// A header field.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// A part of a head. 16 bits are enough for its limit.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u16,
    end: u16,
}

const _: () = assert!(HTTP_HEAD_BYTES_MAX <= u16::MAX as usize);

impl Span {
    /// Where `part` lies in `whole`; an empty part may lie anywhere.
    #[expect(clippy::expect_used, reason = "the limit of a head is below 64 KiB")]
    fn of(part: &[u8], whole: &[u8]) -> Self {
        if part.is_empty() {
            return Self { start: 0, end: 0 };
        }
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let end = start.saturating_add(part.len());
        assert!(end <= whole.len(), "a part lies in the head it was parsed from");
        let short = |place| u16::try_from(place).expect("a head is at most 32 KiB long");
        Self { start: short(start), end: short(end) }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        usize::from(span.start)..usize::from(span.end)
    }
}

fn has_bare_line_feed(raw: &[u8]) -> bool {
    let mut before = 0;
    raw.iter().any(|byte| {
        *byte == b'\n' && before != b'\r' || {
            before = *byte;
            false
        }
    })
}

/// The bytes of `uri-host [ ":" port ]` (RFC 3986 §3.2.2, §3.2.3), without user information.
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'['
                | b']'
        )
}

/// Digits only: `str::parse` would take a sign.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
