//! The grammar of templates: text to pieces, without knowing what any name means.
//!
//! `${` begins a placeholder and the next `}` ends it; `$${` stands for `${`; any other `$` is itself. A placeholder is
//! a dotted name, with arguments in parentheses for some, and with `:-` and what to take instead for others.

/// A stretch of a template as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text, escapes undone.
    Literal(String),
    /// What stands between `${` and `}`.
    Placeholder(Placeholder),
}

/// A placeholder, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    /// Offset of the `$` in the text.
    pub offset: usize,
    /// The name, `random.int` in `${random.int(1,5)}`.
    pub name: String,
    /// What stands in the parentheses, if there are any.
    pub arguments: Option<Vec<String>>,
    /// What follows `:-`, if anything does.
    pub default: Option<String>,
}

/// Why a text is no template, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct TemplateError {
    /// Offset in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// Takes `text` apart.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut position = 0;
    while let Some(found) = text[position..].find("${") {
        let dollar = position + found;
        literal.push_str(&text[position..dollar]);
        if literal.ends_with('$') && found > 0 {
            literal.push('{');
            position = dollar + 2;
            continue;
        }
        let inside = dollar + 2;
        let Some(length) = text[inside..].find('}') else {
            let message = "\"${\" without its \"}\"; write \"$${\" for the characters themselves";
            return Err(TemplateError { offset: dollar, message: message.to_owned() });
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Placeholder(placeholder(dollar, &text[inside..inside + length])?));
        position = inside + length + 1;
    }
    literal.push_str(&text[position..]);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn placeholder(offset: usize, inside: &str) -> Result<Placeholder, TemplateError> {
    let fault = |message: String| TemplateError { offset, message };
    let (call, default) = match inside.split_once(":-") {
        Some((call, default)) => (call, Some(default.to_owned())),
        None => (inside, None),
    };
    let (name, arguments) = match call.split_once('(') {
        Some((name, rest)) => {
            let Some(list) = rest.trim_end().strip_suffix(')') else {
                return Err(fault(format!("\"${{{inside}}}\" lacks its \")\"")));
            };
            (name, Some(arguments(list)))
        }
        None => (call, None),
    };
    let name = name.trim();
    if !is_dotted_name(name) {
        let message = format!(
            "\"${{{inside}}}\" is no placeholder: write a name, as in ${{id}}, or $${{ for the characters"
        );
        return Err(fault(message));
    }
    Ok(Placeholder { offset, name: name.to_owned(), arguments, default })
}

/// Splits at commas outside quotes, and takes blanks and quotes off.
fn arguments(list: &str) -> Vec<String> {
    if list.trim().is_empty() {
        return Vec::new();
    }
    let mut quote = None;
    let split = list.split(|c: char| {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            _ => {}
        }
        quote.is_none() && c == ','
    });
    split.map(|argument| unquoted(argument.trim()).to_owned()).collect()
}

fn unquoted(text: &str) -> &str {
    ['\'', '"']
        .iter()
        .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

/// Names joined by dots. Column names may be any word, so only what would be ambiguous is refused.
fn is_dotted_name(name: &str) -> bool {
    name.split('.').all(|word| {
        !word.is_empty()
            && word.chars().all(|c| !c.is_control() && !"${}()\"',".contains(c))
            && word.trim() == word
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Placeholder {
        match parse(text).as_deref() {
            Ok([Piece::Placeholder(placeholder)]) => placeholder.clone(),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn text_and_placeholders_are_told_apart() {
        let pieces = parse("/a/${id}/b?x=${ data.x }").unwrap();
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces[0], Piece::Literal("/a/".into()));
        let Piece::Placeholder(second) = &pieces[3] else { panic!("{pieces:?}") };
        assert_eq!((second.name.as_str(), second.offset), ("data.x", 13));
    }

    #[test]
    fn arguments_and_defaults_are_taken_apart() {
        let words = |text| only(text).arguments.unwrap();
        assert_eq!(words("${random.int(1, 500)}"), ["1", "500"]);
        assert_eq!(words("${random.choice(a,'b, c',\"d\")}"), ["a", "b, c", "d"]);
        assert!(words("${x()}").is_empty());
        assert_eq!(only("${env.A:-http://x}").default.as_deref(), Some("http://x"));
        assert_eq!(only("${env.A:-}").default.as_deref(), Some(""));
    }

    #[test]
    fn a_dollar_is_itself_unless_a_brace_follows() {
        for (text, literal) in [
            ("5$", "5$"),
            ("$a", "$a"),
            ("$${a}", "${a}"),
            ("a $${ b", "a ${ b"),
            ("$$", "$$"),
            ("", ""),
        ] {
            let pieces = parse(text).unwrap();
            match pieces.as_slice() {
                [] => assert_eq!(literal, ""),
                [Piece::Literal(found)] => assert_eq!(found, literal),
                other => panic!("{text} is {other:?}"),
            }
        }
        assert_eq!(parse("$${a}${b}").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_template_is_said_and_where() {
        for (text, offset, part) in [
            ("/a/${id", 3, "without its"),
            ("${}", 0, "is no placeholder"),
            ("${random.int(1}", 0, "lacks its"),
            ("x${a b.}", 1, "is no placeholder"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.offset, offset, "{text}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_apart_without_panic(text in "[$(){}a-z.,:'\"\\- é]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn escaped_text_comes_back(text in "[${}a-z]{0,20}") {
            // `$` before `${` is the escape itself, so texts that end in it say nothing here.
            proptest::prop_assume!(!text.contains("$$"));
            let escaped = text.replace("${", "$${");
            let literal: String = parse(&escaped)
                .unwrap()
                .into_iter()
                .map(|piece| match piece {
                    Piece::Literal(literal) => literal,
                    Piece::Placeholder(placeholder) => panic!("{placeholder:?}"),
                })
                .collect();
            proptest::prop_assert_eq!(literal, text);
        }
    }
}
