//! What was found, for people, in Markdown. Pure.

use super::stream::Taken;
use super::{Footprint, Found, Streams};
use crate::outcome::Latency;
use crate::report::spread;
use crate::summary::Summary;

/// All of it.
pub(super) fn text(found: &Found) -> String {
    let mut text = String::from(
        "| one stream, one consumer | thousand events/s: median (min–max) | ratio to bare | its \
         CPU, µs an event | held up by others | broker CPU, µs an event | events a chunk | others busy, cores |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let rows = [
        ("bare replay", &found.bare_replay, &found.bare_replay),
        ("relayed replay", &found.relay_replay, &found.bare_replay),
        ("**ess replay**", &found.ess_replay, &found.bare_replay),
        ("bare live", &found.bare_live, &found.bare_live),
        ("**ess live**", &found.ess_live, &found.bare_live),
    ];
    for (name, rounds, bare) in rows {
        text += &row(name, rounds, bare);
    }
    if let Some(streams) = &found.streams {
        text += &many(streams);
    }
    text
}

fn row(name: &str, rounds: &[Taken], bare: &[Taken]) -> String {
    let rate = |taken: &Taken| taken.events_per_second;
    let chunk = of(rounds, |taken| taken.events_per_chunk.unwrap_or_default()).median;
    format!(
        "| {name} | {} | {:.2} | {} | {:.0} % | {} | {} | {:.2} |\n",
        spread(of(rounds, rate), 1e3),
        of(rounds, rate).median / of(bare, rate).median,
        spread(of(rounds, |taken| taken.cpu_us_per_event), 1.0),
        100.0 * of(rounds, |taken| taken.held_up).median,
        spread(of(rounds, |taken| taken.broker_cpu_us_per_event), 1.0),
        if chunk > 0.0 { format!("{chunk:.0}") } else { String::new() },
        of(rounds, |taken| taken.others_busy).median,
    )
}

fn of(rounds: &[Taken], number: impl Fn(&Taken) -> f64) -> Summary {
    Summary::of(rounds.iter().map(number))
}

fn many(found: &Streams) -> String {
    let millis = |latency: Latency| {
        format!("{:.2} / {:.2} / {:.2}", latency.p50 / 1e3, latency.p99 / 1e3, latency.max / 1e3)
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let memory = |at: Footprint| format!("{:.1} / {:.1}", mib(at.private), mib(at.resident));
    let per_client = found.idle.private.saturating_sub(found.empty.private) / found.streams as u64;
    let rows = [
        ("due → received, bare, ms: p50 / p99 / max", millis(found.bare)),
        ("due → received, ess, ms: p50 / p99 / max", millis(found.ess)),
        ("ESS CPU, µs an event", format!("{:.0}", found.cpu_us_per_event)),
        ("connections of ESS to the broker", found.connections.to_string()),
        ("ESS memory without clients, MiB: private / resident", memory(found.empty)),
        ("with all clients", memory(found.idle)),
        ("after the run", memory(found.end)),
        ("private memory a client, KiB", format!("{:.1}", per_client as f64 / 1024.0)),
        (
            "connect → first event, stream not watched, ms: p50 / p99 / max",
            millis(found.first.cold),
        ),
        ("connect → first event, stream watched", millis(found.first.warm)),
        (
            "all clients connected, one after the other, s",
            format!("{:.2}", found.first.all_seconds),
        ),
    ];
    let mut text = format!("\n| {} streams, one client each | |\n|---|---|\n", found.streams);
    for (name, value) in rows {
        text += &format!("| {name} | {value} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rate: f64) -> Taken {
        Taken {
            events_per_second: rate,
            seconds: 1.0,
            cpu_us_per_event: 2.0,
            held_up: 0.25,
            broker_cpu_us_per_event: 3.0,
            others_busy: 0.5,
            events_per_chunk: Some(40.0),
            bytes: 1,
        }
    }

    #[test]
    fn ratios_are_of_medians_to_the_bare_consumer() {
        let rounds = |rates: [f64; 3]| rates.map(taken).to_vec();
        let found = Found {
            bare_replay: rounds([1e6, 2e6, 9e6]),
            relay_replay: rounds([1e6, 1.5e6, 4e6]),
            ess_replay: rounds([1e6, 3e6, 1.5e6]),
            bare_live: rounds([4e5; 3]),
            ess_live: rounds([2e5; 3]),
            streams: None,
        };
        let text = text(&found);
        assert!(text.contains("| **ess replay** | 1500.000 (1000.000–3000.000) | 0.75 | 2.0"));
        assert!(text.contains("| **ess live** | 200.000 (200.000–200.000) | 0.50 | 2.0"), "{text}");
    }
}
