//! Responses of the specification (xmlrpc.com/spec), of servers that are met with, and such as are none.

use loadr_protocols::xmlrpc::{Fault, Reply, Value};

/// The specification's own response.
const SOUTH_DAKOTA: &[u8] = b"<?xml version=\"1.0\"?>
<methodResponse>
   <params>
      <param>
         <value><string>South Dakota</string></value>
         </param>
      </params>
   </methodResponse>
";

/// The specification's own fault.
const TOO_MANY: &[u8] = b"<?xml version=\"1.0\"?>
<methodResponse>
   <fault>
      <value>
         <struct>
            <member>
               <name>faultCode</name>
               <value><int>4</int></value>
               </member>
            <member>
               <name>faultString</name>
               <value><string>Too many parameters.</string></value>
               </member>
            </struct>
         </value>
      </fault>
   </methodResponse>
";

/// The specification's array, as a response.
const ARRAY: &[u8] = b"<methodResponse><params><param><value>
<array>
   <data>
      <value><i4>12</i4></value>
      <value><string>Egypt</string></value>
      <value><boolean>0</boolean></value>
      <value><i4>-31</i4></value>
      </data>
   </array>
</value></param></params></methodResponse>";

/// The specification's struct, as a response.
const STRUCT: &[u8] = b"<methodResponse><params><param><value>
<struct>
   <member>
      <name>lowerBound</name>
      <value><i4>18</i4></value>
      </member>
   <member>
      <name>upperBound</name>
      <value><i4>139</i4></value>
      </member>
   </struct>
</value></param></params></methodResponse>";

/// What Python's xmlrpc.server writes for `time.time()`.
const PYTHON_TIME: &[u8] = b"<?xml version='1.0'?>
<methodResponse>
<params>
<param>
<value><double>1764072000.1234567</double></value>
</param>
</params>
</methodResponse>
";

/// What Python writes for `{"day": DateTime(...), "bytes": b"...", "none": None}`.
const PYTHON_STRUCT: &[u8] = b"<?xml version='1.0'?>
<methodResponse>
<params>
<param>
<value><struct>
<member>
<name>day</name>
<value><dateTime.iso8601>20251125T12:00:00</dateTime.iso8601></value>
</member>
<member>
<name>bytes</name>
<value><base64>
AAEC/w==
</base64></value>
</member>
<member>
<name>none</name>
<value><nil/></value></member>
</struct></value>
</param>
</params>
</methodResponse>
";

/// All that XML allows and nobody needs.
const DRESSED: &[u8] = b"\xef\xbb\xbf<?xml version='1.0' encoding=\"UTF-8\" standalone = 'yes' ?>
<!-- before --><?style sheet?>
<methodResponse xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions' a=\">\" ><params\t>
<param><!-- <value> --><value >a<!-- b --><![CDATA[<c>&amp;]]]]>d&#101;&#x66;&lt;\r\n</value
></param></params></methodResponse><!-- behind -->";

const LATIN: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><methodResponse><params><param>\
<value>caf\xe9</value></param></params></methodResponse>";

macro_rules! response {
    ($value:literal) => {
        concat!("<methodResponse><params><param>", $value, "</param></params></methodResponse>")
            .as_bytes()
    };
}

/// Responses, and what they say.
pub(crate) fn good() -> Vec<(&'static [u8], Reply)> {
    let text = |text: &str| Ok(Value::from(text));
    let fault = Fault { code: 4, string: "Too many parameters.".to_owned() };
    let python = [
        ("day", Value::DateTime("20251125T12:00:00".parse().expect("a moment"))),
        ("bytes", Value::bytes([0, 1, 2, 255])),
        ("none", Value::Nil),
    ];
    let array = vec![12.into(), "Egypt".into(), false.into(), Value::from(-31)];
    vec![
        (SOUTH_DAKOTA, text("South Dakota")),
        (TOO_MANY, Err(fault)),
        (ARRAY, Ok(Value::Array(array))),
        (STRUCT, Ok(Value::structure([("lowerBound", 18), ("upperBound", 139)]))),
        (PYTHON_TIME, Ok(Value::Double(1_764_072_000.123_456_7))),
        (PYTHON_STRUCT, Ok(Value::structure(python))),
        (DRESSED, text("a<c>&amp;]]def<\n")),
        (LATIN, text("caf\u{e9}")),
        // "If no type is indicated, the type is string."
        (response!("<value> text </value>"), text(" text ")),
        (response!("<value></value>"), text("")),
        (response!("<value/>"), text("")),
        (response!("<value> </value>"), text(" ")),
        (response!("<value><string/></value>"), text("")),
        (response!("<value><string> <![CDATA[]]></string></value>"), text(" ")),
        (response!("<value>&#13;&#10;</value>"), text("\r\n")),
        (response!("<value><base64/></value>"), Ok(Value::bytes([]))),
        (response!("<value><int>+0041</int></value>"), Ok(Value::Int(41))),
        (response!("<value> <!-- --> <int>4<!-- -->1</int> </value>"), Ok(Value::Int(41))),
        (response!("<value><i8>9223372036854775807</i8></value>"), Ok(Value::I8(i64::MAX))),
        (response!("<value><ex:i8>-1</ex:i8></value>"), Ok(Value::I8(-1))),
        (response!("<value><nil/></value>"), Ok(Value::Nil)),
        (response!("<value><ex:nil></ex:nil></value>"), Ok(Value::Nil)),
        (response!("<value><double>1e+100</double></value>"), Ok(Value::Double(1e100))),
        (response!("<value><array><data/></array></value>"), Ok(Value::Array(Vec::new()))),
        (response!("<value><array><data></data></array></value>"), Ok(Value::Array(Vec::new()))),
        (response!("<value><struct/></value>"), Ok(Value::Struct(Vec::new()))),
        (response!("<value><struct> </struct></value>"), Ok(Value::Struct(Vec::new()))),
        (
            response!("<value><struct><member><name/><value/></member></struct></value>"),
            Ok(Value::structure([("", "")])),
        ),
        (
            response!(
                "<value><array><data><value><array><data/></array></value>\
                 <value><struct/></value><value/></data></array></value>"
            ),
            Ok(Value::Array(vec![
                Value::Array(Vec::new()),
                Value::Struct(Vec::new()),
                Value::from(""),
            ])),
        ),
    ]
}

/// Bodies that are no responses, and what is said of them.
pub(crate) const REFUSED: &[(&[u8], &str)] = &[
    (b"", "an empty body instead of XML, at byte 0"),
    (b" \r\n", "an empty body instead of XML, at byte 0"),
    (b"\x0c", r#"no XML: it begins with "\x0c", at byte 0"#),
    (b"Not Found", r#"no XML: it begins with "Not Found", at byte 0"#),
    (br#"{"jsonrpc": "2.0"}"#, r#"no XML: it begins with "{\"jsonrpc\": \"2.0\"}", at byte 0"#),
    (b"\n x<methodResponse/>", r#"no XML: it begins with "x", at byte 2"#),
    (b"\t<![CDATA[ ]]>x", r#"no XML: it begins with "<![CDATA[", at byte 1"#),
    (
        b"<?xml version='1.0' encoding='latin1' ?x ?><methodResponse/>",
        r#""?x ?" where XML has the end of the XML declaration, at byte 38"#,
    ),
    (
        b"<?xml version='1.0' encoding='latin1' standalone='\xe9'?><methodResponse/>",
        "bytes that are not US-ASCII, as an XML declaration is, at byte 50",
    ),
    (b"<html><body/></html>", r#"the root element is "html", not <methodResponse>, at byte 0"#),
    (b"<methodCall/>", r#"the root element is "methodCall", not <methodResponse>, at byte 0"#),
    (
        b"<methodresponse/>",
        r#"the root element is "methodresponse", not <methodResponse>, at byte 0"#,
    ),
    (
        b"<!DOCTYPE html><html/>",
        "a document type or entity declaration, which is refused, at byte 0",
    ),
    (
        b"<?xml version='1.0'?>\n<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;'>]>",
        "a document type or entity declaration, which is refused, at byte 22",
    ),
    (
        b"\xff\xfe<\0m\0",
        r#"the encoding "UTF-16 (by its mark)" is none of UTF-8, US-ASCII and ISO-8859-1, at byte 0"#,
    ),
    (
        b"<?xml version='1.0' encoding='windows-1252'?><methodResponse/>",
        r#"the encoding "windows-1252" is none of UTF-8, US-ASCII and ISO-8859-1, at byte 20"#,
    ),
    (
        b"<?xml version='1.0' encoding='us-ascii'?><methodResponse>\xe9</methodResponse>",
        "bytes that are not US-ASCII, at byte 57",
    ),
    (b"<methodResponse>\xe9</methodResponse>", "bytes that are not UTF-8, at byte 16"),
    (
        b"<?xml version='2.0'?><methodResponse/>",
        r#"" version=\'2.0\'?" where XML has a version 1.x in the declaration, at byte 5"#,
    ),
    (
        b"<?xml ver='1.0'?><methodResponse/>",
        r#""ver=\'1.0\'?" where XML has version, encoding or standalone, at byte 6"#,
    ),
    (
        b" <?xml version='1.0'?><methodResponse/>",
        r#""<?xml version=\'1.0\'?><methodResp" where XML has a declaration only at the very beginning, at byte 1"#,
    ),
    (b"</methodResponse>", r#""</methodResponse>" where XML has <methodResponse>, at byte 0"#),
    (b"<methodResponse/>", "no <params> inside <methodResponse>, at byte 0"),
    (b"<methodResponse></methodResponse>", "no <params> inside <methodResponse>, at byte 16"),
    (b"<methodResponse><params/></methodResponse>", "no <param> inside <params>, at byte 16"),
    (
        b"<methodResponse><params></params></methodResponse>",
        "no <param> inside <params>, at byte 24",
    ),
    (
        b"<methodResponse><params><param/></params></methodResponse>",
        "no <value> inside <param>, at byte 24",
    ),
    (
        b"<methodResponse><params><param></param></params></methodResponse>",
        "no <value> inside <param>, at byte 31",
    ),
    (
        b"<methodResponse><params><param><value/></param><param><value/></param></params>",
        r#"element "param" inside <params>, at byte 47"#,
    ),
    (
        b"<methodResponse>text<params>",
        r#"text "text" inside <methodResponse>, beside elements, at byte 16"#,
    ),
    (b"<methodResponse><result/>", r#"element "result" inside <methodResponse>, at byte 16"#),
    (b"<methodResponse></params>", r#"end tag "params" inside <methodResponse>, at byte 16"#),
    (
        b"<methodResponse><params><param><value/></params></param></methodResponse>",
        r#"end tag "params" inside <param>, at byte 39"#,
    ),
    (b"<methodResponse><fault/></methodResponse>", "no <value> inside <fault>, at byte 16"),
    (
        b"<methodResponse><fault><value>oops</value></fault></methodResponse>",
        "a fault without a faultCode that is a number and a faultString that is text, at byte 0",
    ),
    (b"<methodResponse <", r#""<" where XML has the name of an attribute, at byte 16"#),
    (b"<methodResponse a>", r#"">" where XML has the = of an attribute, at byte 17"#),
    (b"<methodResponse a=b>", r#""b>" where XML has the quoted value of an attribute, at byte 18"#),
    (b"<methodResponse a='<'>", r#""<\'>" where XML has the value of an attribute, at byte 19"#),
    (b"<methodResponse a='&x;'>", r#"unknown entity "&x;", at byte 19"#),
    (
        b"<methodResponse a='b'c='d'>",
        r#""c=\'d\'>" where XML has whitespace or the end of a tag, at byte 21"#,
    ),
    (b"<methodResponse/ >", r#"" >" where XML has the end of a tag, at byte 16"#),
    (b"< methodResponse>", r#"" methodResponse>" where XML has the name of an element, at byte 1"#),
    (
        b"<!-- a -- b --><methodResponse>",
        r#"" b --><methodResponse>" where XML has the end of a comment, at byte 9"#,
    ),
    (
        b"<?xml?><methodResponse>",
        r#""<?xml?><methodResponse>" where XML has a declaration only at the very beginning, at byte 0"#,
    ),
    (
        b"<? x?><methodResponse>",
        r#"" x?><methodResponse>" where XML has the target of a processing instruction, at byte 2"#,
    ),
];

/// Values that are none, and what is said of them.
pub(crate) const REFUSED_VALUES: &[(&str, &str)] = &[
    ("<value><i4>2147483648</i4></value>", r#""2147483648" is out of range for <i4>"#),
    ("<value><int>-2147483649</int></value>", r#""-2147483649" is out of range for <int>"#),
    (
        "<value><i8>9223372036854775808</i8></value>",
        r#""9223372036854775808" is out of range for <i8>"#,
    ),
    ("<value><int>4.5</int></value>", r#""4.5" is not the number that <int> has to be"#),
    ("<value><int/></value>", r#""" is not the number that <int> has to be"#),
    ("<value><int> 4 </int></value>", r#"" 4 " is not the number that <int> has to be"#),
    ("<value><double>nan</double></value>", r#""nan" is not the number that <double> has to be"#),
    ("<value><double>1e400</double></value>", r#""1e400" is out of range for <double>"#),
    (
        "<value><boolean>true</boolean></value>",
        r#""true" is neither the 0 nor the 1 that <boolean> has to be"#,
    ),
    (
        "<value><dateTime.iso8601>19980732T00:00:00</dateTime.iso8601></value>",
        r#""19980732T00:00:00" is not the moment that <dateTime.iso8601> has to be"#,
    ),
    ("<value><base64>a</base64></value>", r#""a" is not base64"#),
    ("<value><nil>0</nil></value>", r#"text "0" inside <nil>, beside elements"#),
    ("<value><float>1</float></value>", r#"element "float" inside <value>"#),
    ("<value><Int>1</Int></value>", r#"element "Int" inside <value>"#),
    ("<value><int>1</i4></value>", r#"end tag "i4" inside <int>"#),
    ("<value><int>1</value>", r#"end tag "value" inside <int>"#),
    ("<value><int>1</int><int>2</int></value>", r#"element "int" inside <value>"#),
    ("<value>a<int>1</int></value>", r#"text "a" inside <value>, beside elements"#),
    ("<value><int>1</int>a</value>", r#"text "a" inside <value>, beside elements"#),
    ("<value><int><int>1</int></int></value>", r#"element "int" inside <int>"#),
    ("<value>a</int>", r#"end tag "int" inside <value>"#),
    ("<value>&lol9;</value>", r#"unknown entity "&lol9;""#),
    ("<value>a & b</value>", r#"unknown entity "& b""#),
    ("<value>a\u{1}</value>", "the character U+0001, which XML cannot carry"),
    ("<value>&#0;</value>", "the character U+0000, which XML cannot carry"),
    ("<value>]]></value>", r#""]]>" where XML has no ]]> in text"#),
    ("<value><![CDATA[\u{2}]]></value>", "the character U+0002, which XML cannot carry"),
    ("<value><!ENTITY a 'b'></value>", "a document type or entity declaration, which is refused"),
    ("<value><array/></value>", "no <data> inside <array>"),
    ("<value><array></array></value>", "no <data> inside <array>"),
    ("<value><array><value/></array></value>", r#"element "value" inside <array>"#),
    ("<value><array><data><int>1</int></data></array></value>", r#"element "int" inside <data>"#),
    ("<value><array><data>1</data></array></value>", r#"text "1" inside <data>, beside elements"#),
    ("<value><array><data></array></value>", r#"end tag "array" inside <data>"#),
    ("<value><array><data/><data/></array></value>", r#"element "data" inside <array>"#),
    ("<value><struct><name>a</name></struct></value>", r#"element "name" inside <struct>"#),
    ("<value><struct><member/></struct></value>", "no <name> inside <member>"),
    ("<value><struct><member></member></struct></value>", "no <name> inside <member>"),
    (
        "<value><struct><member><name>a</name></member></struct></value>",
        "no <value> inside <member>",
    ),
    (
        "<value><struct><member><value/><name>a</name></member></struct></value>",
        r#"element "value" inside <member>"#,
    ),
    (
        "<value><struct><member><name>a</name><value/><value/></member></struct></value>",
        r#"element "value" inside <member>"#,
    ),
    (
        "<value><struct><member><name><b/></name><value/></member></struct></value>",
        r#"element "b" inside <name>"#,
    ),
];
