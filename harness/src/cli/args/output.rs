//! Where results and log lines go.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// Files, streams and log lines.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct OutputArgs {
    /// Write the whole result to FILE, as JSON, histograms included
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) save: Option<PathBuf>,

    /// Write Locust's four CSV files: PREFIX_stats.csv, _stats_history.csv, _failures.csv, _exceptions.csv
    #[arg(long, value_name = "PREFIX", help_heading = "Output")]
    pub(crate) csv: Option<PathBuf>,

    /// A row for each entry in _stats_history.csv, and percentiles of the last ten seconds
    #[arg(long, help_heading = "Output")]
    pub(crate) csv_full_history: bool,

    /// Print Locust's list of entries as JSON on stdout, and the report on stderr
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// Write Locust's list of entries to PATH.json; the report is printed as well
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub(crate) json_file: Option<PathBuf>,

    /// Show nothing while the run is on
    #[arg(long, help_heading = "Output")]
    pub(crate) only_summary: bool,

    /// Show how it goes while the run is on: always so without a web UI, unless --only-summary is given
    #[arg(long, help_heading = "Output")]
    pub(crate) print_stats: bool,

    /// Label that the saved report carries, to find runs of one kind by
    #[arg(long, value_name = "LABEL", help_heading = "Output")]
    pub(crate) profile: Option<String>,

    /// No web UI, start at once: always so in this version
    #[arg(long, help_heading = "Output")]
    pub(crate) headless: bool,

    /// Take back --headless, such as that of a settings file
    #[arg(long, hide = true)]
    pub(crate) headful: bool,

    /// Start at once, and keep the web UI: this version has none
    #[arg(long, help_heading = "Output")]
    pub(crate) autostart: bool,

    /// With --autostart: end so many seconds after the run; without a web UI the program ends with the run
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, help_heading = "Output")]
    pub(crate) autoquit: Option<i64>,

    /// Least level of log lines
    #[arg(short = 'L', long, value_enum, ignore_case = true, default_value_t = LogLevel::Info, help_heading = "Output")]
    pub(crate) loglevel: LogLevel,

    /// Write log lines to FILE instead of stderr; directories are made
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) logfile: Option<PathBuf>,

    /// Write no log lines
    #[arg(long, help_heading = "Output")]
    pub(crate) skip_log_setup: bool,
}

impl OutputArgs {
    /// What is wrong with the flags together, in one line.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.csv_full_history && self.csv.is_none() {
            return Err("--csv-full-history goes with --csv PREFIX, which says where to");
        }
        if self.autoquit.is_some() && !self.autostart {
            return Err("--autoquit goes with --autostart: --headless ends with the run anyway");
        }
        Ok(())
    }
}

/// Locust's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Everything
    Debug,
    /// What happens
    Info,
    /// What may be wrong
    Warning,
    /// What is wrong
    Error,
    /// As error: nothing here is beyond it
    Critical,
}

impl From<LogLevel> for log::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warning => Self::Warn,
            LogLevel::Error | LogLevel::Critical => Self::Error,
        }
    }
}
