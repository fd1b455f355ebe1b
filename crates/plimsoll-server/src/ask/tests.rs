//! What is declared of each parameter is what is read.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plimsoll_core::change::EventKind;
use plimsoll_core::events::ShapeKind;
use plimsoll_store::SeriesQuery;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::*;
use crate::answer::cleanup::RunsQuery;
use crate::answer::events::EventsQuery;
use crate::answer::growth::GrowthQuery;
use crate::answer::history::HistoryQuery;
use crate::answer::series::SeriesOf;
use crate::answer::sizes::SizesQuery;
use crate::answer::state::StateQuery;

fn read<T: Ask>(name: &str, value: &str) -> Result<T, Refused> {
    let pairs = vec![(name.to_owned(), value.to_owned())];
    T::read(&Given::new(pairs, Timestamp::UNIX_EPOCH))
}

/// Values that the declaration allows, and some that it does not.
fn values(param: &Param) -> (Vec<String>, Vec<String>) {
    let (allowed, refused): (Vec<String>, Vec<String>) = match param.accepts {
        Accepts::Text(_) => (vec!["a".to_owned()], Vec::new()),
        Accepts::Number { least, most } => {
            let refused = (u64::from(most) + 1).to_string();
            let below = i64::from(least) - 1;
            (
                vec![least.to_string(), most.to_string()],
                vec![refused, below.to_string(), "x".to_owned(), String::new()],
            )
        }
        Accepts::OneOf(words) => (
            words.iter().map(|&word| word.to_owned()).collect(),
            vec!["colour".to_owned(), String::new()],
        ),
        Accepts::Several(words) => (
            [words.join(","), "all".to_owned()]
                .into_iter()
                .chain(words.iter().map(|&word| word.to_owned()))
                .collect(),
            vec!["colour".to_owned(), format!("{},colour", words[0])],
        ),
        Accepts::Table => (
            vec!["sales.orders".to_owned(), "\"Sales\".\"a\"\"b\"".to_owned()],
            vec!["a.b.c".to_owned()],
        ),
        Accepts::Time => (
            vec![
                "7d".to_owned(),
                "2026-01-31".to_owned(),
                "2026-01-31T00:00:00Z".to_owned(),
            ],
            vec!["yesterday".to_owned()],
        ),
        Accepts::Days => (
            vec!["7,30.5".to_owned()],
            vec!["week".to_owned(), "0".to_owned()],
        ),
        Accepts::Bytes => (
            vec!["1048576".to_owned(), "500GB".to_owned()],
            vec!["0".to_owned(), "5 parsecs".to_owned()],
        ),
    };
    (allowed, refused)
}

fn check<T: Ask>() {
    let names: BTreeSet<_> = T::params().iter().map(|param| param.name).collect();
    assert_eq!(names.len(), T::params().len(), "a name is declared twice");
    assert!(T::read(&Given::new(Vec::new(), Timestamp::UNIX_EPOCH)).is_ok());
    for param in T::params() {
        let (allowed, refused) = values(param);
        for value in allowed.iter().map(String::as_str).chain(param.default) {
            // A limit of a ranking goes with `by` only.
            let is_bound = param.name == params::RANKING_LIMIT.name && names.contains("by");
            if let Err(error) = read::<T>(param.name, value)
                && !is_bound
            {
                panic!("{} = {value}: {error:?}", param.name);
            }
        }
        for value in refused {
            let Err(error) = read::<T>(param.name, &value) else {
                panic!("{} = {value} is read", param.name);
            };
            assert_eq!(error.parameter, param.name);
            assert!(error.text("--it").contains("--it"), "{error:?}");
        }
    }
}

#[test]
fn every_declared_value_is_read_and_no_other() {
    check::<(OfDatabase, Fresh)>();
    check::<OfInstance>();
    check::<(OfDatabase, SizesQuery)>();
    check::<(OfDatabase, HistoryQuery)>();
    check::<(OfDatabase, (SeriesOf, SeriesQuery))>();
    check::<(OfDatabase, GrowthQuery)>();
    check::<(OfDatabase, Forecasts)>();
    check::<(OfDatabase, StateQuery)>();
    check::<(OfDatabase, EventsQuery)>();
    check::<(OfDatabase, RunsQuery)>();
}

/// Texts that match a pattern without its ends.
fn texts(pattern: &str) -> impl Iterator<Item = String> {
    let inner = pattern.trim_start_matches('^').trim_end_matches('$');
    let texts = proptest::string::string_regex(inner).unwrap();
    let mut runner = TestRunner::deterministic();
    (0..40).map(move |_| texts.new_tree(&mut runner).unwrap().current())
}

fn check_pattern<T: Ask>() {
    for param in T::params() {
        let Some(pattern) = param.accepts.pattern() else {
            continue;
        };
        for text in texts(&pattern) {
            if let Err(Refused {
                reason: given::Reason::Value(error),
                ..
            }) = read::<T>(param.name, &text)
            {
                panic!("{}={text:?}: {error}", param.name);
            }
        }
    }
}

#[test]
fn whatever_matches_the_pattern_of_a_parameter_is_accepted() {
    check_pattern::<(OfDatabase, SizesQuery)>();
    check_pattern::<(OfDatabase, HistoryQuery)>();
    check_pattern::<(OfDatabase, (SeriesOf, SeriesQuery))>();
    check_pattern::<(OfDatabase, GrowthQuery)>();
    check_pattern::<(OfDatabase, Forecasts)>();
    check_pattern::<(OfDatabase, StateQuery)>();
    check_pattern::<(OfDatabase, EventsQuery)>();
}

#[test]
fn what_does_not_match_the_pattern_is_refused_though_it_could_be_understood() {
    for (name, text) in [
        ("since", "0000-00-00"),
        ("since", "2025-02-29"),
        ("since", "2026-04-31"),
        ("since", "2026-13-01"),
        ("since", "P7D"),
        ("since", "1d 2h"),
        ("since", "20260131"),
        ("since", "2026-01-31 00:00:00Z"),
        ("since", "2026-01-31T00:00Z"),
        ("since", "2026-01-31T00:00:60Z"),
        ("since", "2026-01-31T00:00:00"),
        ("since", "-002026-01-31"),
        ("since", "9999-12-31"),
        ("since", "123456d"),
        ("since", "12345w"),
        ("table", "a\0b"),
        ("table", "a.b.c"),
        ("kind", "daily,,manual"),
    ] {
        let refused = read::<(OfDatabase, HistoryQuery)>(name, text).unwrap_err();
        assert!(
            matches!(refused.reason, given::Reason::Value(_)),
            "{name}={text}"
        );
    }
    for text in [
        "2024-02-29",
        "2000-02-29",
        "1d",
        "7 d",
        "90 minutes",
        "2026-01-31T00:00:00.123+02:00",
    ] {
        assert!(
            read::<(OfDatabase, HistoryQuery)>("since", text).is_ok(),
            "{text}"
        );
    }
    for text in [
        "+1e3",
        "0x10",
        "1_000",
        "1.5",
        "1,5GB",
        "9223372036854775808",
        "1.5GiB",
    ] {
        assert!(
            read::<(OfDatabase, Forecasts)>("capacity", text).is_err(),
            "{text}"
        );
    }
    for text in ["7,30,90", "0.5, 3650", "1.25"] {
        assert!(
            read::<(OfDatabase, Forecasts)>("horizons", text).is_ok(),
            "{text}"
        );
    }
    for text in ["3650.5", "1e2", "0.0", ","] {
        assert!(
            read::<(OfDatabase, Forecasts)>("horizons", text).is_err(),
            "{text}"
        );
    }
    assert!(read::<(OfDatabase, SizesQuery)>("schema", "a\0").is_err());
}

#[test]
fn every_kind_of_event_can_be_asked_for() {
    let kinds = EventKind::ALL.map(EventKind::as_str);
    for kind in kinds
        .into_iter()
        .chain(ShapeKind::ALL.map(ShapeKind::as_str))
    {
        let Accepts::Several(words) = params::EVENT_KIND.accepts else {
            panic!("kinds of events are a list");
        };
        assert!(words.contains(&kind), "{kind}");
        assert!(params::EVENT_KIND.text.contains(kind), "{kind}");
    }
}

#[test]
fn what_excludes_each_other_is_refused() {
    let given = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Forecasts::read(&Given::new(pairs.collect(), Timestamp::UNIX_EPOCH))
    };
    for (pairs, parameter) in [
        (&[("table", "a"), ("schema", "b")] as &[_], "table"),
        (&[("scope", "instance"), ("tablespace", "b")], "table"),
        (&[("limit", "5")], "limit"),
        (&[("by", "table"), ("horizons", "7")], "by"),
        (&[("by", "table"), ("table", "a")], "by"),
    ] {
        assert_eq!(given(pairs).unwrap_err().parameter, parameter, "{pairs:?}");
    }
    assert!(given(&[("by", "table"), ("limit", "5")]).is_ok());
}

#[test]
fn a_period_ends_after_it_begins() {
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    let read = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Given::new(pairs, now)
    };
    let growth = |pairs: &[(&str, &str)]| GrowthQuery::read(&read(pairs));
    let refused = growth(&[("since", "1d"), ("until", "9d")]).unwrap_err();
    assert_eq!(refused.parameter, "until");
    assert_eq!(
        refused.text("until"),
        "`until` is 2026-03-01T12:00:00Z, before `since`, 2026-03-09T12:00:00Z: a period ends after it begins"
    );
    assert!(SeriesQuery::read(&read(&[("since", "1d"), ("until", "9d")])).is_err());
    assert!(growth(&[("since", "9d"), ("until", "1d")]).is_ok());
    // without a beginning: as long as ever, before its end
    let past = growth(&[("until", "2026-01-08T00:00:00Z")]).unwrap();
    assert_eq!(past.since, "2026-01-01T00:00:00Z".parse().unwrap());
}
