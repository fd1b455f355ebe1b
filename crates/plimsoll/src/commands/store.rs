//! `plimsoll store`: what the history itself takes, and what it is going to take.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::size_text;
use plimsoll_server::answer::store::{StoreAnswer, store};

use super::Finding;
use crate::context::Context;
use crate::output::{self, thousands};

pub(crate) async fn run(context: &Context) -> anyhow::Result<Finding> {
    let settings = &context.config.settings;
    let answer = store(
        &*context.store()?,
        &settings.retention,
        settings.max_bytes,
        Timestamp::now(),
    )
    .await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, answer: &StoreAnswer) -> io::Result<()> {
    writeln!(
        out,
        "The history takes {}: {} values in {} samples of {} {}",
        answer.size_human,
        thousands(answer.values),
        thousands(answer.samples),
        thousands(answer.databases),
        if answer.databases == 1 {
            "database"
        } else {
            "databases"
        },
    )?;
    match &answer.projected_human {
        Some(bytes) => writeln!(out, "At the configured retention it grows to {bytes}")?,
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
            "{}: {} samples of detail dropped{until}, to keep below {}",
            shrink.at.strftime("%Y-%m-%d %H:%M UTC"),
            thousands(shrink.samples_dropped),
            size_text::pretty(shrink.max_bytes),
        )?;
    }
    Ok(())
}
