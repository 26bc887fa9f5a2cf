//! The layers over each other: flags > environment > file > defaults.
//!
//! [`resolve`] is pure: what the process was given comes in, the configuration and every fault and
//! warning come out. It goes on after a fault, so that an operator learns of all of them at once.
//! An environment variable that is set but empty counts as not set, as deployment templates leave
//! them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::broker::{Words, settle};
use super::options::{Arity, Draft, Given, SETTINGS, Setting};
use super::{Config, Driver, Fsync, LogFormat, Retain, StoreKind, environment, file, format_size};
use crate::limits::{CONFIG_FILE_BYTES_MAX, ORIGINS_MAX};

/// The flags that were given: option name and its values.
pub type Flags = Vec<(&'static str, Vec<String>)>;

/// Everything that was said and what came of it.
#[derive(Debug)]
pub struct Resolved {
    /// The configuration. Only to be used when there are no problems: a value that could not be
    /// read stands at its default.
    pub config: Config,
    /// Every option and where its value came from, in the order of the table.
    pub choices: Vec<Choice>,
    /// What has to be put right before ess can start, a line each.
    pub problems: Vec<String>,
    /// What an operator should know, a line each.
    pub warnings: Vec<String>,
}

/// One option, as chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The option.
    pub setting: &'static Setting,
    /// Its value as it was written, a secret in it masked; a list has any number.
    pub texts: Vec<String>,
    /// Who said so.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Environment(&'static str),
    /// The configuration file.
    File {
        /// Its path as given.
        path: String,
        /// The line of the key.
        line: usize,
    },
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => out.write_str("flag"),
            Self::Environment(variable) => write!(out, "environment {variable}"),
            Self::File { path, line } => write!(out, "{path}, line {line}"),
            Self::Default => out.write_str("default"),
        }
    }
}

/// What the process was given.
pub(super) struct Inputs<'a> {
    pub(super) flags: &'a Flags,
    pub(super) variables: &'a [(String, String)],
    /// Path and text of the configuration file.
    pub(super) file: Option<(&'a str, &'a str)>,
    pub(super) cores: usize,
}

/// Resolves flags and environment, reading the configuration file when one is named by `config`
/// (the flag) or `ESS_CONFIG`.
#[must_use]
pub fn load(
    flags: &Flags,
    config: Option<&str>,
    environment: impl IntoIterator<Item = (String, String)>,
    cores: usize,
) -> Resolved {
    let variables: Vec<_> = environment.into_iter().collect();
    let named = |name: &str| variable(&variables, name);
    let (path, source) = match (config, named("ESS_CONFIG")) {
        (Some(path), _) => (Some(path), "--config"),
        (None, path) => (path, "ESS_CONFIG"),
    };
    let (text, fault) = match path.map(read_file) {
        Some(Ok(text)) => (Some(text), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    let file = path.zip(text.as_deref());
    let mut resolved = resolve(&Inputs { flags, variables: &variables, file, cores });
    if let (Some(path), Some(fault)) = (path, fault) {
        resolved.problems.insert(0, format!("{source}: can't read {path}: {fault}"));
    }
    resolved
}

fn read_file(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_FILE_BYTES_MAX {
        let most = format_size(CONFIG_FILE_BYTES_MAX);
        return Err(io::Error::other(format!("larger than {most}; expected options in TOML")));
    }
    Ok(text)
}

/// The value of a variable that is set and not empty.
fn variable<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = variables.iter().find(|(known, value)| known == name && !value.is_empty())?;
    Some(value)
}

/// Resolves what the process was given. Pure.
pub(super) fn resolve(inputs: &Inputs<'_>) -> Resolved {
    let (mut problems, mut warnings) = environment::review(inputs.variables);
    let (entries, file_problems) =
        inputs.file.map(|(path, text)| file::parse(text, path)).unwrap_or_default();
    problems.extend(file_problems);
    let mut draft = Draft::with_defaults(inputs.cores);
    let mut choices: Vec<_> =
        SETTINGS.iter().map(|setting| choose(setting, inputs, &entries)).collect();
    for choice in &mut choices {
        let setting = choice.setting;
        let given = Given { setting, texts: &choice.texts, cores: inputs.cores };
        let surplus = setting.arity != Arity::Many && choice.texts.len() != 1;
        let read = match choice.texts.iter().any(|text| text.contains('\u{FFFD}')) {
            true => Err("is not UTF-8; expected text".into()),
            false if surplus => Err("is a list; expected one value".into()),
            false => (setting.apply)(&mut draft, &given),
        };
        // Read: from here on nobody sees more than may be shown.
        choice.texts.iter_mut().for_each(|text| *text = setting.shown(text));
        if let Err(fault) = read {
            problems.push(format!("{}: {fault}", named(choice)));
        }
    }
    let Draft { mut config, broker } = draft;
    if problems.is_empty() {
        let settled = settle(broker, &choices);
        (config.store, config.broker) = (settled.store, settled.broker);
        problems.extend(settled.problems);
        warnings.extend(settled.warnings);
        compare(&config, &mut problems, &mut warnings);
    }
    Resolved { config, choices, problems, warnings }
}

fn choose(setting: &'static Setting, inputs: &Inputs<'_>, entries: &[file::Entry]) -> Choice {
    let list = |text: &str| match setting.arity {
        Arity::Many => text.split(',').map(str::to_owned).collect(),
        Arity::One | Arity::Switch => vec![text.to_owned()],
    };
    if let Some((_, texts)) = inputs.flags.iter().find(|(name, _)| *name == setting.name) {
        return Choice { setting, texts: texts.clone(), origin: Origin::Flag };
    }
    for name in setting.variables() {
        if let Some(text) = variable(inputs.variables, name) {
            return Choice { setting, texts: list(text), origin: Origin::Environment(name) };
        }
    }
    if let Some(entry) = entries.iter().find(|entry| entry.name == setting.name) {
        let path = inputs.file.map_or("", |(path, _)| path).to_owned();
        let origin = Origin::File { path, line: entry.line };
        return Choice { setting, texts: entry.texts.clone(), origin };
    }
    Choice { setting, texts: list(setting.default), origin: Origin::Default }
}

/// The option as its user knows it: the flag, and where the value came from when not from there.
fn named(choice: &Choice) -> String {
    match &choice.origin {
        Origin::Flag => format!("--{}", choice.setting.name),
        Origin::Environment(_) | Origin::File { .. } | Origin::Default => {
            format!("--{} ({})", choice.setting.name, choice.origin)
        }
    }
}

/// Values that can't stand beside each other, and those that hardly make sense together.
fn compare(config: &Config, problems: &mut Vec<String>, warnings: &mut Vec<String>) {
    if collide(config.public_addr, config.internal_addr) {
        problems.push(format!(
            "--public-addr {} and --internal-addr {} are the same port; give each its own",
            config.public_addr, config.internal_addr
        ));
    }
    if config.allowed_origins.len() > ORIGINS_MAX {
        let count = config.allowed_origins.len();
        problems.push(format!("--allow-origin: {count} origins; expected at most {ORIGINS_MAX}"));
    }
    if config.store == StoreKind::Log
        && let Some(bytes) = config.retain.bytes
    {
        for (name, size) in
            [("event-bytes-max", config.event_bytes_max), ("tail-bytes", config.tail_bytes)]
        {
            if size as u64 > bytes {
                warnings.push(format!(
                    "--{name} {} is more than --retain-bytes {} keeps of a stream",
                    format_size(size as u64),
                    format_size(bytes)
                ));
            }
        }
    }
}

/// Whether one listener would be in the way of the other. Port 0 is a free one, each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = |ip: IpAddr| ip.is_unspecified();
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || everywhere(one.ip()) || everywhere(other.ip()))
}

impl Draft {
    /// What nobody said anything to.
    fn with_defaults(cores: usize) -> Self {
        let mut draft = Self { config: Config::unset(), broker: Words::default() };
        for setting in SETTINGS {
            let texts = [setting.default.to_owned()];
            let given = Given { setting, texts: &texts, cores };
            let read = (setting.apply)(&mut draft, &given);
            assert_eq!(read, Ok(()), "the default of --{} is readable", setting.name);
        }
        draft
    }
}

impl Config {
    /// The configuration of somebody who said nothing, on a machine with `cores`.
    #[must_use]
    pub fn with_defaults(cores: usize) -> Self {
        Draft::with_defaults(cores).config
    }

    /// Something for the table to write into.
    fn unset() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            public_addr: nowhere,
            internal_addr: nowhere,
            data_dir: PathBuf::new(),
            log_dir: None,
            shards: 0,
            driver: Driver::Auto,
            ingress_location: String::new(),
            ingress_secure: false,
            exclusive: false,
            allowed_origins: Vec::new(),
            store: StoreKind::Log,
            broker: None,
            catchup_readers_max: 0,
            fsync: Fsync::Never,
            retain: Retain::default(),
            retain_interval: Duration::ZERO,
            event_bytes_max: 0,
            tail_bytes: 0,
            send_bytes: 0,
            spread_consumers: 0,
            stall_timeout: Duration::ZERO,
            ping_interval: Duration::ZERO,
            drain: Duration::ZERO,
            message_stats_interval: 0,
            metrics_streams_max: 0,
            log_level: LevelFilter::Off,
            log_format: LogFormat::Text,
            echo: false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
