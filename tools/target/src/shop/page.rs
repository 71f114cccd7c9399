//! The pages of the shop: what their paths look like, the methods they take, and the names of the
//! rules that they count under.

use crate::request::{Method, Request};
use crate::route::{Route, number};
use crate::shop::identity::Identity;

/// A page, with its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Login,
    Logout,
    Account,
    Orders,
    Product(u64),
    Things,
    /// `None` for what cannot name a thing.
    Thing(Option<Identity>),
    Old,
    Flaky,
    Upload,
    Counts,
}

impl Page {
    /// Decides about a path `/name` or `/name/parameter`.
    pub(crate) fn parse(name: &str, parameter: Option<&str>) -> Option<Self> {
        Some(match (name, parameter) {
            ("login", None) => Self::Login,
            ("logout", None) => Self::Logout,
            ("account", None) => Self::Account,
            ("orders", None) => Self::Orders,
            ("products", Some(text)) => Self::Product(number(text)?),
            ("things", None) => Self::Things,
            ("things", Some(text)) if !text.is_empty() && !text.contains('/') => {
                Self::Thing(Identity::parse(text))
            }
            ("old", None) => Self::Old,
            ("flaky", None) => Self::Flaky,
            ("upload", None) => Self::Upload,
            ("counts", None) => Self::Counts,
            _ => return None,
        })
    }

    /// Whether there is an answer for this method other than what methods there are.
    pub(crate) fn takes(self, method: Method) -> bool {
        match self.is_posted_to() {
            true => method == Method::Post,
            false => matches!(method, Method::Get | Method::Head),
        }
    }

    /// Whether a request of this method is answered by its body.
    pub(crate) fn reads_body(self, method: Method) -> bool {
        self.takes(method) && matches!(self, Self::Login | Self::Things | Self::Upload)
    }

    /// The header line that lists the methods.
    pub(super) fn allow(self) -> &'static str {
        match self.is_posted_to() {
            true => "Allow: POST, OPTIONS\r\n",
            false => "Allow: GET, HEAD, OPTIONS\r\n",
        }
    }

    fn is_posted_to(self) -> bool {
        matches!(self, Self::Login | Self::Logout | Self::Things | Self::Upload)
    }

    /// The rule of the page; `/counts` is not counted.
    fn rule(self) -> Option<Rule> {
        Some(match self {
            Self::Login => Rule::Login,
            Self::Logout => Rule::Logout,
            Self::Account => Rule::Account,
            Self::Orders => Rule::Orders,
            Self::Product(_) => Rule::Product,
            Self::Things => Rule::Things,
            Self::Thing(_) => Rule::Thing,
            Self::Old => Rule::Old,
            Self::Flaky => Rule::Flaky,
            Self::Upload => Rule::Upload,
            Self::Counts => return None,
        })
    }
}

/// What `/counts` tells apart, besides methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Root,
    Login,
    Logout,
    Account,
    Orders,
    Product,
    Things,
    Thing,
    Old,
    Flaky,
    Upload,
    /// A path or a method that the shop does not have.
    Unknown,
}

impl Rule {
    /// Every rule, in the order of their numbers.
    pub(super) const ALL: [Self; 12] = [
        Self::Root,
        Self::Login,
        Self::Logout,
        Self::Account,
        Self::Orders,
        Self::Product,
        Self::Things,
        Self::Thing,
        Self::Old,
        Self::Flaky,
        Self::Upload,
        Self::Unknown,
    ];

    /// The rule that a request counts under here.
    ///
    /// The target's own routes have none. `GET /` has none either: it is counted with the other
    /// requests for `/`, on the fast path, and what is told apart are those of other methods.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        match request.route {
            Route::Root => (request.method != Method::Get).then_some(Self::Root),
            Route::Shop(page) if page.takes(request.method) => page.rule(),
            Route::Shop(page) if request.method == Method::Options => page.rule(),
            Route::Shop(page) => page.rule().map(|_| Self::Unknown),
            Route::NotFound => Some(Self::Unknown),
            _ => None,
        }
    }

    /// The name that Flask has for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Login => "/login",
            Self::Logout => "/logout",
            Self::Account => "/account",
            Self::Orders => "/orders",
            Self::Product => "/products/<int:number>",
            Self::Things => "/things",
            Self::Thing => "/things/<identity>",
            Self::Old => "/old",
            Self::Flaky => "/flaky",
            Self::Upload => "/upload",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_decide() {
        for (name, parameter, page) in [
            ("login", None, Some(Page::Login)),
            ("login", Some(""), None),
            ("products", Some("7"), Some(Page::Product(7))),
            ("products", Some("007"), Some(Page::Product(7))),
            ("products", Some("-7"), None),
            ("products", Some("7/8"), None),
            ("products", None, None),
            ("things", None, Some(Page::Things)),
            ("things", Some(""), None),
            ("things", Some("a/b"), None),
            ("things", Some("x"), Some(Page::Thing(None))),
            ("counts", None, Some(Page::Counts)),
            ("cart", None, None),
        ] {
            assert_eq!(Page::parse(name, parameter), page, "{name} {parameter:?}");
        }
    }

    #[test]
    fn rules_index_their_own_count() {
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, index);
        }
    }

    #[test]
    fn only_posts_that_are_answered_by_it_keep_their_body() {
        assert!(Page::Upload.reads_body(Method::Post));
        for (page, method) in
            [(Page::Upload, Method::Put), (Page::Logout, Method::Post), (Page::Old, Method::Get)]
        {
            assert!(!page.reads_body(method), "{page:?} {method:?}");
        }
    }

    #[test]
    fn decisions_stay_small() {
        // They are copied with every request, whatever its route.
        assert!(size_of::<Route>() <= 32, "{}", size_of::<Route>());
    }
}
