//! What a run leaves behind: the saved report, the text a person reads, and Locust's tables, CSV and JSON.
//!
//! [`model`] is the one lossless form: everything else that is printed at the end is made from it, so a report
//! read back from a file prints as it did on the day. [`locust`] holds Locust's view of the same numbers (whole
//! milliseconds, its rounding and its percentile rule) for the outputs its users already parse; [`text`] adds
//! what Locust cannot show. Percentiles are only ever computed from merged histograms; nothing here averages
//! one.

pub mod csv;
pub mod errors;
pub mod locust;
pub mod model;
pub mod text;
pub mod units;

pub use csv::CsvFiles;
pub use errors::Errors;
pub use model::Report;
