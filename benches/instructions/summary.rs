//! What gungraun writes of its counts: one JSON object a workload, of which little is wanted.

use serde::Deserialize;
use thiserror::Error;

/// gungraun writes something else than it did.
#[derive(Debug, Error)]
pub(crate) enum SummaryError {
    /// A line is not such an object.
    #[error("gungraun's summary is not as expected: {0}")]
    Shape(#[from] serde_json::Error),
    /// A workload was measured by something else than callgrind.
    #[error("gungraun's summary of {workload} has no instruction count")]
    NoCount {
        /// Its name.
        workload: String,
    },
}

#[derive(Deserialize)]
struct Summary {
    function_name: String,
    id: String,
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(rename = "Ir")]
    instructions: Option<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    values: Values,
}

#[derive(Deserialize)]
struct Values {
    new: u64,
}

/// Name and instructions of each workload in gungraun's output.
///
/// # Errors
/// Where a line is not a summary with a count.
pub(crate) fn parse(output: &str) -> Result<Vec<(String, u64)>, SummaryError> {
    output.lines().filter(|line| line.starts_with('{')).map(parse_line).collect()
}

fn parse_line(line: &str) -> Result<(String, u64), SummaryError> {
    let Summary { function_name, id, profiles } = serde_json::from_str(line)?;
    let workload = format!("{function_name}/{id}");
    match profiles.into_iter().find_map(|profile| profile.data.total.metrics.instructions) {
        Some(instructions) => Ok((workload, instructions.values.new)),
        None => Err(SummaryError::NoCount { workload }),
    }
}
