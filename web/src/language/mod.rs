//! The languages of the pages: which there are, which one a browser is answered in, and what is said in it.

mod said;
mod words;

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod ko;
mod nl;
mod pl;
mod pt_br;
mod ru;
mod zh_cn;

use axum::http::header::{ACCEPT_LANGUAGE, HeaderMap};

pub(crate) use said::{Template, Text};
pub(crate) use words::Words;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    English,
    Arabic,
    German,
    Spanish,
    French,
    Italian,
    Japanese,
    Korean,
    Dutch,
    Polish,
    Portuguese,
    Russian,
    Chinese,
}

impl Language {
    pub(crate) const COOKIE: &'static str = "sancho_language";

    pub(crate) const ALL: [Self; 13] = [
        Self::English,
        Self::German,
        Self::Spanish,
        Self::French,
        Self::Italian,
        Self::Dutch,
        Self::Polish,
        Self::Portuguese,
        Self::Russian,
        Self::Arabic,
        Self::Japanese,
        Self::Korean,
        Self::Chinese,
    ];

    /// What is said in it.
    pub(crate) const fn words(self) -> &'static Words {
        match self {
            Self::English => &en::WORDS,
            Self::Arabic => &ar::WORDS,
            Self::German => &de::WORDS,
            Self::Spanish => &es::WORDS,
            Self::French => &fr::WORDS,
            Self::Italian => &it::WORDS,
            Self::Japanese => &ja::WORDS,
            Self::Korean => &ko::WORDS,
            Self::Dutch => &nl::WORDS,
            Self::Polish => &pl::WORDS,
            Self::Portuguese => &pt_br::WORDS,
            Self::Russian => &ru::WORDS,
            Self::Chinese => &zh_cn::WORDS,
        }
    }

    /// Its tag, as `lang` of a page has it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Arabic => "ar",
            Self::German => "de",
            Self::Spanish => "es",
            Self::French => "fr",
            Self::Italian => "it",
            Self::Japanese => "ja",
            Self::Korean => "ko",
            Self::Dutch => "nl",
            Self::Polish => "pl",
            Self::Portuguese => "pt-BR",
            Self::Russian => "ru",
            Self::Chinese => "zh-CN",
        }
    }

    /// What it calls itself.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Arabic => "العربية",
            Self::German => "Deutsch",
            Self::Spanish => "Español",
            Self::French => "Français",
            Self::Italian => "Italiano",
            Self::Japanese => "日本語",
            Self::Korean => "한국어",
            Self::Dutch => "Nederlands",
            Self::Polish => "Polski",
            Self::Portuguese => "Português (Brasil)",
            Self::Russian => "Русский",
            Self::Chinese => "简体中文",
        }
    }

    /// Where its lines begin, as `dir` of a page has it; `None` for the left.
    pub(crate) fn direction(self) -> Option<&'static str> {
        (self == Self::Arabic).then_some("rtl")
    }

    /// What groups of three digits are parted by, and how many digits a number has at least that is parted.
    pub(crate) const fn grouping(self) -> (&'static str, usize) {
        match self {
            Self::German | Self::Dutch | Self::Portuguese => (".", 4),
            Self::Italian | Self::Spanish => (".", 5),
            Self::French => ("\u{202f}", 4),
            Self::Russian => ("\u{a0}", 4),
            Self::Polish => ("\u{a0}", 5),
            _ => (",", 4),
        }
    }

    /// What stands before the part of a number that is less than one.
    pub(crate) const fn decimal_mark(self) -> &'static str {
        match self {
            Self::English | Self::Arabic | Self::Japanese | Self::Korean | Self::Chinese => ".",
            _ => ",",
        }
    }

    /// How many forms a word has that is counted.
    pub(super) const fn forms(self) -> usize {
        match self {
            Self::Arabic => 6,
            Self::Polish | Self::Russian => 3,
            Self::Japanese | Self::Korean | Self::Chinese => 1,
            _ => 2,
        }
    }

    /// The form of a word for this many, by the rules of CLDR for whole numbers.
    pub(crate) const fn form(self, n: u64) -> usize {
        match self {
            Self::Arabic => match (n, n % 100) {
                (0, _) => 0,
                (1, _) => 1,
                (2, _) => 2,
                (_, 3..=10) => 3,
                (_, 11..=99) => 4,
                _ => 5,
            },
            Self::Russian => match (n % 10, n % 100) {
                (_, 11..=14) => 2,
                (1, _) => 0,
                (2..=4, _) => 1,
                _ => 2,
            },
            Self::Polish => match (n, n % 10, n % 100) {
                (1, ..) => 0,
                (_, _, 12..=14) => 2,
                (_, 2..=4, _) => 1,
                _ => 2,
            },
            Self::Japanese | Self::Korean | Self::Chinese => 0,
            Self::French | Self::Portuguese => (n > 1) as usize,
            _ => (n != 1) as usize,
        }
    }

    /// The one that was chosen, or else the first that the browser asks for and there is, or else English.
    pub(crate) fn of(headers: &HeaderMap, chosen: Option<&str>) -> Self {
        chosen
            .and_then(Self::tagged)
            .or_else(|| Self::accepted(headers))
            .unwrap_or(Self::English)
    }

    /// The one of exactly this tag.
    pub(crate) fn tagged(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// What the browser likes best of what there is.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',').take(50) {
            let (tag, weight) = range.split_once(";q=").unwrap_or((range, "1"));
            let weight: f32 = weight.trim().parse().unwrap_or(0.0);
            let is_better = weight > best.map_or(0.0, |(weight, _)| weight);
            if let Some(language) = Self::matching(tag.trim()).filter(|_| is_better) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The one that somebody understands who asks for this tag: `de-AT` is answered in German, `pt-PT` in Brazil's Portuguese. Who
    /// reads traditional characters is not given simplified ones.
    fn matching(tag: &str) -> Option<Self> {
        let mut parts = tag.split('-');
        let main = parts.next().unwrap_or_default();
        let is_traditional = |part: &str| {
            ["hant", "tw", "hk", "mo"]
                .iter()
                .any(|other| part.eq_ignore_ascii_case(other))
        };
        let language = Self::ALL.into_iter().find(|language| {
            let own = language.tag().split('-').next().unwrap_or_default();
            own.eq_ignore_ascii_case(main)
        })?;
        (language != Self::Chinese || !parts.any(is_traditional)).then_some(language)
    }
}

#[cfg(test)]
mod tests;
