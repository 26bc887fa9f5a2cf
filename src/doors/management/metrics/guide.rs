//! The table of metrics as the operations guide has it.
//!
//! A test compares; `ESS_BLESS=1 cargo test --lib metrics::guide` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{env, fs};

use super::metric::Kind;
use super::table::METRICS;

/// Stands before the table.
const BEGIN: &str = "<!-- metrics: begin (made from src/doors/management/metrics/table.rs) -->";
/// Stands behind the table.
const END: &str = "<!-- metrics: end -->";

/// The table in Markdown, without the markers.
fn metrics_table() -> String {
    let mut out = String::from("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, labels, meaning) = (metric.name, labels.join(", "), metric.meaning);
        let _ = writeln!(out, "| `{name}` | {kind} | {labels} | {meaning} |");
    }
    out
}

#[test]
fn the_guide_has_the_table_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operate/metrics.md");
    let text = fs::read_to_string(path).expect("the guide is readable");
    let (before, rest) = text.split_once(BEGIN).expect("it has the first marker");
    let (found, after) = rest.split_once(END).expect("it has the second marker");
    let wanted = format!("\n{}", metrics_table());
    if env::var_os("ESS_BLESS").is_some() {
        let blessed = format!("{before}{BEGIN}{wanted}{END}{after}");
        fs::write(path, blessed).expect("the guide is writable");
    } else {
        assert!(found == wanted, "run: ESS_BLESS=1 cargo test --lib metrics::guide");
    }
}

#[test]
fn names_follow_the_conventions() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len(), "a name stands once");
    for metric in METRICS {
        let name = metric.name;
        assert!(name.starts_with("ess_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_info"), metric.kind == Kind::Info, "{name}");
        assert!(!metric.stem().is_empty());
        for unit in ["seconds", "bytes"] {
            let named = name.trim_end_matches("_total").ends_with(unit);
            assert_eq!(named, metric.unit == Some(unit), "{name}");
        }
        assert!(metric.meaning.ends_with('.') && !metric.meaning.contains('|'), "{name}");
    }
}
