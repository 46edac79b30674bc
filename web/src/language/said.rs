//! Messages: what kinds there are, and how what they leave open is filled in.

use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::ops::Deref;

use maud::{Escaper, Markup, PreEscaped, Render};

use super::Words;

/// A message of a kind, in one language: its forms.
pub(crate) struct Said<K>(&'static [&'static str], PhantomData<K>);

/// A text as it is.
pub(crate) type Text = Said<Plain>;

/// A text with places like `{name}` that are to be filled.
pub(crate) type Template = Said<Open>;

/// A text about `{n}` things, in as many forms as the language has.
pub(crate) type Plural = Said<Counted>;

pub(crate) enum Plain {}
pub(crate) enum Open {}
pub(crate) enum Counted {}

/// What fills a place: its name, and what is shown there, escaped unless it is markup.
pub(crate) type Filling<'a> = (&'a str, &'a dyn Render);

impl<K> Said<K> {
    pub(super) const fn new(forms: &'static [&'static str]) -> Self {
        Self(forms, PhantomData)
    }

    pub(crate) const fn forms(&self) -> &'static [&'static str] {
        self.0
    }
}

impl<K> fmt::Debug for Said<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0).finish()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.0[0]
    }
}

impl Render for Text {
    fn render_to(&self, buffer: &mut String) {
        str::render_to(self, buffer);
    }
}

impl Template {
    /// It, filled.
    pub(crate) fn with(&self, fillings: &[Filling<'_>]) -> Markup {
        fill(self.0[0], fillings)
    }

    /// The same as a text that is not markup.
    pub(crate) fn text(&self, fillings: &[(&str, &str)]) -> String {
        fill_text(self.0[0], fillings)
    }
}

impl Plural {
    /// It, about `n` things.
    pub(crate) fn of(&self, words: &Words, n: u64) -> String {
        self.text(words, n, &[])
    }

    /// It, about `n` things, and with these places filled too; not markup.
    pub(crate) fn text(&self, words: &Words, n: u64, fillings: &[(&str, &str)]) -> String {
        let number = words.number(n);
        let mut all = vec![("n", &*number)];
        all.extend_from_slice(fillings);
        fill_text(self.form(words, n), &all)
    }

    fn form(&self, words: &Words, n: u64) -> &'static str {
        self.0[words.language.form(n)]
    }
}

fn fill(template: &'static str, fillings: &[Filling<'_>]) -> Markup {
    let mut filled = String::with_capacity(template.len() * 2);
    parts(template, |part| match part {
        Part::Text(text) => {
            let _ = Escaper::new(&mut filled).write_str(text);
        }
        Part::Place(name) => {
            let filling = fillings.iter().find(|(place, _)| *place == name);
            debug_assert!(filling.is_some(), "nothing is {name} in {template:?}");
            if let Some((_, filling)) = filling {
                filling.render_to(&mut filled);
            }
        }
    });
    PreEscaped(filled)
}

fn fill_text(template: &'static str, fillings: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    parts(template, |part| match part {
        Part::Text(text) => filled.push_str(text),
        Part::Place(name) => {
            let filling = fillings.iter().find(|(place, _)| *place == name);
            debug_assert!(filling.is_some(), "nothing is {name} in {template:?}");
            filled.push_str(filling.map_or("", |(_, text)| text));
        }
    });
    filled
}

pub(super) enum Part {
    Text(&'static str),
    Place(&'static str),
}

/// The parts of a template, one after the other.
pub(super) fn parts(template: &'static str, mut each: impl FnMut(Part)) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        each(Part::Text(before));
        each(Part::Place(name));
        rest = after;
    }
    each(Part::Text(rest));
}

/// Declares what can be said: one field for each message. A language that lacks one, has one that is not known, or has not the forms
/// that its plurals need, does not compile.
macro_rules! messages {
    (text { $($text:ident)* } template { $($template:ident)* } plural { $($plural:ident)* }) => {
        /// All that is said, in one language.
        #[derive(Debug)]
        pub(crate) struct Words {
            pub(crate) language: Language,
            /// The months and the days of the week, from Monday, as they are shortened in dates.
            pub(crate) months: [&'static str; 12],
            pub(crate) weekdays: [&'static str; 7],
            $(pub(crate) $text: Text,)*
            $(pub(crate) $template: Template,)*
            $(pub(crate) $plural: Plural,)*
        }

        impl Words {
            /// Refuses a message with too few or too many forms.
            pub(super) const fn checked(self) -> Self {
                $(assert!(self.$text.forms().len() == 1, concat!("the text ", stringify!($text), " has one form"));)*
                $(assert!(self.$template.forms().len() == 1, concat!("the template ", stringify!($template), " has one form"));)*
                $(assert!(
                    self.$plural.forms().len() == self.language.forms(),
                    concat!("the plural ", stringify!($plural), " has not the forms of its language")
                );)*
                self
            }

            /// All messages, by their names.
            #[cfg(test)]
            pub(super) fn all(&self) -> Vec<(&'static str, &'static [&'static str])> {
                vec![
                    $((stringify!($text), self.$text.forms()),)*
                    $((stringify!($template), self.$template.forms()),)*
                    $((stringify!($plural), self.$plural.forms()),)*
                ]
            }
        }
    };
}
pub(super) use messages;

/// Says all messages in a language: `name: "text";`, or `name: "one thing", "{n} things";`, in the order of CLDR's forms (zero, one, two,
/// few, many, other, those that the language has).
macro_rules! words {
    ($language:ident, months: $months:expr, weekdays: $weekdays:expr, $($name:ident: $($form:literal),+;)*) => {
        pub(super) static WORDS: $crate::language::Words = $crate::language::Words {
            language: $crate::language::Language::$language,
            months: $months,
            weekdays: $weekdays,
            $($name: $crate::language::said::Said::new(&[$($form),+]),)*
        }
        .checked();
    };
}
pub(super) use words;
