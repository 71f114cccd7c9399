//! Programs that run, each the leader of a process group of its own, and how they come to their ends.
//!
//! Whoever starts a program may be gone when it is to end, and the run may be over right after. So the groups are on a
//! list, which is what is left to be killed when the process ends; and a program that may take its time to end is left to
//! a thread that does nothing else, and that is there only while there is such a program.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid,
};

/// How long a program whose input has ended may take to end, and then again once it has been told to by a signal.
const GRACE: Duration = Duration::from_secs(1);
/// How often somebody looks whether programs have ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// All programs that run.
#[derive(Default)]
struct Running {
    groups: Vec<Pid>,
    /// The process ends: no more are started.
    is_over: bool,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { groups: Vec::new(), is_over: false });

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program in a group of its own; whoever reaps it takes the group off the list by [`forget`] just before.
///
/// # Errors
/// What the system says.
pub(super) fn start(command: &mut Command) -> io::Result<Child> {
    // Held over the start, so that none begins unseen while all are being killed.
    let mut running = running();
    if running.is_over {
        return Err(io::Error::other("the run is over"));
    }
    let child = command.process_group(0).spawn()?;
    running.groups.push(Pid::from_child(&child));
    Ok(child)
}

/// Takes a group off the list, whatever is left of it ended: its leader has come to its end and is about to be reaped.
pub(super) fn forget(group: Pid) {
    // The leader is not reaped yet, so the number is its own. There may be nobody left.
    let _ = kill_process_group(group, Signal::KILL);
    running().groups.retain(|other| *other != group);
}

/// How the leader of `group` has ended, if it has; it stays unreaped.
pub(super) fn ended(group: Pid) -> io::Result<Option<WaitIdStatus>> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(group), look)?)
}

/// Ends every program that still runs, at once, and lets none begin.
pub(crate) fn kill_all() {
    let mut running = running();
    running.is_over = true;
    for group in &running.groups {
        // It may have ended just now; its number is its own until it is off the list.
        let _ = kill_process_group(*group, Signal::KILL);
    }
}

/// Waits for the programs that are coming to their ends, then ends those that nobody has let go of.
pub(crate) fn end_all() {
    let begun = Instant::now();
    while !ending().programs.is_empty() && begun.elapsed() < 3 * GRACE {
        thread::sleep(LOOK_INTERVAL);
    }
    for group in &running().groups {
        let _ = kill_process_group(*group, Signal::KILL);
    }
}

/// Programs that are coming to their ends.
struct Ending {
    programs: Vec<Program>,
    /// There is a thread that looks after them.
    is_tended: bool,
}

struct Program {
    child: Child,
    /// What it is told next, and when.
    next: Signal,
    at: Instant,
}

static ENDING: Mutex<Ending> = Mutex::new(Ending { programs: Vec::new(), is_tended: false });

fn ending() -> MutexGuard<'static, Ending> {
    ENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that a program ends whose input has ended: by itself, or by `SIGTERM`, or by force. Waits for nothing.
pub(super) fn let_end(child: Child) {
    let program = Program { child, next: Signal::TERM, at: Instant::now() + GRACE };
    tend(program);
}

/// Ends a program at once. Waits for nothing.
pub(super) fn end_now(child: Child) {
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    tend(Program { child, next: Signal::KILL, at: Instant::now() + GRACE });
}

fn tend(program: Program) {
    let mut ending = ending();
    ending.programs.push(program);
    if ending.is_tended {
        return;
    }
    let thread = thread::Builder::new().name("loadr-endings".to_owned()).spawn(look_after_endings);
    ending.is_tended = thread.is_ok();
    if let Err(error) = thread {
        // They are still on the list of those that run, and end with the run.
        log::warn!("no thread to see programs to their ends: {error}");
    }
}

fn look_after_endings() {
    loop {
        let mut ending = ending();
        ending.programs.retain_mut(|program| !program.has_ended());
        if ending.programs.is_empty() {
            ending.is_tended = false;
            return;
        }
        drop(ending);
        thread::sleep(LOOK_INTERVAL);
    }
}

impl Program {
    /// Goes on with its end; true once it has come to it.
    fn has_ended(&mut self) -> bool {
        let group = Pid::from_child(&self.child);
        match ended(group) {
            Ok(None) => {}
            // There is nobody to wait for, or somebody to be reaped.
            Ok(Some(_)) | Err(_) => {
                forget(group);
                let _ = self.child.wait();
                return true;
            }
        }
        if Instant::now() >= self.at {
            let _ = kill_process_group(group, self.next);
            (self.next, self.at) = (Signal::KILL, Instant::now() + GRACE);
        }
        false
    }
}

/// Its end in words: `exit code 3`, `ended by signal 9`.
pub(super) fn words(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
