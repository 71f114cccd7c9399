//! Rows of named columns in two allocations, however many there are.
//!
//! A million rows as a million maps would cost hundreds of megabytes and a pointer chase for each cell. Here all cells
//! lie end to end in one string, and a list says where each ends: four bytes a cell beside its text.

use std::num::NonZero;

use serde_json::Value;

use crate::scenario::template::Cell;

/// An immutable table of at least one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Box<[Box<str>]>,
    text: Box<str>,
    /// Where in `text` each cell ends, row by row.
    ends: Box<[u32]>,
    /// Whether each cell is JSON rather than a string; empty where none is.
    json: Box<[bool]>,
}

/// Why rows do not make a table; the file that they came from is named by whoever reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    #[error("has no columns")]
    NoColumns,
    #[error("has no rows")]
    NoRows,
    #[error("has no name for column {0}")]
    Unnamed(usize),
    #[error("has two columns called \"{0}\"")]
    Doubled(String),
    #[error("has more than 4 GiB of text; split it over several workers")]
    TooLarge,
}

impl Table {
    /// How many rows there are.
    pub fn rows(&self) -> NonZero<usize> {
        NonZero::new(self.ends.len() / self.columns.len()).expect("a table has a row")
    }

    /// Names of the columns, in order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.columns.iter().map(|column| &**column)
    }

    /// The index of the column called `name`.
    pub fn column(&self, name: &str) -> Option<u32> {
        self.columns().position(|column| column == name).map(|index| index as u32)
    }

    /// The cell at `row` and `column`.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn cell(&self, row: usize, column: u32) -> Cell<'_> {
        let index = row * self.columns.len() + column as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        let text = &self.text[start..self.ends[index] as usize];
        match self.json.get(index) {
            Some(true) => Cell::Json(text),
            _ => Cell::Text(text),
        }
    }
}

/// A table that is being filled, cell by cell and row by row.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    columns: Box<[Box<str>]>,
    text: String,
    ends: Vec<u32>,
    json: Vec<bool>,
}

impl TableBuilder {
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Result<Self, TableError> {
        let columns: Box<[Box<str>]> = columns.into_iter().map(Box::from).collect();
        if columns.is_empty() {
            return Err(TableError::NoColumns);
        }
        for (index, column) in columns.iter().enumerate() {
            if column.is_empty() {
                return Err(TableError::Unnamed(index + 1));
            }
            if columns[..index].contains(column) {
                return Err(TableError::Doubled(column.to_string()));
            }
        }
        Ok(Self { columns, text: String::new(), ends: Vec::new(), json: Vec::new() })
    }

    pub(crate) fn columns(&self) -> &[Box<str>] {
        &self.columns
    }

    /// Adds a cell that is a string.
    pub(crate) fn push_text(&mut self, text: &str) -> Result<(), TableError> {
        self.text.push_str(text);
        self.end_cell()
    }

    /// Adds a cell of any type.
    pub(crate) fn push_value(&mut self, value: &Value) -> Result<(), TableError> {
        let Value::String(text) = value else {
            self.json.resize(self.ends.len(), false);
            self.json.push(true);
            return self.push_text(&value.to_string());
        };
        self.push_text(text)
    }

    fn end_cell(&mut self) -> Result<(), TableError> {
        self.ends.push(u32::try_from(self.text.len()).map_err(|_| TableError::TooLarge)?);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Table, TableError> {
        if self.ends.is_empty() {
            return Err(TableError::NoRows);
        }
        assert!(self.ends.len().is_multiple_of(self.columns.len()), "readers push whole rows");
        Ok(Table {
            columns: self.columns,
            text: self.text.into(),
            ends: self.ends.into(),
            json: self.json.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_table_is_refused() {
        let error = |columns: &[&str]| TableBuilder::new(columns.iter().copied()).unwrap_err();
        assert_eq!(error(&[]), TableError::NoColumns);
        assert_eq!(error(&["a", ""]), TableError::Unnamed(2));
        assert_eq!(error(&["a", "b", "a"]), TableError::Doubled("a".into()));
        assert_eq!(TableBuilder::new(["a"]).unwrap().finish(), Err(TableError::NoRows));
    }

    #[test]
    fn cells_keep_their_types() {
        let mut builder = TableBuilder::new(["a", "b", "c"]).unwrap();
        for value in [Value::from("x"), Value::from(5), Value::from("5")] {
            builder.push_value(&value).unwrap();
        }
        let table = builder.finish().unwrap();
        assert_eq!(table.rows().get(), 1);
        assert_eq!(table.cell(0, 0), Cell::Text("x"));
        assert_eq!(table.cell(0, 1), Cell::Json("5"));
        assert_eq!(table.cell(0, 2), Cell::Text("5"));
        assert_eq!(table.cell(0, 1).value(), Value::from(5));
    }

    proptest! {
        #[test]
        fn every_cell_comes_back(rows in prop::collection::vec(("\\PC{0,9}", "\\PC{0,9}"), 1..20)) {
            let mut builder = TableBuilder::new(["a", "b"]).unwrap();
            for (a, b) in &rows {
                builder.push_text(a).unwrap();
                builder.push_text(b).unwrap();
            }
            let table = builder.finish().unwrap();
            prop_assert_eq!(table.rows().get(), rows.len());
            for (row, (a, b)) in rows.iter().enumerate() {
                prop_assert_eq!(table.cell(row, 0), Cell::Text(a));
                prop_assert_eq!(table.cell(row, 1), Cell::Text(b));
            }
        }
    }
}
