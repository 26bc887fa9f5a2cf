//! What can go wrong between us and a broker's AMQP port, with what an operator can do about it.

use std::fmt;
use std::sync::Arc;

use crate::store::{AppendError, DeclareError, ReadError, nor_at};

/// Why something could not be done. Cheap to clone: many wait for one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// No connection could be made: where to, and why.
    Unreachable {
        /// `host:port`.
        place: Arc<str>,
        /// What happened, and what may help.
        why: Arc<str>,
    },
    /// The broker let us connect but not in.
    Refused {
        /// `host:port`.
        place: Arc<str>,
        /// Who asked, and for what: user and virtual host.
        who: Arc<str>,
        /// Why, and what may help.
        why: Arc<str>,
    },
    /// The connection ended while something was under way.
    Lost(Arc<str>),
    /// The broker closed the channel on us.
    Told {
        /// Its reply code (AMQP 0.9.1 §1.2, constants).
        code: u16,
        /// Its words.
        text: Arc<str>,
    },
    /// Nothing is bound to the exchange for this routing key: nothing was stored.
    NoRoute {
        /// The exchange.
        exchange: Arc<str>,
        /// The routing key.
        routing_key: Arc<str>,
    },
    /// The broker could not store it, and says so.
    NotStored,
    /// Whether the messages are stored can't be known.
    Unknown(Arc<str>),
    /// The service is stopping.
    Stopping,
}

impl Fault {
    /// The same, where other places were tried in vain too.
    #[must_use]
    pub(super) fn nor_at(mut self, others: &[String]) -> Self {
        if let Self::Unreachable { why, .. } = &mut self {
            nor_at(why, others);
        }
        self
    }

    /// For a consumer.
    #[must_use]
    pub fn reading(&self) -> ReadError {
        match self {
            Self::Stopping => ReadError::Closed,
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Lost(_)
            | Self::Told { .. }
            | Self::NoRoute { .. }
            | Self::NotStored
            | Self::Unknown(_) => ReadError::Unreachable(self.to_string().into()),
        }
    }

    /// For a publisher.
    #[must_use]
    pub fn appending(&self) -> AppendError {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Lost(_) => {
                AppendError::Unreachable(self.to_string().into())
            }
            Self::Told { .. } | Self::NotStored => AppendError::Failed(self.to_string().into()),
            Self::NoRoute { exchange, routing_key } => AppendError::Unroutable {
                exchange: Arc::clone(exchange),
                routing_key: Arc::clone(routing_key),
            },
            Self::Unknown(why) => AppendError::Unknown(Arc::clone(why)),
            Self::Stopping => AppendError::Closed,
        }
    }

    /// For who declares a stream.
    #[must_use]
    pub fn declaring(&self) -> DeclareError {
        let text = self.to_string().into();
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Lost(_) | Self::Stopping => {
                DeclareError::Unreachable(text)
            }
            Self::Told { .. } | Self::NoRoute { .. } | Self::NotStored | Self::Unknown(_) => {
                DeclareError::Failed(text)
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, why } => {
                write!(out, "RabbitMQ can't be reached by AMQP at {place}: {why}")
            }
            Self::Refused { place, who, why } => {
                write!(out, "RabbitMQ at {place} refuses {who}: {why}")
            }
            Self::Lost(why) => write!(out, "the AMQP connection to RabbitMQ was lost: {why}"),
            Self::Told { code, text } => {
                write!(out, "RabbitMQ said no: {text}{}", advice(*code, text))
            }
            Self::NoRoute { exchange, routing_key } => write!(
                out,
                "no queue or stream is bound to exchange {exchange:?} with routing key \
                 {routing_key:?}: bind one, or create the stream with --declare"
            ),
            Self::NotStored => out.write_str("RabbitMQ could not store it"),
            Self::Unknown(why) => out.write_str(why),
            Self::Stopping => out.write_str("the service is stopping"),
        }
    }
}

/// What helps against a channel that was closed on us.
fn advice(code: u16, text: &str) -> &'static str {
    match code {
        ACCESS_REFUSED => "; see `rabbitmqctl set_permissions`",
        NOT_FOUND if text.contains("exchange") => "; make it, or name another with --exchange",
        PRECONDITION_FAILED if text.contains("exchange") => "; see --exchange-type",
        _ => "",
    }
}

/// Reply codes (AMQP 0.9.1 §1.2).
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_says_what_to_do() {
        let told = |code, text: &str| Fault::Told { code, text: text.into() }.to_string();
        let missing = told(404, "NOT_FOUND - no exchange 'x' in vhost '/'");
        assert!(missing.ends_with("name another with --exchange"), "{missing}");
        let other = told(406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x'");
        assert!(other.ends_with("see --exchange-type"), "{other}");
        assert_eq!(told(404, "no queue 'q'"), "RabbitMQ said no: no queue 'q'");
    }

    #[test]
    fn what_has_no_route_is_named_to_the_publisher() {
        let fault = Fault::NoRoute { exchange: "x".into(), routing_key: "k".into() };
        let text = fault.appending().to_string();
        assert!(text.contains("\"x\"") && text.contains("\"k\""), "{text}");
    }
}
