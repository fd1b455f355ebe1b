//! `plimsoll alerts`: what fires and why, where every rule stands, and closing one by hand.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::message::amount;
use plimsoll_core::alert::{AlertType, ResolvedBy};
use plimsoll_core::name::{shown, visible};
use plimsoll_server::alerting::{Alerting, Replay};
use plimsoll_server::answer::alerts::{
    self, AlertAnswer, AlertsAnswer, AlertsQuery, ReplayAnswer, StandingsAnswer,
};
use plimsoll_server::clock::{Clock, SystemClock};
use plimsoll_server::forecasting::Forecasts;

use super::Finding;
use crate::args::AlertsCommand;
use crate::context::Context;
use crate::duration::Length;
use crate::output::{self, Column};

pub(crate) async fn run(
    context: &Context,
    query: AlertsQuery,
    command: Option<AlertsCommand>,
) -> anyhow::Result<Finding> {
    match command {
        None => list(context, query).await,
        Some(AlertsCommand::Explain) => explain(context).await,
        Some(AlertsCommand::Runbook { alert_type }) => {
            output::print(|out| out.write_all(runbook(alert_type).as_bytes()))?;
            Ok(Finding::None)
        }
        Some(AlertsCommand::Replay { since }) => replay(context, since).await,
        Some(AlertsCommand::Silence(args)) => super::silences::run(context, args).await,
        Some(AlertsCommand::Resolve { id, comment }) => {
            resolve(context, id, comment.as_deref()).await
        }
    }
}

/// Prints alerts; a finding if one of them fires.
async fn list(context: &Context, query: AlertsQuery) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let of = context.named(&*store).await?;
    let answer = alerts::alerts(&*store, &of, query, SystemClock.now()).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| print(out, &answer))?;
    }
    let fires = answer
        .alerts
        .iter()
        .any(|alert| alert.resolved_at.is_none());
    Ok(if fires { Finding::Some } else { Finding::None })
}

async fn explain(context: &Context) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let answer = alerts::standings(&*store, &context.instance_names()?).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| print_standings(out, &answer))?;
    }
    Ok(Finding::None)
}

async fn resolve(context: &Context, id: i64, comment: Option<&str>) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let forecasts = Arc::new(Forecasts::new(Arc::clone(&store), Arc::clone(&clock)));
    let settings = &context.config.settings;
    let alerting = Alerting::new(Arc::clone(&store), forecasts, clock, settings);
    let Some(alert) = alerting.resolve(id, comment).await? else {
        bail!("there is no alert {id}; `plimsoll alerts --state all` lists them");
    };
    let answer = alerts::resolved(&*store, alert).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| print_one(out, &answer))?;
    }
    Ok(Finding::None)
}

async fn replay(context: &Context, since: Length) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let settings = &context.config.settings;
    let limits = settings.database_limits();
    let since = SystemClock
        .now()
        .saturating_sub(since.0)
        .unwrap_or(Timestamp::MIN);
    let mut answers = Vec::new();
    for of in context.kept(&*store).await? {
        let replay = Replay {
            of: &of,
            settings: &settings.alerts,
            limit_bytes: limits.get(&of).copied(),
            since,
        };
        answers.push(alerts::replay(&*store, replay).await?);
    }
    if context.wants_json() {
        output::json(&serde_json::json!({ "databases": answers }))?;
    } else {
        output::print(|out| print_replay(out, &answers))?;
    }
    Ok(Finding::None)
}

fn print_replay(out: &mut dyn Write, answers: &[ReplayAnswer]) -> io::Result<()> {
    for answer in answers {
        let (samples, told) = (answer.samples, answer.told.len());
        writeln!(
            out,
            "{} on {}: {told} changes in {samples} samples",
            shown(&answer.database),
            visible(&answer.instance)
        )?;
        for told in &answer.told {
            let (at, severity, of) = (told.at, told.severity, told.alert_type);
            writeln!(
                out,
                "  {at:.0}  {of} {}, {severity}: {}",
                told.change, told.message
            )?;
        }
    }
    Ok(())
}

const RULES: &str = include_str!("../../../../docs/ALERTS.md");

/// What the documentation says of a rule: its section, without the next one.
fn runbook(alert_type: AlertType) -> String {
    let title = format!("### {alert_type}\n");
    let section = RULES.split_once(&title).map_or("", |(_, after)| after);
    let end = section.find("\n#").unwrap_or(section.len());
    let text = section.get(..end).unwrap_or_default();
    format!("{alert_type}\n\n{}\n", text.trim())
}

fn print(out: &mut dyn Write, answer: &AlertsAnswer) -> io::Result<()> {
    if answer.alerts.is_empty() {
        return writeln!(out, "No alert fires.");
    }
    for (at, alert) in answer.alerts.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        print_one(out, alert)?;
    }
    if answer.total > answer.count {
        writeln!(out, "\n{} of {} are shown.", answer.count, answer.total)?;
    }
    Ok(())
}

fn print_one(out: &mut dyn Write, alert: &AlertAnswer) -> io::Result<()> {
    let ended = alert.resolved_at.map(|at| {
        let why = alert.resolved_by.and_then(ResolvedBy::text);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        format!(", resolved at {at:.0}{why}")
    });
    let (id, severity, alert_type) = (alert.id, alert.severity, alert.alert_type);
    writeln!(
        out,
        "{id}  {severity}  {alert_type}{}",
        ended.unwrap_or_default()
    )?;
    for line in alert.message.lines() {
        writeln!(out, "  {line}")?;
    }
    if let Some(until) = alert.silenced_until {
        writeln!(out, "  Messages about it are held back until {until:.0}.")?;
    }
    if let Some(comment) = &alert.comment {
        writeln!(out, "  Comment: {}", visible(comment))?;
    }
    Ok(())
}

fn print_standings(out: &mut dyn Write, answer: &StandingsAnswer) -> io::Result<()> {
    if answer.standings.is_empty() {
        return writeln!(
            out,
            "No rule was evaluated yet: `serve` does that after each sample, and each minute."
        );
    }
    let columns = [
        Column::Left("RULE"),
        Column::Left("OF"),
        Column::Left("STATE"),
        Column::Right("VALUE"),
        Column::Right("THRESHOLD"),
        Column::Left("JUDGED"),
        Column::Left("WHY"),
    ];
    let now = SystemClock.now();
    let rows = answer.standings.iter().map(|standing| {
        let text = |value: Option<f64>| {
            value
                .zip(standing.unit)
                .map_or_else(String::new, |(value, unit)| amount(value, unit))
        };
        vec![
            standing.alert_type.to_string(),
            standing.subject.clone(),
            standing.state.to_owned(),
            text(standing.value),
            text(standing.threshold),
            standing
                .evaluated_at
                .map_or_else(|| "never".to_owned(), |at| ago(now.duration_since(at))),
            standing
                .unknown
                .clone()
                .or_else(|| standing.note.clone())
                .unwrap_or_default(),
        ]
    });
    output::table(out, &columns, rows)
}

/// How long ago, for people.
fn ago(age: SignedDuration) -> String {
    match age.as_mins() {
        ..1 => "now".to_owned(),
        minutes @ 1..120 => format!("{minutes} min ago"),
        minutes @ 120..2880 => format!("{} h ago", minutes / 60),
        minutes => format!("{} days ago", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_runbook() {
        for alert_type in AlertType::ALL {
            let text = runbook(alert_type);
            assert!(text.contains("What to do"), "{alert_type}: {text}");
            assert!(
                text.len() < 3000 && !text.contains("###"),
                "{alert_type}: {text}"
            );
        }
    }

    #[test]
    fn an_age_has_the_unit_that_says_most() {
        for (seconds, text) in [
            (-5, "now"),
            (59, "now"),
            (60, "1 min ago"),
            (119 * 60, "119 min ago"),
            (120 * 60, "2 h ago"),
            (49 * 3600, "2 days ago"),
        ] {
            assert_eq!(ago(SignedDuration::from_secs(seconds)), text);
        }
    }
}
