//! A program that runs, on a thread that does nothing but watch it.
//!
//! The program leads a process group of its own, so that what it starts ends with it: when it is done, when its time is up,
//! and when nobody waits for it any more. That last may happen on another thread, and the run may be over right after; so
//! whoever lets go of the [`Leash`] kills the group itself, under a lock that keeps the watcher from reaping the leader
//! meanwhile: its number could be another's by then.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use loadr_engine::outcome::{Failure, FailureKind};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitIdStatus, kill_process_group};

use super::groups;

/// How often the watcher looks whether a silent program has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Bytes of output that are kept: the last ones.
const OUTPUT_BYTES_MAX: usize = 4096;
/// Lines of it that a failure shows.
const LINES_SHOWN: usize = 2;
/// Most characters of each.
const LINE_CHARS_MAX: usize = 120;

/// A program to run.
pub(super) struct Child {
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) folder: PathBuf,
    pub(super) timeout: Option<Duration>,
    pub(super) exit_codes: Box<[i32]>,
}

/// What became of it.
pub(super) struct Ended {
    pub(super) took: Duration,
    pub(super) failure: Option<Failure>,
}

/// What keeps a program running: it ends when the first of the leash's two holders lets go.
#[derive(Clone, Default)]
pub(super) struct Leash(Arc<Mutex<Hold>>);

#[derive(Default)]
enum Hold {
    /// The program has not begun.
    #[default]
    Waiting,
    /// It runs, and leads the group of this number.
    Running(Pid),
    /// It has ended, or is never to begin.
    Over,
}

impl Leash {
    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut hold = self.hold();
        if let Hold::Running(group) = *hold {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        } else {
            *hold = Hold::Over;
        }
    }
}

impl Child {
    /// Runs the program to its end; blocks.
    pub(super) fn run(&self, leash: &Leash) -> Ended {
        let begun = Instant::now();
        let outcome = self.watch(leash, begun);
        let took = begun.elapsed();
        let failure = match outcome {
            Ok(failure) => failure,
            Err(error) => {
                let text = format!("cannot run {}: {error}", self.arguments[0]);
                Some(Failure::new(FailureKind::Other, text))
            }
        };
        Ended { took, failure }
    }

    fn watch(&self, leash: &Leash, begun: Instant) -> io::Result<Option<Failure>> {
        let (mut output, input) = io::pipe()?;
        rustix::io::ioctl_fionbio(&output, true)?;
        let mut command = self.command();
        command.stdout(input.try_clone()?).stderr(input);
        let mut hold = leash.hold();
        if matches!(*hold, Hold::Over) {
            return Ok(None);
        }
        let mut child = groups::start(&mut command)?;
        // The write ends in here would keep the pipe from ever coming to its end.
        drop(command);
        let group = Pid::from_child(&child);
        *hold = Hold::Running(group);
        drop(hold);

        let mut tail = Tail::default();
        let mut timed_out = false;
        let status = loop {
            tail.read(&mut output);
            if let Some(status) = groups::ended(group)? {
                break status;
            }
            if !timed_out && self.timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
                timed_out = true;
                kill_process_group(group, Signal::KILL)?;
            }
            tail.wait(&output);
        };
        tail.read(&mut output);
        let mut hold = leash.hold();
        *hold = Hold::Over;
        groups::forget(group);
        child.wait()?;
        drop(hold);
        Ok(if timed_out { self.late() } else { self.judged(&status, &tail) })
    }

    fn command(&self) -> Command {
        let (program, arguments) = self.arguments.split_first().expect("a command names a program");
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.folder != Path::new("") {
            command.current_dir(&self.folder);
        }
        command.stdin(Stdio::null());
        command
    }

    fn late(&self) -> Option<Failure> {
        let timeout = self.timeout?;
        Some(Failure::new(FailureKind::Timeout, format!("not ended within {timeout:?}")))
    }

    fn judged(&self, status: &WaitIdStatus, tail: &Tail) -> Option<Failure> {
        if status.exit_status().is_some_and(|code| self.exit_codes.contains(&code)) {
            return None;
        }
        let text = tail.explained(groups::words(status), LINES_SHOWN);
        Some(Failure::new(FailureKind::Check, text))
    }
}

/// The end of a program's output.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Tail {
    /// Takes what there is to read.
    fn read(&mut self, output: &mut impl Read) {
        let mut piece = [0; OUTPUT_BYTES_MAX];
        while !self.is_over {
            match output.read(&mut piece) {
                Ok(0) => self.is_over = true,
                Ok(count) => self.push(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.is_over = true,
            }
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        let excess = self.bytes.len().saturating_sub(OUTPUT_BYTES_MAX);
        self.bytes.drain(..excess);
    }

    /// Waits for more, or for the next look.
    fn wait(&self, output: &impl std::os::fd::AsFd) {
        if self.is_over {
            return thread::sleep(LOOK_INTERVAL);
        }
        let interval = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK_INTERVAL.subsec_nanos()) };
        let mut readable = [PollFd::new(output, PollFlags::IN)];
        // Interrupted or not, the next look is due.
        let _ = rustix::event::poll(&mut readable, Some(&interval));
    }

    /// `what`, and the last lines that say something.
    pub(super) fn explained(&self, what: String, lines: usize) -> String {
        let lines = self.last_lines(lines);
        if lines.is_empty() { what } else { format!("{what}: {lines}") }
    }

    /// The last lines that say something, without the figures that differ from run to run.
    fn last_lines(&self, count: usize) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.lines().map(|line| line.trim().trim_matches('=').trim());
        let mut last: Vec<String> =
            lines.rev().filter(|line| !line.is_empty()).take(count).map(steady).collect();
        last.reverse();
        last.join(" | ")
    }
}

/// A line without control characters, and with numbers that have a fraction, which mostly are times, left out.
fn steady(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let digits = word.trim_matches(|c: char| !c.is_ascii_digit());
        let is_time = digits.contains('.') && digits.parse::<f64>().is_ok();
        if is_time { word.replace(digits, "…") } else { word.to_owned() }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(LINE_CHARS_MAX).collect()
}
