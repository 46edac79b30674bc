//! JSON as it is to be shown: every number as it was written, fields in their order, what is masked hidden.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How deep a value is taken apart; what is below stays on its line.
const MAX_DEPTH: usize = 24;

/// What stands for a value that is masked.
pub(crate) const MASKED: &str = "\"[masked]\"";

/// The names whose values are masked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks<'a>(pub(crate) &'a [Box<str>]);

impl Masks<'_> {
    pub(crate) fn hide(self, name: &str) -> bool {
        self.0
            .iter()
            .any(|masked| masked.eq_ignore_ascii_case(name))
    }

    fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A value on several lines.
pub(crate) fn pretty(json: &str, masks: Masks<'_>) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    write(json, masks, Layout::Lines(0), 0, &mut out);
    out
}

/// A value without white space, as payloads mostly are.
pub(crate) fn compact(json: &str, masks: Masks<'_>) -> String {
    let mut out = String::with_capacity(json.len());
    write(json, masks, Layout::Compact, 0, &mut out);
    out
}

/// A value on one line; as it is, where nothing is masked.
pub(crate) fn line(json: &str, masks: Masks<'_>) -> String {
    if masks.is_empty() {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len());
    write(json, masks, Layout::Line, 0, &mut out);
    out
}

/// How a value is laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Compact,
    Line,
    /// Indented by so much.
    Lines(usize),
}

fn write(json: &str, masks: Masks<'_>, layout: Layout, depth: usize, out: &mut String) {
    let json = json.trim();
    if depth == MAX_DEPTH {
        // What is not looked into may hold what is masked.
        out.push_str(if masks.is_empty() { json } else { MASKED });
        return;
    }
    let inner = match layout {
        Layout::Lines(indent) => Layout::Lines(indent + 1),
        layout => layout,
    };
    if json.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json)
    {
        // Short lists of plain values read best on one line.
        let plain = items.iter().all(|item| !item.get().starts_with(['[', '{']));
        let inner = match inner {
            Layout::Lines(_) if plain && json.len() <= 60 => Layout::Line,
            inner => inner,
        };
        out.push('[');
        for (index, item) in items.iter().enumerate() {
            separate(index, inner, out);
            write(item.get(), masks, inner, depth + 1, out);
        }
        close(items.is_empty(), inner, out);
        out.push(']');
    } else if json.starts_with('{')
        && let Ok(Pairs(pairs)) = serde_json::from_str::<Pairs<'_>>(json)
    {
        out.push('{');
        for (index, (key, value)) in pairs.iter().enumerate() {
            separate(index, inner, out);
            out.push_str(&serde_json::Value::from(&**key).to_string());
            out.push_str(if inner == Layout::Compact { ":" } else { ": " });
            if masks.hide(key) {
                out.push_str(MASKED);
            } else {
                write(value.get(), masks, inner, depth + 1, out);
            }
        }
        close(pairs.is_empty(), inner, out);
        out.push('}');
    } else {
        out.push_str(json);
    }
}

fn separate(index: usize, layout: Layout, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
    match layout {
        Layout::Lines(indent) => new_line(indent, out),
        Layout::Line if index > 0 => out.push(' '),
        _ => {}
    }
}

fn close(empty: bool, inner: Layout, out: &mut String) {
    if let Layout::Lines(indent) = inner
        && !empty
    {
        new_line(indent - 1, out);
    }
}

fn new_line(indent: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", indent));
}

/// The texts and numbers that are masked in a value, as texts.
pub(crate) fn hidden(json: &str, masks: Masks<'_>, found: &mut Vec<String>) {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(json) {
        look_for_hidden(&value, masks, false, found);
    }
}

/// All of its texts and numbers.
pub(crate) fn hidden_all(json: &str, found: &mut Vec<String>) {
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(json) {
        look_for_hidden(&value, Masks(&[]), true, found);
    }
}

fn look_for_hidden(
    value: &serde_json::Value,
    masks: Masks<'_>,
    is_hidden: bool,
    found: &mut Vec<String>,
) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                look_for_hidden(value, masks, is_hidden || masks.hide(name), found);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                look_for_hidden(item, masks, is_hidden, found);
            }
        }
        serde_json::Value::String(text) if is_hidden => found.push(text.clone()),
        serde_json::Value::Number(number) if is_hidden => found.push(number.to_string()),
        _ => {}
    }
}

/// The pairs of an object in their order.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }

        json.deserialize_map(InOrder).map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Masks<'static> = Masks(&[]);

    #[test]
    fn a_value_is_laid_out_as_it_was_written() {
        let json = r#"{"b":12345678901234567890,"a":[1.0e+20,"x"],"c":{},"d":[{"e":null}]}"#;
        let lines = [
            "{",
            "  \"b\": 12345678901234567890,",
            "  \"a\": [1.0e+20, \"x\"],",
            "  \"c\": {},",
            "  \"d\": [",
            "    {",
            "      \"e\": null",
            "    }",
            "  ]",
            "}",
        ];
        assert_eq!(pretty(json, NONE), lines.join("\n"));
        assert_eq!(line(json, NONE), json);
        assert_eq!(pretty("{bad", NONE), "{bad");
    }

    #[test]
    fn masked_fields_are_hidden_at_any_depth() {
        let names = [Box::from("token")];
        let masks = Masks(&names);
        let json = r#"[{"Token":"s","a":[{"token":{"b":1}}],"t":"token"}]"#;
        let shown = line(json, masks);
        assert_eq!(
            shown,
            r#"[{"Token": "[masked]", "a": [{"token": "[masked]"}], "t": "token"}]"#
        );
        assert_eq!(
            compact(r#"[ {"Token": "s", "a": [1, 2]} ]"#, masks),
            r#"[{"Token":"[masked]","a":[1,2]}]"#
        );
        let mut found = Vec::new();
        hidden(json, masks, &mut found);
        assert_eq!(found, ["s", "1"]);
        let deep = format!("{}{}{}", "[".repeat(100), r#"{"token":1}"#, "]".repeat(100));
        assert!(
            !line(&deep, masks).contains("token"),
            "{}",
            line(&deep, masks)
        );
    }
}
