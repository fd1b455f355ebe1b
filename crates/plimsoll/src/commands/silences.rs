//! `plimsoll alerts silence`: holds back messages, says what is held back, ends that.

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;

use anyhow::bail;
use plimsoll_core::name::visible;
use plimsoll_server::answer::silences::{self, SilenceAnswer, SilenceRequest, SilencesAnswer};
use plimsoll_server::clock::{Clock as _, SystemClock};

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;

pub(super) async fn run(context: &Context, args: args::Silence) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let now = SystemClock.now();
    if let Some(id) = args.end {
        if !silences::end(&*store, id).await? {
            bail!(
                "there is no silence {id}; `plimsoll alerts silence` prints those that are not over"
            );
        }
        return Ok(Finding::None);
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
            format!("for {} minutes at \"{cron}\"{now}", seconds / 60)
        }
        (None, Some(until)) => format!("until {until:.0}"),
        (None, None) => String::new(),
    };
    let (id, pattern) = (silence.id, visible(&silence.pattern));
    format!("{id}  {pattern}{alert_type}  {when}")
}
