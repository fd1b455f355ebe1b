//! `plimsoll store`: what the history itself takes, and what it is going to take.

use std::io::{self, Write};

use plimsoll_core::size_text;
use plimsoll_server::answer::store::{StoreAnswer, store};
use plimsoll_server::clock::{Clock as _, SystemClock};

use super::Finding;
use crate::context::Context;
use crate::output;

pub(crate) async fn run(context: &Context) -> anyhow::Result<Finding> {
    let settings = &context.config.settings;
    let answer = store(
        &*context.readable_store().await?,
        &settings.retention,
        settings.max_bytes,
        SystemClock.now(),
    )
    .await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::prose(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, answer: &StoreAnswer) -> io::Result<()> {
    if let Some(unknown) = &answer.unknown {
        writeln!(out, "Not all is known: {unknown}")?;
    }
    writeln!(
        out,
        "The history takes {}: {} in {} of {}",
        answer.size_human.as_deref().unwrap_or("an unknown size"),
        output::count(answer.values, "value"),
        output::count(answer.samples, "sample"),
        output::count(answer.databases, "database"),
    )?;
    match &answer.projected {
        Some(range) if answer.size_bytes.is_none_or(|size| range.high_bytes > size) => writeln!(
            out,
            "At the configured retention it grows to {}",
            range.human
        )?,
        Some(range) => writeln!(
            out,
            "It grows no more: what the configured retention keeps takes {}",
            range.human
        )?,
        None if answer.unknown.is_some() => {}
        None => writeln!(
            out,
            "How large it grows is not known yet: that takes a day of samples"
        )?,
    }
    if let Some(max_bytes) = answer.max_bytes {
        writeln!(
            out,
            "history.max_bytes lets it take {}",
            size_text::pretty(max_bytes)
        )?;
    }
    if let Some(shrink) = &answer.last_shrink {
        let until = shrink.dropped_until.map_or_else(String::new, |at| {
            format!(", of the time until {}", at.strftime("%Y-%m-%d %H:%M UTC"))
        });
        writeln!(
            out,
            "{}: {} of detail dropped{until}, to keep below {}",
            shrink.at.strftime("%Y-%m-%d %H:%M UTC"),
            output::count(shrink.samples_dropped, "sample"),
            size_text::pretty(shrink.max_bytes),
        )?;
    }
    Ok(())
}
