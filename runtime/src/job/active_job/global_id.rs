//! The names that Rails gives to records.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The GlobalID of a Rails record: what an ActiveJob is given for a model, such as `gid://shop/User/42`.
///
/// ```
/// use sancho::{job, job::GlobalId};
///
/// #[job(class = "WelcomeJob")]
/// async fn welcome(user: GlobalId) {
///     assert_eq!((user.app(), user.model(), user.id()), ("shop", "User", "42"));
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// welcome("gid://shop/User/42".parse().unwrap()).await;
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GlobalId {
    text: String,
    app: String,
    model: String,
    id: String,
}

/// A text that is no GlobalID.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a GlobalID, such as gid://app/Model/1")]
pub struct GlobalIdError {
    text: String,
}

impl GlobalId {
    /// The name of the application.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The class of the record: `User`, `Shop::Order`.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The id of the record. The parts of a composite key are separated by `/`, as they stand in the GlobalID.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole GlobalID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for GlobalId {
    type Err = GlobalIdError;

    fn from_str(text: &str) -> Result<Self, GlobalIdError> {
        read(text).ok_or_else(|| GlobalIdError {
            text: text.to_owned(),
        })
    }
}

fn read(text: &str) -> Option<GlobalId> {
    let path = text.strip_prefix("gid://")?;
    // A locator may put parameters behind the id.
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (app, rest) = path.split_once('/')?;
    let (model, id) = rest.split_once('/')?;
    if app.is_empty() || model.is_empty() || id.is_empty() {
        return None;
    }
    Some(GlobalId {
        text: text.to_owned(),
        app: app.to_owned(),
        model: model.to_owned(),
        id: unescaped(id)?,
    })
}

/// The text of a part of a URL; `None` where its escapes are wrong.
fn unescaped(part: &str) -> Option<String> {
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalId({})", self.text)
    }
}

impl Serialize for GlobalId {
    /// As its text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GlobalId {
    /// From its text, or from the object that ActiveJob makes of it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = GlobalId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GlobalID")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<GlobalId, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GlobalId, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == "_aj_globalid" => text.parse().map_err(A::Error::custom),
            _ => Err(A::Error::custom("an object that is no GlobalID")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(String, String, String)> {
        let gid: GlobalId = text.parse().ok()?;
        Some((gid.app().into(), gid.model().into(), gid.id().into()))
    }

    #[test]
    fn parts_are_read() {
        for (text, app, model, id) in [
            ("gid://shop/User/42", "shop", "User", "42"),
            (
                "gid://a-b/Admin::User/x%2Fy+z?tenant=1",
                "a-b",
                "Admin::User",
                "x/y z",
            ),
            ("gid://shop/Line/7/%C3%A9", "shop", "Line", "7/é"),
        ] {
            assert_eq!(parts(text), Some((app.into(), model.into(), id.into())));
        }
        for text in [
            "",
            "42",
            "gid://shop",
            "gid://shop/User",
            "gid://shop/User/",
            "gid:///User/1",
            "gid://shop//1",
            "gid://shop/User/%4",
            "gid://shop/User/%ff",
            "http://shop/User/1",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn both_forms_are_read_and_the_text_is_written() {
        for json in [
            r#""gid://shop/User/42""#,
            r#"{"_aj_globalid":"gid://shop/User/42"}"#,
        ] {
            let gid: GlobalId = serde_json::from_str(json).unwrap();
            assert_eq!(
                serde_json::to_string(&gid).unwrap(),
                r#""gid://shop/User/42""#
            );
        }
        for json in [
            "42",
            r#""42""#,
            "{}",
            r#"{"a":"gid://shop/User/42"}"#,
            r#"{"_aj_globalid":1}"#,
        ] {
            assert!(serde_json::from_str::<GlobalId>(json).is_err(), "{json}");
        }
    }
}
