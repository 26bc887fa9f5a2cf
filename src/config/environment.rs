//! Environment variables that are not simply an option's.
//!
//! The reference's variables are all known: those with a meaning here are options, the rest are
//! listed with what becomes of them. Anything else that begins with `ESS_` is probably a slip and
//! is told, except what Kubernetes makes of a Service called `ess-…`.

use super::options::SETTINGS;
use super::suggest::hint;

/// What becomes of a variable of the reference that is no option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// Accepted and unused; a warning says so.
    Unused,
    /// Whoever sets it relies on something this build can't do: starting would mislead.
    Refused,
}

/// The reference's variables that are no option.
pub(super) const FOREIGN: &[(&str, Fate, &str)] = &[
    ("ESS_MEMCACHED_LOCATION", Fate::Unused, "ess needs no memcached"),
    ("IMAGE_ROLE", Fate::Unused, "one process serves both ports"),
    ("ESS_AMPQ_URL", Fate::Refused, RABBIT),
    ("ESS_AMQP_URL", Fate::Refused, RABBIT),
];

const RABBIT: &str = "this build keeps events in its embedded log only, not in RabbitMQ";

/// Variables of the client commands and of the file's name.
pub(super) const OTHERS: &[&str] = &["ESS_CONFIG", "ESS_API", "ESS_WS"];

/// Faults and warnings about variables that set no option.
pub(super) fn review(variables: &[(String, String)]) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for (name, _) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        match FOREIGN.iter().find(|(foreign, _, _)| foreign == name) {
            Some((_, Fate::Unused, why)) => {
                warnings.push(format!("{name} is accepted for compatibility and unused: {why}"));
            }
            Some((_, Fate::Refused, why)) => {
                problems.push(format!("{name} is set, but {why}; unset it to start"));
            }
            None if name.starts_with("ESS_") && !is_known(name) && !is_service_link(name) => {
                let hint = hint(name, known());
                warnings.push(format!("{name} is no variable of ess and does nothing{hint}"));
            }
            None => {}
        }
    }
    (problems, warnings)
}

fn known() -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().map(|setting| setting.variable);
    settings.chain(OTHERS.iter().copied())
}

fn is_known(name: &str) -> bool {
    known().any(|known| known == name)
}

/// Kubernetes gives every pod `<SERVICE>_SERVICE_HOST`, `<SERVICE>_PORT_8080_TCP_ADDR` and their
/// kin for each Service of the namespace (Kubernetes, "Service: environment variables"); ours are
/// called `ess-ws` and `ess-ws-api`.
fn is_service_link(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_TCP", "_UDP"].iter().any(|e| name.ends_with(e))
        || ["_SERVICE_PORT_", "_TCP_", "_UDP_"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewed(names: &[&str]) -> (Vec<String>, Vec<String>) {
        let variables: Vec<_> =
            names.iter().map(|name| ((*name).into(), "amqp://u:secret@h".into())).collect();
        review(&variables)
    }

    #[test]
    fn rabbitmq_is_refused_without_showing_its_password() {
        for name in ["ESS_AMPQ_URL", "ESS_AMQP_URL"] {
            let (problems, warnings) = reviewed(&[name]);
            assert_eq!((problems.len(), warnings.len()), (1, 0));
            assert!(problems[0].contains(name) && problems[0].contains("unset it"));
            assert!(!problems[0].contains("secret"));
        }
    }

    #[test]
    fn unused_and_unknown_variables_are_told_and_stop_nothing() {
        let names = ["ESS_MEMCACHED_LOCATION", "IMAGE_ROLE", "ESS_DATADIR", "ESS_PUBLIC_ADDR"];
        let (problems, warnings) = reviewed(&names);
        assert_eq!((problems.len(), warnings.len()), (0, 3));
        assert!(warnings[2].contains("did you mean ESS_DATA_DIR?"), "{}", warnings[2]);
    }

    #[test]
    fn kubernetes_service_links_are_not_slips() {
        let links = [
            "ESS_WS_SERVICE_HOST",
            "ESS_WS_SERVICE_PORT",
            "ESS_WS_API_SERVICE_PORT_HTTP",
            "ESS_WS_PORT",
            "ESS_WS_PORT_8080_TCP",
            "ESS_WS_API_PORT_8081_TCP_ADDR",
        ];
        assert_eq!(reviewed(&links), (vec![], vec![]));
        assert!(known().all(|name| !is_service_link(name)), "an option would go unnoticed");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(review(&[("ESS_AMPQ_URL".into(), String::new())]), (vec![], vec![]));
    }
}
