//! How a measurement is told: where it ran, what was typed, for people in Markdown and for programs
//! in JSON.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use serde_json::json;

use crate::sheet::Sheet;
use crate::summary::Summary;

/// Where and how a measurement began.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    machine: String,
    load_average_before: String,
    command: String,
}

impl Setting {
    /// Now, before anything is measured.
    pub(crate) fn now() -> Self {
        Self {
            machine: machine(),
            load_average_before: load_average(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
        }
    }

    /// Writes all numbers, if they are wanted.
    pub(crate) fn write(&self, file: Option<&Path>, found: &impl Serialize) -> io::Result<()> {
        let Some(file) = file else { return Ok(()) };
        let Self { machine, load_average_before, command } = self;
        let all = json!({ "machine": machine, "load_average_before": load_average_before,
            "command": command, "rows": found });
        fs::write(file, serde_json::to_vec_pretty(&all)?)
    }

    /// Prints tables and writes them.
    pub(crate) fn tell(&self, file: Option<&Path>, sheets: &[Sheet]) -> io::Result<()> {
        self.write(file, &sheets)?;
        let tables: Vec<String> = sheets.iter().map(Sheet::markdown).collect();
        println!("{}\n{}", self.head(), tables.join("\n"));
        Ok(())
    }

    /// What stands above a table.
    pub(crate) fn head(&self) -> String {
        let Self { machine, load_average_before, command } = self;
        format!("{machine}\nLoad average before: {load_average_before}.\n\n```\n{command}\n```\n")
    }
}

/// A median with its spread, in so many of a unit.
pub(crate) fn spread(summary: Summary, unit: f64) -> String {
    let Summary { median, min, max } = summary;
    format!("{:.3} ({:.3}–{:.3})", median / unit, min / unit, max / unit)
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = || cpu.lines().filter_map(|line| line.strip_prefix("model name"));
    let model = models().next().unwrap_or_default().trim_matches(['\t', ' ', ':']);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "Machine: {} × {model}; Linux {}; commit {}.",
        models().count(),
        kernel.trim(),
        commit.unwrap_or_default()
    )
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
