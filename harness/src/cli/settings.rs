//! Settings from outside the command line: files and environment variables, with Locust's precedence.
//!
//! Low to high: the `PT_*` variables, `~/.locust.conf`, `locust.conf`, `pyproject.toml`, `loadr.toml`, the file of
//! `--config`, `LOCUST_*`, `LOADR_*`. A setting is a flag without its dashes, so there is one parser: what was not typed is
//! put before what was ([`merge()`]) and clap takes it from there. Reading is done in [`Surroundings::gather`] alone; the
//! rest is functions from text to settings, each of which knows the line or the variable that it came from.

mod environment;
mod ini;
mod merge;
mod toml;

use std::fmt;
use std::path::{Path, PathBuf};

use self::toml::Table;
pub(super) use merge::{Merged, merge};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The flag, without its dashes.
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
}

/// Where a setting was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Line { path: PathBuf, line: usize },
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Why settings cannot be used; each is one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: {message}", source_of(path, *line))]
    Syntax { path: PathBuf, line: usize, message: String },
    #[error("{origin}: unrecognized arguments: {argument}{}", suggestion(nearest.as_deref()))]
    Unknown { origin: Source, argument: String, nearest: Option<String> },
    #[error("{origin}: {message}")]
    Wrong { origin: Source, message: String },
}

fn source_of(path: &Path, line: usize) -> Source {
    Source::Line { path: path.to_owned(), line }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean '{nearest}'?"))
}

/// Everything outside the command line that says something about the run.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Lowest precedence first.
    pub(super) settings: Vec<Setting>,
    /// `LOCUST_USER_CLASSES`, which stands for positionals.
    pub(super) user_classes: Vec<String>,
    pub(super) notices: Vec<String>,
}

impl Surroundings {
    /// Reads the files and variables; `config` is the file of `--config`, `longs` the long flags there are.
    pub(super) fn gather(config: Option<&Path>, longs: &[String]) -> Result<Self, SettingsError> {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let found = environment::read(&variables, longs)?;
        let mut settings = found.seeds;
        let home = std::env::home_dir().map(|home| home.join(".locust.conf"));
        let names = ["locust.conf", "pyproject.toml", "loadr.toml"].map(PathBuf::from);
        for path in home.into_iter().chain(names) {
            match std::fs::read_to_string(&path) {
                Ok(text) => settings.extend(read_file(&path, &text)?),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, &error)),
            }
        }
        if let Some(path) = config {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            settings.extend(read_file(path, &text)?);
        }
        settings.extend(found.locust);
        settings.extend(found.loadr);
        Ok(Self { settings, user_classes: found.user_classes, notices: found.notices })
    }

    /// Whether a scenario file is among the settings.
    pub(super) fn names_scenario(&self) -> bool {
        self.settings.iter().any(|setting| setting.key == "locustfile")
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> SettingsError {
    SettingsError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// By its name: TOML, or the format of `locust.conf`.
fn read_file(path: &Path, text: &str) -> Result<Vec<Setting>, SettingsError> {
    match path.extension() {
        Some(extension) if extension == "toml" => {
            let shared = path.file_name().is_some_and(|name| name == "pyproject.toml");
            let table = if shared { Table::ToolLocust } else { Table::ToolLocustOrTop };
            toml::read(path, text, table)
        }
        _ => ini::read(path, text),
    }
}

/// The elements of `[a, b]` or of a JSON array; `None` where the text is neither.
fn split_list(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let element = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    match serde_json::from_str::<Vec<serde_json::Value>>(text) {
        Ok(values) => Some(values.into_iter().map(element).collect()),
        Err(_) => Some(inner.split(',').map(|part| part.trim().to_owned()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_in_brackets() {
        let list = |text| split_list(text).map(|list| list.join("|"));
        assert_eq!(list("[a, b]").as_deref(), Some("a|b"));
        assert_eq!(list("[\"a, b\", 3]").as_deref(), Some("a, b|3"));
        assert_eq!(list("[{\"weight\": 2}]").as_deref(), Some("{\"weight\":2}"));
        assert_eq!(split_list("[]"), Some(vec![]));
        assert_eq!(split_list("a, b"), None);
    }

    #[test]
    fn the_name_of_a_file_says_its_format() {
        let keys = |path: &str, text: &str| -> Vec<String> {
            let settings = read_file(Path::new(path), text).expect("it is right");
            settings.into_iter().map(|setting| setting.key).collect()
        };
        assert_eq!(keys("mine.conf", "users = 5"), ["users"]);
        assert_eq!(keys("loadr.toml", "users = 5"), ["users"]);
        assert_eq!(keys("x/pyproject.toml", "[project]\nname = 'x'"), [""; 0]);
        assert_eq!(keys("x/pyproject.toml", "[tool.locust]\nusers = 5"), ["users"]);
    }
}
