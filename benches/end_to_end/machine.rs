//! The machine a comparison runs on: whether it can, and what has to be said beside the figures.

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;

/// Load average from which others are likely to have had a part in the figures.
const LOAD_AVERAGE_MAX: f64 = 0.5;

/// What is known of the machine and printed above the tables.
#[derive(Debug)]
pub struct Machine {
    /// As the kernel names it.
    pub cpu_model: String,
    /// Release of the kernel.
    pub kernel: String,
    /// CPUs this process may run on, ascending; at least two.
    pub cpus: Vec<usize>,
    /// First line of `wrk -v`.
    pub wrk_version: String,
    /// Descriptors a process may have, after raising to the hard limit.
    pub descriptors_max: u64,
    /// Over the last minute, before anything was started.
    pub load_average: f64,
}

/// Why nothing can be compared here.
#[derive(Debug, Error)]
pub enum MachineError {
    /// The yardstick is absent.
    #[error("wrk is missing, and it is what everything is compared with: apt-get install wrk")]
    WrkMissing,
    /// The means of pinning is absent.
    #[error("taskset is missing, and generators are pinned with it: apt-get install util-linux")]
    TasksetMissing,
    /// Generator and target would share a CPU.
    #[error("{count} CPU may be used here; generator and target need one each")]
    TooFewCpus {
        /// CPUs in the affinity mask.
        count: usize,
    },
}

impl Machine {
    /// Reads the machine, and raises the descriptor limit that every child inherits.
    pub fn inspect() -> Result<Self, MachineError> {
        let mut cpus: Vec<_> =
            core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
        cpus.sort_unstable();
        if cpus.len() < 2 {
            return Err(MachineError::TooFewCpus { count: cpus.len() });
        }
        first_line("taskset", "--version").ok_or(MachineError::TasksetMissing)?;
        Ok(Self {
            cpu_model: cpu_model(&read("/proc/cpuinfo")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpus,
            wrk_version: first_line("wrk", "-v").ok_or(MachineError::WrkMissing)?,
            descriptors_max: raise_descriptor_limit(),
            load_average: first_number(&read("/proc/loadavg")),
        })
    }

    /// The CPU of every generator.
    pub fn generator_cpu(&self) -> usize {
        self.cpus[0]
    }

    /// The CPU of the target.
    pub fn target_cpu(&self) -> usize {
        self.cpus[self.cpus.len() - 1]
    }

    /// Name of the machine in a path: model and CPU count in lower case.
    pub fn slug(&self) -> String {
        let words = self.cpu_model.to_lowercase();
        let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
        format!("{}-{}cpu", words.collect::<Vec<_>>().join("-"), self.cpus.len())
    }

    /// What gives reason to doubt the figures, known before anything has run.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.load_average > LOAD_AVERAGE_MAX {
            warnings.push(format!(
                "the machine is not idle (load average {:.2} before the start)",
                self.load_average
            ));
        }
        if siblings(self.generator_cpu()).contains(&self.target_cpu()) {
            warnings.push("generator and target run on two threads of one core".to_owned());
        }
        warnings
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} CPUs, Linux {}", self.cpu_model, self.cpus.len(), self.kernel)?;
        write!(
            f,
            "{}; generators on CPU {}, target on CPU {}, {} descriptors",
            self.wrk_version,
            self.generator_cpu(),
            self.target_cpu(),
            self.descriptors_max
        )
    }
}

/// Raises this process's soft limit on open descriptors to the hard one, and returns what it is.
pub fn raise_descriptor_limit() -> u64 {
    let found = getrlimit(Resource::Nofile);
    // A refusal leaves the limit as it was, which is what is then reported.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: found.maximum, ..found });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// First line a program says about itself, on either stream; none where it cannot be started.
pub(crate) fn first_line(program: impl AsRef<OsStr>, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned())
}

fn cpu_model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim());
    model.unwrap_or(std::env::consts::ARCH).to_owned()
}

fn first_number(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// CPUs on the same physical core as `cpu`, itself included; empty where the kernel does not say.
fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    parse_cpu_list(read(&path).trim())
}

/// "0,2-3" as the kernel writes it.
fn parse_cpu_list(text: &str) -> Vec<usize> {
    text.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_cpu_list("0-1"), [0, 1]);
        assert_eq!(parse_cpu_list("0,4-6"), [0, 4, 5, 6]);
        assert_eq!(parse_cpu_list(""), [] as [usize; 0]);
    }

    #[test]
    fn the_slug_is_fit_for_a_path() {
        let machine = Machine {
            cpu_model: "Intel(R) Xeon(R) CPU @ 2.60GHz".to_owned(),
            kernel: "6.18.0".to_owned(),
            cpus: vec![0, 1],
            wrk_version: "wrk 4.1.0".to_owned(),
            descriptors_max: 1024,
            load_average: 0.0,
        };
        assert_eq!(machine.slug(), "intel-r-xeon-r-cpu-2-60ghz-2cpu");
    }
}
