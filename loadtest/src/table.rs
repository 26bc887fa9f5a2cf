//! What a comparison found, for people, in Markdown. Pure.
//!
//! Ratios are of medians. "Limit" is the better of the bare writers of a case, whichever way they
//! send and however many batches are under way; so is "durable limit" of those that store first.

use crate::compare::{Case, Row, Server};
use crate::outcome::Outcome;
use crate::report::spread;
use crate::summary::Summary;

const BARE: [Server; 2] = [Server::Limit, Server::LimitRing];
const DURABLE: [Server; 2] = [Server::Durable, Server::DurableRing];

/// Of closed loops.
pub(crate) fn closed(rows: &[Row]) -> String {
    let mut text = String::from(
        "| N, K[, streams] | server | M deliveries/s: median (min–max) | ratio to limit | to durable \
         limit | to naive | events a segment | server CPU, s/M: median (min–max) | CPU, limit / \
         this | cores busy: server, reader, others | to last consumer p50 / p99, µs \
         |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let rate = of(row, rate_of);
        let cpu = of(row, |outcome| outcome.server_cpu_seconds_per_million);
        let ratio = |to: &[Server]| ratio(rate.median, best(rows, &row.case, to));
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {:.1} | {} | {} | {:.2}, {:.2}, {:.2} | {:.0} / {:.0} \
             |\n",
            case(&row.case),
            full_name(row),
            spread(rate, 1e6),
            ratio(&BARE),
            ratio(&DURABLE),
            ratio(&[Server::Naive]),
            of(row, |outcome| outcome.events_per_segment).median,
            spread(cpu, 1.0),
            self::ratio(cheapest(rows, &row.case).unwrap_or(f64::NAN), Some(cpu.median)),
            of(row, |outcome| outcome.server_busy).median,
            of(row, |outcome| outcome.client_busy).median,
            of(row, |outcome| outcome.others_busy).median,
            of(row, |outcome| outcome.latency.p50).median,
            of(row, |outcome| outcome.latency.p99).median,
        );
    }
    text
}

/// Of open loops.
pub(crate) fn open(rows: &[Row]) -> String {
    let mut text = String::from(
        "| case | server | kept up | to last consumer, ms: p50, median (min–max) | p50, this / \
         limit | p99, median (min–max) | p99.9 | events a segment | server CPU, s/M | cores busy: \
         server, reader, others |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let p50 = of(row, |outcome| outcome.latency.p50);
        let limit = rows.iter().filter(|other| other.case == row.case);
        let limit = limit.filter(|other| BARE.contains(&other.server));
        let limit = limit.map(|other| of(other, |outcome| outcome.latency.p50).median);
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {:.3} | {:.1} | {:.3} | {:.2}, {:.2}, {:.2} |\n",
            case(&row.case),
            full_name(row),
            kept_up(row),
            spread(p50, 1e3),
            ratio(p50.median, limit.reduce(f64::min)),
            spread(of(row, |outcome| outcome.latency.p99), 1e3),
            of(row, |outcome| outcome.latency.p99_9).median / 1e3,
            of(row, |outcome| outcome.events_per_segment).median,
            of(row, |outcome| outcome.server_cpu_seconds_per_million).median,
            of(row, |outcome| outcome.server_busy).median,
            of(row, |outcome| outcome.client_busy).median,
            of(row, |outcome| outcome.others_busy).median,
        );
    }
    text
}

/// Whether an open loop was kept up with in every round: what was published last was delivered as
/// soon as what was published first.
fn kept_up(row: &Row) -> String {
    let asked = row.case.rate.unwrap_or_default() * row.case.consumers;
    let slow = |outcome: &&Outcome| {
        outcome.deliveries_per_second < 0.98 * asked as f64 || outcome.drained_seconds > 0.25
    };
    match row.rounds.iter().filter(slow).count() {
        0 => "yes".to_owned(),
        slow => format!("no, in {slow} of {} rounds", row.rounds.len()),
    }
}

fn of(row: &Row, number: impl Fn(&Outcome) -> f64) -> Summary {
    Summary::of(row.rounds.iter().map(number))
}

fn rate_of(outcome: &Outcome) -> f64 {
    outcome.deliveries_per_second
}

/// The best median rate of `servers` in a case.
pub(crate) fn best(rows: &[Row], case: &Case, servers: &[Server]) -> Option<f64> {
    let rows = rows.iter().filter(|row| row.case == *case && servers.contains(&row.server));
    rows.map(|row| of(row, rate_of).median).reduce(f64::max)
}

/// The least processor time of a bare writer for a million deliveries in a case.
fn cheapest(rows: &[Row], case: &Case) -> Option<f64> {
    let rows = rows.iter().filter(|row| row.case == *case && BARE.contains(&row.server));
    rows.map(|row| of(row, |o| o.server_cpu_seconds_per_million).median).reduce(f64::min)
}

fn ratio(this: f64, to: Option<f64>) -> String {
    to.map_or_else(String::new, |to| format!("{:.2}", this / to))
}

/// A case in a cell.
pub(crate) fn case(case: &Case) -> String {
    let Case { consumers, per_write, streams, rate, .. } = case;
    match rate {
        Some(rate) if *streams == 1 => format!("N {consumers}, {rate} events/s"),
        Some(rate) => format!("{streams} × {consumers}, {rate} events/s"),
        None if *streams == 1 => format!("{consumers}, {per_write}"),
        None => format!("{consumers}, {per_write}, {streams}"),
    }
}

fn full_name(row: &Row) -> String {
    let name = name(row.server);
    if row.server == Server::Ess { format!("**{name}**") } else { name.to_owned() }
}

/// What a server is called.
pub(crate) fn name(server: Server) -> &'static str {
    match server {
        Server::Limit => "limit, send",
        Server::LimitRing => "limit, io_uring",
        Server::Durable => "durable limit, send",
        Server::DurableRing => "durable limit, io_uring",
        Server::Naive => "naive",
        Server::Ess => "ess",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Latency;

    fn row(server: Server, in_flight: u32, rate: Option<u64>, rates: &[f64]) -> Row {
        let outcome = |rate: &f64| Outcome {
            events: 1,
            sampled: 1,
            seconds: 1.0,
            deliveries_per_second: *rate,
            events_per_segment: 1.0,
            server_cpu_seconds_per_million: 1e6 / rate,
            server_busy: 1.0,
            client_busy: 0.5,
            others_busy: 0.0,
            latency: Latency { count: 1, p50: 1e9 / rate, p99: 3.0, p99_9: 4.0, max: 5.0 },
            drained_seconds: 0.0,
            memory: None,
        };
        let case = Case { consumers: 10, per_write: 1, streams: 1, writes: 1, rate };
        Row { case, server, in_flight, rounds: rates.iter().map(outcome).collect() }
    }

    #[test]
    fn ratios_are_of_medians_to_the_better_bare_writer() {
        let rows = [
            row(Server::Limit, 1, None, &[1e6, 2e6, 9e6]),
            row(Server::LimitRing, 4, None, &[4e6, 4e6, 4e6]),
            row(Server::Durable, 1, None, &[2e6]),
            row(Server::Naive, 1, None, &[1e6]),
            row(Server::Ess, 1, None, &[3e6, 1e6, 5e6]),
        ];
        let text = closed(&rows);
        let ess = text.lines().last().unwrap();
        assert!(ess.contains("| 3.000 (1.000–5.000) | 0.75 | 1.50 | 3.00 |"), "{ess}");
    }

    #[test]
    fn an_open_loop_is_kept_up_with_or_not() {
        let rows = [
            row(Server::Limit, 1, Some(100_000), &[1e6, 1e6]),
            row(Server::Ess, 1, Some(100_000), &[1e6, 5e5]),
        ];
        let text = open(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("| yes |"), "{text}");
        assert!(
            lines[3].contains("| no, in 1 of 2 rounds | 1.500 (1.000–2.000) | 1.50 |"),
            "{text}"
        );
    }
}
