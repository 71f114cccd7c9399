//! The packages of npm that tests run beside ours: `tools/test` installs them.

use std::path::PathBuf;

use crate::workspace_root;

/// The folder in which the packages of `tests/npm-requirements.txt` were installed.
///
/// # Panics
/// Where they are missing: a test that needs them fails.
pub fn node_modules() -> PathBuf {
    let given = std::env::var_os("LOADR_BENCH_NPM").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| workspace_root().join("target/npm"));
    let is_there = folder.join("node_modules").is_dir();
    assert!(
        is_there,
        "{} is missing: run tools/test, which installs what is needed",
        folder.display()
    );
    folder
}
