//! What is wrong with a scenario file, one line each.
//!
//! A file is read to its end whatever is found on the way, so that one look shows all there is to mend. What is not
//! understood is compared with what would have been: most faults in such files are slips of the finger.

use std::fmt::{self, Display};
use std::path::PathBuf;

/// Problems that are shown; the rest are counted.
const SHOWN_MAX: usize = 10;

/// One fault: where it is and what was meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to write instead where that can be told.
    pub message: String,
}

/// Why a scenario file gives no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file itself cannot be read.
    #[error("cannot read the scenario file {path}: {cause}")]
    Unreadable {
        /// The file as it was named.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file says something that cannot be done.
    #[error(transparent)]
    Faulty(Problems),
}

/// Everything that is wrong with a scenario file, in the order of the file; shown as one line each, the first ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Puts problems in order; each is told once.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self(problems)
    }

    /// All of them.
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl std::error::Error for Problems {}

impl Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line_end}{problem}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(formatter, "\n… and {more} more"),
        }
    }
}

/// `; did you mean "x"?` for the candidate nearest to `name`, or nothing where none is near.
pub(super) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("; did you mean \"{candidate}\"?"),
        None => String::new(),
    }
}

/// The candidate that differs from `name` by the fewest keystrokes, if by no more than a third of them.
fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance * 3 <= length.max(candidate.chars().count()).max(3) && distance < length
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_offered() {
        let keys = ["expect", "extract", "headers", "name"];
        assert_eq!(did_you_mean("expct", keys), "; did you mean \"expect\"?");
        assert_eq!(did_you_mean("nmae", keys), "; did you mean \"name\"?");
        assert_eq!(did_you_mean("zebra", keys), "");
        assert_eq!(did_you_mean("x", ["y"]), "");
    }

    #[test]
    fn the_first_ten_are_shown_in_order_and_the_rest_counted() {
        let at = |line| Problem { file: "a.toml".into(), line, column: 1, message: "no".into() };
        let problems = Problems::new((1..=13).rev().chain([3]).map(at).collect());
        let text = problems.to_string();
        assert_eq!(text.lines().count(), 11);
        assert!(text.starts_with("a.toml:1:1: no\na.toml:2:1: no\n"), "{text}");
        assert!(text.ends_with("\n… and 3 more"), "{text}");
    }
}
