//! The internal API from the client's side: list, create, delete, publish.
//!
//! Blocking, one request at a time. What the service answers is another program's word: its size is
//! bounded, its shape checked, and whatever of it reaches a terminal is escaped.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Timeout};

use super::exit::{Exit, Failure};
use super::{setting, table};
use crate::limits::{CLIENT_ANSWER_BYTES_MAX, CLIENT_ANSWER_MILLIS_MAX, CLIENT_CONNECT_MILLIS_MAX};

/// A running service's internal API.
pub(super) struct Api {
    agent: Agent,
    /// Without a slash at the end.
    base: String,
}

/// An event stream, as the API lists it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct EventStream {
    pub(super) id: u64,
    pub(super) location: String,
    pub(super) routing_key: String,
}

/// That the stream is wanted in the broker too, and what it is to keep.
#[derive(Debug)]
pub(super) struct Declare {
    pub(super) retain_age: Option<String>,
    pub(super) retain_bytes: Option<String>,
}

/// What was done in the broker.
#[derive(Debug, Deserialize)]
pub(super) struct Declared {
    /// `created` or `was there`.
    pub(super) stream: String,
    pub(super) exchange: String,
    pub(super) routing_key: String,
}

/// Where published events are.
#[derive(Debug, Deserialize)]
pub(super) struct Receipt {
    pub(super) first_ordinal: u64,
    pub(super) last_ordinal: u64,
}

/// How a service is.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) status: String,
    /// Parts in trouble, and why.
    pub(super) troubles: Vec<(String, String)>,
}

/// Why a request did not do what was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request never got there.
    Unsent(String),
    /// It may have got there; no answer came that could be understood.
    Unanswered(String),
    /// The service said no: status and its reason.
    Refused(u16, String),
}

impl Api {
    /// The API that `--api` or `ESS_API` names.
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let url = setting(matches, "api", "ESS_API");
        let url = url.as_deref().unwrap_or("http://localhost:8081");
        let base = base(url).map_err(|wrong| Failure::new(Exit::Usage, wrong))?;
        let connect = Some(Duration::from_millis(CLIENT_CONNECT_MILLIS_MAX));
        let answer = Some(Duration::from_millis(CLIENT_ANSWER_MILLIS_MAX));
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // The API is beside us, not beyond a proxy.
            .proxy(None)
            .max_redirects(0)
            .user_agent(concat!("ess/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(connect)
            .timeout_connect(connect)
            .timeout_per_write(answer)
            .timeout_recv_response(answer)
            .timeout_recv_body(answer)
            // A publish must not meet a connection the service is just closing for idleness.
            .max_idle_age(Duration::from_secs(2))
            .build();
        Ok(Self { agent: agent.into(), base })
    }

    /// All event streams.
    pub(super) fn list(&self) -> Result<Vec<EventStream>, Failure> {
        #[derive(Deserialize)]
        struct List {
            event_streams: Vec<EventStream>,
        }
        let url = format!("{}/event-stream/", self.base);
        let list: Result<List, _> = understand(self.agent.get(&url).call());
        list.map(|list| list.event_streams).map_err(|fault| self.failure("list", &fault))
    }

    /// What the service says of itself; `probe` is `livez` or `readyz`.
    pub(super) fn health(&self, probe: &str) -> Result<Health, Failure> {
        #[derive(Deserialize)]
        struct Part {
            reason: Option<String>,
        }
        #[derive(Deserialize)]
        struct Told {
            status: String,
            parts: BTreeMap<String, Part>,
        }
        let url = format!("{}/{probe}", self.base);
        let told: Result<Told, _> = any_status(self.agent.get(&url).call());
        let Told { status, parts } = told.map_err(|fault| self.failure("ask", &fault))?;
        let trouble =
            |(part, told): (String, Part)| Some((table::cell(&part), table::cell(&told.reason?)));
        Ok(Health { status, troubles: parts.into_iter().filter_map(trouble).collect() })
    }

    /// A new event stream for a routing key, and its stream where that is wanted.
    pub(super) fn create(
        &self,
        routing_key: &str,
        declare: Option<&Declare>,
    ) -> Result<(EventStream, Option<Declared>), Failure> {
        #[derive(Deserialize)]
        struct Created {
            id: u64,
            location: String,
            declared: Option<Declared>,
        }
        let url = format!("{}/event-stream/", self.base);
        let mut body = serde_json::json!({ "routing_key": routing_key });
        if let (Some(Declare { retain_age, retain_bytes }), Some(members)) =
            (declare, body.as_object_mut())
        {
            members.insert("declare".into(), true.into());
            for (name, text) in [("retain_age", retain_age), ("retain_bytes", retain_bytes)] {
                if let Some(text) = text {
                    members.insert(name.into(), text.as_str().into());
                }
            }
        }
        let body = body.to_string();
        let request = self.agent.post(&url).header("content-type", "application/json");
        let created: Result<Created, _> = understand(request.send(body.as_bytes()));
        let Created { id, location, declared } =
            created.map_err(|fault| self.failure("create", &fault))?;
        Ok((EventStream { id, location, routing_key: routing_key.into() }, declared))
    }

    /// Deletes an event stream; with `force`, its stream in the broker goes with the last one.
    pub(super) fn delete(&self, id: u64, force: bool) -> Result<(), Failure> {
        let query = if force { "?force=yes" } else { "" };
        let url = format!("{}/event-stream/{id}{query}", self.base);
        let deleted = answered(self.agent.delete(&url).call());
        deleted.map(drop).map_err(|fault| self.failure("delete", &fault))
    }

    /// Publishes to an event stream; returns once the events are stored.
    pub(super) fn publish(&self, id: u64, content: &str, body: &[u8]) -> Result<Receipt, Fault> {
        let url = format!("{}/event-stream/{id}/events", self.base);
        understand(self.agent.post(&url).header("content-type", content).send(body))
    }

    /// What a person is told of a fault.
    pub(super) fn failure(&self, what: &str, fault: &Fault) -> Failure {
        match fault {
            Fault::Unsent(why) => Failure::new(
                Exit::Unreachable,
                format!("can't reach {}: {why}; is ess running there? (--api, ESS_API)", self.base),
            ),
            Fault::Unanswered(why) => {
                Failure::new(Exit::Unreachable, format!("{what}: {}: {why}", self.base))
            }
            Fault::Refused(status, why) => {
                let exit = if *status == 404 { Exit::Unknown } else { Exit::Failed };
                Failure::new(exit, format!("{what}: refused ({status}): {why}"))
            }
        }
    }
}

/// The URL of an API without its last slash; `http://` may be left out.
fn base(url: &str) -> Result<String, String> {
    let wrong = |what: &str| {
        Err(format!("--api: \"{}\" {what}; expected http://HOST[:PORT]", url.escape_debug()))
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    match scheme {
        "http" if rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c == '@') => {
            wrong("is not a URL")
        }
        "http" => Ok(format!("http://{}", rest.trim_end_matches('/'))),
        "https" => wrong("needs TLS, which this build doesn't have"),
        _ => wrong("is not a URL"),
    }
}

type Called = Result<Response<Body>, ureq::Error>;

/// Status and body of an answer.
fn heard(called: Called) -> Result<(StatusCode, String), Fault> {
    let mut response = called.map_err(|fault| unanswered(&fault))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(CLIENT_ANSWER_BYTES_MAX);
    let body = body.lossy_utf8(true).read_to_string();
    let body = body.map_err(|fault| Fault::Unanswered(fault.to_string()))?;
    Ok((status, body))
}

/// The body of an answer that says yes.
fn answered(called: Called) -> Result<String, Fault> {
    match heard(called)? {
        (status, body) if status.is_success() => Ok(body),
        (status, body) => Err(Fault::Refused(status.as_u16(), reason(&body))),
    }
}

/// What an answer says that may be a yes or a 503.
fn any_status<T: for<'a> Deserialize<'a>>(called: Called) -> Result<T, Fault> {
    match heard(called)? {
        (status, body) if status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE => {
            read(&body)
        }
        (status, body) => Err(Fault::Refused(status.as_u16(), reason(&body))),
    }
}

fn understand<T: for<'a> Deserialize<'a>>(called: Called) -> Result<T, Fault> {
    read(&answered(called)?)
}

fn read<T: for<'a> Deserialize<'a>>(body: &str) -> Result<T, Fault> {
    serde_json::from_str(body).map_err(|fault| {
        Fault::Unanswered(format!("the answer is not one of ess's internal API ({fault})"))
    })
}

/// Whether a request that failed can have reached the service.
fn unanswered(fault: &ureq::Error) -> Fault {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let early = [ConnectionRefused, AddrNotAvailable, HostUnreachable, NetworkUnreachable];
    let unsent = matches!(
        fault,
        ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect)
    ) || matches!(fault, ureq::Error::Io(fault) if early.contains(&fault.kind()));
    // An I/O fault speaks for itself.
    let text = fault.to_string();
    let text = text.strip_prefix("io: ").unwrap_or(&text).to_owned();
    if unsent { Fault::Unsent(text) } else { Fault::Unanswered(text) }
}

/// What a refusal says: FastAPI's `detail`, a text or a list of findings; or the body itself.
fn reason(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let finding = |finding: &Value| finding.get("msg")?.as_str().map(str::to_owned);
    let text = match json.get("detail") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(findings)) => {
            findings.iter().filter_map(finding).collect::<Vec<_>>().join(", ")
        }
        _ => body.trim().into(),
    };
    let mut text = table::cell(&text);
    text.truncate(text.floor_char_boundary(REASON_BYTES_MAX));
    if text.is_empty() { "no reason given".into() } else { text }
}

/// A reason longer than this is a page, not a line.
const REASON_BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_leave_out_what_is_clear() {
        assert_eq!(base("http://localhost:8081/").as_deref(), Ok("http://localhost:8081"));
        assert_eq!(base("localhost:8081").as_deref(), Ok("http://localhost:8081"));
        assert_eq!(base("http://host/prefix/").as_deref(), Ok("http://host/prefix"));
        for wrong in ["", "http://", "https://host", "ftp://host", "a b", "http://u:p@host"] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
        assert!(base("https://host").is_err_and(|wrong| wrong.contains("TLS")));
    }

    #[test]
    fn a_refusal_is_one_harmless_line() {
        assert_eq!(
            reason(r#"{"detail":"EventStream 9 is not known"}"#),
            "EventStream 9 is not known"
        );
        let findings = r#"{"detail":[{"msg":"Field required"},{"msg":"and more"}]}"#;
        assert_eq!(reason(findings), "Field required, and more");
        assert_eq!(reason("disk\nfull \x1b[2J"), "disk\\nfull \\u{1b}[2J");
        assert_eq!(reason(""), "no reason given");
        assert!(reason(&"é".repeat(1_000)).len() <= REASON_BYTES_MAX);
    }
}
