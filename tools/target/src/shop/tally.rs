//! Requests of the shop by method and rule, as one server thread counts them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::request::{Method, Request};
use crate::shared::Shared;
use crate::shop::rule::Rule;
use crate::stats::{RouteKind, add};

/// The counters of one thread, which nobody else writes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [[AtomicU64; Rule::ALL.len()]; Method::ALL.len()],
}

impl Tally {
    /// Counts a request that is answered, if it is the shop's.
    pub(crate) fn count(&self, request: &Request) {
        if let Some(rule) = Rule::of(request) {
            add(&self.counts[request.method as usize][rule as usize], 1);
        }
    }

    fn count_of(&self, method: Method, rule: Rule) -> u64 {
        self.counts[method as usize][rule as usize].load(Ordering::Acquire)
    }
}

/// Requests so far over all threads, by names such as `GET /products/<int:number>`; those of which
/// there are any.
pub(super) fn requests(shared: &Shared) -> BTreeMap<String, u64> {
    let sum = |method, rule| -> u64 {
        shared.counts.iter().map(|counts| counts.shop.count_of(method, rule)).sum()
    };
    let all = Method::ALL
        .into_iter()
        .flat_map(|method| Rule::ALL.iter().map(move |&rule| (method, rule)));
    let mut requests: BTreeMap<_, _> = all
        .map(|(method, rule)| (name(method, rule), sum(method, rule)))
        .filter(|&(_, count)| count > 0)
        .collect();
    // A request counts for the route before it does here: the difference is never negative.
    let others: u64 = Method::ALL.into_iter().map(|method| sum(method, Rule::Root)).sum();
    let gets = shared.stats().served(RouteKind::Root) - others;
    if gets > 0 {
        requests.insert(name(Method::Get, Rule::Root), gets);
    }
    requests
}

fn name(method: Method, rule: Rule) -> String {
    format!("{} {}", method.as_str(), rule.as_str())
}
