//! Scenario files: what users do, in TOML, checked whole before the run.
//!
//! [`load`] turns a file into a [`Scenario`] or into all that is wrong with it, a line for each. The reading is a typed
//! walk over spanned TOML: what comes out can be run as it is. Names have become indices, templates and conditions are
//! compiled, defaults and groups worked in, files read; no step looks anything up by name while the load runs.
//!
//! The language is described in `harness/scenarios.md`. Its parts here: [`template`] (strings with placeholders),
//! [`condition`], [`data`] (rows that users draw), [`expect`] (what responses should be; [`judge`] compares), [`step`] (what tasks do),
//! and [`model`], which puts them together in the engine's words. `front_end` and `run` have the engine do it.

pub mod condition;
pub mod data;
pub mod error;
pub mod expect;
mod fields;
mod front_end;
pub mod judge;
pub mod model;
mod names;
mod read;
pub mod rpc;
mod run;
mod show;
mod source;
pub mod step;
pub mod template;
#[cfg(test)]
mod tests;
pub mod value;

use std::path::Path;

use toml::de::DeTable;

pub use error::{Problem, Problems, ScenarioError};
pub(crate) use front_end::ScenarioFrontEnd;
pub use model::Scenario;
pub(crate) use run::{end_programs, kill_programs};
pub use show::show;

use fields::Reader;
use source::Source;

/// Reads the scenario file at `path`, the data and the other files that it names, and this process's environment.
pub fn load(path: &Path) -> Result<Scenario, ScenarioError> {
    let unreadable = |cause| ScenarioError::Unreadable { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let environment = |name: &str| std::env::var(name).ok();
    parse(&path.to_string_lossy(), &text, &environment).map_err(ScenarioError::Faulty)
}

/// The scenario in `text`, which came from the file called `name`; files that it names are looked for beside that.
pub fn parse(
    name: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Scenario, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { name, text };
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            return Err(Problems::new(vec![
                source.problem(offset, format!("not TOML: {}", error.message())),
            ]));
        }
    };
    let reader = Reader::new(source, environment);
    let scenario = read::scenario(&reader, table.get_ref());
    match (scenario, reader.into_problems()) {
        (Some(scenario), problems) if problems.is_empty() => Ok(scenario),
        (_, problems) => Err(Problems::new(problems)),
    }
}
