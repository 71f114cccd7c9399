//! The loads that are compared, and what is unfair about each.

use std::time::Duration;

use crate::peers::Peer;
use crate::servers::ServerKind;

/// One kind of load, the same for every generator.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Name on the command line and in the raw data.
    pub name: &'static str,
    /// What it is, for the heading.
    pub title: &'static str,
    /// What the load is put on.
    pub server: ServerKind,
    /// Connections, each with one user on it.
    pub users: u32,
    /// Requests sent together on a connection.
    pub pipeline: u32,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Time before the measured window, zero for none.
    pub warm_up: Duration,
    /// Path of the requests.
    pub path: &'static str,
    /// What loadr-bench is told of the requests, beside their URL.
    pub request: &'static [&'static str],
    /// The same load as a scenario file, for those who read one.
    pub file: Option<&'static str>,
    /// Who takes part.
    pub peers: &'static [Peer],
    /// Whose figures the others are compared with, of those who take part.
    pub bases: &'static [Peer],
    /// What a reader has to know before comparing rows.
    pub caveats: &'static [&'static str],
}

const ALL: &[Peer] =
    &[Peer::Floor, Peer::Wrk, Peer::LoadrMonoio, Peer::LoadrMonoioEpoll, Peer::LoadrGlommio];

const KEEP_ALIVE: Scenario = Scenario {
    name: "",
    title: "",
    server: ServerKind::Target,
    users: 64,
    pipeline: 1,
    keep_alive: true,
    warm_up: Duration::ZERO,
    path: "/",
    request: &[],
    file: None,
    peers: ALL,
    bases: &[Peer::Wrk, Peer::Floor],
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
        bases: &[Peer::Wrk],
        caveats: &[
            "mostly the kernel's connecting and closing, on both sides; the floor takes no part",
            "wrk asks for the close by a header and waits for it; who closes first differs by tool",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "scenario-get",
        title: "64 users, a GET with a name and an expectation, as URL and as scenario file",
        file: Some(GET_FILE),
        peers: &[Peer::LoadrMonoio, Peer::LoadrScenario],
        bases: &[Peer::LoadrMonoio],
        caveats: &["both are loadr-bench: what a scenario file costs over a URL"],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "scenario-journey",
        title: "64 users, a POST with a template, an extraction and a JSON check",
        path: "/echo",
        request: &["-X", "POST", "--body", JOURNEY_BODY],
        file: Some(JOURNEY_FILE),
        peers: &[Peer::LoadrMonoio, Peer::LoadrScenario],
        bases: &[Peer::LoadrMonoio],
        caveats: &[
            "the URL sends and receives as many bytes, and looks at the status alone",
            "the target echoes, so it costs more than the bare one",
        ],
        ..KEEP_ALIVE
    },
];

const GET_FILE: &str = r#"
[[user]]
name = "Reader"
[[user.task]]
name = "read"
steps = [{ get = "/", name = "/[any]", expect = { status = 200, max_ms = 10000 } }]
"#;

const JOURNEY_BODY: &str =
    r#"{"id":"6f1f9d5e-9a51-4c0e-8a1b-1f6f3b0a2c4d","status":"ACTIVE","last":"6f1f9d5e-9a51"}"#;

const JOURNEY_FILE: &str = r#"
[variables]
last = "6f1f9d5e-9a51-4c0e-8a1b-1f6f3b0a2c4d"
[[user]]
name = "Buyer"
[[user.task]]
name = "order"
[[user.task.steps]]
post = "/echo"
name = "/echo"
json = { id = "${uuid}", status = "ACTIVE", last = "${last}" }
expect = { status = 200, json = { "/status" = ["ACTIVE", "PENDING"] } }
extract = { last = "json:/id" }
"#;
