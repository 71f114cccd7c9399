//! Builds what is measured, with the profile that is published, and finds the binaries.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use thiserror::Error;

/// The programs of this project that take part.
#[derive(Debug)]
pub struct Binaries {
    /// The load generator.
    pub loadr_bench: PathBuf,
    /// The bundled target.
    pub target: PathBuf,
    /// The bare io_uring loop.
    pub floor: PathBuf,
    /// The example that speaks with Redis.
    pub redis: PathBuf,
}

/// Why there is nothing to measure.
#[derive(Debug, Error)]
pub enum BuildError {
    /// cargo could not be started or read.
    #[error("cannot run cargo: {0}")]
    Cargo(#[from] std::io::Error),
    /// cargo said why on standard error.
    #[error("the release binaries do not build")]
    Failed,
    /// A package lost its binary.
    #[error("cargo built no binary named {0}")]
    Missing(&'static str),
}

impl Binaries {
    /// Binaries that were built before, under their usual names.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            loadr_bench: directory.join("loadr-bench"),
            target: directory.join("loadr-target"),
            floor: directory.join("loadr-floor"),
            redis: directory.join("examples/redis"),
        }
    }

    /// Builds with the `dist` profile; cargo's progress goes to standard error.
    pub fn build() -> Result<Self, BuildError> {
        let mut cargo = Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--profile", "dist", "--bins", "--example", "redis"])
            .args(["-p", "loadr", "-p", "loadr-target", "-p", "loadr-benches"])
            .arg("--message-format=json-render-diagnostics")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = cargo.stdout.take().expect("standard output is piped");
        let executables = executables(BufReader::new(stdout))?;
        if !cargo.wait()?.success() {
            return Err(BuildError::Failed);
        }
        let find = |name| {
            let found = executables.iter().find(|path| path.file_name() == Some(name_os(name)));
            found.cloned().ok_or(BuildError::Missing(name))
        };
        Ok(Self {
            loadr_bench: find("loadr-bench")?,
            target: find("loadr-target")?,
            floor: find("loadr-floor")?,
            redis: find("redis")?,
        })
    }
}

fn name_os(name: &str) -> &std::ffi::OsStr {
    name.as_ref()
}

/// Paths of the executables among cargo's messages, one JSON object a line.
fn executables(messages: impl BufRead) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        paths.extend(message["executable"].as_str().map(PathBuf::from));
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_taken_from_the_messages_that_name_one() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"executable\":\"/t/dist/loadr-bench\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        let found = executables(messages.as_bytes()).unwrap();
        assert_eq!(found, [PathBuf::from("/t/dist/loadr-bench")]);
    }
}
