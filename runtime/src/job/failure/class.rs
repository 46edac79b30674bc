//! The class of an error, for `error_class` on the wire: its type, and its variant as far as that can be told.

use std::any::type_name;
use std::fmt::{self, Debug, Write};

/// Types that stand for any error, and whose `Debug` is the message: their class is fixed.
const OPAQUE: [(&str, &str); 6] = [
    ("anyhow::Error", "anyhow::Error"),
    ("eyre::Report", "eyre::Report"),
    ("color_eyre::Report", "eyre::Report"),
    ("alloc::boxed::Box<dyn core::error::Error", "Box<dyn Error>"),
    ("alloc::string::String", "String"),
    ("&str", "String"),
];

/// The path of the type without generics, and the variant where `Debug` looks derived: `my_app::MailError::Timeout`.
pub(super) fn of<E: Debug>(error: &E) -> String {
    let name = type_name::<E>();
    if let Some((_, class)) = OPAQUE.iter().find(|(opaque, _)| name.starts_with(opaque)) {
        return (*class).to_owned();
    }
    let path = name.split('<').next().unwrap_or(name);
    let last = path.rsplit("::").next().unwrap_or(path);
    match head(error) {
        Some(variant) if variant != last => format!("{path}::{variant}"),
        _ => path.to_owned(),
    }
}

/// Whether a class is that of a report, whose `Debug` is its chain of errors, line by line.
pub(super) fn is_report(class: &str) -> bool {
    ["anyhow::Error", "eyre::Report"].contains(&class)
}

/// The identifier at the head of a derived `Debug`: `Name`, `Name(..)` or `Name { .. }`.
fn head(error: &impl Debug) -> Option<String> {
    let mut head = Head::default();
    // The error is how the writer stops the formatting as soon as it has what it needs.
    let _ = write!(head, "{error:?}");
    let derived = ["", "(", " {"].contains(&head.rest.as_str());
    (derived && head.name.starts_with(char::is_uppercase)).then_some(head.name)
}

#[derive(Default)]
struct Head {
    name: String,
    rest: String,
}

impl Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.rest.is_empty() && (c.is_alphanumeric() || c == '_') {
                self.name.push(c);
            } else {
                self.rest.push(c);
                if self.rest != " " {
                    return Err(fmt::Error);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "only their Debug is read")]
    enum Delivery {
        Timeout,
        Refused(u16),
        Bounced { address: String },
        Lost,
    }

    #[derive(Debug)]
    struct Generic<T>(T);

    fn tail(error: &impl Debug) -> String {
        let prefix = concat!(module_path!(), "::");
        of(error).strip_prefix(prefix).unwrap().to_owned()
    }

    #[test]
    fn variants_of_every_shape_are_named() {
        assert_eq!(tail(&Delivery::Timeout), "Delivery::Timeout");
        assert_eq!(tail(&Delivery::Refused(550)), "Delivery::Refused");
        let address = String::new();
        assert_eq!(tail(&Delivery::Bounced { address }), "Delivery::Bounced");
        assert_eq!(tail(&Delivery::Lost), "Delivery::Lost");
    }

    #[test]
    fn generics_are_left_out() {
        assert_eq!(tail(&Generic(vec![1])), "Generic");
    }

    #[test]
    fn a_message_is_not_taken_for_a_variant() {
        struct Hand(&'static str);
        impl Debug for Hand {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        for text in ["Timeout after 3 s", "refused", "", "Oh: no"] {
            assert!(of(&Hand(text)).ends_with("::Hand"), "{text}");
        }
    }

    #[test]
    fn opaque_errors_have_fixed_names() {
        let boxed: Box<dyn Error + Send + Sync> = Box::new(io::Error::other("x"));
        assert_eq!(of(&boxed), "Box<dyn Error>");
        assert_eq!(of(&"Secret".to_owned()), "String");
        assert_eq!(of(&"Secret"), "String");
    }
}
