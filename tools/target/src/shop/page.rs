//! The pages of the shop: what their paths look like, and which of them read a body.

use crate::request::Method;
use crate::route::number;
use crate::shop::identity::Identity;
use crate::shop::rule::Rule;

/// A page, with its parameter; text is left in the request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Account,
    Admin,
    Board,
    Counts,
    Flaky,
    /// `None` for what cannot name a thing.
    Link(Option<Identity>),
    Login,
    Logout,
    Me,
    News,
    Old,
    Order,
    Orders,
    Product(u64),
    Queue,
    Refresh,
    Replies(u64),
    Resource(Identity),
    Search,
    /// `None` for what cannot name a thing.
    Thing(Option<Identity>),
    Things,
    Thread(u64),
    Upload,
}

impl Page {
    /// Decides about a path `/name` or `/name/parameter`.
    pub(crate) fn parse(name: &str, parameter: Option<&str>) -> Option<Self> {
        match parameter {
            Some(text) => Self::with_parameter(name, text),
            None => Self::plain(name),
        }
    }

    fn plain(name: &str) -> Option<Self> {
        Some(match name {
            "account" => Self::Account,
            "admin" => Self::Admin,
            "counts" => Self::Counts,
            "flaky" => Self::Flaky,
            "login" => Self::Login,
            "logout" => Self::Logout,
            "me" => Self::Me,
            "news" => Self::News,
            "old" => Self::Old,
            "orders" => Self::Orders,
            "queue" => Self::Queue,
            "search" => Self::Search,
            "things" => Self::Things,
            "upload" => Self::Upload,
            _ => return None,
        })
    }

    fn with_parameter(name: &str, text: &str) -> Option<Self> {
        let (text, below) = text.split_once('/').map_or((text, None), |(text, b)| (text, Some(b)));
        if text.is_empty() {
            return None;
        }
        Some(match (name, below) {
            ("boards", None) => Self::Board,
            ("login", None) if text == "refresh" => Self::Refresh,
            ("orders", None) => Self::Order,
            ("products", None) => Self::Product(number(text)?),
            ("resources", None) => Self::Resource(Identity::parse_uuid(text)?),
            ("things", None) => Self::Thing(Identity::parse(text)),
            ("things", Some("link")) => Self::Link(Identity::parse(text)),
            ("threads", None) => Self::Thread(number(text)?),
            ("threads", Some("replies")) => Self::Replies(number(text)?),
            _ => return None,
        })
    }

    /// Whether a request of this method is answered by its body.
    pub(crate) fn reads_body(self, method: Method) -> bool {
        let reads = match self {
            Self::Login => method == Method::Post,
            Self::Me
            | Self::Order
            | Self::Refresh
            | Self::Replies(_)
            | Self::Things
            | Self::Upload => true,
            _ => false,
        };
        reads && self.rule().takes(method)
    }

    /// The rule of the page.
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Account => Rule::Account,
            Self::Admin => Rule::Admin,
            Self::Board => Rule::Board,
            Self::Counts => Rule::Counts,
            Self::Flaky => Rule::Flaky,
            Self::Link(_) => Rule::Link,
            Self::Login => Rule::Login,
            Self::Logout => Rule::Logout,
            Self::Me => Rule::Me,
            Self::News => Rule::News,
            Self::Old => Rule::Old,
            Self::Order => Rule::Order,
            Self::Orders => Rule::Orders,
            Self::Product(_) => Rule::Product,
            Self::Queue => Rule::Queue,
            Self::Refresh => Rule::Refresh,
            Self::Replies(_) => Rule::Replies,
            Self::Resource(_) => Rule::Resource,
            Self::Search => Rule::Search,
            Self::Thing(_) => Rule::Thing,
            Self::Things => Rule::Things,
            Self::Thread(_) => Rule::Thread,
            Self::Upload => Rule::Upload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;

    #[test]
    fn paths_decide() {
        for (name, parameter, page) in [
            ("login", None, Some(Page::Login)),
            ("login", Some(""), None),
            ("login", Some("refresh"), Some(Page::Refresh)),
            ("login", Some("other"), None),
            ("orders", None, Some(Page::Orders)),
            ("orders", Some("a-1"), Some(Page::Order)),
            ("orders", Some("a/1"), None),
            ("boards", Some("m%C3%BCsli"), Some(Page::Board)),
            ("boards", None, None),
            ("products", Some("7"), Some(Page::Product(7))),
            ("products", Some("007"), Some(Page::Product(7))),
            ("products", Some("-7"), None),
            ("products", Some(""), None),
            ("products", Some("7/8"), None),
            ("products", None, None),
            ("threads", Some("7"), Some(Page::Thread(7))),
            ("threads", Some("7/replies"), Some(Page::Replies(7))),
            ("threads", Some("x/replies"), None),
            ("threads", Some("7/replies/"), None),
            ("resources", Some("x"), None),
            ("things", None, Some(Page::Things)),
            ("things", Some(""), None),
            ("things", Some("/link"), None),
            ("things", Some("a/b"), None),
            ("things", Some("x"), Some(Page::Thing(None))),
            ("things", Some("x/link"), Some(Page::Link(None))),
            ("counts", None, Some(Page::Counts)),
            ("cart", None, None),
        ] {
            assert_eq!(Page::parse(name, parameter), page, "{name} {parameter:?}");
        }
    }

    #[test]
    fn only_what_is_answered_by_its_body_keeps_it() {
        for (page, method) in
            [(Page::Upload, Method::Post), (Page::Order, Method::Put), (Page::Me, Method::Patch)]
        {
            assert!(page.reads_body(method), "{page:?} {method:?}");
        }
        for (page, method) in [
            (Page::Upload, Method::Put),
            (Page::Login, Method::Delete),
            (Page::Logout, Method::Post),
            (Page::Old, Method::Get),
        ] {
            assert!(!page.reads_body(method), "{page:?} {method:?}");
        }
    }

    #[test]
    fn decisions_stay_small() {
        // They are copied with every request, whatever its route.
        assert!(size_of::<Route>() <= 32, "{}", size_of::<Route>());
    }
}
