//! Counts beside their baselines.

use std::fmt::Write;

use crate::baselines::{Baselines, Count};

/// Difference, in percent of the baseline, from which a workload is marked. Counts repeat exactly;
/// this much may change in a function nobody touched because another was laid out anew.
const DIFFERENCE_PERCENT_MAX: f64 = 3.0;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    count: Count,
    baseline: Option<u64>,
}

impl Comparison {
    /// A count beside its baseline.
    pub(crate) fn new(count: &Count, baselines: &Baselines) -> Self {
        Self { count: count.clone(), baseline: baselines.of(count) }
    }

    /// Whether the row deserves a look: too great a difference, in either direction, or no
    /// baseline.
    pub(crate) fn is_marked(&self) -> bool {
        self.difference_percent().is_none_or(|it| it.abs() > DIFFERENCE_PERCENT_MAX)
    }

    fn difference_percent(&self) -> Option<f64> {
        let baseline = self.baseline? as f64;
        Some((self.count.instructions as f64 - baseline) / baseline * 100.0)
    }

    fn mark(&self) -> &'static str {
        match self.difference_percent() {
            None => "  <- no baseline",
            Some(_) if !self.is_marked() => "",
            Some(0.0..) => "  <- slower",
            Some(_) => "  <- faster: accept it, or a later loss goes unseen",
        }
    }
}

/// The table, a line a workload, with what the numbers come to for one operation.
pub(crate) fn render(comparisons: &[Comparison]) -> String {
    let mut table = format!(
        "{:<24} {:>14} {:>14} {:>12} {:>16}\n",
        "workload", "instructions", "baseline", "difference", "an operation"
    );
    for comparison in comparisons {
        let Count { workload, operations, instructions } = &comparison.count;
        let baseline = comparison.baseline.map_or("-".to_owned(), |it| it.to_string());
        let difference = comparison.difference_percent();
        let difference = difference.map_or("-".to_owned(), |it| format!("{it:+.2} %"));
        let each = *instructions as f64 / *operations as f64;
        let mark = comparison.mark();
        writeln!(
            table,
            "{workload:<24} {instructions:>14} {baseline:>14} {difference:>12} {each:>16.1}{mark}"
        )
        .expect("writing to a string does not fail");
    }
    table
}
