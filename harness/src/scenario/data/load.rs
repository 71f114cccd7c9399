//! Tables from files: CSV with a header, a JSON list of objects, or one JSON object a line.
//!
//! Rows go from the reader straight into the table, so a file needs little more memory than its text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::table::{Table, TableBuilder, TableError};

/// Why a data file gives no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("cannot read the data file {path}: {cause}")]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{path} line {line} has {found} fields, not the {expected} of its header")]
    Ragged { path: PathBuf, line: u64, found: u64, expected: u64 },
    #[error("{path} line {line} is not UTF-8; save the file as UTF-8")]
    NotText { path: PathBuf, line: u64 },
    #[error("{path} {cause}")]
    Table { path: PathBuf, cause: TableError },
    #[error("{path} is no list of JSON objects: {cause}")]
    NotJson { path: PathBuf, cause: serde_json::Error },
    #[error("{path} row {row} {fault}")]
    Row { path: PathBuf, row: usize, fault: RowFault },
}

/// What is wrong with one JSON row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowFault {
    #[error("is no JSON object")]
    NoObject,
    #[error("has no \"{0}\", which row 1 has")]
    Missing(String),
    #[error("has \"{0}\", which row 1 has not")]
    Additional(String),
    #[error("does not fit: the file {0}")]
    Table(#[from] TableError),
}

/// The table in the CSV file at `path`; `columns` name its columns if it has no header.
pub(crate) fn csv(
    path: &Path,
    delimiter: u8,
    columns: Option<&[String]>,
) -> Result<Table, DataError> {
    let file = open(path)?;
    csv_from(file, delimiter, columns, path)
}

fn csv_from(
    input: impl Read,
    delimiter: u8,
    columns: Option<&[String]>,
    path: &Path,
) -> Result<Table, DataError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(columns.is_none())
        .from_reader(input);
    let in_file = |error| csv_error(path, error);
    let in_table = |cause| DataError::Table { path: path.to_owned(), cause };
    let mut builder = match columns {
        Some(columns) => TableBuilder::new(columns.iter().map(String::as_str)),
        None => {
            let header = reader.headers().map_err(in_file)?;
            TableBuilder::new(header.iter().map(str::trim))
        }
    }
    .map_err(in_table)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(in_file)? {
        if record.len() != builder.columns().len() {
            return Err(DataError::Ragged {
                path: path.to_owned(),
                line: record.position().map_or(0, csv::Position::line),
                found: record.len() as u64,
                expected: builder.columns().len() as u64,
            });
        }
        record.iter().try_for_each(|cell| builder.push_text(cell)).map_err(in_table)?;
    }
    builder.finish().map_err(in_table)
}

fn csv_error(path: &Path, error: csv::Error) -> DataError {
    let path = path.to_owned();
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::UnequalLengths { expected_len: expected, len: found, .. } => {
            DataError::Ragged { path, line, found, expected }
        }
        csv::ErrorKind::Utf8 { .. } => DataError::NotText { path, line },
        csv::ErrorKind::Io(cause) => DataError::Unreadable { path, cause },
        other => DataError::Unreadable { path, cause: io::Error::other(format!("{other:?}")) },
    }
}

/// The table in the JSON file at `path`: a list of objects, or one object a line.
pub(crate) fn json(path: &Path) -> Result<Table, DataError> {
    json_from(open(path)?, path)
}

fn json_from(input: impl Read, path: &Path) -> Result<Table, DataError> {
    let mut input = BufReader::new(input);
    let mut rows = Rows::default();
    let unreadable = |cause| DataError::Unreadable { path: path.to_owned(), cause };
    let is_list = first_byte(&mut input).map_err(unreadable)? == Some(b'[');
    let read = match is_list {
        true => read_list(input, &mut rows),
        false => read_objects(input, &mut rows),
    };
    match (read, rows.fault) {
        (_, Some(fault)) => Err(DataError::Row { path: path.to_owned(), row: rows.count, fault }),
        (Err(cause), None) => Err(DataError::NotJson { path: path.to_owned(), cause }),
        (Ok(()), None) => rows
            .builder
            .map_or(Err(TableError::NoRows), TableBuilder::finish)
            .map_err(|cause| DataError::Table { path: path.to_owned(), cause }),
    }
}

/// The first byte that is not blank, which stays unread; a byte order mark before it is skipped.
fn first_byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    if input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    loop {
        match input.fill_buf()?.first() {
            Some(byte) if byte.is_ascii_whitespace() => input.consume(1),
            first => return Ok(first.copied()),
        }
    }
}

fn read_list(input: impl Read, rows: &mut Rows) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    rows.deserialize(&mut deserializer)?;
    deserializer.end()
}

fn read_objects(input: impl Read, rows: &mut Rows) -> serde_json::Result<()> {
    for value in serde_json::Deserializer::from_reader(input).into_iter::<Value>() {
        if !rows.push(value?) {
            break;
        }
    }
    Ok(())
}

/// Rows as they come: the first says which columns there are.
#[derive(Default)]
pub(crate) struct Rows {
    builder: Option<TableBuilder>,
    count: usize,
    fault: Option<RowFault>,
}

impl Rows {
    /// Adds a row, and says whether that went well.
    fn push(&mut self, value: Value) -> bool {
        self.count += 1;
        let added = match value {
            Value::Object(object) => self.push_object(&object),
            _ => Err(RowFault::NoObject),
        };
        self.fault = added.err();
        self.fault.is_none()
    }

    fn push_object(&mut self, object: &Map<String, Value>) -> Result<(), RowFault> {
        let builder = match &mut self.builder {
            Some(builder) => builder,
            none => none.insert(TableBuilder::new(object.keys().map(String::as_str))?),
        };
        push_row(builder, object)
    }
}

/// Adds `object`, which has to have exactly the table's columns.
fn push_row(builder: &mut TableBuilder, object: &Map<String, Value>) -> Result<(), RowFault> {
    for index in 0..builder.columns().len() {
        let column = &*builder.columns()[index];
        let value = object.get(column).ok_or_else(|| RowFault::Missing(column.to_owned()))?;
        builder.push_value(value)?;
    }
    let is_column = |key: &str| builder.columns().iter().any(|column| **column == *key);
    match object.keys().find(|key| !is_column(key)) {
        Some(key) => Err(RowFault::Additional(key.clone())),
        None => Ok(()),
    }
}

/// The table of rows that the scenario itself lists; the row at fault is counted from 1.
pub(crate) fn inline(rows: Vec<Value>) -> Result<Table, (usize, RowFault)> {
    let mut table = Rows::default();
    for row in rows {
        if !table.push(row) {
            break;
        }
    }
    match (table.fault, table.builder) {
        (Some(fault), _) => Err((table.count, fault)),
        (None, Some(builder)) => builder.finish().map_err(|error| (table.count, error.into())),
        (None, None) => Err((0, TableError::NoRows.into())),
    }
}

impl<'de> DeserializeSeed<'de> for &mut Rows {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut Rows {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<Value>()? {
            if !self.push(value) {
                return Err(serde::de::Error::custom("a row is at fault"));
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, DataError> {
    let unreadable = |cause| DataError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    match file.metadata().map_err(unreadable)?.is_dir() {
        true => Err(unreadable(io::ErrorKind::IsADirectory.into())),
        false => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::template::Cell;

    fn csv_text(text: &str) -> Result<Table, String> {
        csv_from(text.as_bytes(), b',', None, Path::new("a.csv")).map_err(|e| e.to_string())
    }

    fn json_text(text: &str) -> Result<Table, String> {
        json_from(text.as_bytes(), Path::new("a.json")).map_err(|e| e.to_string())
    }

    #[test]
    fn csv_may_have_quotes_a_byte_order_mark_and_either_line_end() {
        let table =
            csv_text("\u{feff}user,\"pass word\"\r\n\"a,b\",\"x\"\"y\"\r\n\r\nc,\"two\nlines\"\n")
                .unwrap();
        assert_eq!(table.columns().collect::<Vec<_>>(), ["user", "pass word"]);
        assert_eq!(table.rows().get(), 2);
        assert_eq!(table.cell(0, 0), Cell::Text("a,b"));
        assert_eq!(table.cell(0, 1), Cell::Text("x\"y"));
        assert_eq!(table.cell(1, 1), Cell::Text("two\nlines"));
    }

    #[test]
    fn csv_may_have_no_header_and_another_delimiter() {
        let names = ["a".to_owned(), "b".to_owned()];
        let table = csv_from(&b"1;2\n3;4\n"[..], b';', Some(&names), Path::new("a.csv")).unwrap();
        assert_eq!(table.rows().get(), 2);
        assert_eq!(table.cell(1, 1), Cell::Text("4"));
        let ragged = csv_from(&b"1;2;3\n"[..], b';', Some(&names), Path::new("a.csv"));
        assert!(matches!(ragged, Err(DataError::Ragged { line: 1, found: 3, expected: 2, .. })));
    }

    #[test]
    fn what_is_wrong_with_a_csv_file_is_said_with_its_line() {
        for (text, message) in [
            ("", "a.csv has no columns"),
            ("user\n", "a.csv has no rows"),
            ("a,,b\n1,2,3\n", "a.csv has no name for column 2"),
            ("a,a\n1,2\n", "a.csv has two columns called \"a\""),
            ("a,b\n1,2\n1,2,3\n", "a.csv line 3 has 3 fields, not the 2 of its header"),
        ] {
            assert_eq!(csv_text(text).unwrap_err(), message);
        }
        let latin = csv_from(&b"a\n\xff\n"[..], b',', None, Path::new("a.csv")).unwrap_err();
        assert_eq!(latin.to_string(), "a.csv line 2 is not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn json_may_be_a_list_or_lines() {
        for text in [
            "\u{feff} [{\"a\": 1, \"b\": \"x\"}, {\"b\": \"y\", \"a\": 2}]",
            "{\"a\": 1, \"b\": \"x\"}\n\n{\"a\": 2, \"b\": \"y\"}\n",
        ] {
            let table = json_text(text).unwrap();
            assert_eq!(table.rows().get(), 2);
            let column = |name| table.column(name).unwrap();
            assert_eq!(table.cell(1, column("a")), Cell::Json("2"));
            assert_eq!(table.cell(1, column("b")), Cell::Text("y"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_json_file_is_said_with_its_row() {
        for (text, message) in [
            ("", "a.json has no rows"),
            ("[]", "a.json has no rows"),
            ("[1]", "a.json row 1 is no JSON object"),
            ("{}", "a.json row 1 does not fit: the file has no columns"),
            ("[{\"a\":1},{\"b\":1}]", "a.json row 2 has no \"a\", which row 1 has"),
            ("{\"a\":1}\n{\"a\":1,\"c\":2}", "a.json row 2 has \"c\", which row 1 has not"),
        ] {
            assert_eq!(json_text(text).unwrap_err(), message);
        }
        let broken = json_text("[{\"a\":1},{\"a\"]").unwrap_err();
        assert!(broken.starts_with("a.json is no list of JSON objects: expected `:`"), "{broken}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = csv(Path::new("/nowhere/a.csv"), b',', None).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the data file /nowhere/a.csv: "), "{error}");
    }
}
