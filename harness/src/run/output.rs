//! Where results go: standard streams, the saved report, the CSV files.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadr_engine::coordinator::RunOutcome;
use loadr_engine::record::{MergedEntry, MergedError};
use loadr_engine::run::Run;

use crate::cli::plan::Outputs;
use crate::report::csv::{CsvError, CsvSnapshot};
use crate::report::locust::json::{JsonFile, JsonFileError};
use crate::report::model::{ReportError, ReportFile};
use crate::report::{CsvFiles, Report, locust, text};

/// Why results could not be written; each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Csv(#[from] CsvError),
    #[error(transparent)]
    Json(#[from] JsonFileError),
    #[error("cannot write the report to standard output: {0}")]
    Stream(io::Error),
}

/// The outputs of a run, open since before it.
pub(super) struct Sinks {
    save: Option<ReportFile>,
    csv: Option<CsvFiles>,
    csv_second: u64,
    json: bool,
    json_file: Option<JsonFile>,
}

impl Sinks {
    pub(super) fn open(outputs: &Outputs) -> Result<Self, OutputError> {
        let save = outputs.save.as_deref().map(ReportFile::create).transpose()?;
        let csv = outputs.csv.as_deref();
        let csv = csv.map(|prefix| CsvFiles::create(prefix, outputs.csv_full_history));
        let json_file = outputs.json_file.as_deref().map(JsonFile::create).transpose()?;
        Ok(Self { save, csv: csv.transpose()?, csv_second: 0, json: outputs.json, json_file })
    }

    /// Brings the CSV files up to date, once a second. A disk that fills up in the middle must not end the run: the
    /// last write tells.
    pub(super) fn refresh(&mut self, run: &Run) {
        let unix_second = unix_second(SystemTime::now());
        if self.csv.is_none() || unix_second == self.csv_second {
            return;
        }
        self.csv_second = unix_second;
        let entries: Vec<&MergedEntry> = run.entries().collect();
        let errors: Vec<&MergedError> = run.errors().collect();
        let progress = run.progress();
        let elapsed = run.measured();
        let snapshot = CsvSnapshot {
            elapsed,
            unix_second,
            users: progress.users,
            entries: &entries,
            errors: &errors,
        };
        if let Some(files) = &mut self.csv
            && let Err(error) = files.write(&snapshot)
        {
            log::warn!("{error}");
        }
    }

    /// Writes everything at the end. Every output is tried, whatever became of the one before it.
    pub(super) fn write(
        mut self,
        report: &Report,
        outcome: &RunOutcome,
    ) -> Result<(), OutputError> {
        let saved =
            self.save.take().map_or(Ok(()), |file| file.write(report).map_err(OutputError::from));
        let tables = self.write_csv(outcome);
        let json_file = self.json_file.take();
        let listed =
            json_file.map_or(Ok(()), |file| file.write(outcome).map_err(OutputError::from));
        let printed = self.print(report, outcome).map_err(OutputError::Stream);
        saved.and(tables).and(listed).and(printed)
    }

    fn write_csv(&mut self, outcome: &RunOutcome) -> Result<(), OutputError> {
        let Some(files) = &mut self.csv else { return Ok(()) };
        let entries: Vec<&MergedEntry> = outcome.entries.iter().collect();
        let errors: Vec<&MergedError> = outcome.errors.iter().collect();
        let unix_second = unix_second(outcome.started_at + outcome.measured);
        let (elapsed, users) = (outcome.measured, 0);
        let snapshot =
            CsvSnapshot { elapsed, unix_second, users, entries: &entries, errors: &errors };
        Ok(files.write(&snapshot)?)
    }

    /// The report goes to standard output, unless JSON does.
    fn print(&self, report: &Report, outcome: &RunOutcome) -> io::Result<()> {
        if self.json {
            tolerate_closed(locust::json::write(&mut io::stdout().lock(), outcome))?;
            return tolerate_closed(print_text(&mut io::stderr().lock(), report, None));
        }
        let columns = terminal_columns();
        tolerate_closed(print_text(&mut io::stdout().lock(), report, columns))
    }
}

fn print_text(out: &mut impl Write, report: &Report, columns: Option<usize>) -> io::Result<()> {
    text::write(out, report, columns)?;
    out.flush()
}

/// A reader that has seen enough (`| head`) is no failure of the run.
fn tolerate_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Columns of the terminal on standard output, if it is one.
fn terminal_columns() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col))
}

fn unix_second(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
