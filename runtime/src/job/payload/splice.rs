//! Changing single fields of a JSON object in its text.

use std::borrow::Cow;

/// A change of one top-level field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets the field to this JSON text: where it stands if it is there, else at the end.
    Set(&'static str, Cow<'static, str>),
    /// Removes the field, each of them where it stands more than once.
    Remove(&'static str),
}

impl Edit {
    /// Sets a field to a string.
    #[must_use]
    pub fn string(key: &'static str, value: &str) -> Self {
        Self::Set(key, Cow::Owned(json_string(value)))
    }

    /// Sets a field to an integer.
    #[must_use]
    pub fn integer(key: &'static str, value: i64) -> Self {
        Self::Set(key, Cow::Owned(value.to_string()))
    }
}

/// The text of a JSON string, as Ruby writes it: without escapes that need not be.
pub(super) fn json_string(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

/// The object with the edits made, or `None` where `object` is not the text of a JSON object.
///
/// Everything that no edit names keeps its bytes; where a key stands twice, its last value counts, as in Ruby, and the
/// edit is made there.
#[must_use]
pub fn splice(object: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(object).ok()?;
    let fields = Fields::scan(text)?;
    let mut out = String::with_capacity(text.len() + 64 * edits.len());
    out.push('{');
    for (index, field) in fields.0.iter().enumerate() {
        let edit = edits.iter().find(|edit| match edit {
            Edit::Remove(key) => field.is(key),
            Edit::Set(key, _) => field.is(key) && !fields.again(index, key),
        });
        match edit {
            Some(Edit::Remove(_)) => {}
            Some(Edit::Set(_, value)) => append(&mut out, field.key, value),
            None => append(&mut out, field.key, field.value),
        }
    }
    for edit in edits {
        if let Edit::Set(key, value) = edit
            && !fields.0.iter().any(|field| field.is(key))
        {
            append(&mut out, &json_string(key), value);
        }
    }
    out.push('}');
    Some(out.into_bytes())
}

fn append(out: &mut String, key: &str, value: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    out.push_str(key);
    out.push(':');
    out.push_str(value);
}

/// How deep JSON may nest for Ruby to read it: the object itself is the first level.
pub const MAX_NESTING: usize = 100;

/// How deep a JSON text nests; 1 is an object or array of plain values.
#[must_use]
pub fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    let mut in_string = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The top-level fields of an object, as slices of its text.
struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    /// With its quotes, as written.
    key: &'a str,
    value: &'a str,
}

impl Field<'_> {
    fn is(&self, name: &str) -> bool {
        let inner = &self.key[1..self.key.len() - 1];
        inner == name
            || (inner.contains('\\')
                && serde_json::from_str::<String>(self.key).is_ok_and(|key| key == name))
    }
}

impl<'a> Fields<'a> {
    fn again(&self, index: usize, name: &str) -> bool {
        self.0[index + 1..].iter().any(|field| field.is(name))
    }

    /// The scan relies on the text being JSON, which the parser says first; it only has to find where things end.
    fn scan(text: &'a str) -> Option<Self> {
        serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
        let mut scan = Scan { text, at: 0 };
        scan.eat(b'{')?;
        let mut fields = Vec::with_capacity(16);
        scan.blanks();
        if scan.eat(b'}').is_some() {
            return Some(Self(fields));
        }
        loop {
            scan.blanks();
            let key = scan.value();
            scan.eat(b':')?;
            scan.blanks();
            let value = scan.value();
            fields.push(Field { key, value });
            if scan.eat(b',').is_none() {
                return Some(Self(fields));
            }
        }
    }
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.peek() == byte).then(|| self.at += 1)
    }

    fn value(&mut self) -> &'a str {
        let start = self.at;
        match self.peek() {
            b'"' => self.string(),
            b'{' | b'[' => self.nested(),
            _ => {
                while !matches!(
                    self.peek(),
                    b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | 0
                ) {
                    self.at += 1;
                }
            }
        }
        &self.text[start..self.at]
    }

    fn string(&mut self) {
        self.at += 1;
        loop {
            match self.peek() {
                b'\\' => self.at += 2,
                b'"' | 0 => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }

    fn nested(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(object: &str, edits: &[Edit]) -> String {
        String::from_utf8(splice(object.as_bytes(), edits).unwrap()).unwrap()
    }

    #[test]
    fn fields_keep_their_place_and_new_ones_come_last() {
        let object = r#"{"retry":true,"args":[1,{"retry":"}\""}],"n":12345678901234567890,"f":1.0e+20,"x":"\u00e9"}"#;
        let edits = [
            Edit::Set("retry", "3".into()),
            Edit::string("error_message", "é\""),
        ];
        assert_eq!(
            spliced(object, &edits),
            r#"{"retry":3,"args":[1,{"retry":"}\""}],"n":12345678901234567890,"f":1.0e+20,"x":"\u00e9","error_message":"é\""}"#
        );
    }

    #[test]
    fn a_removed_field_leaves_no_comma() {
        let remove = [Edit::Remove("a")];
        assert_eq!(spliced(r#"{"a":1}"#, &remove), "{}");
        assert_eq!(spliced(r#"{"a":1,"b":2}"#, &remove), r#"{"b":2}"#);
        assert_eq!(spliced(r#"{"b":2,"a":1}"#, &remove), r#"{"b":2}"#);
        assert_eq!(spliced("{}", &remove), "{}");
    }

    #[test]
    fn every_one_of_equal_keys_is_removed() {
        assert_eq!(
            spliced(r#"{"a":1,"b":2,"\u0061":3}"#, &[Edit::Remove("a")]),
            r#"{"b":2}"#
        );
    }

    #[test]
    fn nesting_is_counted_outside_of_strings() {
        for (json, depth) in [
            ("1", 0),
            ("{}", 1),
            (r#"[[1],"[[[\"[[",{"a{":[{}]}]"#, 4),
            (r#"{"a":[1,{"b":2}],"c":[]}"#, 3),
            (r#"{"a\"[[[":"[[[\\","b":[]}"#, 2),
        ] {
            assert_eq!(nesting(json.as_bytes()), depth, "{json}");
        }
    }

    #[test]
    fn white_space_and_escaped_keys_are_read() {
        assert_eq!(
            spliced(
                " { \"\\u0061\" : 1 , \"b\" : [ 1 , 2 ] } ",
                &[Edit::integer("a", 7)]
            ),
            r#"{"\u0061":7,"b":[ 1 , 2 ]}"#
        );
    }

    #[test]
    fn the_last_of_two_equal_keys_is_edited() {
        assert_eq!(
            spliced(r#"{"a":1,"a":2}"#, &[Edit::integer("a", 3)]),
            r#"{"a":1,"a":3}"#
        );
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for text in ["", "[]", "1", "{", r#"{"a":}"#, "{bad json", "\"{}\""] {
            assert_eq!(splice(text.as_bytes(), &[]), None, "{text}");
        }
        assert_eq!(splice(b"{\"a\":\"\xff\"}", &[]), None);
    }

    proptest::proptest! {
        #[test]
        fn an_edited_object_differs_in_the_edited_field_alone(
            fields in proptest::collection::btree_map("[a-c\"\\\\{}é]{0,4}", "[ -~é]{0,12}", 0..6), value in 0_i64..9
        ) {
            let object = serde_json::to_string(&fields).unwrap();
            let edited: serde_json::Value = serde_json::from_str(&spliced(&object, &[Edit::integer("key", value)])).unwrap();
            let mut expected: serde_json::Value = serde_json::from_str(&object).unwrap();
            expected["key"] = value.into();
            proptest::prop_assert_eq!(edited, expected);
        }
    }
}
