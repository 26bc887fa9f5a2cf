//! What an operator can do about TLS that failed.
//!
//! rustls says what is wrong in its own words, tokio-rustls and amqprs pass them on as text; so the
//! text is what is looked at, the same for both of a broker's ports.

/// What helps against a failure that reads like `text`; `None` when TLS isn't what failed.
#[must_use]
pub fn tls_advice(text: &str) -> Option<&'static str> {
    let advice = ADVICE.iter().find(|(words, _)| text.contains(words));
    advice.map(|(_, advice)| *advice)
}

/// Words of rustls' errors (`rustls::Error`, `CertificateError`, `AlertDescription`), the most
/// telling first.
const ADVICE: &[(&str, &str)] = &[
    ("UnknownIssuer", THEIRS),
    // An authority of the same name, with another key.
    ("BadSignature", THEIRS),
    ("not valid for name", "say a name that the broker's certificate has with --broker-sni"),
    ("certificate expired", "the broker's certificate needs to be renewed"),
    ("certificate not valid yet", "is this machine's clock right?"),
    (
        "alert: CertificateRequired",
        "the broker demands a client certificate: set --broker-cert and --broker-key",
    ),
    (
        "alert: HandshakeFailure",
        "the broker may demand a client certificate: --broker-cert and --broker-key",
    ),
    ("alert: CertificateExpired", "the client certificate (--broker-cert) needs to be renewed"),
    (
        "alert: UnknownCA",
        "the broker doesn't know the authority of the client certificate (--broker-cert): its \
         ssl_options.cacertfile must have it",
    ),
    ("alert: BadCertificate", OURS),
    ("alert: CertificateUnknown", OURS),
    ("alert: UnsupportedCertificate", OURS),
    ("corrupt message", "is this the broker's TLS port?"),
    ("tls handshake eof", "is this the broker's TLS port?"),
    ("certificate", ANY),
    ("alert", ANY),
];

const THEIRS: &str = "name the authority that signed the broker's certificate with --broker-ca";
const OURS: &str =
    "the broker doesn't take the client certificate (--broker-cert); its log says why";
const ANY: &str = "see --broker-ca, --broker-cert and --broker-sni";

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    use super::*;

    #[test]
    fn what_rustls_says_is_told_with_what_helps() {
        let name = ServerName::try_from("broker.example").expect("a name");
        let (time, earlier) = (UnixTime::since_unix_epoch, std::time::Duration::from_secs);
        for (fault, expected) in [
            (CertificateError::UnknownIssuer.into(), "--broker-ca"),
            (
                CertificateError::NotValidForNameContext { expected: name, presented: vec![] }
                    .into(),
                "--broker-sni",
            ),
            (
                CertificateError::ExpiredContext {
                    time: time(earlier(2)),
                    not_after: time(earlier(1)),
                }
                .into(),
                "renewed",
            ),
            (CertificateError::BadSignature.into(), "--broker-ca"),
            (CertificateError::Revoked.into(), ANY),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "--broker-key"),
            (Error::AlertReceived(AlertDescription::CertificateExpired), "needs to be renewed"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "ssl_options.cacertfile"),
            (Error::AlertReceived(AlertDescription::BadCertificate), "its log says why"),
            (Error::AlertReceived(AlertDescription::InternalError), ANY),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "TLS port"),
        ] {
            let told = tls_advice(&fault.to_string());
            assert!(told.is_some_and(|advice| advice.contains(expected)), "{fault}: {told:?}");
        }
        assert_eq!(tls_advice("Connection refused (os error 111)"), None);
    }
}
