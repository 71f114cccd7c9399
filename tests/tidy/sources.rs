//! Files: where they lie, how long they are, and what may not stand in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use loadr_tests::workspace_root;

use super::expect_none;

/// Longest source file, in lines.
const LINES_MAX: usize = 800;

/// Crate roots that forbid unsafe code.
const FORBIDDING: [&str; 17] = [
    "protocols/src/lib.rs",
    "harness/src/lib.rs",
    "harness/src/main.rs",
    "tools/target/src/lib.rs",
    "tools/target/src/main.rs",
    "tests/src/lib.rs",
    "tests/src/bin/without_io_uring.rs",
    "tests/tidy/main.rs",
    "tests/exchanges/main.rs",
    "tests/faults/main.rs",
    "tests/command_line/main.rs",
    "tests/peers/main.rs",
    "tests/tls/main.rs",
    "tests/journeys/main.rs",
    "tests/scenarios/main.rs",
    "tests/custom/main.rs",
    "tests/bridge/main.rs",
];

/// The folders that may hold unsafe code, each block with its argument; clippy holds that they have one.
const UNSAFE_ALLOWED: [&str; 4] = ["engine", "benches/floor", "benches/micro", "tests/allocations"];

/// Folders at the top, as design and style have them.
const FOLDERS: [&str; 8] =
    [".ci", ".git", "benches", "engine", "harness", "protocols", "tests", "tools"];

/// Files at the top: the usual ones.
const FILES: [&str; 14] = [
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "SECURITY.md",
];

/// Source files below `folder`, with their text.
pub(super) fn under(folder: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let root = workspace_root();
    let mut found = Vec::new();
    collect(&root.join(folder), &mut found);
    assert!(!found.is_empty(), "there is no source file below {folder}");
    found.into_iter().map(move |path| {
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.strip_prefix(&root).expect("it lies below the root").to_owned(), text)
    })
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            // Cargo marks its build folders, such as the one below `protocols/fuzz`.
            if !path.join("CACHEDIR.TAG").exists() {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> impl Iterator<Item = (PathBuf, String)> {
    ["protocols", "engine", "harness", "benches", "tests", "tools"].into_iter().flat_map(under)
}

fn too_long(path: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LINES_MAX).then(|| format!("{}: {lines} lines, {LINES_MAX} allowed", path.display()))
}

/// Macros left behind from writing or looking for a fault.
fn leftovers(path: &Path, text: &str) -> Vec<String> {
    // In two parts, or this file would be its own first find.
    let banned = [concat!("todo", "!("), concat!("dbg", "!("), concat!("unimplemented", "!(")];
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| banned.iter().any(|macro_call| line.contains(macro_call)))
        .map(|(index, line)| format!("{}:{}: {}", path.display(), index + 1, line.trim()))
        .collect()
}

fn without_header(path: &Path, text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| format!("{}: no header says what it is", path.display()))
}

fn unsafe_code(path: &Path, text: &str) -> Vec<String> {
    if UNSAFE_ALLOWED.iter().any(|folder| path.starts_with(folder)) {
        return Vec::new();
    }
    let uses = [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("unsafe", " impl")];
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| uses.iter().any(|used| line.contains(used)))
        .map(|(index, line)| format!("{}:{}: {}", path.display(), index + 1, line.trim()))
        .collect()
}

#[test]
fn files_stay_short() {
    expect_none(all().filter_map(|(path, text)| too_long(&path, &text)).collect());
}

#[test]
fn nothing_is_left_behind() {
    expect_none(all().flat_map(|(path, text)| leftovers(&path, &text)).collect());
}

#[test]
fn modules_say_what_they_are() {
    expect_none(all().filter_map(|(path, text)| without_header(&path, &text)).collect());
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    expect_none(all().flat_map(|(path, text)| unsafe_code(&path, &text)).collect());
    let root = workspace_root();
    let mut complaints = Vec::new();
    for file in FORBIDDING {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        if !text.contains("#![forbid(unsafe_code)]") {
            complaints.push(format!("{file} does not forbid unsafe code"));
        }
    }
    expect_none(complaints);
}

#[test]
fn modules_are_files_beside_their_folders() {
    let inside = all().filter(|(path, _)| path.file_name().is_some_and(|name| name == "mod.rs"));
    expect_none(inside.map(|(path, _)| format!("{}: style is foo.rs", path.display())).collect());
}

/// What git does not track is nobody's business: build output, editors' folders.
fn tracked_at_the_top() -> BTreeSet<String> {
    let git = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace_root())
        .output()
        .expect("git is needed here");
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    let paths = String::from_utf8(git.stdout).expect("paths are UTF-8");
    let paths = paths.split('\0').filter(|path| !path.is_empty());
    paths.map(|path| path.split_once('/').map_or(path, |(top, _)| top).to_owned()).collect()
}

fn strangers(top: &BTreeSet<String>) -> Vec<String> {
    let known = |name: &str| FOLDERS.contains(&name) || FILES.contains(&name);
    let strange = top.iter().filter(|name| !known(name));
    let strange = strange.map(|name| format!("{name} does not belong at the top"));
    let missing = FOLDERS.iter().filter(|name| **name != ".git" && !top.contains(**name));
    strange.chain(missing.map(|name| format!("{name}/ is missing"))).collect()
}

#[test]
fn the_top_level_is_as_laid_out() {
    expect_none(strangers(&tracked_at_the_top()));
}

/// The canary: each check reports a bad sample.
#[test]
fn bad_samples_are_reported() {
    let path = Path::new("harness/src/sample.rs");
    let long = "//! Long.\n".repeat(LINES_MAX + 1);
    assert_eq!(
        too_long(path, &long).as_deref(),
        Some("harness/src/sample.rs: 801 lines, 800 allowed")
    );
    let bad = format!("fn f() {{\n    {}x);\n    {} {{}}\n}}", concat!("dbg", "!("), "unsafe");
    assert_eq!(leftovers(path, &bad).len(), 1);
    assert_eq!(unsafe_code(path, &bad).len(), 1);
    assert!(without_header(path, &bad).is_some());
    let mut top: BTreeSet<String> =
        FOLDERS.iter().filter(|name| **name != "tools").map(ToString::to_string).collect();
    top.insert("scratch.txt".to_owned());
    assert_eq!(strangers(&top), ["scratch.txt does not belong at the top", "tools/ is missing"]);
}
