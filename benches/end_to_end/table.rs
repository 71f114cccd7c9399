//! Plain text tables: the first and the last column to the left, figures to the right.

/// Rows of cells under a heading each.
#[derive(Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(headings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { headings: headings.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are headings.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.headings.len(), "a cell for every heading");
        self.rows.push(row);
    }

    /// The whole table; a line a row, no spaces at their ends.
    pub fn render(&self) -> String {
        let lines: Vec<&Vec<String>> = std::iter::once(&self.headings).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        lines.iter().map(|line| render_line(line, &widths)).collect()
    }
}

fn render_line(cells: &[String], widths: &[usize]) -> String {
    let last = cells.len() - 1;
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| {
        if column == 0 || column == last {
            format!("{cell:<width$}")
        } else {
            format!("{cell:>width$}")
        }
    });
    format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
}

/// 1234567 as "1,234,567".
pub fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_line_up_at_the_right_and_words_at_the_left() {
        let mut table = Table::new(["generator", "requests/s", "mark"]);
        table.push(vec!["wrk".into(), grouped(203_412.4), "-".into()]);
        table.push(vec!["loadr-bench monoio".into(), grouped(1_294_000.0), String::new()]);
        let golden = "\
generator           requests/s  mark
wrk                    203,412  -
loadr-bench monoio   1,294,000
";
        assert_eq!(table.render(), golden);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1000.0), "1,000");
        assert_eq!(grouped(12_345_678.0), "12,345,678");
    }
}
