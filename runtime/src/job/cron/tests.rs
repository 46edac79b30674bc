//! The contract of the [module](super), compared with a model that goes through every wall time; and the grammar, with the macro's.

use std::collections::BTreeSet;

use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, Timelike,
};
use chrono::{TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;

use super::expression::{Fields, has};
use super::*;
use crate::job::Timestamp;

#[path = "../../../../macros/src/cron.rs"]
mod of_macro;

fn utc(text: &str) -> Timestamp {
    let at: DateTime<Utc> = text.parse().unwrap();
    at.into()
}

fn shown(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).format("%FT%TZ").to_string()
}

/// The times of an expression after `after`, in UTC.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = CronSchedule::new(expression, zone).unwrap();
    let times = schedule.next_times(utc(after), count);
    times.into_iter().map(shown).collect()
}

#[test]
fn a_time_that_does_not_exist_comes_once_at_the_end_of_the_gap() {
    // From 2:00 to 3:00, which is 1:00 UTC.
    let before = "2026-03-28T23:30:00Z";
    for (expression, expected) in [
        (
            "30 2 * * *",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "0,30 2 29 3 *",
            ["2026-03-29T01:00:00Z", "2027-03-29T00:00:00Z"],
        ),
        (
            "*/20 2 * * *",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
        ),
        (
            "0 3 * * *",
            ["2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"],
        ),
        (
            "0 * * * *",
            ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"],
        ),
        (
            "*/30 * * * *",
            ["2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z"],
        ),
    ] {
        assert_eq!(
            times(expression, "Europe/Berlin", before, 2),
            expected,
            "{expression}"
        );
    }
    assert_eq!(
        times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
}

#[test]
fn a_time_that_there_is_twice_comes_once_unless_it_goes_by_the_time_that_passes() {
    // At 3:00, which is 1:00 UTC, it is 2:00 again.
    let before = "2026-10-24T23:59:00Z";
    for (expression, expected) in [
        (
            "30 2 * * *",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "0,30 2 25 10 *",
            ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"],
        ),
        (
            "0 1-3 * * *",
            ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        (
            "30 * * * *",
            ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        ),
        (
            "*/30 2 * * *",
            ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"],
        ),
        (
            "0 2/12 * * *",
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"],
        ),
    ] {
        assert_eq!(
            times(expression, "Europe/Berlin", before, 2),
            expected,
            "{expression}"
        );
    }
    assert_eq!(
        times("*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", 3),
        [
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:00:00Z"
        ]
    );
}

#[test]
fn unusual_changes_of_clocks_are_none() {
    // Half an hour; midnight itself; a whole day.
    for (expression, zone, after, expected) in [
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-03T15:30:00Z",
        ),
        (
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T12:00:00Z",
            "2018-11-04T03:00:00Z",
        ),
        (
            "0 12 30 12 *",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
    ] {
        assert_eq!(
            times(expression, zone, after, 1),
            [expected],
            "{expression} {zone}"
        );
    }
}

#[test]
fn rare_days_are_found() {
    for (expression, expected) in [
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 */6", "2032-02-29T00:00:00Z"),
        ("0 0 31 * *", "2026-12-31T00:00:00Z"),
        ("0 0 13 * fri", "2026-11-27T00:00:00Z"),
        ("0 0 */13 * 5", "2026-11-27T00:00:00Z"),
        ("@yearly", "2027-01-01T00:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        ("30 59 23 31 12 *", "2026-12-31T23:59:30Z"),
    ] {
        assert_eq!(
            times(expression, "UTC", "2026-11-24T10:00:00Z", 1),
            [expected],
            "{expression}"
        );
    }
    let ends = CronSchedule::new("* * * * *", "UTC").unwrap();
    for after in [i64::MAX, i64::MIN] {
        assert_eq!(ends.next_after(Timestamp::from_micros(after)), None);
    }
}

#[test]
fn fields_are_read() {
    let bits = |values: &[u32]| values.iter().fold(0, |set, value| set | 1 << value);
    for (expression, minutes, hours, weekdays) in [
        (
            "1,3 22-1 * * sat-mon",
            bits(&[1, 3]),
            bits(&[22, 23, 0, 1]),
            bits(&[6, 0, 1]),
        ),
        (
            "*/20 8-18/5 * * 7",
            bits(&[0, 20, 40]),
            bits(&[8, 13, 18]),
            bits(&[0]),
        ),
        (
            "50/4 22-4/2 * * 5-7",
            bits(&[50, 54, 58]),
            bits(&[22, 0, 2, 4]),
            bits(&[5, 6, 0]),
        ),
        ("0 0 * * 0-7", 1, 1, 127),
        ("0 0 * * Wednesday,Thu", 1, 1, bits(&[3, 4])),
        ("0 0 * * */2", 1, 1, bits(&[0, 2, 4, 6])),
        ("@noon", 1, bits(&[12]), 127),
    ] {
        let fields = Fields::parse(expression).unwrap();
        assert_eq!(
            (fields.minutes, fields.hours, fields.weekdays),
            (minutes, hours, weekdays),
            "{expression}"
        );
        assert_eq!(fields.seconds, 1, "{expression}");
    }
    assert_eq!(
        Fields::parse("0 0 1 jan,MARCH-apr *").unwrap().months,
        bits(&[1, 3, 4])
    );
}

#[test]
fn what_cannot_be_read_says_what_to_write() {
    for (expression, part) in [
        ("", "and this one 0"),
        ("* * * *", "five fields"),
        ("* * * * * * *", "and this one 7"),
        ("every day at five", "and this one 4"),
        ("at five in the morning", "`at` is no minute"),
        ("0 25 * * *", "the hour is 0 to 23, and this one 25"),
        ("0 999999999999 * * *", "the hour is 0 to 23"),
        ("0 0 0 * *", "the day is 1 to 31"),
        ("0 0 * 13 *", "the month is 1 to 12"),
        ("0 0 * * 8", "the weekday is 0 to 7"),
        ("0 0 * * monda", "a name such as `sun`"),
        ("*/0 * * * *", "from 1 to 59"),
        ("0 */24 * * *", "from 1 to 23"),
        ("0, 1 * * *", "is no minute"),
        ("1--2 * * * *", "is no minute"),
        ("0 0 L * *", "`L` is no day"),
        ("0 0 ? * *", "`?` is no day"),
        ("-1 * * * *", "is no minute"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 2,4,6 *", "never comes"),
        ("@dayly", "@daily"),
        ("@reboot", "none of the names"),
        ("0 3 * * * Europe/Berlin", "tz = \"Europe/Berlin\""),
    ] {
        let error = Fields::parse(expression).unwrap_err().to_string();
        assert!(error.contains(part), "{expression}: {error}");
        assert_eq!(of_macro::check(expression), Err(error));
    }
    let error = CronSchedule::new("@daily", "Europe/Berlim").unwrap_err();
    assert!(error.to_string().contains("\"Europe/Berlim\""), "{error}");
}

/// One field of an expression.
fn field(min: u32, max: u32) -> impl Strategy<Value = String> {
    let value = move || min..=max;
    let one = prop_oneof![
        3 => Just("*".to_owned()),
        3 => value().prop_map(|value| value.to_string()),
        1 => (1..=(max - min)).prop_map(|step| format!("*/{step}")),
        1 => (value(), value()).prop_map(|(first, last)| format!("{first}-{last}")),
        1 => (value(), value(), 1..=(max - min)).prop_map(|(first, last, step)| format!("{first}-{last}/{step}")),
        1 => (value(), 1..=(max - min)).prop_map(|(first, step)| format!("{first}/{step}")),
    ];
    proptest::collection::vec(one, 1..3).prop_map(|items| items.join(","))
}

/// An expression that often comes, and within the hours in which clocks are changed.
fn expression() -> impl Strategy<Value = String> {
    let second = prop_oneof![Just(""), Just("0 "), Just("30 "), Just("*/20 ")];
    let hour = prop_oneof![field(0, 23), field(0, 3), Just("*".to_owned())];
    let day = prop_oneof![3 => Just("*".to_owned()), 1 => field(1, 31)];
    let weekday = prop_oneof![3 => Just("*".to_owned()), 1 => field(0, 6)];
    (second, field(0, 59), hour, day, weekday).prop_map(|(second, minute, hour, day, weekday)| {
        format!("{second}{minute} {hour} {day} * {weekday}")
    })
}

/// A zone, and a day on which its clocks are changed, or nothing happens.
const DAYS: [(Tz, (i32, u32, u32)); 12] = [
    (Tz::Europe__Berlin, (2026, 3, 29)),
    (Tz::Europe__Berlin, (2026, 10, 25)),
    (Tz::America__New_York, (2026, 3, 8)),
    (Tz::America__New_York, (2026, 11, 1)),
    (Tz::Australia__Lord_Howe, (2026, 4, 5)),
    (Tz::Australia__Lord_Howe, (2026, 10, 4)),
    (Tz::America__Sao_Paulo, (2018, 11, 4)),
    (Tz::America__Sao_Paulo, (2018, 2, 18)),
    (Tz::Pacific__Apia, (2011, 12, 30)),
    (Tz::Africa__Casablanca, (2026, 2, 15)),
    (Tz::Asia__Kathmandu, (2026, 5, 1)),
    (Tz::UTC, (2026, 12, 31)),
];

/// The instants of a wall time.
fn instants(zone: Tz, wall: NaiveDateTime, is_interval: bool) -> Vec<i64> {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) => vec![at.timestamp()],
        LocalResult::Ambiguous(one, other) => {
            let mut both = [one.timestamp(), other.timestamp()];
            both.sort_unstable();
            both[..if is_interval { 2 } else { 1 }].to_vec()
        }
        LocalResult::None => {
            let after = wall.with_second(0).unwrap() + TimeDelta::minutes(1);
            instants(zone, after, false)
        }
    }
}

/// Every time of an expression that stands for a wall time of five days.
fn model(fields: &Fields, zone: Tz, middle: NaiveDate) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    let first = middle - Days::new(2);
    for date in first.iter_days().take(5) {
        let (day, weekday) = (
            has(fields.days, date.day()),
            has(fields.weekdays, date.weekday().num_days_from_sunday()),
        );
        let is_day = if fields.either_day {
            day || weekday
        } else {
            day && weekday
        };
        if !is_day || !has(fields.months, date.month()) {
            continue;
        }
        for minute in 0..24 * 60 {
            let (hour, minute) = (minute / 60, minute % 60);
            if has(fields.hours, hour) && has(fields.minutes, minute) {
                for second in (0..60).filter(|second| has(fields.seconds, *second)) {
                    let wall = date.and_hms_opt(hour, minute, second).unwrap();
                    all.extend(instants(zone, wall, fields.is_interval));
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_times_are_those_of_the_contract(text in expression(), (zone, (year, month, day)) in select(DAYS.to_vec())) {
        let Ok(fields) = Fields::parse(&text) else { return Ok(()) };
        let schedule = CronSchedule::new(&text, zone.name()).unwrap();
        let middle = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        // What stands for wall times of the days before and after is left out.
        let noon = |date: NaiveDate| Timestamp::from(date.and_hms_opt(12, 0, 0).unwrap().and_utc());
        let (from, until) = (noon(middle - Days::new(1)), noon(middle + Days::new(1)));
        let mut expected = model(&fields, zone, middle);
        let seconds = |at: Timestamp| at.as_micros() / 1_000_000;
        expected.retain(|at| *at > seconds(from) && *at <= seconds(until));
        let mut found = BTreeSet::new();
        let mut last = from;
        while let Some(next) = schedule.next_after(last).filter(|next| *next <= until) {
            prop_assert!(next > last);
            found.insert(seconds(next));
            last = next;
        }
        prop_assert_eq!(&found, &expected, "{} {}", text, zone.name());
        let all = schedule.last_times(from, until, usize::MAX);
        prop_assert_eq!(all.iter().map(|at| seconds(*at)).collect::<BTreeSet<_>>(), expected);
        let few = schedule.last_times(from, until, 3);
        prop_assert_eq!(&few[..], &all[all.len().saturating_sub(3)..]);
    }

    #[test]
    fn the_macro_and_the_runtime_read_the_same(parts in proptest::collection::vec(part(), 0..8)) {
        let text = parts.join(" ");
        let read = Fields::parse(&text).map(drop).map_err(|error| error.to_string());
        prop_assert_eq!(of_macro::check(&text), read, "{:?}", text);
    }

    #[test]
    fn the_macro_and_the_runtime_read_the_same_of_what_is_well_formed(text in expression()) {
        let read = Fields::parse(&text).map(drop).map_err(|error| error.to_string());
        prop_assert_eq!(of_macro::check(&text), read, "{:?}", text);
    }

    #[test]
    fn no_bytes_do_harm(text in ".{0,40}", zone in ".{0,12}") {
        let _ = CronSchedule::new(&text, &zone);
        let _ = parse("x.yml", &text, Format::Yaml);
        let _ = parse("x.toml", &text, Format::Toml);
        let _ = CronEntry::from_json("a", text.as_bytes());
    }
}

/// What may stand in a field, and much that may not.
fn part() -> impl Strategy<Value = String> {
    let word = select(vec![
        "*",
        "0",
        "1",
        "5",
        "7",
        "12",
        "23",
        "31",
        "59",
        "60",
        "99",
        "300",
        "-",
        "/",
        ",",
        "?",
        "L",
        "mon",
        "Sunday",
        "feb",
        "juni",
        "@daily",
        "@",
        "UTC",
        "Europe/Berlin",
        "\u{e9}",
    ]);
    let glue = select(vec!["", "", "-", "/", ","]);
    proptest::collection::vec((word, glue), 1..4).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, glue)| format!("{word}{glue}"))
            .collect()
    })
}

#[test]
fn entries_that_cannot_be_are_refused() {
    for (name, class, part) in [
        ("", "A", "the name is empty"),
        ("a\n", "A", "control character"),
        ("a", " ", "the class is empty"),
        (&*"x".repeat(300), "A", "300 bytes"),
    ] {
        let error = CronEntry::new(name, "@daily", class)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    let entry = CronEntry::new("a", "@daily", "A").unwrap();
    assert!(entry.clone().args(5).is_err());
    assert!(entry.clone().args((f64::NAN,)).is_err());
    assert!(entry.queue("").is_err());
}
