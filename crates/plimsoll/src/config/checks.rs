//! What can be written, and is hardly meant: patterns that fit nothing, and borders that never come in their order.

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::alert::rules::upkeep::SamplingStale;
use plimsoll_core::alert::settings::{Borders, Rule};
use plimsoll_server::jobs::sampled_every;
use plimsoll_server::settings::Settings;

/// Patterns that fit nothing that is watched.
pub(super) fn fits_nothing(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut check = |pattern: &Pattern, whose: String| {
        if !settings.may_fit(pattern) {
            warnings.push(format!(
                "{whose} is about `{pattern}`, which fits nothing that is watched: {}",
                settings.subjects().join(", ")
            ));
        }
    };
    let mut last = None;
    for (pattern, _) in settings.alerts.overrides() {
        // One entry is there once for each of its rules.
        if last != Some(pattern) {
            check(pattern, "an [[alerts.override]]".to_owned());
        }
        last = Some(pattern);
    }
    for configured in &settings.channels {
        if let Some(pattern) = &configured.pattern {
            check(
                pattern,
                format!("the channel `{}`", configured.channel.name()),
            );
        }
    }
    warnings
}

/// Whether `sampling_stale` is a warning before it is critical, which the schedule decides: an error where somebody chose
/// its borders, else a warning.
pub(super) fn staleness(settings: &Settings, now: Timestamp) -> anyhow::Result<Vec<String>> {
    let Some(every) = sampled_every(&settings.schedule, now) else {
        return Ok(Vec::new());
    };
    let general = settings.alerts.general(AlertType::SamplingStale);
    let rules = settings.alerts.overrides().iter().map(|(_, rule)| rule);
    let mut warnings = Vec::new();
    for Rule {
        enabled, borders, ..
    } in rules.chain(general)
    {
        let Borders::SamplingStale(own) = borders else {
            continue;
        };
        let warning = every
            .checked_mul(i32::try_from(own.intervals).unwrap_or(i32::MAX))
            .unwrap_or(SignedDuration::MAX);
        let critical = SignedDuration::from_secs(own.critical_seconds);
        if !enabled || critical >= warning {
            continue;
        }
        let text = format!(
            "alerts.sampling_stale would be critical (after {critical:#}) before it is a warning ({} times the {every:#} \
             between samples)",
            own.intervals
        );
        if *own != SamplingStale::default() {
            bail!("{text}: choose a longer `critical`, or fewer `intervals`");
        }
        warnings.push(format!("{text}: set its `critical` or `intervals`"));
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use plimsoll_core::alert::settings::Settings as Rules;
    use plimsoll_server::settings::{Databases, Watched, When};

    use super::*;

    fn settings() -> Settings {
        let watched = |name: &str, databases| {
            let mut watched = Watched::new(name, "postgres://h/app".parse().unwrap());
            watched.databases = databases;
            watched
        };
        let instances = vec![
            watched("prod", Databases::Listed(vec!["shop".to_owned()])),
            watched("test", Databases::All),
            watched("one", Databases::OfUrl),
        ];
        Settings::new("127.0.0.1:1".parse().unwrap(), instances)
    }

    #[test]
    fn a_pattern_that_fits_nothing_that_is_watched_is_told() {
        for (text, fits) in [
            ("*", true),
            ("prod", true),
            ("pr?d/sh*", true),
            ("prod/shop/public.orders", true),
            ("prod/crm", false),
            ("prdo", false),
            ("test/anything", true),
            ("one/app", true),
            ("one/shop", false),
            ("*/shop", true),
            // Which volumes there are, only a look tells.
            ("volume:/dev/sda", true),
        ] {
            let mut settings = settings();
            let rule = Rule::default_of(AlertType::GrowthWarning);
            let pattern: Pattern = text.parse().unwrap();
            let both = vec![(pattern.clone(), rule), (pattern, rule)];
            settings.alerts = Arc::new(Rules::new(&[], both));
            let warnings = fits_nothing(&settings);
            assert_eq!(warnings.len(), usize::from(!fits), "{text}: {warnings:?}");
        }
        let mut nothing = settings();
        nothing.instances.clear();
        assert!(nothing.may_fit(&"prod".parse().unwrap()), "a store alone");
    }

    #[test]
    fn samples_are_missed_as_a_warning_before_it_is_critical() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let stale = |intervals, hours: i64| Rule {
            borders: Borders::SamplingStale(SamplingStale {
                intervals,
                critical_seconds: hours * 3600,
            }),
            ..Rule::default_of(AlertType::SamplingStale)
        };
        let of = |watch: &str, rules: &[Rule], overrides| {
            let mut settings = settings();
            settings
                .schedule
                .set("watch", watch.parse::<When>().unwrap());
            settings.alerts = Arc::new(Rules::new(rules, overrides));
            let found = staleness(&settings, now);
            found
                .map(|warnings| warnings.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(of("*/15 * * * *", &[], vec![]), Ok(0));
        // Samples are taken daily then, and nobody chose the borders.
        assert_eq!(of("off", &[], vec![]), Ok(1));
        assert_eq!(of("off", &[stale(3, 72)], vec![]), Ok(0));
        let error = of("off", &[stale(3, 71)], vec![]).unwrap_err();
        assert!(error.contains("would be critical"), "{error}");
        assert_eq!(of("0 * * * *", &[stale(3, 3)], vec![]), Ok(0));
        let pattern = "prod".parse().unwrap();
        assert!(of("0 * * * *", &[], vec![(pattern, stale(30, 29))]).is_err());
        let off = Rule {
            enabled: false,
            ..stale(3, 1)
        };
        assert_eq!(of("off", &[off], vec![]), Ok(0));
    }
}
