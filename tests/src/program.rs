//! Runs `loadr-bench` as a user would, and never waits for it forever.
//!
//! The binary is the one that `LOADR_BENCH_BIN` names; `tools/test` sets it, and examples lie in the folder beside it.
//! Without it, as under a plain `cargo test`, what is asked for is built first, in the profile of the tests: Cargo tells a
//! test only of binaries of its own package.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::saved::Saved;

/// Time after which a program is killed and its test fails, unless the test says otherwise: far more than any needs.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a program that has closed its output is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// Path of the binary under test.
///
/// # Panics
/// If it is not there and cannot be built.
pub fn loadr_bench() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("LOADR_BENCH_BIN") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "LOADR_BENCH_BIN names {}, which is no file", path.display());
            path
        }
        None => build(&["--bin", "loadr-bench"]),
    })
}

/// Path of the example `name` of crate `loadr`: beside the binary under test, or built first.
///
/// # Panics
/// As [`loadr_bench`].
pub fn example(name: &str) -> PathBuf {
    if std::env::var_os("LOADR_BENCH_BIN").is_none() {
        return build(&["--example", name]);
    }
    let folder = loadr_bench().parent().expect("a file lies in a folder");
    let path = folder.join("examples").join(name);
    assert!(path.is_file(), "{} is missing: tools/test builds it", path.display());
    path
}

fn build(what: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "loadr"]).args(what);
    command.args(["--message-format", "json-render-diagnostics"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let built = command.current_dir(crate::workspace_root()).stderr(Stdio::inherit()).output();
    let built = built.expect("cargo can be run");
    assert!(built.status.success(), "{what:?} of loadr does not build");
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.expect("cargo names the executable that it built")
}

/// A program to run, its arguments, and how long it may take.
#[derive(Debug)]
pub struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    limit: Duration,
}

impl Invocation {
    /// Of `loadr-bench` with these arguments.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::of(loadr_bench(), arguments)
    }

    /// Of `program` with these arguments.
    pub fn of<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        Self { program: program.as_ref().to_owned(), arguments, limit: LIMIT }
    }

    /// Of `loadr-bench` with the words of `line`, for arguments without spaces.
    pub fn words(line: &str) -> Self {
        Self::new(line.split_whitespace())
    }

    /// Adds arguments.
    #[must_use]
    pub fn and<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Kills the program after `limit`, and fails the test.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it under another program, such as one that sets limits.
    #[must_use]
    pub fn under<A: AsRef<OsStr>>(
        mut self,
        launcher: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let launched: Vec<OsString> =
            arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        let program = std::mem::replace(&mut self.program, launcher.as_ref().to_owned());
        self.arguments.insert(0, program);
        self.arguments.splice(0..0, launched);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(self) -> Running {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What the tests are told is not for the program, which would wonder at it.
        command.stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("LOADR_BENCH_VENV");
        let shown = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let stdout = Stream::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Stream::of(child.stderr.take().expect("stderr is piped"));
        let started = Instant::now();
        Running { shown, child, stdout, stderr, started, limit: self.limit }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started, or does not end in time.
    pub fn run(self) -> Finished {
        self.start().finish()
    }

    /// Runs it with `--save`, and reads what it saved.
    ///
    /// # Panics
    /// As [`run`](Self::run), or if no report was saved.
    pub fn run_saved(self) -> (Finished, Saved) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("run.json");
        let finished = self.and([OsStr::new("--save"), path.as_os_str()]).run();
        let saved = Saved::read(&path).unwrap_or_else(|error| panic!("{error}\n{finished}"));
        assert_eq!(
            Some(saved.exit_code()),
            finished.code,
            "the saved exit code is the process's\n{finished}"
        );
        (finished, saved)
    }
}

/// What a stream has carried so far; a thread of its own drains it.
#[derive(Debug)]
struct Stream {
    pieces: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Stream {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let (send, pieces) = channel();
        thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                if send.send(piece[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { pieces, seen: Vec::new() }
    }

    /// Takes in one more piece; false at the end of the stream or the deadline.
    fn take_in(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let piece = self.pieces.recv_timeout(left);
        let more = piece.is_ok();
        self.seen.extend(piece.unwrap_or_default());
        more
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// A program that runs; dropping it kills it.
#[derive(Debug)]
pub struct Running {
    shown: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
    started: Instant,
    limit: Duration,
}

impl Running {
    /// Sends a signal to it.
    ///
    /// # Panics
    /// If it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a process that was not waited for takes signals");
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// If it should have by now.
    pub fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait().expect("a child can be waited for");
        let in_time = status.is_some() || self.started.elapsed() < self.limit;
        assert!(in_time, "{} had not ended after {:?}", self.shown, self.limit);
        status.is_some()
    }

    /// Waits until standard error contains `text`.
    ///
    /// # Panics
    /// If it never does.
    pub fn await_stderr(&mut self, text: &str) {
        let deadline = self.started + self.limit;
        while !self.stderr.text().contains(text) {
            let more = self.stderr.take_in(deadline);
            assert!(more, "{}: '{text}' never came\n{}", self.shown, self.stderr.text());
        }
    }

    /// Waits for the first line of standard output.
    ///
    /// # Panics
    /// If there is none.
    pub fn await_line(&mut self) -> String {
        let deadline = self.started + self.limit;
        loop {
            if let Some((line, _)) = self.stdout.text().split_once('\n') {
                return line.to_owned();
            }
            let more = self.stdout.take_in(deadline);
            assert!(more, "{}: no line came\n{}", self.shown, self.stderr.text());
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not come in time; the program is killed then.
    pub fn finish(mut self) -> Finished {
        let deadline = self.started + self.limit;
        while self.stdout.take_in(deadline) {}
        while self.stderr.take_in(deadline) {}
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Finished {
                    shown: std::mem::take(&mut self.shown),
                    code: status.code().map(i64::from),
                    signal: status.signal(),
                    stdout: self.stdout.text(),
                    stderr: self.stderr.text(),
                    took: self.started.elapsed(),
                };
            }
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                panic!(
                    "{} had not ended after {:?}\n{}\n{}",
                    self.shown,
                    self.limit,
                    self.stdout.text(),
                    self.stderr.text()
                );
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    shown: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i64>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// Asserts the exit code, and that nothing panicked; shows everything where it does not hold.
    #[track_caller]
    pub fn expect_code(&self, code: i64) -> &Self {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        assert!(!self.stderr.contains("panicked at"), "it panicked\n{self}");
        self
    }

    /// Asserts exit code 2, nothing on standard output, and one line on standard error; returns the line.
    #[track_caller]
    pub fn expect_one_line(&self) -> &str {
        self.expect_code(2);
        assert_eq!(self.stdout, "", "standard output stays empty\n{self}");
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.is_empty() && !line.contains('\n'), "exactly one line is wanted\n{self}");
        line
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.shown)?;
        writeln!(f, "exit code {:?}, signal {:?}, {:?}", self.code, self.signal, self.took)?;
        writeln!(f, "--- standard output\n{}", self.stdout)?;
        write!(f, "--- standard error\n{}", self.stderr)
    }
}

/// Output of a helper program such as `prlimit`, which has to be there.
///
/// # Panics
/// If it cannot be run or fails.
pub fn output_of(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed here: {error}"));
    assert!(output.status.success(), "{program} {arguments:?} failed: {output:?}");
    output
}
