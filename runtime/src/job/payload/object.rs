//! Reading top-level fields of a JSON object, in one pass.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Gives `each` the JSON text of every field that `which` knows, in order; a key that stands twice comes twice, so that
/// the last one counts, as in Ruby. What else there is, however deep it nests, is checked to be JSON and passed over.
///
/// # Errors
/// A text that is not one JSON object.
pub(crate) fn read_object<'a, K>(
    text: &'a str,
    which: impl Fn(&str) -> Option<K>,
    each: impl FnMut(K, &'a str),
) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Object { which, each })?;
    json.end()
}

struct Object<W, E> {
    which: W,
    each: E,
}

impl<'a, K, W: Fn(&str) -> Option<K>, E: FnMut(K, &'a str)> Visitor<'a> for Object<W, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key_seed(Key(&self.which))? {
            match key {
                Some(key) => (self.each)(key, map.next_value::<&'a RawValue>()?.get()),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

/// A key, asked for without keeping it.
struct Key<'w, W>(&'w W);

impl<'a, K, W: Fn(&str) -> Option<K>> DeserializeSeed<'a> for Key<'_, W> {
    type Value = Option<K>;

    fn deserialize<D: serde::Deserializer<'a>>(self, key: D) -> Result<Option<K>, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl<K, W: Fn(&str) -> Option<K>> Visitor<'_> for Key<'_, W> {
    type Value = Option<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<K>, E> {
        Ok((self.0)(key))
    }
}
