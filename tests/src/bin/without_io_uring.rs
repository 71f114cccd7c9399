//! Runs a program to which the kernel refuses io_uring, as the seccomp profile of a container does.
//!
//! `without_io_uring PROGRAM ARGUMENTS…`: `io_uring_setup` answers `EPERM` from here on, in this process and in
//! whatever it becomes.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// `io_uring_setup` has the same number on every architecture that has it.
const IO_URING_SETUP: i64 = 425;
/// `EPERM`, what Docker's profile answers.
const EPERM: u32 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().ok_or("usage: without_io_uring PROGRAM ARGUMENTS...")?;
    let filter = SeccompFilter::new(
        BTreeMap::from([(IO_URING_SETUP, vec![])]),
        SeccompAction::Allow,
        SeccompAction::Errno(EPERM),
        std::env::consts::ARCH.try_into()?,
    )?;
    let filter: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&filter)?;
    // `exec` returns only where it failed.
    Err(Command::new(program).args(arguments).exec().into())
}
