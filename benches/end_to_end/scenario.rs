//! The loads that are compared, and what is unfair about each.

use std::time::Duration;

use crate::peers::Peer;

/// One kind of load, the same for every generator.
#[derive(Debug)]
pub struct Scenario {
    /// Name on the command line and in the raw data.
    pub name: &'static str,
    /// What it is, for the heading.
    pub title: &'static str,
    /// Connections, each with one user on it.
    pub users: u32,
    /// Requests sent together on a connection.
    pub pipeline: u32,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Time before the measured window, zero for none.
    pub warm_up: Duration,
    /// Who takes part.
    pub peers: &'static [Peer],
    /// What a reader has to know before comparing rows.
    pub caveats: &'static [&'static str],
}

const ALL: &[Peer] =
    &[Peer::Floor, Peer::Wrk, Peer::LoadrMonoio, Peer::LoadrMonoioEpoll, Peer::LoadrGlommio];

const KEEP_ALIVE: Scenario = Scenario {
    name: "",
    title: "",
    users: 64,
    pipeline: 1,
    keep_alive: true,
    warm_up: Duration::ZERO,
    peers: ALL,
    caveats: &["the floor parses nothing and checks only the length of answers: a bound, no peer"],
};

/// All scenarios, in the order in which they run.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "u64", title: "64 users, keep-alive, one request at a time", ..KEEP_ALIVE },
    Scenario {
        name: "u512",
        title: "512 users, keep-alive, one request at a time",
        users: 512,
        ..KEEP_ALIVE
    },
    Scenario {
        name: "pipeline16",
        title: "64 users, keep-alive, 16 requests in the pipe",
        pipeline: 16,
        caveats: &[
            "wrk sends a batch that its script built before the start, and calls Lua once a batch",
            "floor and wrk send the next batch when the whole of the last is answered",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "u10000",
        title: "10,000 users, keep-alive, steady state",
        users: 10_000,
        warm_up: Duration::from_secs(3),
        caveats: &[
            "wrk knows no warm-up and counts while it connects: it runs for the warm-up and three \
             windows more, so that connecting weighs little in its rate and its CPU time",
            "floor and loadr-bench connect before their window, and their CPU time is the window's",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "churn",
        title: "64 users, a connection for each request",
        keep_alive: false,
        peers: &[Peer::Wrk, Peer::LoadrMonoio, Peer::LoadrMonoioEpoll, Peer::LoadrGlommio],
        caveats: &[
            "mostly the kernel's connecting and closing, on both sides; the floor takes no part",
            "wrk asks for the close by a header and waits for it; who closes first differs by tool",
        ],
        ..KEEP_ALIVE
    },
];
