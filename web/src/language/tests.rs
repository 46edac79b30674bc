use std::collections::BTreeSet;

use axum::http::HeaderValue;

use super::said::{Part, parts};
use super::*;

fn places(form: &'static str) -> BTreeSet<&'static str> {
    let mut places = BTreeSet::new();
    parts(form, |part| {
        if let Part::Place(name) = part {
            places.insert(name);
        }
    });
    places
}

#[test]
fn every_message_leaves_the_same_places_open_in_every_language() {
    let english = Language::English.words().all();
    for language in Language::ALL {
        for ((name, expected), (_, forms)) in english.iter().zip(language.words().all()) {
            let wanted = places(expected.last().unwrap());
            let all: BTreeSet<_> = forms.iter().flat_map(|form| places(form)).collect();
            assert_eq!(all, wanted, "{name} in {language:?}");
            for form in forms {
                assert!(!form.trim().is_empty(), "{name} in {language:?}");
                // A form for one or for two may do without the number, and without nothing else.
                let mut lacks = wanted
                    .difference(&places(form))
                    .copied()
                    .collect::<Vec<_>>();
                lacks.retain(|place| forms.len() == 1 || *place != "n");
                assert_eq!(lacks, Vec::<&str>::new(), "{name} in {language:?}: {form}");
            }
        }
    }
}

#[test]
fn every_message_is_translated() {
    // Words that some languages have taken over, and what is written the same everywhere.
    let shared = |name: &str, text: &str| {
        text.split_whitespace().count() == 1 || name.starts_with("unit_") || text.contains('{')
    };
    let english = Language::English.words().all();
    for language in Language::ALL.into_iter().skip(1) {
        let words = language.words().all();
        let mut same = 0;
        for ((name, theirs), (_, ours)) in english.iter().zip(&words) {
            if theirs == ours {
                same += 1;
                assert!(
                    shared(name, ours[0]),
                    "{name} in {language:?} is English: {ours:?}"
                );
            }
        }
        assert!(
            same * 12 < words.len(),
            "{language:?}: {same} messages are English"
        );
    }
}

#[test]
fn what_is_counted_has_the_form_of_its_number() {
    let cases: [(Language, &[(u64, usize)]); 6] = [
        (Language::English, &[(0, 1), (1, 0), (2, 1), (101, 1)]),
        (Language::French, &[(0, 0), (1, 0), (2, 1)]),
        (
            Language::Russian,
            &[
                (0, 2),
                (1, 0),
                (2, 1),
                (5, 2),
                (11, 2),
                (12, 2),
                (21, 0),
                (22, 1),
                (111, 2),
                (1_000, 2),
            ],
        ),
        (
            Language::Polish,
            &[
                (0, 2),
                (1, 0),
                (2, 1),
                (5, 2),
                (12, 2),
                (21, 2),
                (22, 1),
                (112, 2),
            ],
        ),
        (
            Language::Arabic,
            &[
                (0, 0),
                (1, 1),
                (2, 2),
                (3, 3),
                (10, 3),
                (11, 4),
                (99, 4),
                (100, 5),
                (103, 3),
                (u64::MAX, 4),
            ],
        ),
        (Language::Japanese, &[(0, 0), (1, 0), (2, 0)]),
    ];
    for (language, forms) in cases {
        for (n, form) in forms {
            assert_eq!(language.form(*n), *form, "{n} in {language:?}");
        }
    }
    let russian = Language::Russian.words();
    assert_eq!(russian.jobs.of(russian, 21), "21 задача");
    assert_eq!(russian.jobs.of(russian, 12_002), "12\u{a0}002 задачи");
}

#[test]
fn the_browser_is_answered_in_the_language_that_it_likes_best() {
    let answered = |accepted: &str, chosen: Option<&str>| {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(accepted).unwrap());
        Language::of(&headers, chosen)
    };
    let cases = [
        ("de-AT,de;q=0.9,en;q=0.8", Language::German),
        ("sv,fi;q=0.9,pl;q=0.5,en;q=0.3", Language::Polish),
        ("en;q=0.2, fr;q=0.9", Language::French),
        ("pt-PT", Language::Portuguese),
        ("ZH-cn", Language::Chinese),
        ("zh-Hans-SG,en;q=0.5", Language::Chinese),
        ("zh-TW,ja;q=0.5", Language::Japanese),
        ("de;q=0,en;q=0.5", Language::English),
        ("*", Language::English),
        ("", Language::English),
        (";;,;q=x,-,de;q=NaN,q=", Language::English),
    ];
    for (accepted, language) in cases {
        assert_eq!(answered(accepted, None), language, "{accepted}");
    }
    assert_eq!(answered("de", Some("ar")), Language::Arabic);
    assert_eq!(answered("de", Some("klingon")), Language::German);
    assert_eq!(Language::of(&HeaderMap::new(), None), Language::English);
}

#[test]
fn what_is_filled_in_is_escaped_and_markup_is_not() {
    let words = Language::English.words();
    let strong = maud::html! { strong { "2" } };
    let filled = words.of_total.with(&[("n", &strong), ("total", &"<b>")]);
    assert_eq!(filled.into_string(), "<strong>2</strong> of &lt;b&gt;");
    assert_eq!(
        words.of_total.text(&[("n", "<"), ("total", "{n}")]),
        "< of {n}"
    );
}
