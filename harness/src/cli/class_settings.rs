//! `--config-users`: changes to user classes, as JSON.
//!
//! Each value is an object, an array of objects, or the path of a `.json` file that holds either. `user_class_name` says
//! which class; `weight`, `fixed_count`, `host` and `tasks` are what every class has, and any other key is handed to the
//! class as it stands. Whether there is such a class, only the scenario knows.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Changes to one user class; what is `None` stays as the scenario has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct ClassSettings {
    #[serde(rename = "user_class_name")]
    pub(crate) class: String,
    #[serde(default)]
    pub(crate) weight: Option<f64>,
    #[serde(default)]
    pub(crate) fixed_count: Option<u64>,
    #[serde(default)]
    pub(crate) host: Option<String>,
    /// Names of the tasks that are kept.
    #[serde(default)]
    pub(crate) tasks: Option<Vec<String>>,
    /// Every other key.
    #[serde(flatten)]
    pub(crate) others: Map<String, Value>,
}

/// Why class settings cannot be used; each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClassSettingsError {
    #[error("--config-users: cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("--config-users: {origin} is no JSON: {source}")]
    Syntax { origin: String, source: serde_json::Error },
    #[error("--config-users: {origin} is no object, and no array of objects")]
    Shape { origin: String },
    #[error("--config-users: {origin} has no user_class_name to say which class it is about")]
    ClassMissing { origin: String },
    #[error("--config-users: in {origin}: {source}")]
    Key { origin: String, source: serde_json::Error },
    #[error(
        "--config-users: the weight {weight} of {class} is no weight: give a number, 0 or more"
    )]
    Weight { class: String, weight: f64 },
}

/// Reads the values of the flag, files included.
pub(crate) fn read(values: &[String]) -> Result<Vec<ClassSettings>, ClassSettingsError> {
    let mut all = Vec::new();
    for value in values {
        if value.ends_with(".json") {
            let text = std::fs::read_to_string(value).map_err(|source| {
                ClassSettingsError::Unreadable { path: PathBuf::from(value), source }
            })?;
            all.extend(parse(value, &text)?);
        } else {
            all.extend(parse(&format!("'{value}'"), value)?);
        }
    }
    Ok(all)
}

/// The settings in a text; `origin` is what errors call it.
fn parse(origin: &str, text: &str) -> Result<Vec<ClassSettings>, ClassSettingsError> {
    let origin = || origin.to_owned();
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|source| ClassSettingsError::Syntax { origin: origin(), source })?;
    let objects = match value {
        Value::Array(objects) => objects,
        single => vec![single],
    };
    let settings = |object: Value| {
        let keys =
            object.as_object().ok_or_else(|| ClassSettingsError::Shape { origin: origin() })?;
        if !keys.contains_key("user_class_name") {
            return Err(ClassSettingsError::ClassMissing { origin: origin() });
        }
        let settings: ClassSettings = serde_json::from_value(object)
            .map_err(|source| ClassSettingsError::Key { origin: origin(), source })?;
        check_weight(settings)
    };
    objects.into_iter().map(settings).collect()
}

fn check_weight(settings: ClassSettings) -> Result<ClassSettings, ClassSettingsError> {
    match settings.weight {
        Some(weight) if weight < 0.0 => {
            Err(ClassSettingsError::Weight { class: settings.class, weight })
        }
        _ => Ok(settings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_changes_one_class() {
        let text = r#"{"user_class_name": "Shopper", "weight": 2, "fixed_count": 3, "host": "http://h",
                       "tasks": ["browse"], "basket_max": 5}"#;
        let read = read(&[text.to_owned()]).unwrap();
        let others = json!({"basket_max": 5}).as_object().cloned().unwrap();
        assert_eq!(
            read,
            [ClassSettings {
                class: "Shopper".to_owned(),
                weight: Some(2.0),
                fixed_count: Some(3),
                host: Some("http://h".to_owned()),
                tasks: Some(vec!["browse".to_owned()]),
                others,
            }]
        );
    }

    #[test]
    fn arrays_files_and_several_values_are_read_in_order() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("classes.json");
        std::fs::write(&path, r#"[{"user_class_name": "B"}, {"user_class_name": "C"}]"#)
            .expect("a temporary file");
        let values =
            [r#"[{"user_class_name": "A"}]"#.to_owned(), path.to_string_lossy().into_owned()];
        let classes: Vec<String> =
            read(&values).unwrap().into_iter().map(|settings| settings.class).collect();
        assert_eq!(classes, ["A", "B", "C"]);
        assert_eq!(read(&[]).unwrap(), []);
    }

    #[test]
    fn mistakes_are_one_line_each() {
        let cases = [
            ("{", "is no JSON"),
            ("5", "is no object"),
            ("[[]]", "is no object"),
            (r#"{"weight": 1}"#, "no user_class_name"),
            (r#"{"user_class_name": "A", "weight": "x"}"#, "invalid type"),
            (r#"{"user_class_name": "A", "weight": -1}"#, "the weight -1 of A"),
            (r#"{"user_class_name": "A", "fixed_count": -1}"#, "invalid value"),
            (r#"{"user_class_name": "A", "tasks": "browse"}"#, "invalid type"),
            ("nowhere.json", "cannot read nowhere.json"),
        ];
        for (value, part) in cases {
            let message = read(&[value.to_owned()]).unwrap_err().to_string();
            assert!(message.contains(part) && !message.contains('\n'), "{message}");
        }
    }
}
