//! The baselines: a text file of one line a workload, made for review.

use std::fmt;

use thiserror::Error;

/// Instructions of a workload's operations, setting up not included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) workload: String,
    pub(crate) operations: u64,
    pub(crate) instructions: u64,
}

/// The counts that were reviewed, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Baselines {
    /// Compiler, valgrind, architecture and profile.
    pub(crate) counted_with: String,
    counts: Vec<Count>,
}

/// A line that is neither a comment nor a count.
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "baselines, line {line}: expected a workload, operations and instructions, found {found:?}"
)]
pub(crate) struct BaselinesError {
    line: usize,
    found: String,
}

const HEADER: &str = "\
# Instructions that the micro-benches' workloads execute. A change here is meant and reviewed, and
# committed with the code that causes it:
# cargo bench -p loadr-benches --bench instructions -- --accept
#
";
const COUNTED_WITH: &str = "# counted with: ";

impl Baselines {
    /// Reads the file's text.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, BaselinesError> {
        let counted_with = text.lines().find_map(|line| line.strip_prefix(COUNTED_WITH));
        let lines = text.lines().enumerate();
        let counts = lines
            .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty())
            .map(|(index, line)| {
                parse_count(line)
                    .ok_or_else(|| BaselinesError { line: index + 1, found: line.to_owned() })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { counted_with: counted_with.unwrap_or("something unknown").to_owned(), counts })
    }

    /// The baseline of a workload, unless it is of another number of operations.
    pub(crate) fn of(&self, count: &Count) -> Option<u64> {
        let of_same = |baseline: &&Count| {
            baseline.workload == count.workload && baseline.operations == count.operations
        };
        self.counts.iter().find(of_same).map(|baseline| baseline.instructions)
    }

    /// Takes over `counts`; workloads that were not counted keep their baselines.
    pub(crate) fn accept(&mut self, counted_with: String, counts: Vec<Count>) {
        self.counted_with = counted_with;
        for count in counts {
            match self.counts.iter_mut().find(|known| known.workload == count.workload) {
                Some(known) => *known = count,
                None => self.counts.push(count),
            }
        }
    }
}

fn parse_count(line: &str) -> Option<Count> {
    let mut words = line.split_whitespace();
    let workload = words.next()?.to_owned();
    let operations = words.next()?.parse().ok()?;
    let instructions = words.next()?.parse().ok()?;
    words.next().is_none().then_some(Count { workload, operations, instructions })
}

impl fmt::Display for Baselines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}{COUNTED_WITH}{}", self.counted_with)?;
        writeln!(f, "#\n# {:<24} {:>12} {:>14}", "workload", "operations", "instructions")?;
        for Count { workload, operations, instructions } in &self.counts {
            writeln!(f, "{workload:<26} {operations:>12} {instructions:>14}")?;
        }
        Ok(())
    }
}
