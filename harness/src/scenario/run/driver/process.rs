//! A driver's process, just started: the program, and our ends of what it reads and writes.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

use super::super::groups;
use super::wire::VERSION;
use crate::scenario::model::Driver;

/// A process that nobody talks to yet.
pub(super) struct Process {
    pub(super) program: Program,
    /// What it reads.
    pub(super) input: UnixStream,
    /// What it prints.
    pub(super) output: UnixStream,
    /// What it says to people.
    pub(super) errors: UnixStream,
}

impl Process {
    /// Starts the program; blocks for as long as that takes.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(driver: &Driver) -> io::Result<Self> {
        // Sockets, since the shard's runtime waits for those without a thread.
        let (input, their_input) = UnixStream::pair()?;
        let (output, their_output) = UnixStream::pair()?;
        let (errors, their_errors) = UnixStream::pair()?;
        let (program, arguments) =
            driver.arguments.split_first().expect("a driver names a program");
        let mut command = Command::new(program);
        command.args(arguments).env("LOADR_BENCH_DRIVER", VERSION);
        command.envs(driver.environment.iter().map(|(name, value)| (name, value)));
        if !driver.folder.as_os_str().is_empty() {
            command.current_dir(&driver.folder);
        }
        command.stdin(Stdio::from(OwnedFd::from(their_input)));
        command.stdout(Stdio::from(OwnedFd::from(their_output)));
        command.stderr(Stdio::from(OwnedFd::from(their_errors)));
        let child = groups::start(&mut command)?;
        Ok(Self { program: Program(Some(child)), input, output, errors })
    }
}

/// A program that comes to its end when nobody holds it any more.
pub(super) struct Program(Option<Child>);

impl Program {
    /// Its number and that of its group; `None` once it has been told to end.
    pub(super) fn group(&self) -> Option<Pid> {
        self.0.as_ref().map(Pid::from_child)
    }

    /// Ends it as is usual: its input has ended, and it has some time.
    pub(super) fn let_end(&mut self) {
        self.0.take().into_iter().for_each(groups::let_end);
    }

    /// Ends it at once.
    pub(super) fn end_now(&mut self) {
        self.0.take().into_iter().for_each(groups::end_now);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.let_end();
    }
}
