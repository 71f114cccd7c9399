//! The rules of the shop: the names that its pages count under, and the methods they take.

use crate::request::Method::{self, Delete, Get, Head, Patch, Post, Put};
use crate::request::Request;
use crate::route::Route;

/// Makes the type of a table of rules, `RULE: NAME, METHODS`.
macro_rules! rules {
    ($($rule:ident: $name:literal, $methods:expr;)+) => {
        /// What `/counts` tells apart, besides methods.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $($rule),+
        }

        impl Rule {
            /// Every rule, in the order of their numbers.
            pub(super) const ALL: &[Self] = &[$(Self::$rule),+];

            /// The name that Flask has for it.
            pub(super) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $name),+
                }
            }

            /// The methods that are answered by more than which there are.
            pub(super) fn methods(self) -> &'static [Method] {
                match self {
                    $(Self::$rule => &$methods),+
                }
            }
        }
    };
}

rules! {
    Root: "/", [Get, Head];
    Account: "/account", [Get, Head];
    Admin: "/admin", [Get, Head];
    Board: "/boards/<board>", [Get, Head];
    // It is not counted.
    Counts: "/counts", [Get, Head];
    Flaky: "/flaky", [Get, Head];
    Link: "/things/<identity>/link", [Get, Head];
    Login: "/login", [Post, Delete];
    Logout: "/logout", [Post];
    Me: "/me", [Get, Head, Patch];
    News: "/news", [Get, Head];
    Old: "/old", [Get, Head];
    Order: "/orders/<identity>", [Put];
    Orders: "/orders", [Get, Head];
    Product: "/products/<int:number>", [Get, Head];
    Queue: "/queue", [Get, Head];
    Refresh: "/login/refresh", [Post];
    Replies: "/threads/<int:number>/replies", [Post];
    Resource: "/resources/<uuid:identity>", [Get, Head];
    Search: "/search", [Get, Head];
    Thing: "/things/<identity>", [Get, Head, Delete];
    Things: "/things", [Post];
    Thread: "/threads/<int:number>", [Get, Head];
    Upload: "/upload", [Post];
    // A path or a method that the shop does not have.
    Unknown: "unknown", [];
}

impl Rule {
    /// The rule that a request counts under here.
    ///
    /// The target's own routes have none. `GET /` has none either: it is counted with the other
    /// requests for `/`, on the fast path, and what is told apart are those of other methods.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let rule = match request.route {
            Route::Root => return (request.method != Get).then_some(Self::Root),
            Route::Shop(page) => page.rule(),
            Route::NotFound => Self::Unknown,
            _ => return None,
        };
        let is_answered = rule.takes(request.method) || request.method == Method::Options;
        let counted = if is_answered { rule } else { Self::Unknown };
        (rule != Self::Counts).then_some(counted)
    }

    /// Whether there is an answer for this method other than what methods there are.
    pub(super) fn takes(self, method: Method) -> bool {
        self.methods().contains(&method)
    }

    /// The header line that lists the methods.
    pub(super) fn allow(self) -> String {
        let names = self.methods().iter().map(|method| method.as_str());
        let names: Vec<_> = names.chain([Method::Options.as_str()]).collect();
        format!("Allow: {}\r\n", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rules_index_their_own_count() {
        for (index, rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(*rule as usize, index);
        }
    }

    #[test]
    fn no_two_rules_count_as_one() {
        let names: HashSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
    }

    #[test]
    fn methods_are_listed_for_those_who_ask() {
        assert_eq!(Rule::Flaky.allow(), "Allow: GET, HEAD, OPTIONS\r\n");
        assert_eq!(Rule::Login.allow(), "Allow: POST, DELETE, OPTIONS\r\n");
    }
}
