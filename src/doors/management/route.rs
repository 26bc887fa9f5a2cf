//! From method and path to an operation, before any byte of the body is read.

use std::borrow::Cow;

use super::health::Probe;
use super::table::{ID_SEGMENT, Name, OPERATIONS, Operation};
use super::{answer, is_json, media_type};
use crate::limits::{JSON_BODY_BYTES_MAX, NDJSON_BODY_BYTES_MAX};
use crate::proto::http::{Head, Method, Response, decode_segment, pairs};

/// An operation with its path parameters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "they are the ones of `Call`")]
pub enum Route {
    Version,
    List,
    Create,
    Show { id: i64 },
    Delete { id: i64, force: bool },
    Publish { id: i64 },
    Health(Probe),
    Metrics,
    LogLevel,
    SetLogLevel,
    OpenApi,
    Docs,
}

/// How the body of a request is to be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyRule {
    /// There should be none; one that comes is read up to a limit and ignored.
    None,
    /// One JSON value.
    Json {
        /// Most bytes to take.
        bytes_max: usize,
    },
    /// Events.
    Events {
        /// Most bytes to take.
        bytes_max: usize,
    },
}

impl BodyRule {
    /// Most bytes to take, whatever they are.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::None => JSON_BODY_BYTES_MAX,
            Self::Json { bytes_max } | Self::Events { bytes_max } => bytes_max,
        }
    }
}

impl Route {
    /// How the body is to be taken.
    ///
    /// # Errors
    ///
    /// 415 when events come as a media type that says nothing about where one ends.
    pub fn body_rule(self, head: &Head, event_bytes_max: usize) -> Result<BodyRule, Response> {
        match self {
            Self::Create | Self::SetLogLevel => {
                Ok(BodyRule::Json { bytes_max: JSON_BODY_BYTES_MAX })
            }
            Self::Publish { .. } => match &*media_type(head) {
                NDJSON => {
                    let bytes_max = event_bytes_max.max(NDJSON_BODY_BYTES_MAX);
                    Ok(BodyRule::Events { bytes_max })
                }
                one if one.is_empty() || one == "text/plain" || is_json(one) => {
                    Ok(BodyRule::Events { bytes_max: event_bytes_max })
                }
                other => Err(answer::media_type_unknown(other)),
            },
            Self::Version
            | Self::List
            | Self::Show { .. }
            | Self::Delete { .. }
            | Self::Health(_)
            | Self::Metrics
            | Self::LogLevel
            | Self::OpenApi
            | Self::Docs => Ok(BodyRule::None),
        }
    }
}

/// The media type whose lines are events.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Which operation `head` asks for.
///
/// # Errors
///
/// The response: 404, 405, 307 or 422.
pub fn route(head: &Head) -> Result<Route, Response> {
    // HEAD is GET without the body (RFC 9110 §9.3.2).
    let method = if head.method() == Method::Head { Method::Get } else { head.method() };
    let segments = Segments::of(head.path());
    let matching: Vec<_> = OPERATIONS.iter().filter(|one| segments.fit(one)).collect();
    let Some(operation) = matching.iter().find(|one| one.method == method) else {
        if matching.is_empty() {
            return Err(redirect(head).unwrap_or_else(|| Response::detail(404, "Not Found")));
        }
        let methods = matching.iter().map(|one| match one.method {
            Method::Get => "GET, HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Head | Method::Options | Method::Patch | Method::Other => {
                unreachable!("no operation has it")
            }
        });
        let allow = methods.collect::<Vec<_>>().join(", ");
        return Err(Response::detail(405, "Method Not Allowed").with_header("allow", allow));
    };
    Ok(match operation.name {
        Name::Version => Route::Version,
        Name::List => Route::List,
        Name::Create => Route::Create,
        // No id is called so: a slash was forgotten.
        Name::Show if segments.id() == "version" => {
            return Err(redirected(head, "/event-stream/version/"));
        }
        Name::Show => Route::Show { id: id(segments.id())? },
        Name::Delete => Route::Delete { id: id(segments.id())?, force: force(head)? },
        Name::Publish => Route::Publish { id: id(segments.id())? },
        Name::Live => Route::Health(Probe::Live),
        Name::Ready => Route::Health(Probe::Ready),
        Name::Started => Route::Health(Probe::Started),
        Name::Metrics => Route::Metrics,
        Name::LogLevel => Route::LogLevel,
        Name::SetLogLevel => Route::SetLogLevel,
        Name::OpenApi => Route::OpenApi,
        Name::Docs => Route::Docs,
    })
}

/// The segments of a path, decoded after they were cut, so that `%2F` is never a separator.
struct Segments<'a>(Vec<Cow<'a, str>>);

impl<'a> Segments<'a> {
    fn of(path: &'a str) -> Self {
        Self(path.split('/').take(SEGMENTS_MAX).map(decode_segment).collect())
    }

    fn fit(&self, operation: &Operation) -> bool {
        let template = operation.path.split('/');
        template.clone().count() == self.0.len()
            && template.zip(&self.0).all(|(wanted, segment)| match wanted {
                ID_SEGMENT => !segment.is_empty(),
                _ => wanted == segment,
            })
    }

    /// The segment that is an id in every template that has one.
    fn id(&self) -> &str {
        self.0.get(2).map_or("", |segment| segment)
    }
}

/// One more than the longest template has: enough to see that a path fits none.
const SEGMENTS_MAX: usize = 5;

/// The same path with its last slash added or all of them taken away, if an operation has that, as
/// Starlette does it.
fn redirect(head: &Head) -> Option<Response> {
    let path = head.path();
    let other = match path.trim_end_matches('/') {
        trimmed if trimmed.len() < path.len() => trimmed.to_owned(),
        _ => format!("{path}/"),
    };
    let segments = Segments::of(&other);
    OPERATIONS.iter().any(|one| segments.fit(one)).then(|| redirected(head, &other))
}

fn redirected(head: &Head, path: &str) -> Response {
    let scheme_and_host = head.host().map(|host| format!("http://{host}")).unwrap_or_default();
    let query = head.query().filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Response::new(307).with_header("location", format!("{scheme_and_host}{path}{query}"))
}

/// Whether `?force=` says yes; the words are pydantic's.
fn force(head: &Head) -> Result<bool, Response> {
    let given = pairs(head.query().unwrap_or_default()).find(|(name, _)| name == "force");
    let Some((_, value)) = given else { return Ok(false) };
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "t" | "true" | "y" | "yes" => Ok(true),
        "0" | "off" | "f" | "false" | "n" | "no" => Ok(false),
        _ => Err(answer::bool_parsing(&value)),
    }
}

/// Reads an id as pydantic does: blanks around it, a sign, `_` between digits and `.0` are fine.
fn id(segment: &str) -> Result<i64, Response> {
    let refused = || answer::int_parsing(segment);
    let text = segment.trim();
    let (negative, text) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            whole
        }
        Some(_) => return Err(refused()),
        None => text,
    };
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !whole.split('_').all(number) {
        return Err(refused());
    }
    let digits = whole.replace('_', "");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let canonical = if negative && digits != "0" { format!("-{digits}") } else { digits.into() };
    // Beyond 64 bits it is an integer still, but the id of nothing.
    canonical.parse().map_err(|_| answer::not_known(&canonical))
}
