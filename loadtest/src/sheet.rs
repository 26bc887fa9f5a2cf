//! Numbers of several rounds in rows and columns, for people and programs.

use serde::Serialize;

use crate::summary::Summary;

/// A table whose cells hold a number of every round.
#[derive(Debug, Serialize)]
pub(crate) struct Sheet {
    /// What it is about, and what the rows are.
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    ratios: Vec<Ratio>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// As many as there are columns; each as long as there were rounds.
    cells: Vec<Vec<f64>>,
}

/// A column of ratios, of medians.
#[derive(Debug, Serialize)]
struct Ratio {
    name: &'static str,
    of: &'static str,
    /// Row and the row it is compared with.
    rows: Vec<(String, String)>,
}

impl Sheet {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, columns: Vec::new(), rows: Vec::new(), ratios: Vec::new() }
    }

    /// Adds what a round found for a row, and says it on standard error: a long run shows that it
    /// goes on. Rows and columns stand in the order of their coming.
    pub(crate) fn add(&mut self, row: &str, values: &[(&'static str, f64)]) {
        let told: Vec<String> =
            values.iter().map(|(column, value)| format!("{column} {}", number(*value))).collect();
        eprintln!("{row}: {}", told.join("; "));
        let index = self.rows.iter().position(|known| known.name == row);
        let index = index.unwrap_or_else(|| {
            self.rows.push(Row { name: row.to_owned(), cells: Vec::new() });
            self.rows.len() - 1
        });
        for (column, value) in values {
            let place = self.columns.iter().position(|known| known == column);
            let place = place.unwrap_or_else(|| {
                self.columns.push(column);
                self.columns.len() - 1
            });
            let Some(Row { cells, .. }) = self.rows.get_mut(index) else { return };
            if cells.len() <= place {
                cells.resize(place + 1, Vec::new());
            }
            if let Some(cell) = cells.get_mut(place) {
                cell.push(*value);
            }
        }
    }

    /// Shows `of` in `row` divided by that in `to`, in a column called `name`.
    pub(crate) fn ratio(&mut self, name: &'static str, of: &'static str, row: &str, to: &str) {
        let pair = (row.to_owned(), to.to_owned());
        match self.ratios.iter_mut().find(|known| known.name == name) {
            Some(known) if known.rows.contains(&pair) => {}
            Some(known) => known.rows.push(pair),
            None => self.ratios.push(Ratio { name, of, rows: vec![pair] }),
        }
    }

    /// Nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The middle of what was found, if something was.
    pub(crate) fn median(&self, row: &str, column: &str) -> Option<f64> {
        let place = self.columns.iter().position(|known| *known == column)?;
        let cells = &self.rows.iter().find(|known| known.name == row)?.cells;
        let cell = cells.get(place).filter(|cell| !cell.is_empty())?;
        Some(Summary::of(cell.iter().copied()).median)
    }

    /// In Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut heads = vec![self.title];
        heads.extend(&self.columns);
        heads.extend(self.ratios.iter().map(|ratio| ratio.name));
        let mut text = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
        for Row { name, cells } in &self.rows {
            text += &format!("| {name} |");
            for place in 0..self.columns.len() {
                let cell = cells.get(place).map_or(&[] as &[f64], Vec::as_slice);
                text += &format!(" {} |", cell_text(cell));
            }
            for ratio in &self.ratios {
                let to = ratio.rows.iter().find(|(row, _)| row == name).map(|(_, to)| to);
                let value = to
                    .and_then(|to| Some(self.median(name, ratio.of)? / self.median(to, ratio.of)?));
                text += &value.map_or_else(|| "  |".to_owned(), |value| format!(" {value:.2} |"));
            }
            text.push('\n');
        }
        text
    }
}

fn cell_text(cell: &[f64]) -> String {
    let Summary { median, min, max } = Summary::of(cell.iter().copied());
    match cell.len() {
        0 => String::new(),
        1 => number(median),
        _ => format!("{} ({}–{})", number(median), number(min), number(max)),
    }
}

/// With as many digits as say something.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_become_medians_with_their_spread_and_ratios() {
        let mut sheet = Sheet::new("what");
        for rate in [100.0, 300.0, 200.0] {
            sheet.add("bare", &[("rate", rate), ("cpu", 0.25)]);
            sheet.add("ess", &[("rate", rate / 2.0)]);
        }
        sheet.ratio("ratio", "rate", "ess", "bare");
        sheet.ratio("ratio", "rate", "ess", "bare");
        assert_eq!(
            sheet.markdown(),
            "| what | rate | cpu | ratio |\n|---|---|---|---|\n\
             | bare | 200 (100–300) | 0.250 (0.250–0.250) |  |\n\
             | ess | 100 (50.0–150) |  | 0.50 |\n"
        );
        assert_eq!(sheet.median("ess", "cpu"), None);
    }
}
