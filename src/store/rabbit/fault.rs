//! What can go wrong between us and a broker, each with what an operator can do about it.

use std::fmt;
use std::sync::Arc;

use crate::proto::rabbit::Code;
use crate::proto::rabbit::handshake::Refused;
use crate::store::{AppendError, ReadError, nor_at};

/// Why something could not be done. Cheap to clone: many wait for one connection.
#[derive(Clone, Debug)]
pub(super) enum Fault {
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
        /// Why.
        why: Refused,
        /// Who asked, and for what: user and virtual host.
        who: Arc<str>,
    },
    /// The connection ended while something was under way.
    Lost(Arc<str>),
    /// There is no such stream.
    Missing,
    /// The broker said no.
    Told(Code),
    /// The stream is closed on our side.
    Closed,
}

impl Fault {
    /// The same, where other places were tried in vain too.
    pub(super) fn nor_at(mut self, others: &[String]) -> Self {
        if let Self::Unreachable { why, .. } = &mut self {
            nor_at(why, others);
        }
        self
    }

    /// For a consumer.
    pub(super) fn reading(&self) -> ReadError {
        match self {
            Self::Missing => ReadError::Missing,
            Self::Closed => ReadError::Closed,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Lost(_) | Self::Told(_) => {
                ReadError::Unreachable(self.to_string().into())
            }
        }
    }

    /// For a publisher, of whose events none was sent.
    pub(super) fn appending(&self) -> AppendError {
        match self {
            Self::Missing => AppendError::Missing,
            Self::Closed => AppendError::Closed,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Lost(_) => {
                AppendError::Unreachable(self.to_string().into())
            }
            Self::Told(_) => AppendError::Failed(self.to_string().into()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, why } => {
                write!(out, "RabbitMQ can't be reached at {place}: {why}")
            }
            Self::Refused { place, why, who } => {
                write!(out, "RabbitMQ at {place} refuses {who}: {why}")?;
                match why {
                    Refused::Login => {
                        out.write_str("; check the URL (percent-encode the password)")
                    }
                    Refused::NoUser => out.write_str(
                        "; add one (rabbitmqctl add_user, set_permissions): its name is the \
                         certificate's subject, or what ssl_cert_login_from in rabbitmq.conf says",
                    ),
                    Refused::Certificate => out.write_str(
                        "; RabbitMQ before 3.10.25, 3.11.19 and 3.12.1 can't take that on its \
                         stream port: update it, or log in by password and show the certificate \
                         all the same (without auth_mechanism=external)",
                    ),
                    Refused::VirtualHost => out.write_str(
                        "; check the URL's path, or `rabbitmqctl add_vhost` and `set_permissions`",
                    ),
                    Refused::Loopback => out.write_str(
                        "; make a user of its own, or set loopback_users in rabbitmq.conf",
                    ),
                    Refused::Mechanism { wanted, .. } => write!(
                        out,
                        "; add {wanted} to auth_mechanisms (EXTERNAL needs the plugin \
                         rabbitmq_auth_mechanism_ssl)"
                    ),
                    Refused::Told(..) | Refused::Unexpected(_) => Ok(()),
                }
            }
            Self::Lost(why) => write!(out, "the connection to RabbitMQ was lost: {why}"),
            Self::Missing => out.write_str("there is no such stream in the broker"),
            Self::Told(code) => write!(out, "RabbitMQ said no: {code}"),
            Self::Closed => out.write_str("the stream is closed"),
        }
    }
}

/// What a code means where a stream was asked for.
pub(super) fn of_stream(code: Code) -> Fault {
    match code {
        Code::STREAM_DOES_NOT_EXIST => Fault::Missing,
        code => Fault::Told(code),
    }
}
