//! What plain text means: nothing, a truth value, a number, or text. The core schema of YAML 1.2.

use super::node::{Kind, Plain};
use serde_json::Number;

/// Text without quotes.
pub(crate) fn read(text: String) -> Kind {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
        "true" | "True" | "TRUE" => Kind::Plain(text, Plain::Bool(true)),
        "false" | "False" | "FALSE" => Kind::Plain(text, Plain::Bool(false)),
        other => match number(other) {
            Some(number) => Kind::Plain(text, number),
            None => Kind::Text(text),
        },
    }
}

fn number(text: &str) -> Option<Plain> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(digits.to_ascii_lowercase().as_str(), ".inf") || text.eq_ignore_ascii_case(".nan") {
        return Some(Plain::Odd(
            "JSON has no such number",
            "write a number, or put it in quotes to make it text",
        ));
    }
    if !digits.starts_with(|sign: char| sign.is_ascii_digit() || sign == '.') {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(rest) = text.strip_prefix(prefix)
            && !rest.is_empty()
            && rest.bytes().all(|digit| char::from(digit).is_digit(radix))
        {
            return Some(u64::from_str_radix(rest, radix).map_or(FAR, |whole| Plain::Number(whole.into())));
        }
    }
    if digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(whole(text, digits));
    }
    is_float(digits).then(|| {
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite()).and_then(Number::from_f64);
        value.map_or(FAR, Plain::Number)
    })
}

const FAR: Plain = Plain::Odd("no number of 64 bits", "put it in quotes to make it text");

fn whole(text: &str, digits: &str) -> Plain {
    if digits.len() > 1 && digits.starts_with('0') {
        return Plain::Odd(
            "a number with a zero in front is one thing to some and another to others",
            "put it in quotes to make it text, or leave the zero out",
        );
    }
    let number = text.strip_prefix('+').unwrap_or(text);
    let unsigned = number.parse::<u64>().map(Number::from);
    unsigned.or_else(|_| number.parse::<i64>().map(Number::from)).map_or(FAR, Plain::Number)
}

/// Digits with a point, with an exponent, or with both.
fn is_float(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let all = |part: &str| part.bytes().all(|digit| digit.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !part.is_empty();
    has_digits && all(whole) && all(part) && exponent.is_none_or(|digits| !digits.is_empty() && all(digits))
}

#[cfg(test)]
mod tests {
    use super::{Kind, Plain, read};

    fn means(text: &str) -> &'static str {
        match read(text.to_owned()) {
            Kind::Nothing => "nothing",
            Kind::Plain(_, Plain::Bool(_)) => "bool",
            Kind::Plain(_, Plain::Number(number)) if number.is_f64() => "float",
            Kind::Plain(_, Plain::Number(_)) => "whole",
            Kind::Plain(_, Plain::Odd(..)) => "odd",
            _ => "text",
        }
    }

    #[test]
    fn plain_text_means_what_yaml_1_2_says() {
        let cases = [
            ("nothing", &["", "~", "null", "NULL"][..]),
            ("bool", &["true", "False"]),
            ("whole", &["0", "-1", "+12", "0x1F", "0o17", "18446744073709551615", "-9223372036854775808"]),
            ("float", &["1.0", ".5", "-1.", "1e3", "1.5E-3"]),
            (
                "odd",
                &[
                    "012",
                    "-01",
                    ".inf",
                    "-.INF",
                    ".nan",
                    "1e999",
                    "99999999999999999999",
                    "0xFFFFFFFFFFFFFFFFF",
                ],
            ),
            (
                "text",
                &[
                    "no",
                    "yes",
                    "on",
                    "1_000",
                    "12:30",
                    "2025-06-15",
                    "1.0.0",
                    "1e",
                    ".",
                    "-",
                    "+",
                    "0x",
                    "1.2e+",
                ],
            ),
        ];
        for (meaning, texts) in cases {
            for text in texts {
                assert_eq!(means(text), meaning, "{text}");
            }
        }
    }
}
