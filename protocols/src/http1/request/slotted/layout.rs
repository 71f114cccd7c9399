//! The layout of a request with slots: its literal bytes in the order of the wire, and where they are cut.

use super::{Piece, SlottedBuilder};

/// What goes in where the literal text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    Path(usize),
    Query(usize),
    Header(usize),
    /// The caller's header lines.
    ExtraLines,
    /// The length of the body, as text.
    Length,
    Body(usize),
}

/// A cut in the literal text, at `at` bytes from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) at: usize,
    pub(super) filling: Filling,
}

/// A template being laid out, in the order of the bytes on the wire.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) literal: Vec<u8>,
    pub(super) cuts: Vec<Cut>,
    pub(super) slots: usize,
}

impl Layout {
    /// Lays out the head and returns where the body begins. The order is [`RequestBuilder`](crate::http1::RequestBuilder)'s, the extra lines
    /// standing for its last header fields.
    pub(super) fn head(&mut self, request: &SlottedBuilder, add_close: bool) -> usize {
        self.text(request.method.as_str().as_bytes());
        self.text(b" ");
        self.target(&request.target);
        self.text(b" HTTP/1.1\r\n");
        let is_host = |field: &&(String, Vec<Piece>)| field.0.eq_ignore_ascii_case("host");
        let (host, others) = request.headers.iter().partition::<Vec<_>, _>(is_host);
        for (name, value) in host.into_iter().chain(others) {
            self.field(name, value);
        }
        self.cut(Filling::ExtraLines);
        if add_close {
            self.text(b"Connection: close\r\n");
        }
        if request.body.is_some() || request.method.expects_content() {
            self.text(b"Content-Length: ");
            self.cut(Filling::Length);
            self.text(b"\r\n");
        }
        self.text(b"\r\n");
        self.literal.len()
    }

    fn text(&mut self, text: &[u8]) {
        self.literal.extend_from_slice(text);
    }

    fn cut(&mut self, filling: Filling) {
        self.cuts.push(Cut { at: self.literal.len(), filling });
    }

    fn field(&mut self, name: &str, value: &[Piece]) {
        self.text(name.as_bytes());
        self.text(b": ");
        self.pieces(value, Filling::Header);
        self.text(b"\r\n");
    }

    /// A slot behind a literal question mark is in the query.
    fn target(&mut self, target: &[Piece]) {
        let mut place: fn(usize) -> Filling = Filling::Path;
        for piece in target {
            self.piece(piece, place);
            if matches!(piece, Piece::Text(text) if text.contains(&b'?')) {
                place = Filling::Query;
            }
        }
    }

    pub(super) fn pieces(&mut self, pieces: &[Piece], place: fn(usize) -> Filling) {
        pieces.iter().for_each(|piece| self.piece(piece, place));
    }

    fn piece(&mut self, piece: &Piece, place: fn(usize) -> Filling) {
        match piece {
            Piece::Text(text) => self.text(text),
            Piece::Slot(slot) => {
                self.slots = self.slots.max(slot + 1);
                self.cut(place(*slot));
            }
        }
    }
}
