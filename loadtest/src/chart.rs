//! A comparison as a picture: deliveries a second against consumers and events a write.
//!
//! A panel for each number of consumers, in it the events a write from left to right, upwards the
//! rate, in powers of ten. A point is a median, the line through it goes from the least to the most
//! that was measured. Colours are those of the reader's light or dark surroundings. Pure but for
//! [`draw`].

use std::fs;
use std::io;

use serde::Deserialize;

use crate::arguments::Chart;
use crate::compare::{Case, Row, Server};
use crate::consumers::fault;
use crate::summary::Summary;

/// The numbers as [`crate::report::Setting::write`] wrote them.
#[derive(Deserialize)]
struct Numbers {
    machine: String,
    rows: Vec<Row>,
}

/// What is drawn in one colour.
struct Series {
    class: &'static str,
    name: &'static str,
    servers: &'static [Server],
}

const SERIES: [Series; 4] = [
    Series { class: "limit", name: "bare writer", servers: &[Server::Limit, Server::LimitRing] },
    Series {
        class: "durable",
        name: "bare writer that stores first",
        servers: &[Server::Durable, Server::DurableRing],
    },
    Series { class: "ess", name: "ESS", servers: &[Server::Ess] },
    Series { class: "naive", name: "naive", servers: &[Server::Naive] },
];

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.faint{fill:#59636e;font-size:12px}\
.grid{stroke:#d1d9e0}.limit{--c:#6e7781}.durable{--c:#1a7f37}.ess{--c:#0969da}.naive{--c:#bc4c00}\
.line{stroke:var(--c);fill:none;stroke-width:2}.bar{stroke:var(--c);stroke-width:1.5}\
circle{fill:var(--c)}@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.faint{fill:#9198a1}\
.grid{stroke:#3d444d}.limit{--c:#9198a1}.durable{--c:#3fb950}.ess{--c:#4493f8}\
.naive{--c:#f0883e}}";

const LEFT: f64 = 56.0;
const TOP: f64 = 64.0;
const HEIGHT: f64 = 260.0;
/// Between two numbers of events a write.
const STEP: f64 = 46.0;
const GAP: f64 = 22.0;

/// Reads the numbers and writes the picture.
pub(crate) fn draw(asked: &Chart) -> io::Result<()> {
    let numbers: Numbers = serde_json::from_slice(&fs::read(&asked.numbers)?)?;
    if numbers.rows.iter().all(|row| row.rounds.is_empty()) {
        return Err(fault("there is nothing to draw"));
    }
    if let Some(folder) = asked.picture.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&asked.picture, svg(&numbers.machine, &numbers.rows))
}

/// Where rates stand, upwards.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(rows: &[Row]) -> Self {
        let rates = || rows.iter().flat_map(|row| &row.rounds).map(|o| o.deliveries_per_second);
        let low = rates().fold(f64::INFINITY, f64::min).log10().floor();
        let high = rates().fold(0.0, f64::max).log10().ceil();
        Self { low, high: high.max(low + 1.0) }
    }

    fn y(&self, rate: f64) -> f64 {
        TOP + HEIGHT * (self.high - rate.log10()) / (self.high - self.low)
    }

    /// Powers of ten.
    fn marks(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        (0..).map(move |step| low + f64::from(step)).take_while(move |power| *power <= high)
    }
}

fn svg(machine: &str, rows: &[Row]) -> String {
    let scale = Scale::of(rows);
    let mut sizes: Vec<u64> = rows.iter().map(|row| row.case.consumers).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let (mut panels, mut left) = (String::new(), LEFT);
    for consumers in sizes {
        let cases = cases(rows, consumers);
        let width = STEP * cases.len() as f64;
        panels += &panel(rows, &cases, left, width, &scale);
        left += width + GAP;
    }
    let (width, height) = ((left - GAP + 8.0).max(520.0), TOP + HEIGHT + 76.0);
    let marks = scale.marks().map(|power| {
        let (x, y) = (LEFT - 8.0, scale.y(10_f64.powf(power)) + 4.0);
        format!(
            r#"<text class="faint" text-anchor="end" x="{x}" y="{y:.1}">{}</text>"#,
            short(power)
        )
    });
    let mut legend = String::new();
    let mut x = LEFT;
    for Series { class, name, .. } in &SERIES {
        legend += &format!(
            r#"<g class="{class}"><circle cx="{:.0}" cy="36" r="4"/><text x="{:.0}" y="40">{name}</text></g>"#,
            x + 4.0,
            x + 13.0
        );
        x += 30.0 + 7.2 * name.len() as f64;
    }
    let foot = escape(machine);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"Deliveries a second, by \
         consumers of a stream and events a write\"><style>{STYLE}</style>\n<text x=\"{LEFT}\" \
         y=\"16\" font-weight=\"600\">Deliveries a second, by consumers (N) and events a write (K)\
         </text>\n{legend}\n{}\n{panels}<text class=\"faint\" x=\"{LEFT}\" y=\"{:.0}\">{foot}</text>\
         </svg>\n",
        marks.collect::<String>(),
        height - 10.0
    )
}

/// The cases with so many consumers, by events a write.
fn cases(rows: &[Row], consumers: u64) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for row in rows.iter().filter(|row| row.case.consumers == consumers) {
        if !cases.contains(&row.case) {
            cases.push(row.case);
        }
    }
    cases.sort_by_key(|case| (case.per_write, case.streams));
    cases
}

fn panel(rows: &[Row], cases: &[Case], left: f64, width: f64, scale: &Scale) -> String {
    let mut text = String::new();
    for power in scale.marks() {
        let y = scale.y(10_f64.powf(power));
        let right = left + width;
        text += &format!(r#"<path class="grid" d="M{left:.0} {y:.1}H{right:.0}"/>"#);
    }
    let x = |index: usize| left + STEP * (index as f64 + 0.5);
    let below = TOP + HEIGHT;
    for (index, case) in cases.iter().enumerate() {
        let (x, y) = (x(index), below + 18.0);
        let label = case.per_write;
        text += &format!(
            r#"<text class="faint" text-anchor="middle" x="{x:.0}" y="{y}">{label}</text>"#
        );
    }
    if let Some(case) = cases.first() {
        let (x, y) = (left + width / 2.0, below + 38.0);
        let n = case.consumers;
        text += &format!(r#"<text text-anchor="middle" x="{x:.0}" y="{y}">N = {n}</text>"#);
    }
    for series in &SERIES {
        let points: Vec<(f64, Summary)> = cases
            .iter()
            .enumerate()
            .filter_map(|(index, case)| Some((x(index), best(rows, case, series)?)))
            .collect();
        text += &format!(r#"<g class="{}">"#, series.class);
        let line: Vec<String> =
            points.iter().map(|(x, rate)| format!("{x:.0} {:.1}", scale.y(rate.median))).collect();
        text += &format!(r#"<path class="line" d="M{}"/>"#, line.join("L"));
        for (x, Summary { median, min, max }) in points {
            text += &format!(
                r#"<path class="bar" d="M{x:.0} {:.1}V{:.1}"/><circle cx="{x:.0}" cy="{:.1}" r="3.5"/>"#,
                scale.y(min),
                scale.y(max),
                scale.y(median)
            );
        }
        text += "</g>";
    }
    text + "\n"
}

/// The best row of a series in a case.
fn best(rows: &[Row], case: &Case, series: &Series) -> Option<Summary> {
    let rows = rows.iter().filter(|row| row.case == *case && !row.rounds.is_empty());
    let rows = rows.filter(|row| series.servers.contains(&row.server));
    let rates = rows.map(|row| Summary::of(row.rounds.iter().map(|o| o.deliveries_per_second)));
    rates.reduce(|one, other| if other.median > one.median { other } else { one })
}

/// A power of ten as people say it.
fn short(power: f64) -> String {
    let (unit, name) = match power {
        9.0.. => (9.0, " G"),
        6.0.. => (6.0, " M"),
        3.0.. => (3.0, " k"),
        _ => (0.0, ""),
    };
    format!("{}{name}", 10_f64.powf(power - unit))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"machine":"a < b","rows":[
        {"case":{"consumers":10,"per_write":1,"streams":100,"writes":1,"rate":null},"server":"limit",
         "in_flight":1,"rounds":[]},
        {"case":{"consumers":10,"per_write":1,"streams":100,"writes":1,"rate":null},"server":"ess",
         "in_flight":1,"rounds":[{"events":1,"sampled":1,"seconds":1.0,
         "deliveries_per_second":250000.0,"events_per_segment":1.0,
         "server_cpu_seconds_per_million":1.0,"server_busy":1.0,"client_busy":1.0,
         "others_busy":0.0,"latency":{"count":1,"p50":1.0,"p99":1.0,"p99_9":1.0,"max":1.0},
         "drained_seconds":0.0,"memory":null}]}]}"#;

    #[test]
    fn what_was_written_is_read_and_drawn() {
        let numbers: Numbers = serde_json::from_str(JSON).unwrap();
        let picture = svg(&numbers.machine, &numbers.rows);
        assert!(picture.contains("N = 10") && picture.contains("a &lt; b"), "{picture}");
        // Of a decade from 100 k to 1 M, 250 k is 40 % up.
        let y = TOP + HEIGHT * (1.0 - 2.5_f64.log10());
        assert!(
            picture.contains(&format!(r#"<circle cx="79" cy="{y:.1}" r="3.5"/>"#)),
            "{picture}"
        );
        assert!(picture.contains(">100 k<") && picture.contains(">1 M<"));
        assert_eq!(picture.matches(r#"r="3.5""#).count(), 1, "a row without rounds is no point");
    }
}
