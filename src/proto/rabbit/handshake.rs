//! From a fresh connection to an open virtual host.
//!
//! ```text
//!  we                        broker
//!  PeerProperties ─────────▶
//!                ◀───────── PeerProperties
//!  SaslHandshake ──────────▶
//!                ◀───────── the mechanisms
//!  SaslAuthenticate ───────▶
//!                ◀───────── how it went, Tune
//!  Tune, Open ─────────────▶
//!                ◀───────── open, and where this node wants to be reached
//! ```
//!
//! Sans-IO: what to send is appended to a buffer of the caller's. Which address, TLS and how long
//! all this may take are the caller's too.

use std::fmt;

use super::{Code, Response, request};

/// Who logs in, and where to.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// The user; unused with `external`.
    pub user: &'a str,
    /// The password; unused with `external`.
    pub password: &'a str,
    /// The client certificate says who we are (SASL EXTERNAL).
    pub external: bool,
    /// The virtual host.
    pub virtual_host: &'a str,
    /// Longest silence we want, in seconds; 0 for no heartbeats.
    pub heartbeat: u32,
}

/// A handshake under way.
#[derive(Debug)]
pub struct Handshake {
    stage: Stage,
    frame_max: u32,
    heartbeat: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Properties,
    Mechanisms,
    Authentication,
    Tune,
    Open,
}

/// An open connection, as the broker wants it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Largest frame we may send, in bytes; 0 for no limit.
    pub frame_max: u32,
    /// Longest silence, in seconds, either way; 0 for no heartbeats.
    pub heartbeat: u32,
    /// The host this node wants clients to reach it by.
    pub advertised_host: Option<String>,
    /// And the port.
    pub advertised_port: Option<u16>,
}

/// Why a connection can't be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The broker doesn't offer the way we log in; what it offers instead.
    Mechanism {
        /// Ours.
        wanted: &'static str,
        /// Theirs.
        offered: Vec<String>,
    },
    /// Wrong user or password.
    Login,
    /// A certificate that is no user's.
    NoUser,
    /// The broker hung up on a login by certificate: it can't do that.
    Certificate,
    /// The user may only connect from the broker's own machine (`guest` may, unless configured).
    Loopback,
    /// No such virtual host, or this user may not use it.
    VirtualHost,
    /// Anything else the broker said.
    Told(Code, String),
    /// Something that doesn't belong here.
    Unexpected(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mechanism { wanted, offered } => {
                write!(out, "no login by {wanted}: the broker offers {}", offered.join(", "))
            }
            Self::Login => out.write_str("wrong user or password"),
            Self::NoUser => out.write_str("no user has the name in the certificate"),
            Self::Certificate => out.write_str("it hung up on the login by certificate"),
            Self::Loopback => {
                out.write_str("this user may only connect from the broker's own machine")
            }
            Self::VirtualHost => {
                out.write_str("the virtual host is unknown, or this user may not use it")
            }
            Self::Told(code, reason) if reason.is_empty() => code.fmt(out),
            Self::Told(code, reason) => write!(out, "{code}: {reason}"),
            Self::Unexpected(what) => write!(out, "not the stream protocol: {what}"),
        }
    }
}

impl Handshake {
    /// Begins; `out` gets what to send first.
    #[must_use]
    pub fn start(login: &Login<'_>, out: &mut Vec<u8>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let us = [
            ("product", "ESS"),
            ("version", version),
            ("platform", "Rust"),
            ("connection_name", "ess"),
        ];
        out.extend_from_slice(&request::peer_properties(CORRELATION, &us));
        Self { stage: Stage::Properties, frame_max: 0, heartbeat: login.heartbeat }
    }

    /// Takes what the broker said; `out` gets what to send next. `None` while it isn't open.
    ///
    /// # Errors
    ///
    /// When it won't be.
    pub fn take(
        &mut self,
        login: &Login<'_>,
        said: Response,
        out: &mut Vec<u8>,
    ) -> Result<Option<Opened>, Refused> {
        match (self.stage, said) {
            (_, Response::Close { code, reason, .. }) => return Err(Refused::Told(code, reason)),
            (_, Response::Heartbeat | Response::Other { .. }) => {}
            (Stage::Properties, Response::PeerProperties { code, .. }) => {
                ok(code)?;
                out.extend_from_slice(&request::sasl_handshake(CORRELATION));
                self.stage = Stage::Mechanisms;
            }
            (Stage::Mechanisms, Response::SaslMechanisms { code, mechanisms, .. }) => {
                ok(code)?;
                let wanted = if login.external { "EXTERNAL" } else { "PLAIN" };
                if !mechanisms.iter().any(|offered| offered == wanted) {
                    return Err(Refused::Mechanism { wanted, offered: mechanisms });
                }
                let data = if login.external { Vec::new() } else { plain(login) };
                out.extend_from_slice(&request::sasl_authenticate(CORRELATION, wanted, data));
                self.stage = Stage::Authentication;
            }
            (Stage::Authentication, Response::Done { code, .. }) => {
                let no_user = |why| match login.external && why == Refused::Login {
                    true => Refused::NoUser,
                    false => why,
                };
                ok(code).map_err(no_user)?;
                self.stage = Stage::Tune;
            }
            (Stage::Tune, Response::Tune { frame_max, heartbeat }) => {
                self.frame_max = frame_max;
                self.heartbeat = shorter(self.heartbeat, heartbeat);
                out.extend_from_slice(&request::tune(frame_max, self.heartbeat));
                out.extend_from_slice(&request::open(CORRELATION, login.virtual_host));
                self.stage = Stage::Open;
            }
            (Stage::Open, Response::Opened { code, properties, .. }) => {
                ok(code)?;
                return Ok(Some(self.opened(&properties)));
            }
            // Older brokers answer a refused Open without properties, as any other request.
            (Stage::Open, Response::Done { code, .. }) => ok(code)?,
            (stage, _) => return Err(Refused::Unexpected(stage.expected())),
        }
        Ok(None)
    }

    /// What it means when the broker hangs up now; `None`: nothing that is known.
    ///
    /// The stream plugin of RabbitMQ before 3.10.25, 3.11.19 and 3.12.1 crashes on SASL EXTERNAL.
    #[must_use]
    pub fn hung_up(&self, login: &Login<'_>) -> Option<Refused> {
        (login.external && self.stage == Stage::Authentication).then_some(Refused::Certificate)
    }

    fn opened(&self, properties: &[(String, String)]) -> Opened {
        let property = |wanted: &str| {
            properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        };
        Opened {
            frame_max: self.frame_max,
            heartbeat: self.heartbeat,
            advertised_host: property("advertised_host"),
            advertised_port: property("advertised_port").and_then(|port| port.parse().ok()),
        }
    }
}

impl Stage {
    const fn expected(self) -> &'static str {
        match self {
            Self::Properties => "expected the broker's properties",
            Self::Mechanisms => "expected the ways to log in",
            Self::Authentication => "expected whether the login was taken",
            Self::Tune => "expected the broker's limits",
            Self::Open => "expected an open virtual host",
        }
    }
}

fn ok(code: Code) -> Result<(), Refused> {
    match code {
        Code::OK => Ok(()),
        Code::AUTHENTICATION_FAILURE | Code::SASL_ERROR | Code::SASL_CHALLENGE => {
            Err(Refused::Login)
        }
        Code::AUTHENTICATION_FAILURE_LOOPBACK => Err(Refused::Loopback),
        Code::VIRTUAL_HOST_ACCESS_FAILURE => Err(Refused::VirtualHost),
        code => Err(Refused::Told(code, String::new())),
    }
}

/// SASL PLAIN (RFC 4616 §2): no authorization identity, user, password.
fn plain(login: &Login<'_>) -> Vec<u8> {
    ["", login.user, login.password].join("\0").into_bytes()
}

/// The shorter of two silences, where 0 is the longest.
const fn shorter(one: u32, other: u32) -> u32 {
    match (one, other) {
        (0, any) | (any, 0) => any,
        (one, other) => {
            if one < other {
                one
            } else {
                other
            }
        }
    }
}

/// One request at a time is under way here.
const CORRELATION: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'_> =
        Login { user: "u", password: "p", external: false, virtual_host: "/v", heartbeat: 90 };
    const CERTIFICATE: Login<'_> = Login { external: true, ..LOGIN };

    fn mechanisms(names: &[&str]) -> Response {
        let mechanisms = names.iter().map(|name| (*name).to_owned()).collect();
        Response::SaslMechanisms { correlation: 0, code: Code::OK, mechanisms }
    }

    fn properties(code: Code) -> Response {
        Response::PeerProperties { correlation: 0, code, properties: vec![] }
    }

    fn done(code: Code) -> Response {
        Response::Done { correlation: 0, code }
    }

    fn opened(code: Code) -> Response {
        let properties = [("advertised_host", "rabbit"), ("advertised_port", "5552")];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Response::Opened { correlation: 0, code, properties: properties.into() }
    }

    const TUNE: Response = Response::Tune { frame_max: 1_000, heartbeat: 60 };

    /// What comes of these words, and all that was sent.
    fn talk(login: &Login<'_>, said: Vec<Response>) -> (Result<Option<Opened>, Refused>, Vec<u8>) {
        let mut out = Vec::new();
        let mut handshake = Handshake::start(login, &mut out);
        let mut last = Ok(None);
        for said in said {
            last = handshake.take(login, said, &mut out);
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        (last, out)
    }

    #[test]
    fn a_login_by_password_opens_the_virtual_host() {
        let said = vec![
            properties(Code::OK),
            mechanisms(&["EXTERNAL", "PLAIN"]),
            Response::Heartbeat,
            done(Code::OK),
            TUNE,
            opened(Code::OK),
        ];
        let (last, out) = talk(&LOGIN, said);
        let expected = Opened {
            frame_max: 1_000,
            heartbeat: 60,
            advertised_host: Some("rabbit".into()),
            advertised_port: Some(5552),
        };
        assert_eq!(last, Ok(Some(expected)));
        let has = |part: &[u8]| out.windows(part.len()).any(|here| here == part);
        assert!(has(b"PLAIN\0\0\0\x04\0u\0p") && has(b"\0\x02/v"));
    }

    #[test]
    fn a_login_by_certificate_sends_no_password() {
        let said = vec![properties(Code::OK), mechanisms(&["PLAIN", "EXTERNAL"])];
        let (_, out) = talk(&CERTIFICATE, said);
        let has = |part: &[u8]| out.windows(part.len()).any(|here| here == part);
        assert!(has(b"EXTERNAL\0\0\0\0") && !has(b"u\0p"));
        let (last, _) = talk(&CERTIFICATE, vec![properties(Code::OK), mechanisms(&["PLAIN"])]);
        let offered = vec!["PLAIN".to_owned()];
        assert_eq!(last, Err(Refused::Mechanism { wanted: "EXTERNAL", offered }));
    }

    #[test]
    fn each_refusal_says_what_was_refused() {
        let until = |more: Vec<Response>| {
            let mut said = vec![properties(Code::OK), mechanisms(&["PLAIN"])];
            said.extend(more);
            talk(&LOGIN, said).0.unwrap_err()
        };
        assert_eq!(until(vec![done(Code::AUTHENTICATION_FAILURE)]), Refused::Login);
        let said = vec![properties(Code::OK), mechanisms(&["EXTERNAL"])];
        let refused = [said.clone(), vec![done(Code::AUTHENTICATION_FAILURE)]].concat();
        assert_eq!(talk(&CERTIFICATE, refused).0, Err(Refused::NoUser));
        let hung_up = |login: &Login<'_>, said: &[Response]| {
            let (mut out, mut said) = (Vec::new(), said.iter().cloned());
            let mut handshake = Handshake::start(login, &mut out);
            assert!(said.all(|said| handshake.take(login, said, &mut out) == Ok(None)));
            handshake.hung_up(login)
        };
        assert_eq!(hung_up(&CERTIFICATE, &said), Some(Refused::Certificate));
        assert_eq!(hung_up(&CERTIFICATE, &said[..1]), None, "not at the login");
        let said = [properties(Code::OK), mechanisms(&["PLAIN"])];
        assert_eq!(hung_up(&LOGIN, &said), None, "not by certificate");
        assert_eq!(until(vec![done(Code::AUTHENTICATION_FAILURE_LOOPBACK)]), Refused::Loopback);
        let late = vec![done(Code::OK), TUNE, opened(Code::VIRTUAL_HOST_ACCESS_FAILURE)];
        assert_eq!(until(late), Refused::VirtualHost);
        let close = Response::Close { correlation: 1, code: Code(14), reason: "why".into() };
        assert_eq!(until(vec![close]), Refused::Told(Code(14), "why".into()));
        let early = talk(&LOGIN, vec![TUNE]).0.unwrap_err();
        assert!(early.to_string().contains("expected the broker's properties"), "{early}");
    }

    #[test]
    fn the_shorter_silence_counts_and_none_is_the_longest() {
        assert_eq!(
            [shorter(0, 60), shorter(90, 0), shorter(90, 60), shorter(60, 90), shorter(0, 0)],
            [60, 90, 60, 60, 0]
        );
    }
}
