//! Messages that came while nobody awaited them, until somebody does.

use std::collections::VecDeque;

use super::message::{Matcher, Message};

/// A queue bounded in number and in bytes.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
}

impl Inbox {
    /// Takes the first message that `matcher` means.
    pub(super) fn take(&mut self, matcher: &Matcher) -> Option<Message> {
        // Most of the time there is nothing here.
        if self.messages.is_empty() {
            return None;
        }
        let index = self.messages.iter().position(|message| matcher.matches(&message.view()))?;
        let message = self.messages.remove(index)?;
        self.bytes -= message.bytes().len();
        Some(message)
    }

    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.bytes().len();
        self.messages.push_back(message);
    }

    /// The oldest message, if there are more than so many, or so many bytes of them.
    pub(super) fn overflow(&mut self, messages_max: usize, bytes_max: usize) -> Option<Message> {
        if self.messages.len() <= messages_max && self.bytes <= bytes_max {
            return None;
        }
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes().len();
        Some(message)
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::websocket::message::View;
    use loadr_protocols::websocket::MessageKind;
    use regex::bytes::Regex;

    #[test]
    fn messages_are_taken_by_matcher_in_order_and_make_room_in_order() {
        let mut inbox = Inbox::default();
        for text in ["a1", "b1", "a2", "b2"] {
            inbox.push(View::new(MessageKind::Text, text.as_bytes(), 0).to_message());
        }
        let mut take =
            |matcher: &Matcher| inbox.take(matcher).map(|message| message.text().to_owned());
        assert_eq!(take(&Matcher::Regex(Regex::new("b").unwrap())).as_deref(), Some("b1"));
        assert_eq!(take(&Matcher::Regex(Regex::new("c").unwrap())), None);
        assert_eq!(take(&Matcher::Any).as_deref(), Some("a1"));
        assert!(inbox.overflow(2, 4).is_none());
        assert_eq!(
            inbox.overflow(1, 4).map(|message| message.text().to_owned()).as_deref(),
            Some("a2")
        );
        assert_eq!(
            inbox.overflow(1, 1).map(|message| message.text().to_owned()).as_deref(),
            Some("b2")
        );
        assert!(inbox.overflow(0, 0).is_none());
    }
}
