//! XML-RPC: the methods of loadr's example server, on a parser that takes no more than they need.
//!
//! | Method | Answer |
//! |---|---|
//! | `get_time()` | seconds since 1970, a double |
//! | `get_random_number(low, high)` | a whole number from `low` to `high` |
//! | `echo(any…)` | an array of the parameters, each as it came |
//! | `system.listMethods()` | the names of all four |
//!
//! Faults have the codes of the specification for interoperability by Dan Libby: -32700 for XML
//! that is broken, -32600 for XML that is no call, -32601 for a method that is not there, -32602
//! for parameters that do not fit.

mod call;

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use self::call::Call;
use crate::law::unit;

const METHODS: [&str; 4] = ["echo", "get_random_number", "get_time", "system.listMethods"];

const HEAD: &[u8] = b"<?xml version='1.0'?>\n<methodResponse>\n";
const PARAMS: &[u8] = b"<params>\n<param>\n<value>";
const PARAMS_END: &[u8] = b"</value>\n</param>\n</params>\n</methodResponse>\n";

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    code: i32,
    reason: String,
}

impl Fault {
    fn broken(reason: &str) -> Self {
        Self { code: -32700, reason: reason.to_owned() }
    }

    fn no_call(reason: &str) -> Self {
        Self { code: -32600, reason: reason.to_owned() }
    }

    fn parameters(usage: &str) -> Self {
        Self { code: -32602, reason: usage.to_owned() }
    }
}

/// The answer to a call, a result or a fault; `draws` counts the random numbers drawn.
pub(crate) fn answer(body: &[u8], draws: &AtomicU64) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(HEAD);
    let start = out.len();
    out.extend_from_slice(PARAMS);
    match Call::parse(body).and_then(|call| write_result(&call, draws, &mut out)) {
        Ok(()) => out.extend_from_slice(PARAMS_END),
        Err(fault) => {
            out.truncate(start);
            write_fault(&fault, &mut out);
        }
    }
    out
}

fn write_result(call: &Call<'_>, draws: &AtomicU64, out: &mut Vec<u8>) -> Result<(), Fault> {
    let _infallible = match call.method {
        "get_time" => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            write!(out, "<double>{:.6}</double>", since.as_secs_f64())
        }
        "get_random_number" => write!(out, "<int>{}</int>", random_number(call, draws)?),
        "echo" => {
            out.extend_from_slice(b"<array><data>\n");
            for value in call.values() {
                out.extend_from_slice(value.as_bytes());
                out.push(b'\n');
            }
            write!(out, "</data></array>")
        }
        "system.listMethods" => {
            out.extend_from_slice(b"<array><data>\n");
            for method in METHODS {
                let _infallible = writeln!(out, "<value><string>{method}</string></value>");
            }
            write!(out, "</data></array>")
        }
        other => {
            let reason = format!("there is no method {}", call::text(other));
            return Err(Fault { code: -32601, reason });
        }
    };
    Ok(())
}

/// A number from the first parameter to the second, both included.
fn random_number(call: &Call<'_>, draws: &AtomicU64) -> Result<i32, Fault> {
    let mut values = call.values();
    let bounds = (values.next().and_then(call::int), values.next().and_then(call::int));
    let (Some(low), Some(high), None) = (bounds.0, bounds.1, values.next()) else {
        return Err(Fault::parameters("get_random_number takes two whole numbers"));
    };
    if low > high {
        return Err(Fault::parameters("get_random_number takes the lower number first"));
    }
    let width = i64::from(high) - i64::from(low) + 1;
    let drawn = unit(0, draws.fetch_add(1, Ordering::Relaxed)) * width as f64;
    let number = i64::from(low) + (drawn as i64).min(width - 1);
    Ok(i32::try_from(number).expect("it lies between two such numbers"))
}

fn write_fault(fault: &Fault, out: &mut Vec<u8>) {
    let Fault { code, reason } = fault;
    let _infallible = write!(
        out,
        "<fault>\n<value><struct>\n\
         <member><name>faultCode</name><value><int>{code}</int></value></member>\n\
         <member><name>faultString</name><value><string>{reason}</string></value></member>\n\
         </struct></value>\n</fault>\n</methodResponse>\n"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, values: &str) -> String {
        let values = values.split_inclusive("</value>");
        let params: String = values.map(|value| format!("<param>{value}</param>")).collect();
        let head = "<?xml version=\"1.0\"?>";
        format!(
            "{head}<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        )
    }

    fn answered(body: &str) -> String {
        String::from_utf8(answer(body.as_bytes(), &AtomicU64::new(0))).unwrap()
    }

    fn fault_code(body: &str) -> Option<i32> {
        let text = answered(body);
        let (_, rest) = text.split_once("<name>faultCode</name><value><int>")?;
        rest.split_once('<')?.0.parse().ok()
    }

    #[test]
    fn time_is_the_clocks() {
        let text = answered(&call("get_time", ""));
        let (_, rest) = text.split_once("<double>").unwrap();
        let seconds: f64 = rest.split_once("</double>").unwrap().0.parse().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - seconds).abs() < 60.0, "{seconds}");
    }

    #[test]
    fn random_numbers_reach_their_bounds_and_nothing_beyond() {
        let draws = AtomicU64::new(0);
        let body =
            call("get_random_number", "<value><int>-1</int></value><value><i4>1</i4></value>");
        let mut seen = [0; 3];
        for _ in 0..100 {
            let text = String::from_utf8(answer(body.as_bytes(), &draws)).unwrap();
            let (_, rest) = text.split_once("<int>").unwrap();
            let number: i32 = rest.split_once("</int>").unwrap().0.parse().unwrap();
            seen[(number + 1) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| times > 10), "{seen:?}");
        let widest = "<value><int>-2147483648</int></value><value><int>2147483647</int></value>";
        assert_eq!(fault_code(&call("get_random_number", widest)), None);
    }

    #[test]
    fn echo_gives_back_what_came() {
        let values = "<value>plain</value><value><struct><member><name>a</name>\
                      <value><i4>1</i4></value></member></struct></value>";
        let text = answered(&call("echo", "<value>a &lt; b</value>"));
        assert!(text.contains("<array><data>\n<value>a &lt; b</value>\n</data></array>"), "{text}");
        // Only whole parameters are values of the array.
        let body = format!(
            "<methodCall><methodName>echo</methodName><params><param>{}</param></params></methodCall>",
            &values[values.find("<value><struct>").unwrap()..]
        );
        let text = answered(&body);
        assert!(text.contains("<data>\n<value><struct><member>"), "{text}");
        assert!(answered(&call("echo", "")).contains("<array><data>\n</data></array>"));
    }

    #[test]
    fn faults_have_their_codes() {
        let int = "<value><int>1</int></value>";
        for (body, code) in [
            (call("nothing.here", ""), -32601),
            (call("get_random_number", ""), -32602),
            (call("get_random_number", int), -32602),
            (call("get_random_number", &int.repeat(3)), -32602),
            (call("get_random_number", "<value>1</value><value>2</value>"), -32602),
            (
                call("get_random_number", "<value><int>2</int></value><value><int>1</int></value>"),
                -32602,
            ),
            ("<methodCall><methodName>get_time</methodName>".into(), -32700),
            ("".into(), -32700),
            ("not xml".into(), -32700),
            ("<methodResponse></methodResponse>".into(), -32600),
        ] {
            assert_eq!(fault_code(&body), Some(code), "{body}");
        }
    }
}
