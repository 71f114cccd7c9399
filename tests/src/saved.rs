//! A saved report, read as other tools read it: by its keys.

use std::ops::Index;
use std::path::Path;

use serde_json::Value;

/// What `--save` wrote.
#[derive(Clone, Debug)]
pub struct Saved(Value);

impl Saved {
    /// Reads the file.
    ///
    /// # Errors
    /// A line that says why it is no JSON document.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("no report: {error}"))?;
        serde_json::from_str(&text).map(Self).map_err(|error| format!("no JSON: {error}\n{text}"))
    }

    /// Requests counted in the totals.
    pub fn requests(&self) -> u64 {
        self.count(&self.0["totals"]["requests"])
    }

    /// Failures counted in the totals.
    pub fn failures(&self) -> u64 {
        self.count(&self.0["totals"]["failures"])
    }

    /// Exchanges cut off at the end.
    pub fn cut_off(&self) -> u64 {
        self.count(&self.0["cut_off"])
    }

    /// Connections established.
    pub fn connections(&self) -> u64 {
        self.count(&self.0["connections"]["opened"])
    }

    /// Exit code.
    pub fn exit_code(&self) -> i64 {
        self.0["exit_code"].as_i64().expect("exit_code is a number")
    }

    /// Length of the measured time in seconds.
    pub fn duration_s(&self) -> f64 {
        self.0["duration_s"].as_f64().expect("duration_s is a number")
    }

    /// Kind, message and count of each error.
    pub fn errors(&self) -> Vec<(&str, &str, u64)> {
        let errors = self.0["errors"].as_array().expect("errors is a list");
        let figures = errors.iter().map(|error| {
            let kind = error["kind"].as_str().expect("a kind is text");
            let message = error["message"].as_str().expect("a message is text");
            (kind, message, self.count(&error["count"]))
        });
        figures.collect()
    }

    /// Asserts that every failure is of `kind`, with `message` (a part of it), and that there are some.
    #[track_caller]
    pub fn expect_only(&self, kind: &str, message: &str) -> &Self {
        let errors = self.errors();
        assert!(!errors.is_empty(), "no error at all: {:#}", self.0["totals"]);
        for error in &errors {
            assert!(
                error.0 == kind && error.1.contains(message),
                "wanted {kind} '{message}': {errors:?}"
            );
        }
        self.expect_consistent()
    }

    /// Asserts what holds of every report: parts add up to totals, errors to failures.
    #[track_caller]
    pub fn expect_consistent(&self) -> &Self {
        let sum = |list: &str, key: &str| -> u64 {
            let list = self.0[list].as_array().expect("a list");
            list.iter().map(|item| self.count(&item[key])).sum()
        };
        for key in ["requests", "failures"] {
            let total = self.count(&self.0["totals"][key]);
            assert_eq!(sum("entries", key), total, "{key} of the entries");
            assert_eq!(sum("series", key), total, "{key} of the series");
        }
        assert_eq!(sum("errors", "count"), self.failures(), "errors: {:?}", self.errors());
        self
    }

    /// The whole document.
    pub fn value(&self) -> &Value {
        &self.0
    }

    #[track_caller]
    fn count(&self, value: &Value) -> u64 {
        value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
    }
}

impl Index<&str> for Saved {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.0[key]
    }
}
