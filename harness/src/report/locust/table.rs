//! Locust's console tables, column for column: statistics, response-time percentiles, error report.
//!
//! Exceptions, of which Locust prints no table, get one in the style of the error report.
//! Widths and headings are those of Locust 2.47. The name column depends on the terminal; anything longer
//! pushes its row out of line rather than losing characters, as there. Numbers are cut to whole ones, not
//! rounded.

use std::io::{self, Write};

use super::{LocustEntry, LocustStats, PERCENTILES};
use crate::report::units::printable;

/// Width of the name column on something that is not a terminal, and the most on one.
pub const NAME_WIDTH_MAX: usize = 80;
/// Narrowest name column. Locust's may be 0, on a terminal of 80 columns, and then no column stands below its heading.
const NAME_WIDTH_MIN: usize = 24;

/// Columns that the other columns take together.
const OTHER_COLUMNS: usize = 80;

/// Width of the name column on a terminal of `columns`; `None` means that output is no terminal.
pub fn name_width(columns: Option<usize>) -> usize {
    let room = |columns: usize| columns.saturating_sub(OTHER_COLUMNS);
    columns.map_or(NAME_WIDTH_MAX, |columns| room(columns).clamp(NAME_WIDTH_MIN, NAME_WIDTH_MAX))
}

/// Writes the statistics table with rates over the whole run, and a blank line.
pub fn write_stats(out: &mut impl Write, stats: &LocustStats, name_width: usize) -> io::Result<()> {
    let width = name_width.saturating_sub(4); // characters saved by compacting other columns
    writeln!(
        out,
        "{:<8} {:<width$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7} {:>11}",
        "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med", "req/s", "failures/s"
    )?;
    let rule = rule(&[8, width, 7, 13, 7, 7, 7, 7, 8, 11]);
    writeln!(out, "{rule}")?;
    for entry in stats.sorted() {
        write_stats_row(out, stats, entry, width)?;
    }
    writeln!(out, "{rule}")?;
    write_stats_row(out, stats, &stats.total, width)?;
    writeln!(out)
}

fn write_stats_row(
    out: &mut impl Write,
    stats: &LocustStats,
    entry: &LocustEntry,
    width: usize,
) -> io::Result<()> {
    let fails = format!("{}({:.2}%)", entry.failures, 100.0 * entry.fail_ratio());
    writeln!(
        out,
        "{:<8} {:<width$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7.2} {:>11.2}",
        printable(&entry.method),
        printable(&entry.name),
        entry.requests,
        fails,
        entry.average_ms() as u64,
        entry.min_ms.unwrap_or(0.0) as u64,
        entry.max_ms.unwrap_or(0.0) as u64,
        entry.median_ms() as u64,
        stats.per_second(entry.requests),
        stats.per_second(entry.failures),
    )
}

/// Writes the percentile table, and a blank line; entries without a response time are left out.
pub fn write_percentiles(
    out: &mut impl Write,
    stats: &LocustStats,
    name_width: usize,
) -> io::Result<()> {
    writeln!(out, "Response time percentiles (approximated)")?;
    write!(out, "{:<8} {:<name_width$} {:>8}", "Type", "Name", PERCENTILES[0].0)?;
    for (heading, _) in &PERCENTILES[1..] {
        write!(out, " {heading:>6}")?;
    }
    writeln!(out, " {:>6}", "# reqs")?;
    let rule = rule(&[8, name_width, 8, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]);
    writeln!(out, "{rule}")?;
    for entry in stats.sorted() {
        write_percentiles_row(out, entry, name_width)?;
    }
    writeln!(out, "{rule}")?;
    write_percentiles_row(out, &stats.total, name_width)?;
    writeln!(out)
}

fn write_percentiles_row(
    out: &mut impl Write,
    entry: &LocustEntry,
    name_width: usize,
) -> io::Result<()> {
    if entry.buckets.samples() == 0 {
        return Ok(());
    }
    let (method, name) = (printable(&entry.method), printable(&entry.name));
    let first = entry.buckets.percentile(PERCENTILES[0].1);
    write!(out, "{method:<8} {name:<name_width$} {first:>8}")?;
    for (_, share) in &PERCENTILES[1..] {
        write!(out, " {:>6}", entry.buckets.percentile(*share))?;
    }
    writeln!(out, " {:>6}", entry.requests)
}

/// One line of the error report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorLine<'a> {
    /// How often it happened.
    pub count: u64,
    /// Method of the entry it happened to.
    pub method: &'a str,
    /// Name of the entry it happened to.
    pub name: &'a str,
    /// What went wrong.
    pub message: &'a str,
}

/// Writes the error report, and a blank line; nothing at all when there are no errors.
pub fn write_errors<'a>(
    out: &mut impl Write,
    errors: impl IntoIterator<Item = ErrorLine<'a>>,
    name_width: usize,
) -> io::Result<()> {
    let lines = errors
        .into_iter()
        .map(|error| (error.count, format!("{} {}: {}", error.method, error.name, error.message)));
    write_occurrences(out, ["Error report", "Error"], lines, name_width)
}

/// One line of the exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptionLine<'a> {
    /// How often it happened.
    pub count: u64,
    /// Class and task it happened in.
    pub task: &'a str,
    /// What the error says.
    pub message: &'a str,
}

/// Writes the exceptions of tasks, and a blank line; nothing at all when there are none.
pub fn write_exceptions<'a>(
    out: &mut impl Write,
    exceptions: impl IntoIterator<Item = ExceptionLine<'a>>,
    name_width: usize,
) -> io::Result<()> {
    let lines = exceptions
        .into_iter()
        .map(|exception| (exception.count, format!("{}: {}", exception.task, exception.message)));
    write_occurrences(out, ["Exceptions", "Exception"], lines, name_width)
}

fn write_occurrences(
    out: &mut impl Write,
    [title, heading]: [&str; 2],
    lines: impl Iterator<Item = (u64, String)>,
    name_width: usize,
) -> io::Result<()> {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "{title}")?;
    writeln!(out, "{:<18} {heading:<100}", "# occurrences")?;
    let rule = rule(&[18, OTHER_COLUMNS + name_width - 19]);
    writeln!(out, "{rule}")?;
    for (count, text) in lines {
        writeln!(out, "{count:<18} {:<100}", printable(&text))?;
    }
    writeln!(out, "{rule}")?;
    writeln!(out)
}

fn rule(widths: &[usize]) -> String {
    widths.iter().map(|&width| "-".repeat(width)).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::super::Buckets;
    use super::*;

    // Printed by Locust 2.47 with output redirected; the figures that its text does not show are chosen to match.
    const STATS: &str = "\
Type     Name                                                                          # reqs      # fails |    Avg     Min     Max    Med |   req/s  failures/s
--------|----------------------------------------------------------------------------|-------|-------------|-------|-------|-------|-------|--------|-----------
GET      /fail                                                                             45  45(100.00%) |      2       0      11      2 |    4.98        4.98
--------|----------------------------------------------------------------------------|-------|-------------|-------|-------|-------|-------|--------|-----------
         Aggregated                                                                       205  101(49.27%) |     19       0     339      2 |   22.70       11.19

";
    const PERCENTILE_TABLE: &str = "\
Response time percentiles (approximated)
Type     Name                                                                                  50%    66%    75%    80%    90%    95%    98%    99%  99.9% 99.99%   100% # reqs
--------|--------------------------------------------------------------------------------|--------|------|------|------|------|------|------|------|------|------|------|------
GET      /slow                                                                                 150    150    150    150    150    150    340    340    340    340    340     22
--------|--------------------------------------------------------------------------------|--------|------|------|------|------|------|------|------|------|------|------|------
         Aggregated                                                                              2      3      4      4    150    150    150    150    340    340    340    205

";
    const ERRORS: &str = concat!(
        "Error report\n",
        "# occurrences      Error                                                                                               \n",
        "------------------|---------------------------------------------------------------------------------------------------------------------------------------------\n",
        "26                 GET /fail: HTTPError('500 Server Error: Internal Server Error for url: /fail')                      \n",
        "------------------|---------------------------------------------------------------------------------------------------------------------------------------------\n",
        "\n",
    );

    fn buckets(counts: &[(u64, u64)]) -> Buckets {
        let mut buckets = Buckets::default();
        for &(ms, count) in counts {
            buckets.add(ms, count);
        }
        buckets
    }

    fn stats(entry: LocustEntry, total: LocustEntry) -> LocustStats {
        LocustStats { entries: vec![entry], total, elapsed_s: 9.029 }
    }

    fn print(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("memory takes every write");
        String::from_utf8(out).expect("tables are text")
    }

    fn total() -> LocustEntry {
        LocustEntry {
            name: "Aggregated".to_owned(),
            requests: 205,
            failures: 101,
            total_ms: 205.0 * 19.9,
            min_ms: Some(0.6),
            max_ms: Some(339.9),
            buckets: buckets(&[(2, 125), (3, 20), (4, 23), (150, 36), (340, 1)]),
            ..LocustEntry::default()
        }
    }

    #[test]
    fn stats_table_is_locusts() {
        let fail = LocustEntry {
            method: "GET".to_owned(),
            name: "/fail".to_owned(),
            requests: 45,
            failures: 45,
            total_ms: 45.0 * 2.8,
            min_ms: Some(0.9),
            max_ms: Some(11.2),
            buckets: buckets(&[(2, 45)]),
            ..LocustEntry::default()
        };
        assert_eq!(print(|out| write_stats(out, &stats(fail, total()), 80)), STATS);
    }

    #[test]
    fn percentile_table_is_locusts() {
        let slow = LocustEntry {
            method: "GET".to_owned(),
            name: "/slow".to_owned(),
            requests: 22,
            buckets: buckets(&[(150, 21), (340, 1)]),
            ..LocustEntry::default()
        };
        assert_eq!(
            print(|out| write_percentiles(out, &stats(slow, total()), 80)),
            PERCENTILE_TABLE
        );
    }

    #[test]
    fn error_report_is_locusts() {
        let line = ErrorLine {
            count: 26,
            method: "GET",
            name: "/fail",
            message: "HTTPError('500 Server Error: Internal Server Error for url: /fail')",
        };
        assert_eq!(print(|out| write_errors(out, [line], 80)), ERRORS);
        assert_eq!(print(|out| write_errors(out, [], 80)), "");
    }

    #[test]
    fn exceptions_look_like_errors_under_their_own_title() {
        let exception = ExceptionLine { count: 26, task: "Shopper.browse", message: "no stock" };
        let text = print(|out| write_exceptions(out, [exception], 80));
        let error = ErrorLine { count: 26, method: "GET", name: "/", message: "no stock" };
        let model = print(|out| write_errors(out, [error], 80));
        let model = model.replace("Error report", "Exceptions").replace(
            "Error                                                    ",
            "Exception                                                ",
        );
        assert_eq!(text, model.replace("GET /: no stock         ", "Shopper.browse: no stock"));
        assert_eq!(print(|out| write_exceptions(out, [], 80)), "");
    }

    #[test]
    fn name_column_follows_the_terminal() {
        assert_eq!(name_width(None), 80);
        assert_eq!(name_width(Some(200)), 80);
        assert_eq!(name_width(Some(120)), 40);
        assert_eq!(name_width(Some(80)), 24, "Locust has 0 there");
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        let entry = LocustEntry {
            name: "/\x1b[2J".to_owned(),
            requests: 1,
            buckets: buckets(&[(1, 1)]),
            ..LocustEntry::default()
        };
        let stats = stats(entry, LocustEntry::default());
        let text =
            print(|out| write_stats(out, &stats, 80).and(write_percentiles(out, &stats, 80)));
        assert!(!text.contains('\x1b') && text.contains("/\\u{1b}[2J"), "{text}");
    }
}
