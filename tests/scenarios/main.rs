//! Scenario files run by the real program on every runtime: counts, limits, ends and leftovers.
//!
//! What each step means is tested beside the interpreter, in virtual time; here the whole is: budgets over several
//! shards against the target's own counters, interrupts, programs that hang, files that are written.

#![forbid(unsafe_code)]

mod budgets;
mod drivers;
mod endings;
mod outputs;

use std::fs;
use std::time::Duration;

use loadr_target::TargetHandle;
use loadr_tests::program::Invocation;
use loadr_tests::url;
use tempfile::TempDir;

/// A scenario file in a folder of its own.
struct Scenario {
    folder: TempDir,
}

impl Scenario {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::write(folder.path().join("test.toml"), text).expect("a temporary file");
        Self { folder }
    }

    /// The program with this file, on `runtime`, against `target`, and the words of `line`.
    fn invocation(&self, runtime: &str, target: &TargetHandle, line: &str) -> Invocation {
        let file = self.folder.path().join("test.toml");
        let host = url(target, "");
        let fixed = ["-H", &host, "--runtime", runtime, "--headless", "--only-summary"];
        let invocation = Invocation::new(["-f".as_ref(), file.as_os_str()]).and(fixed);
        invocation.and(line.split_whitespace()).within(Duration::from_secs(40))
    }
}
