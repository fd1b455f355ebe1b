//! `plimsoll alerts silence`: holds back messages, says what is held back, ends that.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;

use anyhow::bail;
use jiff::Timestamp;
use plimsoll_core::counted::counted;
use plimsoll_core::name::visible;
use plimsoll_server::answer::silences::{self, SilenceAnswer, SilenceRequest, SilencesAnswer};
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_store::Store;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;

pub(super) async fn run(context: &Context, args: args::Silence) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let now = SystemClock.now();
    if let Some(id) = args.end {
        return end(context, &*store, id, now).await;
    }
    let answer = match args.pattern {
        Some(pattern) => {
            let request = SilenceRequest {
                pattern,
                alert_type: args.alert_type,
                from: None,
                until: args.until,
                cron: args.cron,
                length_seconds: args.length.map(|length| length.0.as_secs()),
                who: args.who.or_else(user).unwrap_or_default(),
                why: args.why.unwrap_or_default(),
            };
            let made = silences::add(&*store, request, now).await?;
            let settings = &context.config.settings;
            if let Ok(pattern) = made.pattern.parse()
                && silences::fits_nothing(&*store, settings, &pattern).await?
            {
                tracing::warn!(%pattern, "alert.silence_fits_nothing");
            }
            SilencesAnswer {
                silences: vec![made],
                count: 1,
            }
        }
        None => silences::silences(&*store, now).await?,
    };
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

/// Ends a silence, and says which.
async fn end(
    context: &Context,
    store: &dyn Store,
    id: i64,
    now: Timestamp,
) -> anyhow::Result<Finding> {
    let known = silences::silences(store, now).await?.silences;
    let ended = known.into_iter().find(|silence| silence.id == id);
    let is_ended = silences::end(store, id).await?;
    let Some(ended) = ended.filter(|_| is_ended) else {
        bail!("there is no silence {id}; `plimsoll alerts silence` prints those that are not over");
    };
    if context.wants_json() {
        output::json(&ended)?;
    } else {
        output::print(|out| {
            let (line, who) = (line(&ended), visible(&ended.who));
            writeln!(out, "Ended, and messages go out again: {line}")?;
            writeln!(out, "  {who}: {}", visible(&ended.why))
        })?;
    }
    Ok(Finding::None)
}

/// Whoever runs this, as far as the environment says; else the process' user.
fn user() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let uid = || {
        Some(format!(
            "user {}",
            std::fs::metadata("/proc/self").ok()?.uid()
        ))
    };
    set("SUDO_USER")
        .or_else(|| set("USER"))
        .or_else(|| set("LOGNAME"))
        .or_else(uid)
}

fn print(out: &mut dyn Write, answer: &SilencesAnswer) -> io::Result<()> {
    if answer.silences.is_empty() {
        return writeln!(out, "No message is held back.");
    }
    for silence in &answer.silences {
        writeln!(out, "{}", line(silence))?;
        writeln!(
            out,
            "  {}: {}",
            visible(&silence.who),
            visible(&silence.why)
        )?;
    }
    Ok(())
}

fn line(silence: &SilenceAnswer) -> String {
    let alert_type = silence
        .alert_type
        .map_or_else(String::new, |of| format!(" {of}"));
    let when = match (&silence.cron, silence.until) {
        (Some(cron), _) => {
            let seconds = silence.length_seconds.unwrap_or(0);
            let now = silence
                .holds_until
                .map_or_else(String::new, |until| format!(", now until {until:.0}"));
            format!("for {} at \"{cron}\"{now}", length(seconds))
        }
        (None, Some(until)) => format!("until {until:.0}"),
        (None, None) => String::new(),
    };
    let (id, pattern) = (silence.id, visible(&silence.pattern));
    format!("{id}  {pattern}{alert_type}  {when}")
}

/// A length in the largest unit that gives a whole number of it.
fn length(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole = units
        .into_iter()
        .find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = whole.filter(|_| seconds > 0).unwrap_or((1, "second"));
    counted(seconds / unit, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_its_own_unit_and_one_is_one() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (5400, "90 minutes"),
            (3600, "1 hour"),
            (172_800, "2 days"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }
}
