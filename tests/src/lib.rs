//! What the tests of the whole share: the program under test, the reports it saves, and peers for it to load.
//!
//! Most tests run the real binary and read what it saved: what a user would do, through every layer. The bundled target
//! runs inside the test, so that its own counters can be compared; a [`scripted::ScriptedServer`] misbehaves as a test
//! says. Every wait is bounded, nothing sleeps to get its timing right, and whatever a test needs and does not find
//! makes it fail with the reason.

#![forbid(unsafe_code)]

pub mod certificates;
pub mod node;
pub mod program;
pub mod python;
pub mod runtimes;
pub mod saved;
pub mod scripted;
pub mod server;
pub mod shop;
pub mod xmlrpc;

use std::path::{Path, PathBuf};

use loadr_target::{Target, TargetHandle, TargetOptions};

/// Starts the bundled target on a free loopback port; it ends with the handle.
///
/// # Panics
/// If it cannot start.
pub fn start_target() -> TargetHandle {
    start_target_with(TargetOptions::default())
}

/// As [`start_target`], with options.
///
/// # Panics
/// If it cannot start.
pub fn start_target_with(options: TargetOptions) -> TargetHandle {
    let target = Target::bind(options).and_then(Target::spawn);
    target.expect("the bundled target starts")
}

/// The URL of `path` on a target.
pub fn url(target: &TargetHandle, path: &str) -> String {
    format!("http://{}{path}", target.local_addr())
}

/// The root of the checkout.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}
