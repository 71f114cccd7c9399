//! What a process says of its run in one number.
//!
//! | Code | When |
//! |---|---|
//! | 2 | it could not run: usage, files, ports, names |
//! | the test's | the test set a code itself |
//! | 3 | a threshold was missed |
//! | 1, or that of `--exit-code-on-error` | something failed, a shard was lost, the load was refused, or nothing was measured |
//! | 0 | none of these |
//!
//! The first that applies counts. The first line is decided before there is a run, by whoever finds out.

/// Exit code where nothing was run.
pub const COULD_NOT_RUN: u8 = 2;
/// Exit code of a missed threshold.
pub const THRESHOLD_MISSED: u8 = 3;

/// What of a run bears on its exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The code that the test set itself, if it did.
    pub set_by_test: Option<u8>,
    /// A threshold was missed, or the run was ended by one.
    pub threshold_missed: bool,
    /// Failed requests.
    pub failures: u64,
    /// Exceptions: tasks that returned an error or panicked.
    pub exceptions: u64,
    /// A shard was lost.
    pub shard_lost: bool,
    /// The load could not be made as it was asked for.
    pub load_refused: bool,
    /// There was not one request.
    pub nothing_measured: bool,
}

/// The exit code of a run that took place; `on_error` is that of failures.
pub fn exit_code(ending: &Ending, on_error: u8) -> u8 {
    let failed = ending.failures > 0
        || ending.exceptions > 0
        || ending.shard_lost
        || ending.load_refused
        || ending.nothing_measured;
    match ending.set_by_test {
        Some(code) => code,
        None if ending.threshold_missed => THRESHOLD_MISSED,
        None if failed => on_error,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_applies_counts() {
        let clean = Ending::default();
        let failed = Ending { failures: 1, ..clean };
        let missed = Ending { threshold_missed: true, ..failed };
        let set = Ending { set_by_test: Some(9), ..missed };
        let table = [
            (clean, 1, 0),
            (clean, 7, 0),
            (failed, 1, 1),
            (failed, 7, 7),
            (failed, 0, 0),
            (Ending { exceptions: 1, ..clean }, 7, 7),
            (Ending { shard_lost: true, ..clean }, 1, 1),
            (Ending { nothing_measured: true, ..clean }, 1, 1),
            (Ending { load_refused: true, ..clean }, 1, 1),
            (Ending { threshold_missed: true, ..clean }, 1, 3),
            (missed, 7, 3),
            (missed, 0, 3),
            (set, 1, 9),
            (Ending { set_by_test: Some(0), ..missed }, 1, 0),
        ];
        for (ending, on_error, code) in table {
            assert_eq!(exit_code(&ending, on_error), code, "{ending:?}, {on_error}");
        }
    }
}
