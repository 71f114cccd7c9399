//! TLS with servers that nobody here wrote: nginx, whose log says what it was spoken with, and OpenSSL's `s_server`; and
//! with scripted ones for what neither of them would do.

#![forbid(unsafe_code)]

mod bundled;
mod files;
mod nginx;
mod openssl;
mod scripted;
mod wrong_ends;

use std::path::Path;

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;

/// A load of `url` that believes `authority`.
fn load(url: &str, authority: &Path) -> Invocation {
    Invocation::new([url, "--only-summary"]).and(["--cacert".as_ref(), authority.as_os_str()])
}

/// Runs it with the flags of `line`; what is saved has to agree with itself.
#[track_caller]
fn run(invocation: Invocation, line: &str) -> (Finished, Saved) {
    let (finished, saved) = invocation.and(line.split_whitespace()).run_saved();
    saved.expect_consistent();
    (finished, saved)
}

/// Asserts that every request failed with this message, in the saved report and in words on the terminal.
#[track_caller]
fn expect_failure(finished: &Finished, saved: &Saved, kind: &str, message: &str) {
    finished.expect_code(1);
    let errors = saved.errors();
    assert!(!errors.is_empty(), "nothing failed\n{finished}");
    for error in errors {
        assert_eq!((error.0, error.1), (kind, message), "{finished}");
    }
    assert_eq!(saved.requests(), saved.failures(), "{finished}");
    assert!(finished.stdout.contains(message), "it is told\n{finished}");
}

/// Handshakes that were made: full ones, and those that resumed a session.
fn handshakes(saved: &Saved) -> (u64, u64) {
    let made = |method: &str| {
        let handshakes = saved["connections"]["handshakes"].as_array();
        let of_method = handshakes.into_iter().flatten().filter(|kind| kind["method"] == method);
        of_method.map(|kind| kind["made"].as_u64().expect("a count")).sum()
    };
    (made("TLS full"), made("TLS resumed"))
}
