//! Whole files: the examples, every kind of fault, and text that nobody meant.

mod compiled;
mod examples;
mod faults;
mod judged;
mod rpc;
mod websockets;

use super::{Problems, Scenario, parse};

/// The scenario in `text`, in an environment of a few variables.
fn read(text: &str) -> Result<Scenario, Problems> {
    let environment = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
    parse("shop.toml", text, &environment)
}

/// A file of one user whose one task has these steps.
fn with_steps(steps: &str) -> String {
    format!("[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"\nsteps = [\n{steps}\n]\n")
}
