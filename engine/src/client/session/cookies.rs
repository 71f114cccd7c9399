//! A user's cookies (RFC 6265): which to keep of what a target sets, and which to send it.
//!
//! The crate `cookie` reads a Set-Cookie value; matching and bounds are here. There is no list of public suffixes: a
//! domain without a dot inside is taken for one, as Python's cookie jar does. A Secure cookie is sent over TLS alone.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use cookie::Cookie;

use crate::clock::NANOS_PER_SECOND;

/// Most cookies that one user keeps; past it the oldest goes.
const COOKIES_MAX: usize = 300;
/// Most bytes of a cookie's name and value together; a longer one is not kept.
const COOKIE_BYTES_MAX: usize = 4 * 1024;

#[derive(Clone, Debug)]
struct Stored {
    name: String,
    value: String,
    /// In lower case, without a leading dot.
    domain: String,
    /// For that very host, not for those below it.
    host_only: bool,
    path: String,
    secure: bool,
    /// In nanoseconds since the run's origin; never for one that lives as long as its session.
    expires_ns: Option<u64>,
}

impl Stored {
    fn is_same(&self, other: &Stored) -> bool {
        self.name == other.name && self.domain == other.domain && self.path == other.path
    }

    fn is_for(&self, place: Place<'_>, now_ns: u64) -> bool {
        let domain = match self.host_only {
            true => self.domain == place.host,
            false => domain_matches(place.host, &self.domain),
        };
        domain
            && (place.is_secure || !self.secure)
            && path_matches(place.path, &self.path)
            && !self.is_expired(now_ns)
    }

    fn is_expired(&self, now_ns: u64) -> bool {
        self.expires_ns.is_some_and(|expires_ns| expires_ns <= now_ns)
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) host: &'p str,
    pub(super) path: &'p str,
    /// Over TLS.
    pub(super) is_secure: bool,
}

/// The cookies of one user, in the order in which they were first set.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar(Vec<Stored>);

impl Jar {
    /// Takes note of a Set-Cookie value in a response of `host` to a request for `path`.
    pub(super) fn take(&mut self, set_cookie: &[u8], host: &str, path: &str, now_ns: u64) {
        if let Some(stored) = read(&String::from_utf8_lossy(set_cookie), host, path, now_ns) {
            self.put(stored, now_ns);
        }
    }

    /// Sets a cookie for `host` and every path.
    pub(super) fn set(&mut self, name: &str, value: &str, host: &str) {
        let stored = Stored {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: host.to_owned(),
            host_only: true,
            path: "/".to_owned(),
            secure: false,
            expires_ns: None,
        };
        self.put(stored, 0);
    }

    /// RFC 6265, 5.3, step 11: one of the same name, domain and path is replaced where it stands.
    fn put(&mut self, stored: Stored, now_ns: u64) {
        let same = self.0.iter().position(|known| known.is_same(&stored));
        match (same, stored.is_expired(now_ns)) {
            (Some(index), true) => drop(self.0.remove(index)),
            (Some(index), false) => self.0[index] = stored,
            (None, true) => {}
            (None, false) => {
                if self.0.len() >= COOKIES_MAX {
                    self.0.retain(|known| !known.is_expired(now_ns));
                }
                if self.0.len() >= COOKIES_MAX {
                    self.0.remove(0);
                }
                self.0.push(stored);
            }
        }
    }

    /// The value of the first cookie called `name`, wherever it is for.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|stored| stored.name == name).map(|stored| stored.value.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the value of the Cookie header for a request to `place`; nothing where no cookie is for it.
    ///
    /// RFC 6265, 5.4: longer paths first, then by age.
    pub(super) fn write(&self, place: Place<'_>, now_ns: u64, out: &mut Vec<u8>) {
        let chosen = self.0.iter().filter(|stored| stored.is_for(place, now_ns));
        let mut chosen: Vec<&Stored> = chosen.collect();
        chosen.sort_by_key(|stored| std::cmp::Reverse(stored.path.len()));
        for (index, stored) in chosen.into_iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b"; ");
            }
            out.extend_from_slice(stored.name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(stored.value.as_bytes());
        }
    }
}

/// What a Set-Cookie value asks for, unless it is not to be kept.
fn read(text: &str, host: &str, path: &str, now_ns: u64) -> Option<Stored> {
    let cookie = Cookie::parse(text).ok()?;
    if cookie.name().len() + cookie.value().len() > COOKIE_BYTES_MAX {
        return None;
    }
    let domain = cookie.domain().map(str::to_ascii_lowercase).filter(|domain| domain != host);
    if let Some(domain) = &domain
        && !(domain.contains('.') && domain_matches(host, domain))
    {
        return None;
    }
    // The crate gives a domain back without its leading dot; with the host's own name it includes those below.
    let host_only = cookie.domain().is_none();
    let given = cookie.path().filter(|path| path.starts_with('/'));
    Some(Stored {
        name: cookie.name().to_owned(),
        value: cookie.value().to_owned(),
        domain: domain.unwrap_or_else(|| host.to_owned()),
        host_only,
        path: given.unwrap_or_else(|| default_path(path)).to_owned(),
        secure: cookie.secure().unwrap_or(false),
        expires_ns: expiry_ns(&cookie, now_ns),
    })
}

/// RFC 6265, 5.3, step 3: Max-Age goes before Expires.
fn expiry_ns(cookie: &Cookie<'_>, now_ns: u64) -> Option<u64> {
    let left_s = match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => age.whole_seconds(),
        (None, Some(expires)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            expires.unix_timestamp().saturating_sub_unsigned(now.as_secs())
        }
        (None, None) => return None,
    };
    let left_s = u64::try_from(left_s).unwrap_or(0);
    Some(if left_s == 0 {
        0
    } else {
        now_ns.saturating_add(left_s.saturating_mul(NANOS_PER_SECOND))
    })
}

/// RFC 6265, 5.1.3.
fn domain_matches(host: &str, domain: &str) -> bool {
    let below = || {
        let start = host.strip_suffix(domain);
        start.is_some_and(|start| start.ends_with('.')) && host.parse::<IpAddr>().is_err()
    };
    host == domain || below()
}

/// RFC 6265, 5.1.4.
fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

/// RFC 6265, 5.1.4: up to the last slash, without it.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(last) => &path[..last],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(jar: &Jar, url: &str, now_s: u64) -> String {
        let is_secure = url.starts_with("https://");
        let url = url.trim_start_matches("https://");
        let (host, path) = url.split_at(url.find('/').unwrap());
        let mut out = Vec::new();
        jar.write(Place { host, path, is_secure }, now_s * NANOS_PER_SECOND, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn jar(set: &[&str]) -> Jar {
        let mut jar = Jar::default();
        set.iter().for_each(|text| jar.take(text.as_bytes(), "a.b.c", "/x/y", 0));
        jar
    }

    #[test]
    fn cookies_go_back_to_their_host_and_below_its_domain() {
        let jar = jar(&[
            "own=1",
            "wide=2; Domain=.b.c; Path=/",
            "other=3; Domain=d.e",
            "tld=4; Domain=c",
        ]);
        assert_eq!(sent(&jar, "a.b.c/x/z", 0), "own=1; wide=2");
        assert_eq!(sent(&jar, "z.b.c/x/z", 0), "wide=2");
        assert_eq!(sent(&jar, "zb.c/", 0), "");
        assert_eq!(sent(&jar, "d.e/x/z", 0), "");
    }

    #[test]
    fn paths_are_prefixes_of_whole_segments_and_the_longest_comes_first() {
        let jar = jar(&["root=1; Path=/", "here=2", "deep=3; Path=/x/y/z"]);
        assert_eq!(sent(&jar, "a.b.c/x/y/z", 0), "deep=3; here=2; root=1");
        assert_eq!(sent(&jar, "a.b.c/xy", 0), "root=1");
        assert_eq!(default_path("/x/y"), "/x");
        assert_eq!((default_path("/x"), default_path("/")), ("/", "/"));
    }

    #[test]
    fn cookies_expire_and_are_deleted() {
        let set = [
            "brief=1; Max-Age=10; Expires=Wed, 21-Oct-2099 07:28:00 GMT; Path=/",
            "long=2; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Path=/",
            "gone=3; Path=/",
        ];
        let mut jar = jar(&set);
        jar.take(b"gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/", "a.b.c", "/", 0);
        assert_eq!(sent(&jar, "a.b.c/", 9), "brief=1; long=2");
        assert_eq!(sent(&jar, "a.b.c/", 10), "long=2");
        jar.take(b"long=x; Max-Age=0; Path=/", "a.b.c", "/", 0);
        assert_eq!(sent(&jar, "a.b.c/", 10), "");
    }

    #[test]
    fn secure_ones_are_not_sent_in_plain_and_the_same_is_replaced() {
        let jar = jar(&["s=1; Secure", "a=1", "b=2", "a=3; HttpOnly"]);
        assert_eq!(sent(&jar, "a.b.c/x/", 0), "a=3; b=2");
        assert_eq!(jar.value("s"), Some("1"));
    }

    #[test]
    fn the_jar_is_bounded_in_number_and_size() {
        let mut jar = Jar::default();
        for index in 0..5_000 {
            let text = format!("c{index}=v");
            jar.take(text.as_bytes(), "h", "/", 0);
        }
        assert_eq!(jar.0.len(), COOKIES_MAX);
        assert_eq!((jar.value("c4699"), jar.value("c4700")), (None, Some("v")));
        jar.take(format!("big={}", "x".repeat(5_000)).as_bytes(), "h", "/", 0);
        assert_eq!(jar.value("big"), None);
    }

    #[test]
    fn addresses_have_no_subdomains() {
        assert!(domain_matches("1.2.3.4", "1.2.3.4"));
        assert!(!domain_matches("1.2.3.4", "3.4"));
    }
}
