//! What can be done with a test: run it, list it, show its ratio, look its file over.

use std::io::{self, Write};
use std::path::Path;

use loadr_engine::task::ClassModel;

use crate::cli::plan::{Plan, classes};
use crate::cli::scenario::{Purpose, ScenarioRun};
use crate::library::Test;
use crate::test_source::TestSource;
use crate::{run, scenario, task_ratio};

/// Does what the command line asks for; gives the exit code, or why it could not be done.
pub(crate) fn perform(asked: &ScenarioRun, test: Test) -> Result<u8, String> {
    let source = TestSource::new(test, &asked.files).map_err(text)?;
    let models = || -> Result<Vec<ClassModel>, String> {
        let classes = classes(&source, asked, &mut Vec::new()).map_err(text)?;
        Ok(classes.into_iter().map(|class| class.model).collect())
    };
    match asked.purpose {
        Purpose::Run => {
            let plan = Plan::of_test(asked, source).map_err(text)?;
            run::execute(plan).map_err(text)
        }
        Purpose::List => {
            let names = source.classes.iter().map(|class| format!("    {}\n", class.model.name));
            print(&format!("Available Users:\n{}", names.collect::<String>()))
        }
        Purpose::TaskRatio => {
            let mut table = Vec::new();
            task_ratio::write(&mut table, &models()?, asked.load.users).map_err(text)?;
            print(&String::from_utf8_lossy(&table))
        }
        Purpose::TaskRatioJson => {
            print(&format!("{:#}\n", task_ratio::json(&models()?, asked.load.users)))
        }
    }
}

/// Looks a scenario file over.
pub(crate) fn check(file: &Path) -> Result<u8, String> {
    let source = TestSource::new(Test::new(), &[file.to_owned()]).map_err(text)?;
    let classes: Vec<&str> = source.classes.iter().map(|class| &*class.model.name).collect();
    print(&format!(
        "{}: nothing is wrong with it; user classes: {}\n",
        file.display(),
        classes.join(", ")
    ))
}

/// Prints the ratio of a scenario file's tasks, and what one user of each class would send.
pub(crate) fn show(file: &Path) -> Result<u8, String> {
    let source = TestSource::new(Test::new(), &[file.to_owned()]).map_err(text)?;
    let models: Vec<ClassModel> = source.classes.into_iter().map(|class| class.model).collect();
    let mut shown = Vec::new();
    task_ratio::write(&mut shown, &models, None).map_err(text)?;
    let scenario = scenario::load(file).map_err(text)?;
    print(&format!("{}\n{}", String::from_utf8_lossy(&shown), scenario::show(&scenario)))
}

/// Prints to standard output; a reader that has seen enough is no failure.
fn print(text: &str) -> Result<u8, String> {
    let written = io::stdout().write_all(text.as_bytes());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(0),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
