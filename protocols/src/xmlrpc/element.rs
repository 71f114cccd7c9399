//! The elements of XML-RPC that are no types.

use std::fmt;

/// An element, whatever is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the element of its name")]
pub enum Element {
    MethodCall,
    MethodName,
    MethodResponse,
    Params,
    Param,
    Fault,
    Value,
    Array,
    Data,
    Struct,
    Member,
    Name,
}

impl Element {
    /// Its start tag without attributes, and its end tag.
    pub(super) const fn tags(self) -> (&'static str, &'static str) {
        match self {
            Self::MethodCall => ("<methodCall>", "</methodCall>"),
            Self::MethodName => ("<methodName>", "</methodName>"),
            Self::MethodResponse => ("<methodResponse>", "</methodResponse>"),
            Self::Params => ("<params>", "</params>"),
            Self::Param => ("<param>", "</param>"),
            Self::Fault => ("<fault>", "</fault>"),
            Self::Value => ("<value>", "</value>"),
            Self::Array => ("<array>", "</array>"),
            Self::Data => ("<data>", "</data>"),
            Self::Struct => ("<struct>", "</struct>"),
            Self::Member => ("<member>", "</member>"),
            Self::Name => ("<name>", "</name>"),
        }
    }

    pub(super) const fn start(self) -> &'static str {
        self.tags().0
    }

    pub(super) const fn end(self) -> &'static str {
        self.tags().1
    }

    pub(super) fn is_called(self, name: &str) -> bool {
        let start = self.start();
        &start[1..start.len() - 1] == name
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start())
    }
}
