//! Header fields of heads that are known to be well-formed, and what is in them.

use std::borrow::Cow;

/// The values of all fields with this name, in their order; what is not UTF-8 is left out.
pub(super) fn values<'h>(head: &'h [u8], name: &str) -> impl Iterator<Item = &'h str> {
    head.split(|&byte| byte == b'\n').filter_map(move |line| {
        let colon = memchr::memchr(b':', line)?;
        let (found, value) = (&line[..colon], &line[colon + 1..]);
        let is_named = found.eq_ignore_ascii_case(name.as_bytes());
        std::str::from_utf8(value).ok().map(str::trim).filter(|_| is_named)
    })
}

/// The value of the first cookie with this name.
pub(super) fn cookie<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let pairs = values(head, "cookie").flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// A parameter of a field value such as `form-data; name="a;b"; filename=c`.
pub(super) fn parameter<'v>(value: &'v str, name: &str) -> Option<Cow<'v, str>> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        let (found, text) = rest.split_once('=')?;
        let (value, after) = parameter_value(text.trim_start())?;
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after.split_once(';')?.1;
    }
}

/// The token or quoted string that `text` begins with, and what comes after it.
fn parameter_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find(';').unwrap_or(text.len()));
        return Some((Cow::Borrowed(value.trim_end()), after));
    };
    let mut is_escaped = false;
    let end = quoted.find(|char| {
        let is_end = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    })?;
    Some((unquote(&quoted[..end]), &quoted[end + 1..]))
}

/// Takes off what stands for quotes in a quoted string: backslashes, and `%22` as browsers write.
fn unquote(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', '%']) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = chars.next_if(|&next| char == '\\' && matches!(next, '"' | '\\'));
        plain.push(escaped.unwrap_or(char));
    }
    Cow::Owned(plain.replace("%22", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET /a:b HTTP/1.1\r\nHost: h\r\ncookie:a=1; session=x%20y;b\r\n\
                          Cookie: session=second\r\nOdd: \xff\r\nEmpty:\r\n\r\n";

    #[test]
    fn fields_are_found_by_name() {
        let all = |name| values(HEAD, name).collect::<Vec<_>>();
        assert_eq!(all("host"), ["h"]);
        assert_eq!(all("COOKIE"), ["a=1; session=x%20y;b", "session=second"]);
        assert_eq!(all("empty"), [""]);
        assert_eq!((all("odd").len(), all("get /a").len(), all("hos").len()), (0, 1, 0));
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        assert_eq!(cookie(HEAD, "session"), Some("x%20y"));
        assert_eq!(
            (cookie(HEAD, "a"), cookie(HEAD, "b"), cookie(HEAD, "")),
            (Some("1"), None, None)
        );
    }

    #[test]
    fn parameters_may_be_quoted() {
        let value = r#"form-data; name="a;\"b\" c:\d\\"; filename = x ;last="%22""#;
        let found = |name| parameter(value, name).map(Cow::into_owned);
        assert_eq!(found("NAME").as_deref(), Some(r#"a;"b" c:\d\"#));
        assert_eq!(
            (found("filename").as_deref(), found("last").as_deref()),
            (Some("x"), Some("\""))
        );
        assert_eq!((found("b"), found("form-data")), (None, None));
        for broken in ["", "form-data", "form-data; name", "form-data; name=\"open"] {
            assert_eq!(parameter(broken, "name"), None, "{broken}");
        }
    }
}
