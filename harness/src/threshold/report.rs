//! Thresholds at the end of a run: a line each for the person, the figures for the saved report.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Measured, Threshold, Unit, Verdict};
use crate::report::units::{count, milliseconds, printable, rate};

/// One threshold and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdReport {
    /// The condition as written; it states the failure.
    pub condition: String,
    /// Whether the run failed by it.
    pub missed: bool,
    /// Whether it was to end the run.
    #[serde(default)]
    pub aborts: bool,
    /// What was measured; `None` where nothing was.
    pub actual: Option<f64>,
    /// Unit of `actual`: `ms`, `ratio`, `per-second` or `count`.
    pub unit: String,
    /// The outcome in words.
    pub message: String,
}

impl ThresholdReport {
    /// Holds each of `thresholds` against what was measured to the end.
    pub fn of_all(thresholds: &[Threshold], measured: &impl Measured) -> Vec<Self> {
        thresholds
            .iter()
            .map(|threshold| Self::new(threshold, threshold.evaluate(measured)))
            .collect()
    }

    /// The same of one that was to end the run.
    pub(super) fn aborting(self) -> Self {
        Self { aborts: true, ..self }
    }

    /// The same of the one that ended the run.
    pub(super) fn ending_the_run(mut self) -> Self {
        self.message.push_str(", which ended the run");
        self
    }

    pub(super) fn new(threshold: &Threshold, verdict: Verdict) -> Self {
        let unit = threshold.metric.unit();
        let (actual, message) = match verdict {
            Verdict::Met { actual } | Verdict::Missed { actual } => {
                (Some(actual), format!("it was {}", shown(actual, unit)))
            }
            Verdict::NoSuchEntry => {
                let name = threshold.entry.as_deref().unwrap_or_default();
                (None, format!("there is no entry '{name}'"))
            }
            Verdict::NoData => (None, "nothing was measured".to_owned()),
        };
        Self {
            condition: threshold.text.clone(),
            missed: verdict.fails_the_run(),
            aborts: false,
            actual,
            unit: name(unit).to_owned(),
            message,
        }
    }
}

fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => "ms",
        Unit::Count => "count",
        Unit::Ratio => "ratio",
        Unit::PerSecond => "per-second",
    }
}

fn shown(actual: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => milliseconds(actual),
        Unit::Count => count(actual as u64),
        Unit::Ratio => format!("{:.2} %", actual * 100.0),
        Unit::PerSecond => format!("{} /s", rate(actual)),
    }
}

/// Writes the section of the text report, after a blank line; nothing at all where there are no thresholds.
pub fn write(out: &mut impl Write, thresholds: &[ThresholdReport]) -> io::Result<()> {
    if thresholds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nThresholds")?;
    for threshold in thresholds {
        let verdict = if threshold.missed { "MISSED" } else { "met" };
        let (condition, message) = (printable(&threshold.condition), printable(&threshold.message));
        let effect = if threshold.aborts { "abort on" } else { "fail if" };
        writeln!(out, "  {verdict:<8}{effect} {condition}: {message}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Figures;

    /// The same figures for every entry but one.
    struct Fixed;

    impl Measured for Fixed {
        fn figures(&self, entry: Option<&str>) -> Option<Figures> {
            let figures = Figures { requests: 2_000, failures: 30, seconds: 4.0, times: None };
            (entry != Some("/nowhere")).then_some(figures)
        }
    }

    fn reports(conditions: &[&str]) -> Vec<ThresholdReport> {
        let parsed: Vec<_> =
            conditions.iter().map(|text| Threshold::parse(text).expect("it is right")).collect();
        ThresholdReport::of_all(&parsed, &Fixed)
    }

    #[test]
    fn each_threshold_has_a_line_with_what_was_measured() {
        let conditions =
            ["failure_ratio > 1%", "rps < 400", "failures > 30", "p99 > 1s", "[/nowhere] rps < 1"];
        let mut text = Vec::new();
        write(&mut text, &reports(&conditions)).expect("memory takes every write");
        let expected = "
Thresholds
  MISSED  fail if failure_ratio > 1%: it was 1.50 %
  met     fail if rps < 400: it was 500 /s
  met     fail if failures > 30: it was 30
  MISSED  fail if p99 > 1s: nothing was measured
  MISSED  fail if [/nowhere] rps < 1: there is no entry '/nowhere'
";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn no_thresholds_no_section() {
        let mut text = Vec::new();
        write(&mut text, &[]).expect("memory takes every write");
        assert!(text.is_empty());
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        let mut text = Vec::new();
        write(&mut text, &reports(&["[\x1b[2J] rps < 1"])).expect("memory takes every write");
        assert!(!text.contains(&0x1b));
    }

    #[test]
    fn the_saved_form_reads_back() {
        let saved = reports(&["rps < 400"]);
        let json = serde_json::to_value(&saved).expect("it is plain data");
        assert_eq!(json[0]["actual"], 500.0);
        assert_eq!(json[0]["unit"], "per-second");
        let read: Vec<ThresholdReport> = serde_json::from_value(json).expect("own output");
        assert_eq!(read, saved);
    }
}
