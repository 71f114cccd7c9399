//! Settings in TOML: the table `[tool.locust]`, or in a file of our own the top of it.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Setting, SettingsError, Source, Value, source_of};

/// Where in a file settings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// `[tool.locust]`: the rest of the file belongs to others.
    ToolLocust,
    /// `[tool.locust]`, or the whole file where there is none.
    ToolLocustOrTop,
}

/// Reads the settings of a file.
pub(super) fn read(path: &Path, text: &str, table: Table) -> Result<Vec<Setting>, SettingsError> {
    let document = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', " "),
    })?;
    let top = document.get_ref();
    let tool_locust = table_in(top, "tool").and_then(|tool| table_in(tool, "locust"));
    let settings = match (tool_locust, table) {
        (Some(settings), _) => settings,
        (None, Table::ToolLocust) => return Ok(Vec::new()),
        (None, Table::ToolLocustOrTop) => top,
    };
    let mut ordered: Vec<_> = settings.iter().collect();
    ordered.sort_by_key(|(key, _)| key.span().start);
    let setting = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let source = source_of(path, line_at(text, key.span().start));
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        setting(key, value.get_ref(), source)
    };
    ordered.into_iter().map(setting).collect()
}

fn table_in<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a DeTable<'i>> {
    table.get(name).and_then(|value| value.get_ref().as_table())
}

fn setting(key: &str, value: &DeValue<'_>, source: Source) -> Result<Setting, SettingsError> {
    let value = match value {
        DeValue::Array(elements) => {
            let elements = elements.iter().map(|element| scalar(element.get_ref()));
            elements.collect::<Option<Vec<_>>>().map(Value::List)
        }
        single => scalar(single).map(Value::Text),
    };
    match value {
        // Scenario files write `run_time`, and so may this.
        Some(value) => Ok(Setting { key: key.replace('_', "-"), value, source }),
        None => {
            let message = format!("'{key}' takes text, a number, true or false, or a list of them");
            Err(SettingsError::Wrong { origin: source, message })
        }
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The line, from 1, of a byte of the text.
fn line_at(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    before.filter(|&&b| b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, table: Table) -> Result<Vec<Setting>, SettingsError> {
        read(Path::new("loadr.toml"), text, table)
    }

    #[test]
    fn values_become_what_would_be_typed() {
        let text = "users = 1_000\nspawn-rate = 2.5\nhost = \"http://h\"\nheadless = true\ntags = [\"a\", \"b c\"]\n";
        let settings = read_text(text, Table::ToolLocustOrTop).unwrap();
        let wanted = [
            ("users", Value::Text("1000".to_owned())),
            ("spawn-rate", Value::Text("2.5".to_owned())),
            ("host", Value::Text("http://h".to_owned())),
            ("headless", Value::Text("true".to_owned())),
            ("tags", Value::List(vec!["a".to_owned(), "b c".to_owned()])),
        ];
        assert_eq!(settings.len(), wanted.len());
        for (index, (setting, (key, value))) in settings.iter().zip(wanted).enumerate() {
            assert_eq!((setting.key.as_str(), &setting.value), (key, &value));
            assert_eq!(setting.source, source_of(Path::new("loadr.toml"), index + 1));
        }
    }

    #[test]
    fn the_table_of_locust_is_found() {
        let text = "name = 'x'\n[tool.other]\nusers = 1\n[tool.locust]\nusers = 5\n";
        for table in [Table::ToolLocust, Table::ToolLocustOrTop] {
            let settings = read_text(text, table).unwrap();
            assert_eq!(settings.len(), 1);
            assert_eq!(settings[0].source.to_string(), "loadr.toml line 5");
        }
        assert_eq!(read_text("users = 5", Table::ToolLocust), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        let message = |text| read_text(text, Table::ToolLocustOrTop).unwrap_err().to_string();
        assert!(message("users = 5\nhost = \n").starts_with("loadr.toml line 2: "));
        assert_eq!(
            message("\nhost = { a = 1 }"),
            "loadr.toml line 2: 'host' takes text, a number, true or false, or a list of them"
        );
    }
}
