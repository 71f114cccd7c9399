//! Journeys through a real application, whose own counts must be ours to the last request.
//!
//! Each example of crate `loadr`, in Rust and as a scenario file, is run against both shops: the model in Flask, and the
//! one in the bundled target. The table of a journey says which of our names stand for which of the shop's routes,
//! `OURS + OURS = ROUTE + ROUTE`, each with its method; what we measure and the shop cannot see stands by itself. The
//! examples of other protocols are run against servers of theirs.

#![forbid(unsafe_code)]

/// Makes a `#[test]` of each journey named, once per shop; each takes what starts the shop.
macro_rules! in_each_shop {
    ($($name:ident),+ $(,)?) => {
        mod flask { $( #[test] fn $name() { super::$name(loadr_tests::shop::Shop::flask); } )+ }
        mod bundled { $( #[test] fn $name() { super::$name(loadr_tests::shop::Shop::bundled); } )+ }
    };
}

mod both_shops;
mod drivers;
mod rust_examples;
mod scenario_files;
mod websockets;
mod xmlrpc;

use std::collections::{BTreeMap, BTreeSet};

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;
use loadr_tests::shop::{Counts, Shop};
use serde_json::Value;

/// What came of a journey.
struct Journey {
    finished: Finished,
    saved: Saved,
    shop: Counts,
}

/// Starts the shop of a journey.
type Open = fn() -> Shop;

/// Runs a program with `flags` against a shop of its own; it must end well, and both must have counted the same.
#[track_caller]
fn travel(open: Open, program: Invocation, flags: &str, names: &[&str]) -> Journey {
    let shop = open();
    let invocation = program.and(["-H", &shop.url()]).and(flags.split_whitespace());
    let (finished, saved) = invocation.and(["--only-summary"]).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.failures(), saved.cut_off()), (0, 0), "{finished}");
    let journey = Journey { finished, saved, shop: shop.counts() };
    journey.expect_same_counts(names);
    journey
}

impl Journey {
    /// Requests that we counted under this method and name.
    fn count(&self, name: &str) -> u64 {
        self.ours().get(name).copied().unwrap_or(0)
    }

    /// Our counts by method and name.
    fn ours(&self) -> BTreeMap<String, u64> {
        let entries = self.saved["entries"].as_array().expect("a list");
        let of_entry = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().expect("text");
            let count = entry["requests"].as_u64().expect("a count");
            (format!("{} {}", text("method"), text("name")), count)
        };
        entries.iter().map(of_entry).filter(|(_, count)| *count > 0).collect()
    }

    /// Both sides of each row add up to the same, and nothing has come up that is in no row, or not at all.
    #[track_caller]
    fn expect_same_counts(&self, names: &[&str]) {
        let (ours, theirs) = (self.ours(), &self.shop.requests);
        let (mut our_names, mut routes) = (BTreeSet::new(), BTreeSet::new());
        for row in names {
            let (left, right) = row.split_once(" = ").unwrap_or((row, ""));
            let (left, right) = (terms(left), terms(right));
            if !right.is_empty() {
                let (us, them) = (sum(&ours, &left), sum(theirs, &right));
                assert_eq!(us, them, "{row}\n{ours:#?}\n{theirs:#?}\n{}", self.finished);
            }
            our_names.extend(left);
            routes.extend(right);
        }
        let seen: BTreeSet<&str> = ours.keys().map(String::as_str).collect();
        assert_eq!(seen, our_names, "our names\n{}", self.finished);
        let seen: BTreeSet<&str> = theirs.keys().map(String::as_str).collect();
        assert_eq!(seen, routes, "the shop's routes\n{}", self.finished);
    }
}

fn terms(side: &str) -> Vec<&str> {
    side.split(" + ").filter(|term| !term.is_empty()).collect()
}

fn sum(counts: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| counts.get(*name)).sum()
}
