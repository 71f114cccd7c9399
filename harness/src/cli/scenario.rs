//! A scenario run as it was asked for: everything checked that can be without reading the scenario.

use std::path::{Path, PathBuf};

use super::args::{LoadArgs, ScenarioArgs, TaskStats};
use super::class_settings::{self, ClassSettings, ClassSettingsError};
use super::mode::is_host;

/// Users of a scenario that nobody gave a number, as in Locust.
pub(crate) const USERS_DEFAULT: u64 = 1;
/// Users started per second where nobody gave a rate, as in Locust.
pub(crate) const SPAWN_RATE_DEFAULT: f64 = 1.0;

/// What is to be done with a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Run it.
    Run,
    /// Print the names of its user classes.
    List,
    /// Print the ratio of its tasks.
    TaskRatio,
    /// Print the ratio of its tasks as JSON.
    TaskRatioJson,
}

/// A scenario and what the command line says of it.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioRun {
    pub(crate) purpose: Purpose,
    /// Scenario files; none where the program brings its own user classes.
    pub(crate) files: Vec<PathBuf>,
    /// User classes to run; all when there are none.
    pub(crate) user_classes: Vec<String>,
    /// Takes the place of the host of every user class.
    pub(crate) host: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) exclude_tags: Vec<String>,
    pub(crate) class_settings: Vec<ClassSettings>,
    pub(crate) equal_weights: bool,
    /// Tasks to run in total.
    pub(crate) iterations: Option<u64>,
    pub(crate) reset_stats: bool,
    pub(crate) task_stats: Option<TaskStats>,
    /// Users, rate, times, limits, seed, timeouts, engine, checks and outputs; what only a URL needs is at its default.
    pub(crate) load: LoadArgs,
}

/// Why a scenario cannot be run as asked for; each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScenarioError {
    #[error(transparent)]
    ClassSettings(#[from] ClassSettingsError),
    #[error(
        "{}: Python locustfiles are not supported by this build yet: write the scenario as TOML and give it with -f",
        .0.display()
    )]
    Python(PathBuf),
    #[error(
        "'{0}': scenario files are read from this machine alone: download it, and give its path"
    )]
    Remote(String),
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{} holds no scenario: it has no *.toml file", .0.display())]
    FolderEmpty(PathBuf),
    #[error(
        "'{0}' is a URL: with -f the target is given with -H, and names of user classes by themselves"
    )]
    UrlGiven(String),
    #[error(
        "'{0}' is a header: with -f, -H is the host, and headers are given in the scenario file"
    )]
    HeaderGiven(String),
}

impl ScenarioRun {
    /// `default_file` is the scenario that is taken where none is named.
    pub(super) fn new(
        args: ScenarioArgs,
        mut load: LoadArgs,
        default_file: Option<PathBuf>,
    ) -> Result<Self, ScenarioError> {
        let named = if args.locustfile.is_empty() {
            default_file.into_iter().collect()
        } else {
            args.locustfile.clone()
        };
        let user_classes = std::mem::take(&mut load.urls);
        if let Some(url) = user_classes.iter().find(|word| word.contains('/')) {
            return Err(ScenarioError::UrlGiven(url.clone()));
        }
        let hosts = std::mem::take(&mut load.header);
        if let Some(header) = hosts.iter().find(|value| !is_host(value)) {
            return Err(ScenarioError::HeaderGiven(header.clone()));
        }
        Ok(Self {
            purpose: purpose(&args),
            files: files(&named)?,
            user_classes,
            host: load.host.take().or_else(|| hosts.last().cloned()),
            tags: args.tags,
            exclude_tags: args.exclude_tags,
            class_settings: class_settings::read(&args.config_users)?,
            equal_weights: args.equal_weights,
            iterations: args.iterations,
            reset_stats: args.reset_stats,
            task_stats: args.task_stats,
            load,
        })
    }
}

/// In the order in which Locust looks.
fn purpose(args: &ScenarioArgs) -> Purpose {
    match args {
        ScenarioArgs { list: true, .. } => Purpose::List,
        ScenarioArgs { show_task_ratio: true, .. } => Purpose::TaskRatio,
        ScenarioArgs { show_task_ratio_json: true, .. } => Purpose::TaskRatioJson,
        _ => Purpose::Run,
    }
}

/// The files that are meant: folders stand for the scenarios in them.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, ScenarioError> {
    let mut files = Vec::new();
    for path in named {
        let text = path.to_string_lossy();
        if text == "-" || text.contains("://") {
            return Err(ScenarioError::Remote(text.into_owned()));
        }
        let metadata = std::fs::metadata(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.clone(), source })?;
        if metadata.is_dir() {
            let found = scenarios_in(path)?;
            if found.is_empty() {
                return Err(ScenarioError::FolderEmpty(path.clone()));
            }
            files.extend(found);
        } else if has_extension(path, "py") {
            return Err(ScenarioError::Python(path.clone()));
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

/// Every `*.toml` below a folder, sorted; names that begin with `_` are left out, as in Locust.
fn scenarios_in(folder: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    let unreadable = |source| ScenarioError::Unreadable { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        // A link to a folder is not followed: it may lead back up.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            found.extend(scenarios_in(&path)?);
        } else if has_extension(&path, "toml")
            && !entry.file_name().as_encoded_bytes().starts_with(b"_")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_scenarios() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("a temporary directory");
        let write = |path: PathBuf| std::fs::write(path, "").expect("a temporary file");
        assert!(matches!(files(std::slice::from_ref(&inner)), Err(ScenarioError::FolderEmpty(_))));
        ["b.toml", "_c.toml", "d.txt"].into_iter().for_each(|name| write(folder.path().join(name)));
        write(inner.join("a.toml"));
        let found = files(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found, [folder.path().join("b.toml"), inner.join("a.toml")]);
    }

    #[test]
    fn what_is_no_scenario_here_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let python = folder.path().join("locustfile.py");
        std::fs::write(&python, "").expect("a temporary file");
        assert!(matches!(files(&[python]), Err(ScenarioError::Python(_))));
        for remote in ["-", "https://h/x.toml"] {
            assert!(matches!(files(&[remote.into()]), Err(ScenarioError::Remote(_))), "{remote}");
        }
        let missing = files(&[folder.path().join("missing.toml")]);
        assert!(matches!(missing, Err(ScenarioError::Unreadable { .. })));
    }
}
