//! `/metrics`, as Prometheus' own parser reads it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Api, Curl, python, wait_until};

/// What one scrape showed.
pub(crate) struct Scrape {
    /// Type and unit of each family.
    pub(crate) families: BTreeMap<String, (String, String)>,
    /// Values by name and labels, written as in the text: `ess_consumers{state="live"}`.
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    /// Scrapes, and reads it with the parser of Python's `prometheus-client`.
    pub(crate) fn of(api: &Api) -> Self {
        let answer = Curl::get(&api.at("/metrics")).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let kind = answer.header("content-type").expect("a content type");
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        Self::read(answer.text())
    }

    fn read(text: &str) -> Self {
        let mut scrape = Self { families: BTreeMap::new(), samples: BTreeMap::new() };
        for family in read(text).as_array().expect("families") {
            let word = |name: &str| family[name].as_str().expect("a word").to_owned();
            scrape.families.insert(word("name"), (word("type"), word("unit")));
            for sample in family["samples"].as_array().expect("samples") {
                let name = sample[0].as_str().expect("a name");
                let value = sample[2].as_f64().expect("a number");
                scrape.samples.insert(with_labels(name, &sample[1]), value);
            }
        }
        scrape
    }

    /// The value of a sample; `None` where there is none.
    pub(crate) fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// The value of a sample that must be there.
    pub(crate) fn value(&self, sample: &str) -> f64 {
        self.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    /// Scrapes until all these samples, as they stand in the text, have these values.
    pub(crate) fn until(api: &Api, wanted: &[(&str, f64)]) -> Self {
        let mut text = String::new();
        let so = |text: &str, (sample, value): &(&str, f64)| {
            let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
            line.and_then(|shown| shown.parse().ok()) == Some(*value)
        };
        wait_until(&format!("{wanted:?}"), || {
            text = api.ask("/metrics").1;
            wanted.iter().all(|one| so(&text, one))
        });
        Self::read(&text)
    }
}

fn with_labels(name: &str, labels: &Value) -> String {
    let labels = labels.as_object().expect("labels");
    if labels.is_empty() {
        return name.to_owned();
    }
    let escaped =
        |value: &Value| value.as_str().expect("a text").replace('\\', "\\\\").replace('"', "\\\"");
    let pair = |(label, value): (&String, &Value)| format!("{label}=\"{}\"", escaped(value));
    let labels: Vec<_> = labels.iter().map(pair).collect();
    format!("{name}{{{}}}", labels.join(","))
}

fn read(text: &str) -> Value {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/openmetrics.py");
    let mut child = Command::new(python())
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all(text.as_bytes()).expect("the parser reads");
    drop(input);
    let output = child.wait_with_output().expect("the parser ends");
    assert!(output.status.success(), "this isn't OpenMetrics:\n{text}");
    serde_json::from_slice(&output.stdout).expect("the parser prints JSON")
}
