//! Which rules of alerts cannot be judged now, by the history: what is unknown never fires.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::name::visible;
use plimsoll_server::answer::alerts::{StandingAnswer, standings};

use crate::context::Context;

/// What was judged longer ago is not judged any more, whatever it said: the slowest rule is judged once a day.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(26);

/// The rules of an instance that say nothing; none where there is no history.
pub(super) async fn unjudged(
    context: &Context,
    instance: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<StandingAnswer>> {
    let Ok(store) = context.readable_store().await else {
        return Ok(Vec::new());
    };
    let mut all = standings(&*store, &[instance.to_owned()]).await?.standings;
    let is_old = |at: Timestamp| now.duration_since(at) > TOO_OLD;
    all.retain(|it| it.unknown.is_some() || it.evaluated_at.is_some_and(is_old));
    Ok(all)
}

pub(super) fn print(out: &mut dyn Write, unjudged: &[StandingAnswer]) -> io::Result<()> {
    if unjudged.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nRules of alerts that cannot be judged now, and so never fire"
    )?;
    for it in unjudged {
        let since = it.evaluated_at.map_or_else(
            || "it never was".to_owned(),
            |at| format!("it was last on {at:.0}"),
        );
        let why = it
            .unknown
            .as_deref()
            .unwrap_or("does `plimsoll serve` run?");
        let (of, subject) = (it.alert_type, &it.subject);
        writeln!(out, "  {of} of {subject}: {}; {since}", visible(why))?;
    }
    Ok(())
}
