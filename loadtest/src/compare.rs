//! All servers in turn, several rounds: medians, spread, ratios to the limit.
//!
//! Within a round everything runs one after the other, so that a minute with other load touches
//! all alike. Ratios are of medians, to the better of the two bare writers.

use std::fs;
use std::io;
use std::process::Command;

use serde::Serialize;
use serde_json::json;

use crate::arguments::{Compare, Load};
use crate::outcome::Outcome;
use crate::summary::Summary;
use crate::{measure_ess, measure_limit, measure_naive};

/// One server, one way of publishing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Limit,
    LimitWindow,
    Naive,
    Ess,
    EssWindow,
}

const KINDS: [Kind; 5] = [Kind::Limit, Kind::LimitWindow, Kind::Naive, Kind::Ess, Kind::EssWindow];

#[derive(Debug, Serialize)]
struct Row {
    consumers: u64,
    per_write: u64,
    kind: Kind,
    rounds: Vec<Outcome>,
}

/// Measures, prints the table, writes the JSON.
pub(crate) fn compare(asked: &Compare) -> io::Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for (consumers, per_write) in &asked.cases {
        rows.extend(KINDS.map(|kind| Row {
            consumers: *consumers,
            per_write: *per_write,
            kind,
            rounds: Vec::new(),
        }));
    }
    let load_before = load_average();
    for round in 1..=asked.rounds {
        for row in &mut rows {
            let outcome = measure(asked, row)?;
            eprintln!(
                "round {round}: N={} K={} {:?}: {:.0}/s, others {:.2} cores",
                row.consumers,
                row.per_write,
                row.kind,
                outcome.deliveries_per_second,
                outcome.others_busy
            );
            row.rounds.push(outcome);
        }
        if let Some(file) = &asked.json {
            // After every round, so that a long run that is stopped leaves what it found.
            let all = json!({ "machine": machine(), "load_average_before": load_before,
                "command": command_line(), "rows": rows });
            fs::write(file, serde_json::to_vec_pretty(&all)?)?;
        }
    }
    println!("{}\nLoad average before: {load_before}.\n", machine());
    println!("```\n{}\n```\n", command_line());
    print!("{}", table(&rows, asked.window));
    Ok(())
}

fn measure(asked: &Compare, row: &Row) -> io::Result<Outcome> {
    let (consumers, per_write) = (row.consumers, row.per_write);
    let single = Load { consumers, per_write, in_flight: 1, rate: None, ..asked.load };
    let window = Load { in_flight: asked.window, ..single };
    match row.kind {
        Kind::Limit => measure_limit(&single),
        Kind::LimitWindow => measure_limit(&window),
        Kind::Naive => measure_naive(&single),
        Kind::Ess => measure_ess(&single, &asked.service),
        Kind::EssWindow => measure_ess(&window, &asked.service),
    }
}

fn of(row: &Row, number: impl Fn(&Outcome) -> f64) -> Summary {
    Summary::of(row.rounds.iter().map(number))
}

/// The readable table, in Markdown.
fn table(rows: &[Row], window: u32) -> String {
    let mut text = String::from(
        "| N, K | server | M deliveries/s: median (min–max) | ratio to limit | server CPU, \
         s/M: median (min–max) | CPU, limit / this | cores busy: server, reader, others | to last \
         consumer p50 / p99, µs |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let rate = of(row, |outcome| outcome.deliveries_per_second);
        let cpu = of(row, |outcome| outcome.server_cpu_seconds_per_million);
        let same = |kind| {
            rows.iter().find(|other| {
                (other.consumers, other.per_write, other.kind)
                    == (row.consumers, row.per_write, kind)
            })
        };
        let limits: Vec<&Row> =
            [same(Kind::Limit), same(Kind::LimitWindow)].into_iter().flatten().collect();
        let best = limits.iter().map(|row| of(row, |o| o.deliveries_per_second).median);
        let cheapest = limits.iter().map(|row| of(row, |o| o.server_cpu_seconds_per_million));
        let cheapest = cheapest.map(|cpu| cpu.median).fold(f64::INFINITY, f64::min);
        text += &format!(
            "| {}, {} | {} | {} | {:.2} | {} | {:.2} | {:.2}, {:.2}, {:.2} | {:.0} / {:.0} |\n",
            row.consumers,
            row.per_write,
            name(row.kind, window),
            spread(rate, 1e6),
            rate.median / best.fold(0.0, f64::max),
            spread(cpu, 1.0),
            cheapest / cpu.median,
            of(row, |outcome| outcome.server_busy).median,
            of(row, |outcome| outcome.client_busy).median,
            of(row, |outcome| outcome.others_busy).median,
            of(row, |outcome| outcome.latency.p50).median,
            of(row, |outcome| outcome.latency.p99).median,
        );
    }
    text
}

pub(crate) fn spread(summary: Summary, unit: f64) -> String {
    let Summary { median, min, max } = summary;
    format!("{:.3} ({:.3}–{:.3})", median / unit, min / unit, max / unit)
}

fn name(kind: Kind, window: u32) -> String {
    match kind {
        Kind::Limit => "limit".to_owned(),
        Kind::LimitWindow => format!("limit, {window} in flight"),
        Kind::Naive => "naive".to_owned(),
        Kind::Ess => "**ess**".to_owned(),
        Kind::EssWindow => format!("ess, {window} in flight"),
    }
}

pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = || cpu.lines().filter_map(|line| line.strip_prefix("model name"));
    let model = models().next().unwrap_or_default().trim_matches(['\t', ' ', ':']);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "Machine: {} × {model}; Linux {}; commit {}.",
        models().count(),
        kernel.trim(),
        commit.unwrap_or_default()
    )
}

pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

pub(crate) fn command_line() -> String {
    std::env::args().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Latency;

    fn row(kind: Kind, rates: &[f64]) -> Row {
        let latency = Latency { count: 1, p50: 2.0, p99: 3.0, p99_9: 4.0, max: 5.0 };
        let outcome = |rate: &f64| Outcome {
            events: 1,
            sampled: 1,
            seconds: 1.0,
            deliveries_per_second: *rate,
            server_cpu_seconds_per_million: 1e6 / rate,
            server_busy: 1.0,
            client_busy: 0.5,
            others_busy: 0.0,
            latency,
            memory: None,
        };
        Row { consumers: 10, per_write: 1, kind, rounds: rates.iter().map(outcome).collect() }
    }

    #[test]
    fn ratios_are_of_medians_to_the_better_bare_writer() {
        let rows = [
            row(Kind::Limit, &[1e6, 2e6, 9e6]),
            row(Kind::LimitWindow, &[4e6, 4e6, 4e6]),
            row(Kind::Ess, &[3e6, 1e6, 5e6]),
        ];
        let text = table(&rows, 4);
        let ess = text.lines().last().unwrap();
        assert!(ess.contains("| 3.000 (1.000–5.000) | 0.75 |"), "{ess}");
    }
}
