//! What can be typed: every flag with its help.
//!
//! [`LoadArgs`] is what a URL and a scenario file have in common, and what only a URL needs; [`scenario`] what only a file
//! needs; [`checks`] and [`output`] what is made of the results. Flags of Locust that this version lacks are in
//! [`absent`](super::absent). Values are parsed here, so that every wrong one is told in the same way.

mod checks;
mod output;
mod scenario;
mod tls;
mod values;
mod websocket;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use loadr_engine::runtime::RuntimeKind;

use super::cpu_list::CpuList;
use super::timespan::parse_timespan;

pub(crate) use checks::CheckArgs;
pub(crate) use output::{LogLevel, OutputArgs};
pub(crate) use scenario::{ScenarioArgs, TaskStats};
pub(crate) use tls::TlsArgs;
use values::{parse_run_time, parse_timeout, pipeline_depth, positive, positive_rate};
pub(crate) use websocket::WebSocketArgs;

const EXAMPLES: &str = "\
Examples:
  loadr-bench demo                                       ten seconds of load on a bundled server
  loadr-bench http://127.0.0.1:8080/ -u 256 -t 30s       256 users for 30 seconds
  loadr-bench http://127.0.0.1:8080/ -n 100000           exactly 100000 requests
  loadr-bench http://127.0.0.1:8080/api -X POST --body '{\"a\":1}' -H 'Content-Type: application/json'
  loadr-bench http://127.0.0.1:8080/ -t 1m --warm-up 5s --save run.json --csv run
  loadr-bench ws://127.0.0.1:8080/ws --message hello -u 1000 -t 10s
  loadr-bench https://127.0.0.1:8443/ --cacert authority.pem -t 30s
  loadr-bench -f shop.toml -H http://127.0.0.1:8080 -u 100 -r 10 -t 5m --fail-if 'p99 > 200ms'
  loadr-bench check shop.toml                            what is wrong with a scenario file

Settings come from, each over those before it: the PT_* variables, ~/.locust.conf, locust.conf,
[tool.locust] of pyproject.toml, loadr.toml, the file of --config, the LOCUST_* variables, the
LOADR_* variables, and what is typed.

Exit codes: 0 clean; 1 (or --exit-code-on-error) failed requests, or a shard was lost; 2 could
not run (usage, files, ports, names); 3 a threshold was missed.";

const USAGE: &str = "\
loadr-bench [OPTIONS] URL...
       loadr-bench [OPTIONS] [-f FILE] [USER_CLASS]...
       loadr-bench <COMMAND>";

/// Maximum load from one box: Locust's words on a thread-per-core io_uring engine.
#[derive(Debug, Parser)]
#[command(name = "loadr-bench", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(infer_long_args = true, max_term_width = 110, allow_negative_numbers = true)]
#[command(override_usage = USAGE)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Read settings from FILE as well: flags without their dashes, as in locust.conf, or TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

/// Things to do other than a run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the bundled target on a free loopback port, load it for ten seconds and print the report
    Demo(Box<LoadArgs>),
    /// Serve the bundled target alone, until interrupted
    Target(TargetArgs),
    /// Read a scenario file and say what is wrong with it; runs nothing
    Check(ScenarioFileArgs),
    /// Print the task ratio of a scenario file and the requests that one user would send; runs nothing
    Show(ScenarioFileArgs),
}

/// A scenario file to look at.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ScenarioFileArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// The load and everything about it.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct LoadArgs {
    /// URLs to load; each user loads one, and users are dealt out to several in turn. Without a scheme, http:// is meant; with --host, paths are enough. With -f: names of the user classes to run, all when none is given
    #[arg(value_name = "URL or USER_CLASS")]
    pub(crate) urls: Vec<String>,

    /// Read further URLs from FILE, one a line; empty lines and lines that begin with # are skipped
    #[arg(long = "urls", value_name = "FILE", help_heading = "Target")]
    pub(crate) urls_file: Option<PathBuf>,

    /// Base URL that paths are appended to: those given as URL, or those of the scenario file, whose own host it replaces
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) host: Option<String>,

    /// Connect to HOST:PORT whatever the URLs say; the Host header stays theirs
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) connect_to: Option<String>,

    /// Connect to this Unix domain socket whatever the URLs say
    #[arg(long, value_name = "PATH", help_heading = "Target", conflicts_with = "connect_to")]
    pub(crate) unix_socket: Option<PathBuf>,

    /// Users, each with a connection of its own [default: 64, or 1 with -f]
    #[arg(short, long, value_name = "N", value_parser = positive, help_heading = "Load")]
    pub(crate) users: Option<u64>,

    /// Users started per second [default: all at once, or 1 with -f]
    #[arg(short = 'r', long, value_name = "RATE", value_parser = positive_rate, allow_hyphen_values = true, help_heading = "Load")]
    pub(crate) spawn_rate: Option<f64>,

    /// Length of the run, after the warm-up: 30s, 5m, 1h30m, or seconds [default: 10s, or unlimited with --requests or -f]
    #[arg(
        short = 't', long, visible_short_alias = 'd', visible_alias = "duration", value_name = "TIME",
        value_parser = parse_run_time, allow_hyphen_values = true, help_heading = "Load"
    )]
    pub(crate) run_time: Option<Duration>,

    /// Requests to make in total, over all users, exactly
    #[arg(short = 'n', long, value_name = "N", value_parser = positive, help_heading = "Load")]
    pub(crate) requests: Option<u64>,

    /// Load without reporting for this long first; requests that begin in it count nowhere
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_timespan, allow_hyphen_values = true, help_heading = "Load")]
    pub(crate) warm_up: Duration,

    /// Await requests and tasks under way at the end for this long; those still unfinished are cut off and reported as such [default: 0s]
    #[arg(short = 's', long, value_name = "TIME", value_parser = parse_timespan, allow_hyphen_values = true, help_heading = "Load")]
    pub(crate) stop_timeout: Option<Duration>,

    /// Requests that each user keeps outstanding on its connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = pipeline_depth, help_heading = "Load")]
    pub(crate) pipeline: u64,

    /// Seed of everything drawn at random [default: 1]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub(crate) seed: Option<u64>,

    /// Method
    #[arg(
        short = 'X',
        long,
        value_name = "METHOD",
        default_value = "GET",
        help_heading = "Request"
    )]
    pub(crate) method: String,

    /// Header to send, 'Name: value'; repeatable. With -f, -H is the host, as in Locust
    #[arg(short = 'H', long, value_name = "HEADER", help_heading = "Request")]
    pub(crate) header: Vec<String>,

    /// Body to send
    #[arg(long, value_name = "TEXT", help_heading = "Request", conflicts_with = "body_file")]
    pub(crate) body: Option<String>,

    /// Body to send, from FILE
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    pub(crate) body_file: Option<PathBuf>,

    /// Time for a response to be complete
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout, allow_hyphen_values = true, help_heading = "Request")]
    pub(crate) timeout: Duration,

    /// Time for a connection to be made [default: that of --timeout]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, allow_hyphen_values = true, help_heading = "Request")]
    pub(crate) connect_timeout: Option<Duration>,

    /// Open a connection for every request
    #[arg(long, help_heading = "Request", conflicts_with = "requests_per_connection")]
    pub(crate) no_keepalive: bool,

    /// Open a new connection after N requests
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Request")]
    pub(crate) requests_per_connection: Option<u64>,

    /// Status codes that are successes, separated by commas [default: 200 to 399]
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(200..=999), help_heading = "Request")]
    pub(crate) expect_status: Vec<u16>,

    #[command(flatten)]
    pub(crate) websocket: WebSocketArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    /// Runtime that shards run on
    #[arg(long, value_enum, default_value_t = RuntimeArg::Auto, help_heading = "Engine")]
    pub(crate) runtime: RuntimeArg,

    /// Threads that generate load [default: one for each CPU this process may use, less one for a local target]
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Engine")]
    pub(crate) shards: Option<u64>,

    /// CPUs to pin them to, such as 0,2-3
    #[arg(long, value_name = "LIST", help_heading = "Engine")]
    pub(crate) cpus: Option<CpuList>,

    /// Distinct names reported; the rest share one entry, (other)
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = positive, help_heading = "Engine")]
    pub(crate) max_names: u64,

    /// Threads of each shard for work that blocks, such as commands; more of it waits its turn, which is reported apart
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive, help_heading = "Engine")]
    pub(crate) blocking_threads: u64,

    #[command(flatten)]
    pub(crate) checks: CheckArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The bundled target.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct TargetArgs {
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) bind: std::net::IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 8080)]
    pub(crate) port: u16,

    /// Serve this Unix domain socket as well
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_socket: Option<PathBuf>,

    /// CPUs to serve on, such as 0,2-3: one thread is pinned to each [default: one thread, not pinned]
    #[arg(long, value_name = "LIST")]
    pub(crate) cpus: Option<CpuList>,

    /// Serve TLS, with a self-signed certificate for localhost, 127.0.0.1 and ::1
    #[arg(long)]
    pub(crate) tls: bool,

    /// Save the self-signed certificate in FILE, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "tls_cert")]
    pub(crate) tls_write_cert: Option<PathBuf>,

    /// Serve TLS with this certificate, in PEM, those that lead to its authority behind it
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Key of --tls-cert, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// A runtime as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeArg {
    /// monoio on io_uring, or on epoll where io_uring is refused
    Auto,
    /// monoio on io_uring
    Monoio,
    /// monoio on epoll
    MonoioEpoll,
    /// glommio, on io_uring
    Glommio,
}

impl RuntimeArg {
    /// The runtime to try first.
    pub(crate) fn preferred(self) -> RuntimeKind {
        match self {
            Self::Auto | Self::Monoio => RuntimeKind::Monoio,
            Self::MonoioEpoll => RuntimeKind::MonoioEpoll,
            Self::Glommio => RuntimeKind::Glommio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }
}
