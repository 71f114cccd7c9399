//! What the arguments mean: a plan in which everything has been checked that can be before the load.
//!
//! [`urls`] makes one of URLs, [`test`] of user classes; what both have in common is here.

mod test;
mod tls;
mod urls;
mod websocket;

pub(crate) use test::classes;

use std::path::PathBuf;
use std::sync::Arc;

use loadr_engine::bridge::BridgeOptions;
use loadr_engine::client::session::LocationError;
use loadr_engine::coordinator::RunPlan;
use loadr_engine::limits;
use loadr_engine::record::RecorderOptions;
use loadr_engine::shard::placement::{Allowance, PlacementError, PlacementRequest, place};
use loadr_engine::spawn::dispatch::SpawnRateError;
use loadr_engine::tls::TlsConfigError;
use loadr_engine::user::Workload;
use loadr_protocols::http1::RequestError;
use loadr_protocols::websocket::UpgradeError;
use serde_json::Value;

use super::args::{CheckArgs, LoadArgs, OutputArgs, RuntimeArg};
use super::target_url::UrlError;
use crate::library::event::Events;
use crate::report::units::counted;
use crate::test_source::TestError;
use tls::{TlsFileError, tls_config};
use urls::PIPELINE_BYTES_MAX;
use websocket::{WebSocketError, refuse_websocket_flags, websocket_exchange};

/// Everything a run needs, checked.
pub(crate) struct Plan {
    pub(crate) run: RunPlan,
    pub(crate) workload: Arc<dyn Workload>,
    /// Who listens to what happens.
    pub(crate) events: Arc<Events>,
    /// The runtime was not asked for by name, so another may take its place.
    pub(crate) runtime_is_free: bool,
    pub(crate) target_is_local: bool,
    /// Any certificate of the target would do.
    pub(crate) is_insecure: bool,
    pub(crate) outputs: Outputs,
    /// Thresholds and exit codes.
    pub(crate) checks: CheckArgs,
    /// What the user should know before the run.
    pub(crate) notices: Vec<String>,
    /// The plan as the saved report holds it.
    pub(crate) document: Value,
}

/// Where results go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) save: Option<PathBuf>,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) csv_full_history: bool,
    pub(crate) json: bool,
    pub(crate) json_file: Option<PathBuf>,
    pub(crate) only_summary: bool,
}

impl From<&OutputArgs> for Outputs {
    fn from(args: &OutputArgs) -> Self {
        Self {
            save: args.save.clone(),
            csv: args.csv.clone(),
            csv_full_history: args.csv_full_history,
            json: args.json,
            json_file: args.json_file.clone(),
            only_summary: args.only_summary,
        }
    }
}

/// Why arguments make no plan; each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    SpawnRate(#[from] SpawnRateError),
    #[error(transparent)]
    Placement(#[from] PlacementError),
    #[error("no URL is given")]
    UrlMissing,
    #[error("{0} holds no URL")]
    UrlFileEmpty(PathBuf),
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("'{0}' is not a header: write 'Name: value'")]
    Header(String),
    #[error("--no-keepalive sends one request a connection, so --pipeline {0} cannot be met")]
    PipelineWithoutKeepAlive(u64),
    #[error("--shards {0} is more than the {SHARDS_MAX} that one process runs")]
    TooManyShards(u64),
    #[error(
        "--pipeline {depth} of {request_bytes} bytes each is more than the {PIPELINE_BYTES_MAX} bytes kept ready a URL"
    )]
    PipelineTooLarge { depth: u64, request_bytes: usize },
    #[error(transparent)]
    Test(#[from] TestError),
    #[error(transparent)]
    Host(#[from] LocationError),
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    #[error(transparent)]
    TlsFile(#[from] TlsFileError),
    #[error(transparent)]
    WebSocket(#[from] WebSocketError),
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("--host is not used: every URL is whole already; give paths, such as /index.html")]
    HostUnused,
    #[error(
        "{users} users need {needed} descriptors and the limit is {limit}: raise it with ulimit -n, or lower --users"
    )]
    Descriptors { users: u64, needed: u64, limit: u64 },
}

impl Plan {
    fn new(args: &LoadArgs, run: RunPlan, workload: Arc<dyn Workload>, document: Value) -> Self {
        Self {
            run,
            workload,
            events: Arc::default(),
            runtime_is_free: args.runtime == RuntimeArg::Auto,
            target_is_local: false,
            is_insecure: args.tls.insecure,
            outputs: Outputs::from(&args.output),
            checks: args.checks.clone(),
            notices: Vec::new(),
            document,
        }
    }
}

/// Most shards that can be asked for.
const SHARDS_MAX: u64 = 1_024;

/// The CPUs of the shards.
fn place_shards(args: &LoadArgs, target_is_local: bool) -> Result<Vec<Option<usize>>, PlanError> {
    let shards = match args.shards {
        Some(shards) if shards > SHARDS_MAX => return Err(PlanError::TooManyShards(shards)),
        shards => shards.map(|shards| shards as usize),
    };
    let cpus = args.cpus.as_ref().map(|list| list.0.clone());
    let request = PlacementRequest { shards, cpus, target_is_local };
    Ok(place(&request, &Allowance::of_this_process())?)
}

/// A shard without a user would only cost its ring and its thread.
fn no_more_than_users(mut shards: Vec<Option<usize>>, users: u64) -> Vec<Option<usize>> {
    shards.truncate(usize::try_from(users).unwrap_or(usize::MAX).max(1));
    shards
}

fn notice_of_shared_cpus(shards: &[Option<usize>]) -> Option<String> {
    let cpus = Allowance::of_this_process().parallelism;
    (shards.len() > cpus).then(|| {
        let cpus = counted(cpus as u64, "CPU");
        format!("{} shards share {cpus}: none of them has one to itself", shards.len())
    })
}

/// What the arguments say of a run, whatever it loads.
fn run_plan(args: &LoadArgs, shards: Vec<Option<usize>>, names_max: usize) -> RunPlan {
    RunPlan {
        run_time: args.run_time,
        warm_up: args.warm_up,
        requests: args.requests,
        stop_timeout: args.stop_timeout.unwrap_or_default(),
        seed: args.seed.unwrap_or(SEED_DEFAULT),
        bridge: BridgeOptions {
            threads_max: usize::try_from(args.blocking_threads).unwrap_or(usize::MAX),
            ..BridgeOptions::default()
        },
        recorder: RecorderOptions { names_max, ..RecorderOptions::default() },
        ..RunPlan::new(0, shards, args.runtime.preferred())
    }
}

/// Seed of a run that nobody gave one.
const SEED_DEFAULT: u64 = 1;

/// Descriptors that a run needs beside those of its connections.
fn descriptors_of(shards: usize) -> u64 {
    /// Of a shard itself: rings, event and timer descriptors.
    const PER_SHARD: u64 = 8;
    limits::DESCRIPTORS_RESERVED.saturating_add(PER_SHARD * shards as u64)
}

/// Raises the limit on descriptors as far as may be, and refuses what cannot work.
fn check_descriptors(users: u64, connections: u64, shards: usize) -> Result<(), PlanError> {
    let needed = connections.saturating_add(descriptors_of(shards));
    match limits::raise_descriptor_limit() {
        Some(limit) if needed > limit => Err(PlanError::Descriptors { users, needed, limit }),
        _ => Ok(()),
    }
}
