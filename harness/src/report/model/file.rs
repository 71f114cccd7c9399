//! Reading and writing the saved report.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use super::{Report, SCHEMA};

impl Report {
    /// Reads a saved report and checks that every histogram in it decodes.
    pub fn load(path: &Path) -> Result<Self, ReportError> {
        let cannot_read = |source| ReportError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(cannot_read)?;
        let document: serde_json::Value = serde_json::from_reader(BufReader::new(file))
            .map_err(|source| ReportError::Malformed { path: path.to_owned(), source })?;
        // Looked at first: a report of another version would otherwise fail on whichever key differs.
        let schema = document["schema"].as_str().unwrap_or("none");
        if schema != SCHEMA {
            return Err(ReportError::Schema { path: path.to_owned(), found: schema.to_owned() });
        }
        serde_json::from_value(document)
            .map_err(|source| ReportError::Malformed { path: path.to_owned(), source })
    }
}

/// The file of `--save`, opened before the run so that an unwritable path is told before it.
#[derive(Debug)]
pub struct ReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFile {
    /// Opens `path` for writing; what it holds stays until [`ReportFile::write`].
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| ReportError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Replaces the file's content with `report`.
    pub fn write(mut self, report: &Report) -> Result<(), ReportError> {
        self.replace(report).map_err(|source| ReportError::Write { path: self.path, source })
    }

    fn replace(&mut self, report: &Report) -> io::Result<()> {
        // A pipe or a device has no length to cut and no place to seek to.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        let mut out = BufWriter::new(&mut self.file);
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
        out.flush()
    }
}

/// Why a saved report could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file cannot be opened or read.
    #[error("cannot read the report {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be created or written.
    #[error("cannot write the report {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not JSON, lacks a key, or holds a histogram that does not decode.
    #[error("{} is not a report of loadr-bench: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is a document of another kind or version.
    #[error("{} has schema {found:?}, this program reads {SCHEMA:?}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What its `schema` says.
        found: String,
    },
}
