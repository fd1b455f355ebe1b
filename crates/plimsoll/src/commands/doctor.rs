//! `plimsoll doctor`: what the role can and cannot see (exit code 1), and the grants that change it.

mod places;
mod unjudged;

use std::io::{self, Write};

use plimsoll_core::name::{shown, visible};
use plimsoll_core::snapshot::Method;
use plimsoll_postgres::Target;
use plimsoll_postgres::doctor::{Check, Diagnosis, Level, doctor, grants};
use plimsoll_server::answer::alerts::StandingAnswer;
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_server::settings::{Databases, Watched};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::context::{Context, database_of};
use crate::output;
use places::{PlaceReport, Places};

const LEVELS: [Level; 3] = [Level::ReadOnly, Level::Monitor, Level::LockFree];

pub(crate) async fn run(context: &Context, args: &args::Doctor) -> anyhow::Result<Finding> {
    let (target, watched) = context.reachable_target().await?;
    let level = args.level.map(|level| match level {
        args::Level::ReadOnly => Level::ReadOnly,
        args::Level::Monitor => Level::Monitor,
        args::Level::LockFree => Level::LockFree,
    });
    let diagnosis = doctor(
        &target,
        &names(&target, watched),
        level.unwrap_or_default(),
        &watched.visit,
        &CancellationToken::new(),
    )
    .await?;
    if args.grants {
        let databases: Vec<String> = diagnosis
            .databases
            .iter()
            .map(|db| db.database.clone())
            .collect();
        let wanted = level.map_or_else(|| LEVELS.to_vec(), |level| vec![level]);
        output::print(|out| {
            wanted
                .iter()
                .try_for_each(|&level| writeln!(out, "{}", grants(level, &args.role, &databases)))
        })?;
        return Ok(Finding::None);
    }
    let places = places::places(watched).await?;
    let unjudged = unjudged::unjudged(context, &watched.instance, SystemClock.now()).await?;
    if context.wants_json() {
        output::json(&Report {
            diagnosis: &diagnosis,
            places: &places.each,
            problems: &places.problems,
            unjudged: &unjudged,
        })?;
    } else {
        output::print(|out| print(out, &diagnosis, &places, &unjudged))?;
    }
    Ok(if diagnosis.is_complete && places.problems.is_empty() {
        Finding::None
    } else {
        Finding::Some
    })
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    /// Where each directory lies.
    places: &'a [PlaceReport],
    /// What the configuration says of volumes that cannot be, or what its sources do not answer.
    problems: &'a [String],
    /// The rules of alerts that say nothing now.
    unjudged: &'a [StandingAnswer],
}

/// The databases that are looked at; none means every one that takes connections.
fn names(target: &Target, watched: &Watched) -> Vec<String> {
    match &watched.databases {
        Databases::Listed(names) => names.clone(),
        Databases::All => Vec::new(),
        Databases::OfUrl => vec![database_of(&target.url)],
    }
}

fn print(
    out: &mut dyn Write,
    diagnosis: &Diagnosis,
    places: &Places,
    unjudged: &[StandingAnswer],
) -> io::Result<()> {
    let superuser = if diagnosis.is_superuser {
        ": a superuser, which sees everything and could do everything; a role of its own is safer"
    } else {
        ""
    };
    writeln!(
        out,
        "{} (PostgreSQL {}), as {}{superuser}",
        visible(&diagnosis.server),
        diagnosis.version_num / 10_000,
        shown(&diagnosis.role),
    )?;
    writeln!(out, "\nOn the whole server")?;
    items(out, &diagnosis.items)?;
    places::print(out, places)?;
    for database in &diagnosis.databases {
        let method = database
            .method
            .map_or("sizes cannot be read", |method| match method {
                Method::Files => "sized by files: no lock on any table",
                Method::Functions => "sized by functions: a table locked by others is skipped",
                Method::Changes => "sized by changes",
            });
        writeln!(out, "\nDatabase {}: {method}", shown(&database.database))?;
        items(out, &database.items)?;
    }
    unjudged::print(out, unjudged)?;
    writeln!(out)?;
    if diagnosis.is_complete {
        writeln!(
            out,
            "Nothing is missing for the level {}.",
            diagnosis.wanted.as_str()
        )
    } else {
        writeln!(
            out,
            "Something is missing for the level {0}; `plimsoll doctor --grants --level {0}` prints the SQL that grants it.",
            diagnosis.wanted.as_str()
        )
    }
}

fn items(out: &mut dyn Write, items: &[Check]) -> io::Result<()> {
    let width = items.iter().map(|item| item.name.len()).max().unwrap_or(0);
    for item in items {
        let mark = if item.ok { "yes" } else { "no " };
        let detail = item
            .detail
            .as_ref()
            .map_or_else(String::new, |text| format!(" ({})", visible(text)));
        writeln!(
            out,
            "  {mark}  {:width$}  {}{detail}",
            item.name, item.gives
        )?;
        if let Some(grant) = item.grant.as_ref().filter(|_| !item.ok) {
            writeln!(out, "       {:width$}  {}", "", visible(grant))?;
        }
    }
    Ok(())
}
