//! The forms in which a value is usually told: as it is, quoted, escaped, encoded.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::store::SHORTEST;

/// Fewest bytes of a line, of a value that has several, to be told from other text.
const SHORTEST_LINE: usize = 8;

/// Returns every form of a value, each once, without those too short to be told from other text.
pub(super) fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let mut forms: BTreeSet<Vec<u8>> = texts(value).map(String::into_bytes).collect();
    let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    for line in lines.filter(|line| *line != value) {
        forms.extend(texts(line).map(String::into_bytes));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

fn texts(text: &str) -> impl Iterator<Item = String> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let upper = hex.to_uppercase();
    [text.to_owned(), hex, upper].into_iter().chain(quoted(text)).chain(in_base64(bytes))
}

/// Returns it as in JSON, in a literal of Python, in a URL, in HTML and in a shell.
fn quoted(text: &str) -> Vec<String> {
    let json = in_json(text);
    let ascii_json = in_ascii(&json);
    let python = escaped(text, |c| c == '\\' || c.is_control(), python_escape);
    let quoted_python = python.replace('\'', r"\'");
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let url = percent(text, b"-._~", Case::Upper);
    vec![
        // JSON inside of JSON: a text that holds a document, as messages of queues do.
        in_json(&json),
        in_json(&ascii_json),
        in_ascii(&in_json(&json)),
        in_json(&python),
        in_json(&quoted_python),
        ascii_json,
        json.replace('/', r"\/"),
        escaped(&quoted_python, |c| !c.is_ascii(), python_escape),
        escaped(text, |c| c == '\\' || !(' '..='~').contains(&c), bytes_escape),
        url.replace("%20", "+"),
        percent(text, b"-._~/", Case::Upper),
        percent(text, b"-._~", Case::Lower),
        html.replace('"', "&quot;").replace('\'', "&#x27;"),
        text.replace('\'', r#"'"'"'"#),
        text.replace('\'', r"'\''"),
        json,
        python,
        quoted_python,
        url,
        html,
    ]
}

fn in_json(text: &str) -> String {
    escaped(text, |c| c < ' ' || matches!(c, '"' | '\\'), json_escape)
}

/// Returns JSON with letters of ASCII alone.
fn in_ascii(json: &str) -> String {
    escaped(json, |c| !c.is_ascii(), unicode_escape)
}

/// Returns it in base64, wherever in a longer text it begins; only what no neighbour changes.
fn in_base64(bytes: &[u8]) -> impl Iterator<Item = String> {
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].into_iter().flat_map(move |alphabet| {
        (0..3_usize).map(move |before| {
            let shifted: Vec<u8> =
                std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
            let encoded = alphabet.encode(&shifted);
            let (first, last) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
            encoded[first..last].to_owned()
        })
    })
}

fn escaped(text: &str, needs: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if needs(c) { escape(c, &mut out) } else { out.push(c) }
    }
    out
}

fn json_escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\\' | '\n' | '\r' | '\t' => python_escape(c, out),
        c => unicode_escape(c, out),
    }
}

/// Writes `\uXXXX`, twice for what is beyond 16 bits.
fn unicode_escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

/// Writes what `repr` of a text in Python writes.
fn python_escape(c: char, out: &mut String) {
    let escape = match (c, u32::from(c)) {
        ('\\', _) => "\\\\".to_owned(),
        ('\n', _) => "\\n".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        (_, code @ ..=0xff) => format!("\\x{code:02x}"),
        (_, code @ ..=0xffff) => format!("\\u{code:04x}"),
        (_, code) => format!("\\U{code:08x}"),
    };
    out.push_str(&escape);
}

/// Writes what `repr` of its bytes in Python writes.
fn bytes_escape(c: char, out: &mut String) {
    if c.is_ascii() {
        return python_escape(c, out);
    }
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The letters of percent escapes.
#[derive(Clone, Copy)]
enum Case {
    Lower,
    Upper,
}

fn percent(text: &str, safe: &[u8], case: Case) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match case {
            _ if byte.is_ascii_alphanumeric() || safe.contains(&byte) => out.push(char::from(byte)),
            Case::Upper => out.push_str(&format!("%{byte:02X}")),
            Case::Lower => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, told: &[&str]) {
        let forms = of(value);
        for form in told {
            let found = forms
                .iter()
                .any(|known| form.as_bytes().windows(known.len()).any(|part| part == known));
            assert!(found, "{form} is no form of {value:?}: {forms:?}");
        }
    }

    #[test]
    fn a_value_is_known_in_its_usual_forms() {
        check("pass word", &["cGFzcyB3b3Jk", "dXNlcjpwYXNzIHdvcmQ=", "pass%20word", "pass+word"]);
        let json = r#"pass/\u00e9'\""#;
        let python = r#"pass/é\'""#;
        check("pass/é'\"", &[json, python, "pass%2f%c3%a9%27%22", "706173732fc3a92722"]);
        check("pä\\ss\nwort", &[r"pä\\ss\nwort", r"p\xe4\\ss\nwort", r"p\xc3\xa4\\ss\nwort"]);
        check("a\"b\\c", &[r#"a\\\"b\\\\c"#]);
        check("a?>b~~", &["YT8-Yn5-", "YT8+Yn5+"]);
        check("-----BEGIN-----\nMIIEowIBAAKCAQEA\nxy\n", &["MIIEowIBAAKCAQEA"]);
    }
}
