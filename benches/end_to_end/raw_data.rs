//! What is printed, and with `--record` also kept: raw data as JSON lines beside the tables.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::comparison::{Measurement, Settings};
use crate::machine::Machine;

/// Printed text and raw data of one comparison.
#[derive(Debug)]
pub struct RawData {
    kept: Option<Kept>,
}

/// Where both go with `--record`; written as they come, so that an interrupted run keeps its rounds.
#[derive(Debug)]
struct Kept {
    directory: PathBuf,
    measurements: BufWriter<File>,
    text: BufWriter<File>,
}

impl RawData {
    /// Opens the files where `record` is set.
    pub fn new(machine: &Machine, settings: &Settings, record: bool) -> io::Result<Self> {
        if !record {
            return Ok(Self { kept: None });
        }
        let date = jiff::Zoned::now().date();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("runs")
            .join(format!("{date}-{}", machine.slug()));
        fs::create_dir_all(&directory)?;
        let create = |name| File::create(directory.join(name)).map(BufWriter::new);
        let mut kept =
            Kept { measurements: create("raw.jsonl")?, text: create("summary.txt")?, directory };
        let header = json!({
            "date": date.to_string(),
            "cpu_model": machine.cpu_model,
            "cpus": machine.cpus,
            "kernel": machine.kernel,
            "wrk": machine.wrk_version,
            "load_average": machine.load_average,
            "rounds": settings.rounds,
            "window_s": settings.window.as_secs_f64(),
        });
        writeln!(kept.measurements, "{header}")?;
        Ok(Self { kept: Some(kept) })
    }

    /// Prints a part of the result.
    pub fn say(&mut self, text: &str) {
        println!("{text}");
        if let Some(kept) = &mut self.kept {
            // Printed already; `finish` reports a full disk.
            let _ = writeln!(kept.text, "{text}");
        }
    }

    /// Adds one run.
    pub fn add(&mut self, measurement: &Measurement) -> io::Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        serde_json::to_writer(&mut kept.measurements, measurement)?;
        writeln!(kept.measurements)?;
        kept.measurements.flush()
    }

    /// Closes the files and returns where they are, if there are any.
    pub fn finish(self) -> io::Result<Option<PathBuf>> {
        let Some(mut kept) = self.kept else { return Ok(None) };
        kept.measurements.flush()?;
        kept.text.flush()?;
        Ok(Some(kept.directory))
    }
}
