//! Generators as children of the bench, one at a time.
//!
//! Figures about a child come from the kernel: CPU time from the usage of awaited children (their
//! difference around one wait, since only one generator ever runs), the largest resident memory
//! and the target's CPU share from `/proc`. `ru_maxrss` would not do for memory, since it starts
//! at the size of whoever forked the child. The total of CPU time is exact; most kernels split it
//! into user and system by sampling at ticks, so the split wants long windows and several rounds.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use thiserror::Error;

use crate::servers::Server;

/// How often a child is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// What can go wrong with a child.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program is absent or not executable.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Path as given.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The generator outlived its time and was killed.
    #[error("{program} had not ended after {limit:?} and was killed")]
    Overran {
        /// Path as given.
        program: String,
        /// Time allowed.
        limit: Duration,
    },
    /// The system refused something that ought to work.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// One generator to run, pinned to one CPU.
#[derive(Debug)]
pub struct Generator<'a> {
    /// Program to run.
    pub program: &'a Path,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// CPU to pin it to.
    pub cpu: usize,
    /// Its measured window, which is taken to end when the generator does.
    pub window: Duration,
    /// Time after which it is killed.
    pub limit: Duration,
}

/// What became of a generator.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, whole.
    pub stdout: String,
    /// Standard error, whole.
    pub stderr: String,
    /// User time of the whole process.
    pub cpu_user: Duration,
    /// System time of the whole process.
    pub cpu_system: Duration,
    /// From start to end.
    pub elapsed: Duration,
    /// Largest resident memory seen.
    pub resident_bytes_max: Option<u64>,
    /// Share of one CPU that the target used during the window, 0 to 1.
    pub target_cpu_share: Option<f64>,
}

impl Generator<'_> {
    /// Runs to the end.
    pub fn run(self, server: &Server) -> Result<Finished, ProcessError> {
        // Files rather than pipes: nobody has to empty them while the generator runs.
        let (mut stdout, mut stderr) = (tempfile()?, tempfile()?);
        let (user_before, system_before) = children_cpu_time()?;
        let child = Command::new("taskset")
            .args(["-c", &self.cpu.to_string()])
            .arg(self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .spawn()
            .map_err(|source| start_error(self.program, source))?;
        let started = Instant::now();
        let (status, watch) = self.watch(child, server)?;
        let elapsed = started.elapsed();
        let (user_after, system_after) = children_cpu_time()?;
        Ok(Finished {
            status,
            stdout: read_back(&mut stdout)?,
            stderr: read_back(&mut stderr)?,
            cpu_user: user_after.saturating_sub(user_before),
            cpu_system: system_after.saturating_sub(system_before),
            elapsed,
            resident_bytes_max: watch.resident_bytes_max,
            target_cpu_share: busy_share(&watch.samples, self.window),
        })
    }

    fn watch(
        &self,
        mut child: Child,
        server: &Server,
    ) -> Result<(ExitStatus, Watch), ProcessError> {
        let started = Instant::now();
        let mut watch = Watch { samples: Vec::new(), resident_bytes_max: None };
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status, watch));
            }
            if started.elapsed() > self.limit {
                child.kill()?;
                child.wait()?;
                let program = self.program.display().to_string();
                return Err(ProcessError::Overran { program, limit: self.limit });
            }
            // A high-water mark, so the last look before the end has it.
            watch.resident_bytes_max = resident_bytes_max(child.id()).or(watch.resident_bytes_max);
            watch.samples.extend(server.cpu_time().map(|used| (started.elapsed(), used)));
            thread::sleep(POLL);
        }
    }
}

/// What is collected while a generator runs.
struct Watch {
    /// Time since the start, and CPU time the target had used by then.
    samples: Vec<(Duration, Duration)>,
    resident_bytes_max: Option<u64>,
}

/// Largest resident memory of a living process so far.
pub fn resident_bytes_max(pid: u32) -> Option<u64> {
    bytes_of_status(pid, "VmHWM:")
}

/// Resident memory of a living process now.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    bytes_of_status(pid, "VmRSS:")
}

fn bytes_of_status(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Share of one CPU used in the window that ends with the last sample, its first and last tenth
/// left out: there the generator starts, or prints its report.
fn busy_share(samples: &[(Duration, Duration)], window: Duration) -> Option<f64> {
    let &(end, _) = samples.last()?;
    let from = end.checked_sub(window.mul_f64(0.9)).unwrap_or_default();
    let to = end.checked_sub(window.mul_f64(0.1)).unwrap_or_default();
    let &(first_at, first_used) = samples.iter().find(|(at, _)| *at >= from)?;
    let &(last_at, last_used) = samples.iter().rfind(|(at, _)| *at <= to)?;
    let elapsed = last_at.checked_sub(first_at).filter(|elapsed| !elapsed.is_zero())?;
    Some(last_used.saturating_sub(first_used).as_secs_f64() / elapsed.as_secs_f64())
}

/// CPU time that a living process has used so far.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(ticks_to_time)
}

/// User and system ticks from `/proc/PID/stat`, whose second field may contain anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn ticks_to_time(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn children_cpu_time() -> io::Result<(Duration, Duration)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((duration(usage.user_time()), duration(usage.system_time())))
}

fn duration(time: TimeVal) -> Duration {
    let (seconds, micros) = (time.tv_sec().unsigned_abs(), time.tv_usec().unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn tempfile() -> io::Result<File> {
    tempfile::tempfile()
}

fn read_back(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn start_error(program: &Path, source: io::Error) -> ProcessError {
    ProcessError::Start { program: program.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_an_awkward_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 17 25 0 0 20 0 1 0 100";
        assert_eq!(cpu_ticks(stat), Some(42));
    }

    #[test]
    fn the_busy_share_leaves_out_start_and_end() {
        let at = |tenths: u64, used_ms: u64| {
            (Duration::from_millis(tenths * 100), Duration::from_millis(used_ms))
        };
        // Idle until 0.1 s, busy half the time until 0.9 s, idle after.
        let samples: Vec<_> = (0..=10).map(|i| at(i, (i.clamp(1, 9) - 1) * 50)).collect();
        let share = busy_share(&samples, Duration::from_secs(1)).unwrap();
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        assert_eq!(busy_share(&samples[..1], Duration::from_secs(1)), None);
    }

    #[test]
    fn this_process_has_resident_memory() {
        let (now, most) =
            (resident_bytes(std::process::id()), resident_bytes_max(std::process::id()));
        assert!(now.unwrap() > 100_000 && now <= most, "{now:?} {most:?}");
    }
}
