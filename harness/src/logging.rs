//! Log lines as Locust writes them, on standard error or in the file of `--logfile`:
//! `[2026-11-21 00:48:39,696] host/INFO/loadr.run: Ramping to 64 users at once`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use env_logger::Target;
use jiff::Zoned;
use log::LevelFilter;

/// The file of `--logfile` could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log file {}: {source}", path.display())]
pub(crate) struct LogFileError {
    path: PathBuf,
    source: io::Error,
}

/// Sets up logging for the process; a second call changes nothing.
pub(crate) fn set_up(level: LevelFilter, file: Option<&Path>) -> Result<(), LogFileError> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().split('.').next().unwrap_or_default().to_owned();
    let logger = env_logger::Builder::new()
        .filter_level(level)
        .target(file.map_or(Ok(Target::Stderr), in_file)?)
        .format(move |out, record| {
            let time = Zoned::now().strftime("%Y-%m-%d %H:%M:%S,%3f").to_string();
            let level = if record.level() == log::Level::Warn {
                "WARNING"
            } else {
                record.level().as_str()
            };
            let module = record.target().replace("::", ".");
            writeln!(out, "[{time}] {host}/{level}/{module}: {}", record.args())
        })
        .try_init();
    // Somebody who uses the library has a logger of their own: that one stays.
    drop(logger);
    Ok(())
}

/// Appended to, as in Locust; directories are made.
fn in_file(path: &Path) -> Result<Target, LogFileError> {
    let open = || -> io::Result<File> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        File::options().create(true).append(true).open(path)
    };
    let file = open().map_err(|source| LogFileError { path: path.to_owned(), source })?;
    Ok(Target::Pipe(Box::new(file)))
}
