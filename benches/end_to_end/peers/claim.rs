//! What generators say of their runs, each in a form of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::process::Finished;

/// What a generator says it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Requests answered in the window.
    pub requests: u64,
    /// Per second of the window.
    pub requests_per_s: f64,
    /// Requests that failed, where the generator counts them.
    pub failures: u64,
    /// User and system seconds of the window alone, where the generator tells them apart.
    pub window_cpu_s: Option<(f64, f64)>,
    /// Part of the TLS handshakes that resumed a session, 0 to 1, where there were any.
    pub resumed_share: Option<f64>,
}

/// Why a run gave no figure.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// It refused, and said why.
    #[error("it ended with {status}: {reason}")]
    Refused {
        /// Exit status in words.
        status: String,
        /// The last line of its standard error.
        reason: String,
    },
    /// It ended well, but said something unexpected.
    #[error("its output has no {0}")]
    Unreadable(&'static str),
}

/// Where and in which form a generator says what it did.
#[derive(Debug)]
pub(super) enum Account {
    /// A report that `loadr-bench --save` writes.
    Saved(PathBuf),
    /// One JSON object on standard output, as the generators of this folder print it.
    Json,
    /// wrk's text.
    Wrk,
    /// The text of `openssl s_time`.
    OpensslTime {
        /// Whether sessions were to be resumed.
        resumes: bool,
    },
    /// What `redis-benchmark --csv` prints.
    RedisCsv {
        /// The number of commands that it was told to send.
        count: u64,
    },
}

impl Account {
    pub(super) fn read(&self, finished: &Finished) -> Result<Claim, ClaimError> {
        match self {
            // Failures make loadr-bench end with 1, and its report counts them.
            Self::Saved(path) => saved_claim(path, finished),
            _ if !finished.status.success() => Err(refusal(finished)),
            Self::Json => json_claim(&finished.stdout),
            Self::Wrk => wrk_claim(&finished.stdout),
            Self::OpensslTime { resumes } => {
                openssl_claim(&finished.stdout, finished.elapsed, *resumes)
            }
            Self::RedisCsv { count } => redis_claim(&finished.stdout, *count),
        }
    }
}

fn saved_claim(path: &Path, finished: &Finished) -> Result<Claim, ClaimError> {
    let text = fs::read_to_string(path).map_err(|_| refusal(finished))?;
    // So that a later run which saves nothing cannot be taken for this one.
    let _ = fs::remove_file(path);
    loadr_claim(&text)
}

fn refusal(finished: &Finished) -> ClaimError {
    let lines = || finished.stderr.lines().filter(|line| !line.trim().is_empty());
    let reason = lines().next_back().unwrap_or("it gave no reason").to_owned();
    ClaimError::Refused { status: finished.status.to_string(), reason }
}

/// Reads a report that `loadr-bench --save` wrote.
fn loadr_claim(json: &str) -> Result<Claim, ClaimError> {
    let report: Value =
        serde_json::from_str(json).map_err(|_| ClaimError::Unreadable("valid JSON"))?;
    let (totals, generator) = (&report["totals"], &report["generator"]);
    Ok(Claim {
        requests: number(&totals["requests"], "totals.requests")? as u64,
        requests_per_s: number(&totals["requests_per_s"], "totals.requests_per_s")?,
        failures: number(&totals["failures"], "totals.failures")? as u64,
        window_cpu_s: Some((
            number(&generator["cpu_user_s"], "generator.cpu_user_s")?,
            number(&generator["cpu_system_s"], "generator.cpu_system_s")?,
        )),
        resumed_share: resumed_share(&report["connections"]["handshakes"]),
    })
}

/// From the report's list of handshakes, which is absent where there were none.
fn resumed_share(handshakes: &Value) -> Option<f64> {
    let made = |of: &Value| of["made"].as_f64().unwrap_or(0.0);
    let (mut all, mut resumed) = (0.0, 0.0);
    for of in handshakes.as_array()? {
        // Others, such as those of WebSocket, are counted beside them.
        match of["method"].as_str() {
            Some("TLS full") => all += made(of),
            Some("TLS resumed") => (all, resumed) = (all + made(of), resumed + made(of)),
            _ => {}
        }
    }
    (all > 0.0).then(|| resumed / all)
}

/// Reads what the floor and the scripts print.
fn json_claim(json: &str) -> Result<Claim, ClaimError> {
    let report: Value =
        serde_json::from_str(json).map_err(|_| ClaimError::Unreadable("valid JSON"))?;
    let requests = number(&report["requests"], "requests")?;
    Ok(Claim {
        requests: requests as u64,
        requests_per_s: requests / number(&report["seconds"], "seconds")?,
        failures: 0,
        window_cpu_s: Some((
            number(&report["cpu_user_s"], "cpu_user_s")?,
            number(&report["cpu_system_s"], "cpu_system_s")?,
        )),
        resumed_share: None,
    })
}

fn number(value: &Value, key: &'static str) -> Result<f64, ClaimError> {
    value.as_f64().ok_or(ClaimError::Unreadable(key))
}

/// Reads wrk's text; lines about failures are there only when there are some.
fn wrk_claim(text: &str) -> Result<Claim, ClaimError> {
    let mut claim = Claim {
        requests: 0,
        requests_per_s: 0.0,
        failures: 0,
        window_cpu_s: None,
        resumed_share: None,
    };
    let mut complete = (false, false);
    for line in text.lines().map(str::trim) {
        if let Some((count, _)) = line.split_once(" requests in ") {
            claim.requests =
                count.parse().map_err(|_| ClaimError::Unreadable("count of requests"))?;
            complete.0 = true;
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            claim.requests_per_s =
                rate.trim().parse().map_err(|_| ClaimError::Unreadable("rate of requests"))?;
            complete.1 = true;
        } else if let Some(counts) = line.strip_prefix("Socket errors:") {
            claim.failures += numbers_in(counts);
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses:") {
            claim.failures += numbers_in(count);
        }
    }
    match complete {
        (true, true) => Ok(claim),
        (false, _) => Err(ClaimError::Unreadable("count of requests")),
        (true, false) => Err(ClaimError::Unreadable("rate of requests")),
    }
}

/// Sum of the whole numbers in a line such as "connect 0, read 12, write 0, timeout 3".
fn numbers_in(text: &str) -> u64 {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// Reads the text of `openssl s_time`, which has a character a connection, `r` for a resumed session, and the number of
/// connections twice; its own "real seconds" are whole ones, so the rate is that of the process' life.
fn openssl_claim(text: &str, elapsed: Duration, resumes: bool) -> Result<Claim, ClaimError> {
    let line = text.lines().find(|line| line.ends_with("bytes read per connection"));
    let count = line.and_then(|line| line.split_once(" connections in "));
    let count = count.and_then(|(count, _)| count.trim().parse::<u64>().ok());
    let count = count.ok_or(ClaimError::Unreadable("count of connections"))?;
    let progress = text.lines().filter(|line| line.starts_with(['r', '*', 't', '3']));
    let progress = progress.filter(|line| line.bytes().all(|it| b"r*t3".contains(&it)));
    let resumed: usize = progress.map(|line| line.matches('r').count()).sum();
    let resumed_share = (resumed as f64 / count.max(1) as f64).min(1.0);
    if resumes && resumed == 0 {
        return Err(ClaimError::Unreadable("resumed session"));
    }
    Ok(Claim {
        requests: count,
        requests_per_s: count as f64 / elapsed.as_secs_f64(),
        failures: 0,
        window_cpu_s: None,
        resumed_share: Some(resumed_share),
    })
}

/// Reads the rate of the only test, which stands behind its name.
fn redis_claim(csv: &str, count: u64) -> Result<Claim, ClaimError> {
    let line = csv.lines().find_map(|line| line.strip_prefix("\"GET\",\""));
    let rate = line.and_then(|line| line.split_once('"')).map(|(rate, _)| rate.parse());
    let rate = rate.and_then(Result::ok).ok_or(ClaimError::Unreadable("rate of GET"))?;
    Ok(Claim {
        requests: count,
        requests_per_s: rate,
        failures: 0,
        window_cpu_s: None,
        resumed_share: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "\
Running 3s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   305.51us   87.30us   3.55ms   88.15%
    Req/Sec   204.53k     8.03k  217.34k    73.33%
  610300 requests in 3.00s, 93.12MB read
  Socket errors: connect 0, read 12, write 0, timeout 3
  Non-2xx or 3xx responses: 5
Requests/sec: 203412.25
Transfer/sec:     31.04MB
";

    #[test]
    fn wrk_text_is_read_with_its_failures() {
        let expected = Claim {
            requests: 610_300,
            requests_per_s: 203_412.25,
            failures: 20,
            window_cpu_s: None,
            resumed_share: None,
        };
        assert_eq!(wrk_claim(WRK).unwrap(), expected);
    }

    #[test]
    fn wrk_text_without_a_rate_is_refused() {
        let error = wrk_claim("  5 requests in 3.00s, 1KB read\n").unwrap_err();
        assert_eq!(error.to_string(), "its output has no rate of requests");
    }

    #[test]
    fn the_saved_report_is_read_by_the_keys_other_tools_read() {
        let report = r#"{
            "totals": {"requests": 900, "requests_per_s": 300.5, "failures": 1},
            "generator": {"cpu_user_s": 0.25, "cpu_system_s": 2.5},
            "connections": {"handshakes": [
                {"method": "TLS full", "made": 64}, {"method": "TLS resumed", "made": 192},
                {"method": "WS connect", "made": 9}
            ]}
        }"#;
        let expected = Claim {
            requests: 900,
            requests_per_s: 300.5,
            failures: 1,
            window_cpu_s: Some((0.25, 2.5)),
            resumed_share: Some(0.75),
        };
        assert_eq!(loadr_claim(report).unwrap(), expected);
        let error = loadr_claim(r#"{"totals": {"requests": 1}}"#).unwrap_err();
        assert_eq!(error.to_string(), "its output has no totals.requests_per_s");
    }

    #[test]
    fn a_report_without_tls_has_no_share_of_resumed_sessions() {
        assert_eq!(resumed_share(&Value::Null), None);
        assert_eq!(resumed_share(&serde_json::json!([{"method": "WS connect", "made": 9}])), None);
    }

    #[test]
    fn scripts_say_what_they_did_as_the_floor_does() {
        let json = r#"{"requests": 900, "seconds": 3, "cpu_user_s": 2, "cpu_system_s": 1}"#;
        let claim = json_claim(json).unwrap();
        assert_eq!((claim.requests, claim.requests_per_s), (900, 300.0));
        assert_eq!(claim.window_cpu_s, Some((2.0, 1.0)));
        let error = json_claim("Traceback (most recent call last):").unwrap_err();
        assert_eq!(error.to_string(), "its output has no valid JSON");
    }

    const OPENSSL: &str = "Now timing with session id reuse.
starting
rrrrrr*r

8 connections in 0.44s; 18.18 connections/user sec, bytes read 1240
8 connections in 2 real seconds, 155 bytes read per connection
";

    #[test]
    fn openssl_is_timed_by_the_life_of_its_process() {
        let claim = openssl_claim(OPENSSL, Duration::from_millis(1600), true).unwrap();
        assert_eq!((claim.requests, claim.requests_per_s), (8, 5.0));
        assert_eq!(claim.resumed_share, Some(0.875));
    }

    #[test]
    fn openssl_that_resumed_nothing_is_refused() {
        let text = OPENSSL.replace("rrrrrr*r", "********");
        let second = Duration::from_secs(1);
        let error = openssl_claim(&text, second, true).unwrap_err();
        assert_eq!(error.to_string(), "its output has no resumed session");
        assert_eq!(openssl_claim(&text, second, false).unwrap().resumed_share, Some(0.0));
        let error = openssl_claim("0 connections in", second, false).unwrap_err();
        assert_eq!(error.to_string(), "its output has no count of connections");
    }

    const REDIS: &str = "\
\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\"
\"GET\",\"123456.78\",\"0.305\",\"0.064\",\"0.303\"
";

    #[test]
    fn redis_benchmark_gives_a_rate_for_the_commands_it_was_told_to_send() {
        let claim = redis_claim(REDIS, 300_000).unwrap();
        assert_eq!((claim.requests, claim.requests_per_s), (300_000, 123_456.78));
        let error = redis_claim("\"test\",\"rps\"\n", 1).unwrap_err();
        assert_eq!(error.to_string(), "its output has no rate of GET");
    }
}
