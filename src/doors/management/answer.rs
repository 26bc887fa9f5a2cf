//! Every response of the API, made in one place: compact JSON, UTF-8 not escaped.

use std::fmt::Write as _;

use log::LevelFilter;

use super::openapi;
use crate::enrich::Undeliverable;
use crate::limits::{
    IDEMPOTENCY_KEY_BYTES_MAX, JSON_DEPTH_MAX, PUBLISH_EVENTS_MAX, UNDELIVERABLE_TOLD_MAX,
};
use crate::proto::http::{Response, json_string};
use crate::registry::EventStream;
use crate::store::{AppendError, Bounds, Declared, Receipt};

/// Where clients are told to connect.
#[derive(Clone, Copy, Debug)]
pub struct Ingress<'a> {
    /// `host[:port]`.
    pub location: &'a str,
    /// Whether that is TLS.
    pub secure: bool,
}

impl Ingress<'_> {
    /// The address of an event stream.
    #[must_use]
    pub fn location_of(&self, event_stream: &EventStream) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}/event-stream/{}", self.location, event_stream.uuid)
    }
}

/// Who we are.
#[must_use]
pub fn version() -> Response {
    let name = json_string(env!("CARGO_PKG_NAME"));
    let version = json_string(env!("CARGO_PKG_VERSION"));
    let body = format!("{{\"protocol\":\"WEBSOCKET\",\"name\":{name},\"version\":{version}}}");
    Response::json(200, body)
}

/// All event streams.
#[must_use]
pub fn listed<'a>(
    event_streams: impl IntoIterator<Item = &'a EventStream>,
    ingress: Ingress<'_>,
) -> Response {
    let items: Vec<_> =
        event_streams.into_iter().map(|one| format!("{{{}}}", item(one, ingress))).collect();
    Response::json(200, format!("{{\"event_streams\":[{}]}}", items.join(",")))
}

/// A new event stream, and what was done for its stream in the broker, if that was asked for.
#[must_use]
pub fn created(
    event_stream: &EventStream,
    ingress: Ingress<'_>,
    declared: Option<&Declared>,
) -> Response {
    let location = json_string(&ingress.location_of(event_stream));
    let declared = declared.map(|Declared { created, exchange }| {
        let stream = if *created { "created" } else { "was there" };
        let exchange = json_string(exchange);
        let routing_key = json_string(event_stream.routing_key.as_str());
        format!(
            ",\"declared\":{{\"stream\":\"{stream}\",\"exchange\":{exchange},\
             \"routing_key\":{routing_key}}}"
        )
    });
    let declared = declared.unwrap_or_default();
    let id = event_stream.id;
    Response::json(201, format!("{{\"id\":{id},\"location\":{location}{declared}}}"))
}

/// One event stream, and what its stream holds now.
#[must_use]
pub fn shown(
    event_stream: &EventStream,
    ingress: Ingress<'_>,
    bounds: &Bounds,
    consumers: usize,
) -> Response {
    let item = item(event_stream, ingress);
    let Bounds { floor, ceiling, bytes, .. } = bounds;
    let state = format!("\"floor\":{floor},\"next_ordinal\":{ceiling},\"bytes\":{bytes}");
    Response::json(200, format!("{{{item},{state},\"consumers\":{consumers}}}"))
}

fn item(event_stream: &EventStream, ingress: Ingress<'_>) -> String {
    let location = json_string(&ingress.location_of(event_stream));
    let routing_key = json_string(event_stream.routing_key.as_str());
    format!("\"id\":{},\"location\":{location},\"routing_key\":{routing_key}", event_stream.id)
}

/// The event stream is gone.
#[must_use]
pub const fn deleted() -> Response {
    Response::new(204)
}

/// The events are stored. Those that can't be delivered are named, the first
/// [`UNDELIVERABLE_TOLD_MAX`] of them.
#[must_use]
pub fn published(receipt: &Receipt) -> Response {
    let Receipt { first, last, timestamp, withheld } = receipt;
    let mut body =
        format!("{{\"first_ordinal\":{first},\"last_ordinal\":{last},\"timestamp\":{timestamp}");
    if !withheld.is_empty() {
        let told: Vec<_> = withheld
            .iter()
            .take(UNDELIVERABLE_TOLD_MAX)
            .map(|(ordinal, why)| {
                let reason = json_string(&reason(why));
                format!("{{\"ordinal\":{ordinal},\"reason\":{reason}}}")
            })
            .collect();
        let _ = write!(body, ",\"undeliverable\":[{}]", told.join(","));
    }
    body.push('}');
    Response::json(201, body)
}

fn reason(why: &Undeliverable) -> String {
    match why {
        Undeliverable::Empty => "it is empty".to_owned(),
        Undeliverable::NotUtf8 { position } => format!("it is not UTF-8 at byte {position}"),
        Undeliverable::BadJson { position, expected } => {
            format!("it starts with {{ but is not JSON: expected {expected} at byte {position}")
        }
        Undeliverable::TooDeep { position } => {
            format!("it nests deeper than {JSON_DEPTH_MAX} levels at byte {position}")
        }
    }
}

/// How much is logged.
#[must_use]
pub fn log_level(level: LevelFilter) -> Response {
    let word = level.as_str().to_ascii_lowercase();
    Response::json(200, format!("{{\"log_level\":\"{word}\"}}"))
}

/// The OpenAPI description.
#[must_use]
pub fn openapi() -> Response {
    Response::json(200, openapi::description().to_string())
}

/// The same as a page that needs nothing from elsewhere.
#[must_use]
pub fn docs() -> Response {
    Response::new(200).with_body("text/html; charset=utf-8", openapi::page())
}

/// There is no event stream with this id.
#[must_use]
pub fn not_known(id: &(impl std::fmt::Display + ?Sized)) -> Response {
    Response::detail(404, &format!("EventStream {id} is not known"))
}

/// Nothing was appended to the stream of this event stream.
#[must_use]
pub fn not_appended(id: i64, error: &AppendError) -> Response {
    match error {
        AppendError::NoSpace => Response::detail(507, &error.to_string()),
        AppendError::TooLarge { .. } => Response::detail(413, &error.to_string()),
        AppendError::Failed(_) | AppendError::Poisoned(_) | AppendError::Unknown(_) => {
            Response::detail(500, &error.to_string())
        }
        AppendError::Unreachable(_) => unavailable(&error.to_string()),
        AppendError::Unsupported(what) => Response::detail(400, what),
        AppendError::Unroutable { .. } => Response::detail(404, &error.to_string()),
        // Not a failure: the caller's first attempt did it.
        AppendError::Duplicate => Response::json(200, "{\"duplicate\":true}"),
        AppendError::Missing => Response::detail(
            404,
            &format!("EventStream {id} has no stream in the broker: create that first"),
        ),
        AppendError::Closed => not_known(&id),
    }
}

/// Something of ours failed: `detail` says what.
#[must_use]
pub fn failed(detail: &str) -> Response {
    Response::detail(500, detail)
}

/// This can't be done now; the same request may succeed soon.
#[must_use]
pub fn unavailable(detail: &str) -> Response {
    Response::detail(503, detail).with_header("retry-after", "1")
}

/// FastAPI's 422 with one error. `loc`, `input` and `ctx` are JSON.
pub(super) fn invalid(
    kind: &str,
    loc: &str,
    message: &str,
    input: &str,
    ctx: Option<&str>,
) -> Response {
    let message = json_string(message);
    let ctx = ctx.map(|ctx| format!(",\"ctx\":{ctx}")).unwrap_or_default();
    let error = format!("\"type\":\"{kind}\",\"loc\":[{loc}],\"msg\":{message},\"input\":{input}");
    Response::json(422, format!("{{\"detail\":[{{{error}{ctx}}}]}}"))
}

/// An id that is no integer.
pub(super) fn int_parsing(segment: &str) -> Response {
    let expected = "Input should be a valid integer, unable to parse string as an integer";
    let loc = "\"path\",\"es_id\"";
    invalid("int_parsing", loc, expected, &json_string(segment), None)
}

/// A query parameter that is no yes and no no.
pub(super) fn bool_parsing(value: &str) -> Response {
    let expected = "Input should be a valid boolean, unable to interpret input";
    invalid("bool_parsing", "\"query\",\"force\"", expected, &json_string(value), None)
}

/// A JSON body that isn't text, or nests too deep: FastAPI's words.
pub(super) fn body_unreadable() -> Response {
    Response::detail(400, "There was an error parsing the body")
}

/// Events of a media type that isn't known.
pub(super) fn media_type_unknown(media_type: &str) -> Response {
    let expected = "text/plain, application/json, application/x-ndjson";
    let detail = format!("Unsupported content type {media_type}: expected one of {expected}");
    Response::detail(415, &detail).with_header("accept", expected)
}

/// Event `number` of a publish, counted from 1, is too long.
pub(super) fn event_too_long(number: usize, event_bytes_max: usize) -> Response {
    let detail = format!("Event {number} is too long: at most {event_bytes_max} bytes are taken");
    Response::detail(413, &detail)
}

/// An `Idempotency-Key` that can't be one.
pub(super) fn idempotency_key_unreadable() -> Response {
    let most = IDEMPOTENCY_KEY_BYTES_MAX;
    let detail = format!("Idempotency-Key: expected 1 to {most} printable ASCII characters");
    Response::detail(400, &detail)
}

/// A publish of too many events.
pub(super) fn too_many_events() -> Response {
    let detail = format!("Too many events: at most {PUBLISH_EVENTS_MAX} are taken in one request");
    Response::detail(413, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ordinal, StreamName, Timestamp};

    fn body(response: &Response) -> &str {
        str::from_utf8(response.body()).unwrap()
    }

    fn event_stream() -> EventStream {
        let routing_key = StreamName::new("grüße \"").unwrap();
        EventStream { id: 7, uuid: "u".into(), routing_key }
    }

    const OPEN: Ingress<'_> = Ingress { location: "localhost:8080", secure: false };

    #[test]
    fn locations_follow_the_ingress() {
        assert_eq!(OPEN.location_of(&event_stream()), "ws://localhost:8080/event-stream/u");
        let secure = Ingress { location: "a.b", secure: true };
        assert_eq!(secure.location_of(&event_stream()), "wss://a.b/event-stream/u");
    }

    #[test]
    fn an_event_stream_is_shown_with_its_state() {
        let bounds = Bounds {
            floor: Ordinal::new(3),
            ceiling: Ordinal::new(9),
            bytes: 1234,
            newest: Timestamp::EPOCH,
            ends_in_poison: false,
        };
        assert_eq!(
            body(&shown(&event_stream(), OPEN, &bounds, 5)),
            "{\"id\":7,\"location\":\"ws://localhost:8080/event-stream/u\",\
             \"routing_key\":\"grüße \\\"\",\"floor\":3,\"next_ordinal\":9,\"bytes\":1234,\
             \"consumers\":5}"
        );
    }

    fn receipt(withheld: Vec<(Ordinal, Undeliverable)>) -> Receipt {
        let timestamp = Timestamp::from_millis(1_746_042_171_620);
        Receipt { first: Ordinal::new(1), last: Ordinal::new(200), timestamp, withheld }
    }

    #[test]
    fn a_receipt_names_what_will_not_be_delivered_and_only_then() {
        let plain = "\"first_ordinal\":1,\"last_ordinal\":200,\"timestamp\":1746042171620";
        let response = published(&receipt(vec![]));
        assert_eq!((response.status(), body(&response)), (201, &*format!("{{{plain}}}")));
        let withheld = vec![(Ordinal::new(2), Undeliverable::NotUtf8 { position: 5 })];
        let told = "\"undeliverable\":[{\"ordinal\":2,\"reason\":\"it is not UTF-8 at byte 5\"}]";
        assert_eq!(body(&published(&receipt(withheld))), format!("{{{plain},{told}}}"));
    }

    #[test]
    fn what_is_told_of_the_undeliverable_is_bounded_on_both_sides() {
        for (count, told) in [
            (UNDELIVERABLE_TOLD_MAX, UNDELIVERABLE_TOLD_MAX),
            (UNDELIVERABLE_TOLD_MAX + 1, UNDELIVERABLE_TOLD_MAX),
        ] {
            let withheld = vec![(Ordinal::new(2), Undeliverable::Empty); count];
            let response = published(&receipt(withheld));
            assert_eq!(body(&response).matches("\"reason\"").count(), told);
        }
    }

    #[test]
    fn a_failed_append_says_whose_fault_it_is() {
        for (error, status) in [
            (AppendError::NoSpace, 507),
            (AppendError::Failed("write".into()), 500),
            (AppendError::Poisoned("sync".into()), 500),
            (AppendError::Unknown("lost".into()), 500),
            (AppendError::TooLarge { bytes: 9, limit: "8 bytes".into() }, 413),
            (AppendError::Unreachable("refused".into()), 503),
            (AppendError::Duplicate, 200),
            (AppendError::Unsupported("no keys".into()), 400),
            (AppendError::Unroutable { exchange: "e".into(), routing_key: "k".into() }, 404),
            (AppendError::Missing, 404),
            (AppendError::Closed, 404),
        ] {
            assert_eq!(not_appended(7, &error).status(), status, "{error}");
        }
        let closed = not_appended(7, &AppendError::Closed);
        assert_eq!(body(&closed), "{\"detail\":\"EventStream 7 is not known\"}");
    }
}
