//! What only a scenario file needs: which files, which of their classes and tasks, how often.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::values::positive;

/// The scenario and what is picked from it.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct ScenarioArgs {
    /// Scenario files, separated by commas; a directory stands for every *.toml in it [default without a URL: loadfile.toml]
    #[arg(
        short = 'f',
        long,
        value_name = "FILES",
        value_delimiter = ',',
        help_heading = "Scenario"
    )]
    pub(crate) locustfile: Vec<PathBuf>,

    /// Run only tasks with one of these tags; takes every word up to the next flag
    #[arg(short = 'T', long, value_name = "TAG", num_args = 0.., help_heading = "Scenario")]
    pub(crate) tags: Vec<String>,

    /// Leave out tasks with one of these tags; takes every word up to the next flag
    #[arg(short = 'E', long, value_name = "TAG", num_args = 0.., help_heading = "Scenario")]
    pub(crate) exclude_tags: Vec<String>,

    /// Change user classes: JSON such as '{"user_class_name": "Shopper", "weight": 2}', or the path of a .json file; takes every word up to the next flag
    #[arg(long, value_name = "JSON", num_args = 0.., help_heading = "Scenario")]
    pub(crate) config_users: Vec<String>,

    /// Give all user classes, and all their tasks, the same weight
    #[arg(long, help_heading = "Scenario")]
    pub(crate) equal_weights: bool,

    /// Tasks to run in total, over all users, exactly
    #[arg(short = 'i', long, value_name = "N", value_parser = positive, help_heading = "Scenario")]
    pub(crate) iterations: Option<u64>,

    /// Forget what was counted before all users had started
    #[arg(long, help_heading = "Scenario")]
    pub(crate) reset_stats: bool,

    /// Add an entry for each task, from its start to its end; with =only, leave the requests out
    #[arg(
        long, value_enum, value_name = "WHICH", num_args = 0..=1, require_equals = true,
        default_missing_value = "also", help_heading = "Scenario"
    )]
    pub(crate) task_stats: Option<TaskStats>,

    /// Print the names of the user classes, and run nothing
    #[arg(short = 'l', long, help_heading = "Scenario")]
    pub(crate) list: bool,

    /// Print how often each task is run, and run nothing
    #[arg(long, help_heading = "Scenario")]
    pub(crate) show_task_ratio: bool,

    /// The same as JSON
    #[arg(long, help_heading = "Scenario")]
    pub(crate) show_task_ratio_json: bool,
}

/// Which entries there are beside those of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskStats {
    /// Entries of tasks as well as of requests
    Also,
    /// Entries of tasks alone
    Only,
}
