//! Rows of text for people (aligned, with a head) and for programs (tabs, without).

/// Puts `rows` under `head`, columns aligned.
pub(super) fn aligned<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', widest - width(cell) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// One row a line, tabs between the cells.
pub(super) fn tabbed<const N: usize>(rows: &[[String; N]]) -> String {
    rows.iter().map(|row| row.join("\t") + "\n").collect()
}

/// A stranger's text as a cell: control characters are escaped, so that it stays in its place and
/// can't speak to a terminal.
pub(super) fn cell(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["1".into(), "é".into()], ["100".into(), String::new()]];
        assert_eq!(aligned(["ID", "KEY"], &rows), "ID   KEY\n1    é\n100\n");
        assert_eq!(tabbed(&rows), "1\té\n100\t\n");
    }

    #[test]
    fn a_stranger_stays_in_its_cell() {
        assert_eq!(cell("a\tb\n\x1b[2Jé"), "a\\tb\\n\\u{1b}[2Jé");
    }
}
