//! The Python programs that tests run beside ours: `tools/test` installs them in a virtual environment.

use std::path::{Path, PathBuf};

use crate::workspace_root;

/// The interpreter that finds the packages of `tests/requirements.txt`.
///
/// # Panics
/// Where the virtual environment is missing: a test that needs it fails.
pub fn python() -> PathBuf {
    let given = std::env::var_os("LOADR_BENCH_VENV").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| workspace_root().join("target/venv"));
    python_of(&folder).unwrap_or_else(|missing| panic!("{missing}"))
}

fn python_of(folder: &Path) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    if python.is_file() {
        return Ok(python);
    }
    Err(format!("{} is missing: run tools/test, which installs what is needed", python.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_to_do() {
        let missing = python_of(Path::new("/nowhere")).unwrap_err();
        assert!(missing.starts_with("/nowhere/bin/python is missing: run tools/test"), "{missing}");
    }
}
