//! Settings in environment variables: Locust's, ours, and those of old stress harnesses.
//!
//! A variable of Locust has the name that Locust gives it; those that its parser does not know, such as what a scenario
//! reads for itself, are left alone. A variable of ours is `LOADR_` and the flag. The `PT_*` variables are what the shell
//! scripts around old locustfiles set.

use super::{Setting, SettingsError, Source, Value};

/// What the environment says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) seeds: Vec<Setting>,
    pub(super) locust: Vec<Setting>,
    pub(super) loadr: Vec<Setting>,
    pub(super) user_classes: Vec<String>,
    pub(super) notices: Vec<String>,
}

/// Locust's variables whose names are not `LOCUST_` and the flag.
const RENAMED: [(&str, &str); 6] = [
    ("LOCUST_USERCLASS_PICKER", "class-picker"),
    ("LOCUST_MODE_MASTER", "master"),
    ("LOCUST_MODE_WORKER", "worker"),
    ("LOCUST_MASTER_NODE_HOST", "master-host"),
    ("LOCUST_MASTER_NODE_PORT", "master-port"),
    ("LOCUST_ENABLE_OPENTELEMETRY", "otel"),
];

/// Flags that Locust, or a plugin of it, reads from `LOCUST_` and the flag.
const SAME_NAMED: [&str; 48] = [
    "locustfile",
    "host",
    "users",
    "spawn-rate",
    "hatch-rate",
    "run-time",
    "config-users",
    "web-host",
    "web-host-display-name",
    "web-port",
    "headless",
    "autostart",
    "autoquit",
    "headful",
    "web-login",
    "tls-cert",
    "tls-key",
    "web-base-path",
    "build-path",
    "master-bind-host",
    "master-bind-port",
    "expect-workers",
    "expect-workers-max-wait",
    "processes",
    "tags",
    "exclude-tags",
    "csv",
    "csv-full-history",
    "print-stats",
    "only-summary",
    "reset-stats",
    "html",
    "skip-log-setup",
    "loglevel",
    "logfile",
    "exit-code-on-error",
    "stop-timeout",
    "check-rps",
    "check-fail-ratio",
    "check-avg-response-time",
    "iterations",
    "ips",
    "console-stats-interval",
    "timescale",
    "grafana-url",
    "test-env",
    "test-version",
    "description",
];

/// Variables of this project's own tools.
const OWN_TOOLS: &str = "LOADR_BENCH_";

/// Sorts the variables out; `longs` are the long flags there are.
pub(super) fn read(
    variables: &[(String, String)],
    longs: &[String],
) -> Result<Environment, SettingsError> {
    let mut found = Environment::default();
    for (name, value) in variables {
        if name.starts_with("PT_") {
            found.seeds.extend(seed(name, value)?);
        } else if name == "LOCUST_USER_CLASSES" {
            found.user_classes = value.split_whitespace().map(str::to_owned).collect();
        } else if name.starts_with("LOCUST_") {
            found.locust.extend(locusts_flag(name).map(|key| setting(name, key, value)));
        } else if let Some(flag) = name.strip_prefix("LOADR_")
            && !name.starts_with(OWN_TOOLS)
        {
            match longs.iter().find(|long| variable_form(long) == flag) {
                Some(long) => found.loadr.push(setting(name, long, value)),
                None => found.notices.push(format!("{name} names no flag: it is ignored")),
            }
        }
    }
    Ok(found)
}

fn setting(name: &str, key: &str, value: &str) -> Setting {
    Setting {
        key: key.to_owned(),
        value: Value::Text(value.to_owned()),
        source: Source::Variable(name.to_owned()),
    }
}

fn variable_form(long: &str) -> String {
    long.replace('-', "_").to_ascii_uppercase()
}

fn locusts_flag(name: &str) -> Option<&'static str> {
    let renamed = RENAMED.iter().find(|(variable, _)| *variable == name);
    let same = || {
        let flag = name.strip_prefix("LOCUST_")?;
        SAME_NAMED.iter().find(|long| variable_form(long) == flag)
    };
    renamed.map(|(_, flag)| *flag).or_else(|| same().copied())
}

fn seed(name: &str, value: &str) -> Result<Option<Setting>, SettingsError> {
    let key = match name {
        "PT_LOCUST_FILE" => "locustfile",
        "PT_NUM_CLIENTS" => "users",
        "PT_HATCH_RATE" => "spawn-rate",
        "PT_LOCUST_PORT" => "web-port",
        "PT_DURATION" => {
            let time = minutes(value).ok_or_else(|| SettingsError::Wrong {
                origin: Source::Variable(name.to_owned()),
                message: format!("'{value}' is no number of minutes"),
            })?;
            return Ok(Some(setting(name, "run-time", &time)));
        }
        _ => return Ok(None),
    };
    Ok(Some(setting(name, key, value)))
}

/// A number of minutes as a run time.
fn minutes(value: &str) -> Option<String> {
    let minutes: f64 = value.trim().parse().ok()?;
    let whole_ms = (minutes * 60_000.0).round();
    (minutes > 0.0 && whole_ms < 1e15).then(|| format!("{whole_ms:.0}ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Environment, SettingsError> {
        let owned: Vec<_> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        read(&owned, &["users".to_owned(), "run-time".to_owned(), "fail-if".to_owned()])
    }

    fn pairs(settings: &[Setting]) -> Vec<(&str, &Value)> {
        settings.iter().map(|setting| (setting.key.as_str(), &setting.value)).collect()
    }

    #[test]
    fn variables_are_sorted_by_whose_they_are() {
        let found = read_all(&[
            ("LOCUST_USERS", "5"),
            ("LOCUST_LOCUSTFILE", "a.toml"),
            ("LOCUST_MODE_MASTER", "true"),
            ("LOCUST_USER_CLASSES", "A  B"),
            ("LOADR_RUN_TIME", "5s"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            pairs(&found.locust),
            [("users", &text("5")), ("locustfile", &text("a.toml")), ("master", &text("true"))]
        );
        assert_eq!(pairs(&found.loadr), [("run-time", &text("5s"))]);
        assert_eq!(found.loadr[0].source.to_string(), "LOADR_RUN_TIME");
        assert_eq!(found.user_classes, ["A", "B"]);
        assert_eq!(found.notices, [""; 0]);
    }

    #[test]
    fn the_harnesses_variables_are_translated() {
        let found = read_all(&[
            ("PT_LOCUST_FILE", "a.toml"),
            ("PT_NUM_CLIENTS", "10"),
            ("PT_HATCH_RATE", "2"),
            ("PT_DURATION", "1.5"),
            ("PT_LOCUST_PORT", "8089"),
            ("PT_SOMETHING", "x"),
        ])
        .unwrap();
        let keys: Vec<&str> = found.seeds.iter().map(|setting| setting.key.as_str()).collect();
        assert_eq!(keys, ["locustfile", "users", "spawn-rate", "run-time", "web-port"]);
        assert_eq!(found.seeds[3].value, Value::Text("90000ms".to_owned()));
        for wrong in ["ten", "-1", "0", "", "nan", "1e300"] {
            let error = read_all(&[("PT_DURATION", wrong)]).unwrap_err().to_string();
            assert_eq!(error, format!("PT_DURATION: '{wrong}' is no number of minutes"));
        }
    }

    #[test]
    fn unknown_variables_of_ours_are_told_and_locusts_are_left_alone() {
        let found =
            read_all(&[("LOADR_USRES", "5"), ("LOADR_BENCH_BIN", "x"), ("LOCUST_MY_OWN", "x")]);
        let found = found.unwrap();
        assert_eq!(found.notices, ["LOADR_USRES names no flag: it is ignored"]);
        assert!(found.locust.is_empty() && found.loadr.is_empty());
    }
}
