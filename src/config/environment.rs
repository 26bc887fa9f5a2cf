//! Environment variables that are not simply an option's.
//!
//! The reference's variables are all known: those with a meaning here are options, or other names
//! of one; the rest are listed with why they are unused. Anything else that begins with `ESS_` is
//! probably a slip and is told, except what Kubernetes makes of a Service called `ess-…`.

use super::options::{SETTINGS, Setting};
use super::suggest::hint;

/// The reference's variables that are no option, and why each is accepted and unused.
pub(super) const FOREIGN: &[(&str, &str)] = &[
    ("ESS_MEMCACHED_LOCATION", "ess needs no memcached"),
    ("IMAGE_ROLE", "one process serves both ports"),
];

/// Variables of the client commands and of the file's name.
pub(super) const OTHERS: &[&str] = &["ESS_CONFIG", "ESS_API", "ESS_WS"];

/// Faults and warnings about variables that set no option.
pub(super) fn review(variables: &[(String, String)]) -> (Vec<String>, Vec<String>) {
    let mut warnings = Vec::new();
    for (name, _) in variables.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some((_, why)) = FOREIGN.iter().find(|(foreign, _)| foreign == name) {
            warnings.push(format!("{name} is accepted for compatibility and unused: {why}"));
        } else if name.starts_with("ESS_") && !is_known(name) && !is_service_link(name) {
            let hint = hint(name, known());
            warnings.push(format!("{name} is no variable of ess and does nothing{hint}"));
        }
    }
    let problems = SETTINGS.iter().filter_map(|setting| contradiction(setting, variables));
    (problems.collect(), warnings)
}

/// Two variables of one option that differ. The values are not told: they may hold secrets.
fn contradiction(setting: &Setting, variables: &[(String, String)]) -> Option<String> {
    let set = |name: &str| {
        let mut set = variables.iter().filter(|(_, value)| !value.is_empty());
        set.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    let first = set(setting.variable)?;
    let other = setting.aliases.iter().find(|alias| set(alias).is_some_and(|it| it != first))?;
    Some(format!(
        "{} and {other} are both set and differ; expected the same in both, or one of them unset",
        setting.variable
    ))
}

fn known() -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().flat_map(Setting::variables);
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
        let variables: Vec<_> = names.iter().map(|name| ((*name).into(), "x".into())).collect();
        review(&variables)
    }

    #[test]
    fn two_variables_of_one_option_have_to_agree() {
        let both = |one: &str, other: &str| {
            let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            review(&[set("ESS_AMPQ_URL", one), set("ESS_AMQP_URL", other)])
        };
        let url = "amqp://u:secret@h/";
        assert_eq!(both(url, url), (vec![], vec![]));
        assert_eq!(both(url, ""), (vec![], vec![]));
        assert_eq!(both("", url), (vec![], vec![]));
        let (problems, warnings) = both(url, "amqp://u:secret@other/");
        assert_eq!((problems.len(), warnings.len()), (1, 0));
        assert!(problems[0].starts_with("ESS_AMQP_URL and ESS_AMPQ_URL are both set and differ"));
        assert!(!problems[0].contains("secret"));
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
        // A Service called `ess-stream` would set this one; its reader says so.
        let ours = known().filter(|name| *name != "ESS_STREAM_PORT");
        assert_eq!(ours.filter(|name| is_service_link(name)).count(), 0);
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(review(&[("IMAGE_ROLE".into(), String::new())]), (vec![], vec![]));
    }
}
