//! What placeholders mean: names become slots, known values become text, and arguments are checked.

use super::parse::{Piece, Placeholder, TemplateError, parse};
use super::{NowForm, Part, Template};
use crate::scenario::error::did_you_mean;
use crate::scenario::names::Names;

/// Most letters of `${random.string(n)}`.
const TEXT_LENGTH_MAX: u32 = 65_536;

/// Placeholders that stand as they are.
const PLAIN: [(&str, Part); 6] = [
    ("uuid", Part::Uuid),
    ("user.index", Part::UserIndex),
    ("iteration", Part::Iteration),
    ("now.unix", Part::Now(NowForm::Unix)),
    ("now.unix_ms", Part::Now(NowForm::UnixMillis)),
    ("now.iso", Part::Now(NowForm::Iso)),
];
/// Placeholders with arguments.
const RANDOM: [&str; 4] = ["random.int", "random.float", "random.choice", "random.string"];

/// Compiles `text`, which begins at the byte `start` of the file.
pub(crate) fn compile(
    text: &str,
    start: usize,
    names: &Names<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Template, TemplateError> {
    let mut parts = Vec::new();
    for piece in parse(text)? {
        parts.push(match piece {
            Piece::Literal(literal) => Part::Literal(literal.into()),
            Piece::Placeholder(placeholder) => {
                let offset = placeholder.offset;
                part(&placeholder, start + offset, names, environment)
                    .map_err(|message| TemplateError { offset, message })?
            }
        });
    }
    Ok(Template::new(text, parts))
}

fn part(
    placeholder: &Placeholder,
    at: usize,
    names: &Names<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Part, String> {
    let name = placeholder.name.as_str();
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    if placeholder.default.is_some() && first != "env" {
        return Err(format!("${{{name}:-…}}: only ${{env.NAME:-…}} takes a default"));
    }
    if let Some(arguments) = &placeholder.arguments {
        return random(name, arguments);
    }
    if let Some((_, part)) = PLAIN.iter().find(|(plain, _)| *plain == name) {
        return Ok(part.clone());
    }
    match first {
        "env" => environment_variable(rest, placeholder.default.as_deref(), environment),
        "data" if rest.is_empty() => Err("${data} wants a column: ${data.COLUMN}".to_owned()),
        "data" => names.cell(rest).map(|(feed, column)| Part::Cell { feed, column }),
        "counter" => Ok(Part::Counter(names.counter(rest))),
        "param" => names.parameter(rest).map(|value| Part::Literal(value.into())),
        "random" if RANDOM.contains(&name) => {
            Err(format!("${{{name}}} wants arguments: ${{{name}({})}}", example(name)))
        }
        _ if rest.is_empty() && first != "now" && first != "user" && first != "random" => {
            Ok(Part::Variable(names.used(name, at)))
        }
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    let known = PLAIN.iter().map(|(plain, _)| *plain).chain(RANDOM).chain(["data", "env"]);
    format!("there is no ${{{name}}}{}", did_you_mean(name, known))
}

fn environment_variable(
    name: &str,
    default: Option<&str>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Part, String> {
    match environment(name).or_else(|| default.map(str::to_owned)) {
        Some(value) => Ok(Part::Literal(value.into())),
        None => Err(format!(
            "the environment variable {name} is not set; set it, or write ${{env.{name}:-DEFAULT}}"
        )),
    }
}

fn random(name: &str, arguments: &[String]) -> Result<Part, String> {
    let wrong = || format!("${{{name}(…)}} wants ({})", example(name));
    match (name, arguments) {
        ("random.int", [min, max]) => {
            let (min, max) = (parsed::<i64>(min, wrong)?, parsed::<i64>(max, wrong)?);
            ordered(min, max).map(|()| Part::RandomInt { min, max })
        }
        ("random.float", [min, max]) => {
            let (min, max) = (parsed::<f64>(min, wrong)?, parsed::<f64>(max, wrong)?);
            if !(max - min).is_finite() {
                return Err(wrong());
            }
            ordered(min, max).map(|()| Part::RandomFloat { min, max })
        }
        ("random.choice", [_, ..]) => {
            Ok(Part::RandomChoice(arguments.iter().map(|choice| choice.as_str().into()).collect()))
        }
        ("random.string", [length]) => match parsed::<u32>(length, wrong)? {
            length @ 1..=TEXT_LENGTH_MAX => Ok(Part::RandomText { length }),
            _ => Err(format!("${{random.string(n)}}: n is 1 to {TEXT_LENGTH_MAX}")),
        },
        _ if RANDOM.contains(&name) => Err(wrong()),
        _ => Err(unknown(name)),
    }
}

fn parsed<T: std::str::FromStr>(text: &str, wrong: impl Fn() -> String) -> Result<T, String> {
    text.parse().map_err(|_| wrong())
}

fn ordered<T: PartialOrd + std::fmt::Display>(min: T, max: T) -> Result<(), String> {
    match min <= max {
        true => Ok(()),
        false => {
            Err(format!("a random number from {min} to {max}: the ends are the wrong way round"))
        }
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "random.int" => "1, 100",
        "random.float" => "0.5, 1.5",
        "random.choice" => "a, b, c",
        _ => "8",
    }
}
