//! A histogram as the saved report holds it: HdrHistogram's V2 encoding, compressed, in base64.
//!
//! Libraries for that encoding exist in most languages, and `.hlog` tools read the same bytes. The report keeps
//! the text and decodes on demand: a decoded histogram takes 188 KB, and a day's run has thousands of rows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use loadr_engine::record::Histogram;
use serde::{Deserialize, Serialize};

/// A histogram of microseconds as text; holds only text that [`EncodedHistogram::decode`] can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EncodedHistogram(String);

impl EncodedHistogram {
    /// The histogram, values in microseconds.
    pub fn decode(&self) -> hdrhistogram::Histogram<u64> {
        decode(&self.0).expect("text is checked when it is taken in")
    }

    /// The text: base64 of the V2 deflate encoding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Histogram> for EncodedHistogram {
    fn from(histogram: &Histogram) -> Self {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&histogram.to_hdr(), &mut bytes)
            .expect("memory takes every write, and counts of this layout fit the encoding");
        Self(STANDARD.encode(bytes))
    }
}

impl TryFrom<String> for EncodedHistogram {
    type Error = BadHistogram;

    fn try_from(text: String) -> Result<Self, BadHistogram> {
        decode(&text)?;
        Ok(Self(text))
    }
}

impl From<EncodedHistogram> for String {
    fn from(histogram: EncodedHistogram) -> String {
        histogram.0
    }
}

/// Why the text of a histogram could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BadHistogram {
    /// It is not base64.
    #[error("histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// It is not a compressed V2 histogram.
    #[error("histogram does not decode: {0}")]
    Encoding(#[from] hdrhistogram::serialization::DeserializeError),
}

fn decode(text: &str) -> Result<hdrhistogram::Histogram<u64>, BadHistogram> {
    let bytes = STANDARD.decode(text)?;
    Ok(Deserializer::new().deserialize(&mut bytes.as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_gives_the_counts_back(
            times_ns in proptest::collection::vec(0_u64..4_000_000_000_000, 0..200)
        ) {
            let mut histogram = Histogram::default();
            for ns in times_ns {
                histogram.record_ns(ns);
            }
            let text = String::from(EncodedHistogram::from(&histogram));
            let read_back = EncodedHistogram::try_from(text).expect("own encoding");
            prop_assert_eq!(read_back.decode(), histogram.to_hdr());
        }
    }

    #[test]
    fn other_text_is_refused() {
        let garbage = STANDARD.encode(b"not a histogram");
        assert!(matches!(EncodedHistogram::try_from("*".to_owned()), Err(BadHistogram::Base64(_))));
        assert!(matches!(EncodedHistogram::try_from(garbage), Err(BadHistogram::Encoding(_))));
    }
}
