//! Scenario files on the command line: which is taken, and what is refused before any is read.

use std::fs;
use std::path::Path;

use loadr_tests::program::Invocation;

/// `line` in a folder that holds `files`, all empty, is refused with one line that contains each of `parts`.
#[track_caller]
fn expect_refusal_beside(files: &[&str], line: &str, parts: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for file in files {
        fs::write(folder.path().join(file), "").expect("a temporary file");
    }
    let finished = within(folder.path(), line).run();
    let message = finished.expect_one_line();
    for part in parts {
        assert!(message.contains(part), "'{part}' is not in: {message}");
    }
}

fn within(folder: &Path, line: &str) -> Invocation {
    Invocation::words(line).under("env", ["-C".as_ref(), folder.as_os_str()])
}

#[test]
fn python_locustfiles_are_told_apart() {
    let python = "Python locustfiles are not supported by this build yet";
    expect_refusal_beside(&["locustfile.py"], "", &["locustfile.py", python]);
    expect_refusal_beside(&["locustfile.py"], "-u 5 Shopper", &["locustfile.py", python]);
    expect_refusal_beside(&["shop.py"], "-f shop.py", &["shop.py", python]);
}

#[test]
fn files_that_are_none_are_refused() {
    expect_refusal_beside(&[], "-f shop.toml", &["shop.toml", "No such file"]);
    expect_refusal_beside(&["a.toml"], "-f a.toml,b.toml", &["b.toml"]);
    expect_refusal_beside(&["a.txt"], "-f .", &["*.toml"]);
    expect_refusal_beside(&[], "-f https://h/shop.toml", &["https://h/shop.toml", "this machine"]);
    expect_refusal_beside(&[], "check", &["FILE"]);
    expect_refusal_beside(&[], "show", &["FILE"]);
}

#[test]
fn what_belongs_to_urls_is_refused() {
    let shop = &["shop.toml"];
    expect_refusal_beside(shop, "-f shop.toml http://h/", &["http://h/", "-H"]);
    expect_refusal_beside(shop, "-f shop.toml --body x", &["--body", "URL"]);
    expect_refusal_beside(shop, "-f shop.toml -H X-One:b", &["X-One:b", "host"]);
    expect_refusal_beside(shop, "-f shop.toml --worker", &["--worker"]);
}

#[test]
fn changes_of_classes_are_checked() {
    let shop = &["shop.toml"];
    let line = "-f shop.toml --config-users";
    expect_refusal_beside(shop, &format!("{line} {{"), &["--config-users", "JSON"]);
    expect_refusal_beside(shop, &format!("{line} {{}}"), &["user_class_name"]);
    expect_refusal_beside(shop, &format!("{line} nowhere.json"), &["nowhere.json"]);
}

#[test]
fn nothing_at_all_is_answered_with_the_help() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let finished = within(folder.path(), "").run();
    finished.expect_code(2);
    assert!(finished.stderr.contains("Usage: loadr-bench"), "{finished}");
}
