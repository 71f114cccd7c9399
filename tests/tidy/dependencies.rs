//! Dependencies point one way, and the shape of the engine is declared and used.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use loadr_tests::workspace_root;
use serde_json::Value;

use super::{expect_none, sources};

/// Packages of the workspace, each with what it depends on outside of its tests and benches.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// What each package may use of the workspace. Benches and tests may use all.
const ALLOWED: [(&str, &[&str]); 4] = [
    ("loadr-protocols", &[]),
    ("loadr-engine", &["loadr-protocols"]),
    ("loadr", &["loadr-engine", "loadr-protocols", "loadr-target"]),
    ("loadr-target", &[]),
];

/// Packages that the shape stands on, who declares them, and the path by which sources use them.
const REQUIRED: [(&str, &str, &str); 7] = [
    ("loadr-engine", "monoio", "monoio::"),
    ("loadr-engine", "glommio", "glommio::"),
    ("loadr-engine", "hdrhistogram", "hdrhistogram::"),
    ("loadr-engine", "core_affinity", "core_affinity::"),
    ("loadr-protocols", "bytes", "bytes::"),
    ("loadr-protocols", "httparse", "httparse::"),
    ("loadr", "clap", "clap::"),
];

fn dependencies() -> Dependencies {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace_root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    packages.iter().map(of_package).collect()
}

fn of_package(package: &Value) -> (String, BTreeSet<String>) {
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let all = package["dependencies"].as_array().expect("a list");
    // Dev-dependencies count: a test that needs an upper layer belongs to that layer.
    (name(package), all.iter().map(name).collect())
}

fn wrong_directions(dependencies: &Dependencies) -> Vec<String> {
    let internal: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let mut complaints = Vec::new();
    for (package, allowed) in ALLOWED {
        let Some(used) = dependencies.get(package) else {
            complaints.push(format!("the package {package} is gone"));
            continue;
        };
        let wrong = used.iter().filter(|name| internal.contains(name.as_str()));
        let wrong = wrong.filter(|name| !allowed.contains(&name.as_str()));
        complaints.extend(wrong.map(|name| format!("{package} may not depend on {name}")));
    }
    let free = ["loadr", "loadr-benches", "loadr-tests"];
    let users = dependencies.iter().filter(|(package, _)| !free.contains(&package.as_str()));
    let of_tools = users.filter(|(_, used)| used.contains("loadr-target"));
    complaints.extend(of_tools.map(|(package, _)| format!("{package} may not use tools")));
    complaints
}

#[test]
fn dependencies_point_one_way() {
    expect_none(wrong_directions(&dependencies()));
}

#[test]
fn a_wrong_direction_is_seen() {
    let mut bad = dependencies();
    let of_engine = bad.get_mut("loadr-engine").expect("the engine is there");
    of_engine.extend(["loadr".to_owned(), "loadr-target".to_owned()]);
    assert_eq!(
        wrong_directions(&bad),
        [
            "loadr-engine may not depend on loadr",
            "loadr-engine may not depend on loadr-target",
            "loadr-engine may not use tools"
        ]
    );
}

#[test]
fn the_packages_of_the_shape_are_declared_and_used() {
    let dependencies = dependencies();
    let mut complaints = Vec::new();
    for (package, needed, path) in REQUIRED {
        if !dependencies.get(package).is_some_and(|used| used.contains(needed)) {
            complaints.push(format!("{package} does not declare {needed}"));
        }
        let folder = match package {
            "loadr" => "harness",
            other => other.trim_start_matches("loadr-"),
        };
        let uses = sources::under(&format!("{folder}/src")).any(|(_, text)| text.contains(path));
        if !uses {
            complaints.push(format!("{package} does not use {needed}"));
        }
    }
    expect_none(complaints);
}

/// `protocols` is sans-IO: no sockets, clocks, threads, randomness or async.
#[test]
fn protocols_does_no_io() {
    const BANNED: [&str; 7] = [
        "std::net",
        "std::fs",
        "std::thread",
        "std::process",
        "std::time::Instant",
        "SystemTime",
        "async fn",
    ];
    let mut complaints = Vec::new();
    for (path, text) in sources::under("protocols/src") {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        let found = BANNED.iter().filter(|banned| code.contains(**banned));
        complaints.extend(found.map(|banned| format!("{}: {banned}", path.display())));
    }
    expect_none(complaints);
}
