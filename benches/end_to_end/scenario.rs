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

const TLS: &[Peer] = &[Peer::LoadrHttp, Peer::LoadrTls, Peer::WrkTls];
const TLS_BASES: &[Peer] = &[Peer::LoadrHttp, Peer::WrkTls];
const TLS_CAVEAT: &str = "wrk has OpenSSL and loadr-bench rustls with ring, both on AES-256-GCM; \
                          neither looks for the certificate's authority";

const REDIS: &[Peer] = &[Peer::RedisBenchmark, Peer::LoadrRedis];
const REDIS_CAVEAT: &str = "redis-benchmark is told a number of commands, about a window's; its rate leaves out \
                            connecting, its CPU time does not";

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
    Scenario {
        name: "tls64",
        title: "64 users, keep-alive, one request at a time, over TLS 1.3 and without",
        peers: TLS,
        bases: TLS_BASES,
        caveats: &[
            TLS_CAVEAT,
            "the target is the bundled one, and TLS costs it more than a generator: see its CPU share",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "tls64-nginx",
        title: "the same against nginx",
        server: ServerKind::Nginx,
        peers: TLS,
        bases: TLS_BASES,
        caveats: &[TLS_CAVEAT],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "handshakes",
        title: "64 users, a TLS 1.3 connection and a request on it each time",
        keep_alive: false,
        peers: &[Peer::LoadrFull, Peer::LoadrResumed, Peer::OpensslNew, Peer::OpensslReuse],
        bases: &[Peer::LoadrFull],
        caveats: &[
            "a row's user and system us are those of one handshake, its connection and its request",
            "openssl makes one connection after the other, so compare its CPU time and not its rate",
            "the target's half of a handshake, with its signature, costs more than the generator's",
            "nobody looks for the certificate's authority; all check the signature",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "ws64",
        title: "64 users, 5 bytes there and back over WebSocket, beside a GET",
        peers: &[Peer::LoadrHttp, Peer::LoadrWebSocket, Peer::PythonWebsockets, Peer::NpmWs],
        bases: &[Peer::LoadrHttp, Peer::PythonWebsockets, Peer::NpmWs],
        caveats: &[
            "a message there and back has a tenth of the bytes of a GET and its response",
            "Python runs on asyncio's own loop, and ws without its optional native add-ons",
            "their CPU time is the window's; reading their own program is left out of it",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "xmlrpc64",
        title: "64 users, an XML-RPC call, as the POST of its bytes and as a call in a scenario file",
        path: "/RPC2",
        request: XMLRPC_REQUEST,
        file: Some(XMLRPC_FILE),
        peers: &[Peer::LoadrMonoio, Peer::LoadrScenario],
        bases: &[Peer::LoadrMonoio],
        caveats: &[
            "the URL sends the bytes of the call and looks at the status alone; the file makes the call \
             from its parameters and reads the value that comes",
            "a scenario file costs something by itself: see scenario-get",
        ],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "redis",
        title: "64 connections to Redis, one GET at a time on each",
        server: ServerKind::Redis,
        peers: REDIS,
        bases: &[Peer::RedisBenchmark],
        caveats: &[REDIS_CAVEAT],
        ..KEEP_ALIVE
    },
    Scenario {
        name: "redis-pipeline16",
        title: "64 connections to Redis, 16 GETs in the pipe",
        server: ServerKind::Redis,
        pipeline: 16,
        peers: REDIS,
        bases: &[Peer::RedisBenchmark],
        caveats: &[
            REDIS_CAVEAT,
            "redis-benchmark sends the next 16 when all are answered; the example fills up the pipe",
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

/// Byte for byte what the file's step sends.
const XMLRPC_REQUEST: &[&str] = &[
    "-X",
    "POST",
    "-H",
    "Accept: */*",
    "-H",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "-H",
    "Content-Type: text/xml",
    "--body",
    XMLRPC_BODY,
];

const XMLRPC_BODY: &str = "<?xml version=\"1.0\"?><methodCall><methodName>get_random_number</methodName><params>\
                           <param><value><int>0</int></value></param><param><value><int>100</int></value></param>\
                           </params></methodCall>";

const XMLRPC_FILE: &str = r#"
[[user]]
name = "Caller"
[[user.task]]
name = "call"
steps = [{ xmlrpc = { method = "get_random_number", params = [0, 100] }, url = "/RPC2" }]
"#;

#[cfg(test)]
mod tests {
    use loadr_protocols::xmlrpc::encode_call;

    use super::*;

    #[test]
    fn the_url_sends_the_call_of_the_file() {
        let mut call = Vec::new();
        encode_call("get_random_number", &[0.into(), 100.into()], &mut call).unwrap();
        assert_eq!(String::from_utf8(call).unwrap(), XMLRPC_BODY);
    }

    #[test]
    fn bases_take_part() {
        for scenario in SCENARIOS {
            let absent = scenario.bases.iter().find(|base| !scenario.peers.contains(base));
            assert_eq!(absent, None, "{}", scenario.name);
        }
    }
}
