//! Keys while a run is on: `w` and `W` add 1 and 10 users, `s` and `S` remove them, as in Locust.
//!
//! The terminal gives keys as they are pressed from [`Keys::on_stdin`] to the drop, which puts it back as it was. Ctrl-C
//! stays a signal.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Users started or stopped per second at a key.
pub(super) const SPAWN_RATE: f64 = 100.0;

/// The terminal on standard input, giving keys.
pub(super) struct Keys {
    before: Termios,
}

impl Keys {
    /// The keys of the terminal, where standard input is one and this process is in its foreground.
    pub(super) fn on_stdin() -> Option<Self> {
        let stdin = io::stdin();
        // A process in the background would be stopped by the terminal's driver for changing it.
        if !isatty(&stdin) || tcgetpgrp(&stdin).ok()? != getpgrp() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut keys = before.clone();
        keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &keys).ok()?;
        Some(Self { before })
    }

    /// How many users the keys pressed since the last look add, or remove.
    pub(super) fn pressed(&self) -> i64 {
        let stdin = io::stdin();
        let mut sum = 0;
        loop {
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            if !matches!(poll(&mut ready, Some(&at_once)), Ok(1..))
                || !ready[0].revents().contains(PollFlags::IN)
            {
                return sum;
            }
            let mut bytes = [0; 64];
            match rustix::io::read(&stdin, &mut bytes) {
                Ok(count @ 1..) => sum += bytes[..count].iter().map(|key| users(*key)).sum::<i64>(),
                _ => return sum,
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs no care.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn users(key: u8) -> i64 {
    match key {
        b'w' => 1,
        b'W' => 10,
        b's' => -1,
        b'S' => -10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_locust() {
        assert_eq!(b"wWsSx\n".map(users), [1, 10, -1, -10, 0, 0]);
    }
}
