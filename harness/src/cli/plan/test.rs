//! A test: user classes, as the command line picks and changes them.

use std::sync::Arc;

use loadr_engine::client::session::{KnownHosts, SessionOptions};
use loadr_engine::coordinator::{LoadPlan, RunPlan};
use loadr_engine::spawn::dispatch::SpawnRate;
use loadr_engine::task::{ClassModel, TagFilter};
use loadr_engine::user::{TaskStats, Workload};
use serde_json::{Value, json};

use super::{
    Plan, PlanError, check_descriptors, no_more_than_users, notice_of_shared_cpus, place_shards,
    run_plan, tls_config,
};
use crate::cli::args;
use crate::cli::class_settings::ClassSettings;
use crate::cli::scenario::{SPAWN_RATE_DEFAULT, ScenarioRun, USERS_DEFAULT};
use crate::environment::memory_bytes;
use crate::front_end::{TestClass, TestWorkload};
use crate::scenario::model::Settings;
use crate::test_source::{TestError, TestSource};

/// Memory that a busy user with a connection may come to take, in bytes: what bounds the users of a run.
const USER_BYTES: u64 = 32 * 1024;
/// Descriptors that a run asks for where nobody knows how many connections its users will have.
const CONNECTIONS_HOPED_FOR: u64 = 1_000;

/// The classes of `source` that run, changed as asked for; `notices` takes what is left out on the way.
pub(crate) fn classes(
    source: &TestSource,
    run: &ScenarioRun,
    notices: &mut Vec<String>,
) -> Result<Vec<TestClass>, PlanError> {
    let mut classes = picked(&source.classes, &run.user_classes)?;
    for settings in &run.class_settings {
        change(&mut classes, settings)?;
    }
    let of_file = &source.settings;
    let tags = TagFilter {
        include: either(&run.tags, &of_file.tags),
        exclude: either(&run.exclude_tags, &of_file.exclude_tags),
    };
    // Locust runs the users of such a class, which then fail over and over.
    classes.retain_mut(|class| match tags.apply(&mut class.model) {
        Ok(()) => true,
        Err(emptied) => {
            notices.push(format!("{emptied}: it is left out"));
            false
        }
    });
    if classes.is_empty() {
        return Err(TestError::NoTasks.into());
    }
    for class in &mut classes {
        if let Some(host) = &run.host {
            class.model.host = Some(host.clone());
        }
        if run.equal_weights || of_file.equal_weights == Some(true) {
            class.model.equalize();
        }
    }
    classes.retain(|class| class.model.has_users());
    if classes.is_empty() { Err(TestError::NoUsers.into()) } else { Ok(classes) }
}

fn either(typed: &[String], of_file: &[String]) -> Vec<String> {
    if typed.is_empty() { of_file.to_vec() } else { typed.to_vec() }
}

fn picked(all: &[TestClass], names: &[String]) -> Result<Vec<TestClass>, TestError> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    names.iter().map(|name| find(all, name).map(|index| all[index].clone())).collect()
}

fn find(all: &[TestClass], name: &str) -> Result<usize, TestError> {
    all.iter().position(|class| class.model.name == name).ok_or_else(|| TestError::UnknownClass {
        name: name.to_owned(),
        known: all.iter().map(|class| class.model.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// What `--config-users` says of a class.
fn change(classes: &mut [TestClass], settings: &ClassSettings) -> Result<(), TestError> {
    let class = find(classes, &settings.class)?;
    let model: &mut ClassModel = &mut classes[class].model;
    if let Some(weight) = settings.weight {
        model.weight = weight;
    }
    if let Some(fixed_count) = settings.fixed_count {
        model.fixed_count = fixed_count;
    }
    if let Some(host) = &settings.host {
        model.host = Some(host.clone());
    }
    if let Some(tasks) = &settings.tasks
        && let Some(task) = model.keep_tasks(tasks).pop()
    {
        return Err(TestError::UnknownTask { class: settings.class.clone(), task });
    }
    match settings.others.keys().next() {
        Some(other) => Err(TestError::UnknownAttribute(other.clone())),
        None => Ok(()),
    }
}

impl Plan {
    /// The plan of a test.
    pub(crate) fn of_test(run: &ScenarioRun, source: TestSource) -> Result<Self, PlanError> {
        let (args, of_file) = (&run.load, &source.settings);
        let mut notices = Vec::new();
        let classes = classes(&source, run, &mut notices)?;
        let hosts = hosts(&classes)?;
        let load = load(run, of_file, source.shape.clone(), &mut notices)?;
        let users_max = memory_bytes().map_or(u64::MAX, |bytes| bytes / USER_BYTES);
        let users = load.users_max().unwrap_or(CONNECTIONS_HOPED_FOR);
        if users > users_max {
            return Err(TestError::TooManyUsers { users, users_max }.into());
        }
        let target_is_local = hosts.are_local();
        let shards = no_more_than_users(place_shards(args, target_is_local)?, users);
        notices.extend(notice_of_shared_cpus(&shards));
        if let Err(PlanError::Descriptors { users, needed, limit }) =
            check_descriptors(users, users, shards.len())
        {
            notices.push(format!(
                "{users} users with a connection each need {needed} descriptors and the limit is {limit}: raise it with \
                 ulimit -n"
            ));
        }
        let names_max = usize::try_from(args.max_names).unwrap_or(usize::MAX);
        let plan = run_plan(args, shards, names_max);
        let plan = RunPlan {
            load,
            users_max,
            run_time: plan.run_time.or(of_file.run_time),
            requests: plan.requests.or(of_file.requests),
            iterations: run.iterations.or(of_file.iterations),
            stop_timeout: args.stop_timeout.or(of_file.stop_timeout).unwrap_or_default(),
            reset_stats: run.reset_stats || of_file.reset_stats == Some(true),
            task_stats: task_stats(run, of_file),
            seed: args.seed.or(of_file.seed).unwrap_or(plan.seed),
            ..plan
        };
        let sessions = SessionOptions {
            timeout: args.timeout,
            connect_timeout: args.connect_timeout.unwrap_or(args.timeout),
            tls: tls_config(&args.tls, hosts.are_any_secure())?,
            seed: plan.seed,
            ..SessionOptions::default()
        };
        let document = document(run, &plan, &classes);
        let events = Arc::clone(&source.events);
        let workload = TestWorkload::new(classes, hosts, sessions, Arc::clone(&events));
        let workload: Arc<dyn Workload> = Arc::new(workload);
        let mut plan = Self::new(args, plan, workload, document);
        plan.checks.fail_if.extend(source.fail_if);
        plan.checks.abort_on.extend(source.abort_on);
        Ok(Self { notices, target_is_local, events, ..plan })
    }
}

/// Users and their rate: as typed, as the file says, or as Locust has them. A shape says both itself.
fn load(
    run: &ScenarioRun,
    of_file: &Settings,
    shape: Option<loadr_engine::spawn::shape::LoadShape>,
    notices: &mut Vec<String>,
) -> Result<LoadPlan, PlanError> {
    let args = &run.load;
    if let Some(shape) = shape {
        if args.users.is_some() || args.spawn_rate.is_some() || args.run_time.is_some() {
            notices.push(
                "--users and --spawn-rate do nothing beside a load shape, and --run-time ends it early"
                    .to_owned(),
            );
        }
        return Ok(LoadPlan::Shape(shape));
    }
    let rate = args.spawn_rate.or(of_file.spawn_rate).unwrap_or(SPAWN_RATE_DEFAULT);
    Ok(LoadPlan::Users {
        users: args.users.or(of_file.users).unwrap_or(USERS_DEFAULT),
        spawn_rate: Some(SpawnRate::per_sec(rate)?),
    })
}

fn task_stats(run: &ScenarioRun, of_file: &Settings) -> TaskStats {
    match run.task_stats {
        Some(args::TaskStats::Also) => TaskStats::Beside,
        Some(args::TaskStats::Only) => TaskStats::Only,
        None => of_file.task_stats.unwrap_or_default(),
    }
}

/// The hosts of the classes, with their names resolved.
fn hosts(classes: &[TestClass]) -> Result<KnownHosts, PlanError> {
    let mut hosts = KnownHosts::default();
    for class in classes {
        match &class.model.host {
            Some(host) => hosts.resolve(host)?,
            None if class.front_end.needs_host(class.index) => {
                return Err(TestError::HostMissing(class.model.name.clone()).into());
            }
            None => {}
        }
    }
    Ok(hosts)
}

/// The plan for the saved report: what was asked for, with defaults filled in. Credentials stay out of it.
fn document(run: &ScenarioRun, plan: &RunPlan, classes: &[TestClass]) -> Value {
    let args = &run.load;
    let mut hosts: Vec<String> = classes
        .iter()
        .filter_map(|class| class.model.host.as_deref())
        .map(super::urls::without_credentials)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    let spawn_rate = match &plan.load {
        LoadPlan::Users { spawn_rate, .. } => spawn_rate.map(SpawnRate::users_per_sec),
        LoadPlan::Shape(_) => None,
    };
    json!({
        "targets": hosts,
        "files": run.files,
        "user_classes": classes.iter().map(|class| &class.model.name).collect::<Vec<_>>(),
        "users": plan.load.users_max(),
        "spawn_rate_per_sec": spawn_rate,
        "shape": matches!(plan.load, LoadPlan::Shape(_)),
        "run_time_s": plan.run_time.map(|time| time.as_secs_f64()),
        "warm_up_s": plan.warm_up.as_secs_f64(),
        "requests": plan.requests,
        "iterations": plan.iterations,
        "stop_timeout_s": plan.stop_timeout.as_secs_f64(),
        "tags": run.tags,
        "exclude_tags": run.exclude_tags,
        "reset_stats": plan.reset_stats,
        "timeout_s": args.timeout.as_secs_f64(),
        "connect_timeout_s": args.connect_timeout.unwrap_or(args.timeout).as_secs_f64(),
        "shards": plan.shards.len(),
        "cpus": plan.shards,
        "runtime": plan.runtime.as_str(),
        "max_names": args.max_names,
        "blocking_threads": args.blocking_threads,
        "seed": plan.seed,
        "profile": args.output.profile,
    })
}
