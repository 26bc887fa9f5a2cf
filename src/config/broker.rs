//! The broker, as configured.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A RabbitMQ broker and how to log in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Host name or address.
    pub host: String,
    /// Its AMQP port.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// Virtual host.
    pub vhost: String,
    /// Longest silence.
    pub heartbeat: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Log in by client certificate.
    pub external: bool,
    /// TLS.
    pub tls: Option<BrokerTls>,
    /// Override of the stream host.
    pub stream_host: Option<String>,
    /// Override of the stream port.
    pub stream_port: Option<u16>,
}

/// TLS to the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerTls {
    /// Authorities.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Name to ask for.
    pub sni: Option<String>,
    /// Check the broker's certificate.
    pub verify: bool,
}

/// A text that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl Secret {
    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}
