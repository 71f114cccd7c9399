//! The house rules, as tests: what no compiler holds and every reader relies on.
//!
//! Each check is a function from what it looks at to its complaints, so that a bad sample can prove that it complains:
//! a check that cannot fail is worth nothing.

#![forbid(unsafe_code)]

mod dependencies;
mod sources;

/// Fails with the complaints, if there are any.
#[track_caller]
fn expect_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
