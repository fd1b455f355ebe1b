//! `plimsoll forecast`: how a size will go on, how sure that is, and when the disk is full.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::name::{shown, shown_table, visible};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_server::answer::forecast::{Drawn, ForecastAnswer, drawn};
use plimsoll_server::answer::shapes::FullOnAnswer;
use plimsoll_server::ask::Forecasts;
use plimsoll_server::forecasting::{
    self, ForecastOf, ForecastQuery, VisitedSnapshots, lies_on_several_volumes, of_points,
};
use plimsoll_store::{DatabaseKey, Store};

use super::{Finding, input};
use crate::args::{self, OutputFormat};
use crate::context::Context;
use crate::output::{self, Column, plot};

pub(crate) async fn run(context: &Context, args: args::Forecast) -> anyhow::Result<Finding> {
    let (what, query) = match args.asked.0 {
        Forecasts::Ranked(by, limit) => return super::ranking::run(context, by, limit).await,
        Forecasts::One(_, query) if args.whole_instance => (ForecastOf::Instance, query),
        Forecasts::One(what, query) => (what, query),
    };
    let store = context.readable_store().await?;
    let key = context.known_key(&*store).await?;
    // Only the server can say what is free; with a limit given, nobody needs to ask it.
    let is_visited = query.capacity_bytes.is_none() || matches!(what, ForecastOf::Tablespace(_));
    let snapshot = if is_visited {
        let seen = context.visit().await.map_err(|error| output::chain(&error));
        seen.and_then(|snapshot| of_database(snapshot, &key))
    } else {
        Err("the server was not asked".to_owned())
    };
    let others = match (&what, &snapshot) {
        (ForecastOf::Instance, Ok(snapshot)) => others(context, &*store, snapshot).await?,
        _ => Vec::new(),
    };
    let seen = VisitedSnapshots {
        database: snapshot.as_ref().map_err(String::as_str),
        others: &others,
    };
    let forecast = forecasting::forecast(&*store, &key, &what, seen, &query).await?;
    show(context.wants_json(), &drawn(forecast))
}

/// A snapshot, unless the name that was asked for led to another database than the history's of that name.
fn of_database(snapshot: Snapshot, key: &DatabaseKey) -> Result<Snapshot, String> {
    if *snapshot.database == *key.database {
        return Ok(snapshot);
    }
    Err(format!(
        "the name {} leads to another database now, {}",
        shown(&key.database),
        shown(&snapshot.database)
    ))
}

/// The instance's other databases that have a history: where their bytes lie matters if there is more than one volume.
async fn others(
    context: &Context,
    store: &dyn Store,
    snapshot: &Snapshot,
) -> anyhow::Result<Vec<Arc<Snapshot>>> {
    if !lies_on_several_volumes(snapshot) {
        return Ok(Vec::new());
    }
    let mut others = Vec::new();
    for key in store.databases().await? {
        if *key.instance == *snapshot.instance && *key.database != *snapshot.database {
            match context.visit_database(&key.database).await {
                Ok(other) => others.push(Arc::new(other)),
                // The answer says of which database it is not known where it lies.
                Err(error) => {
                    tracing::warn!(database = key.database, error = %format!("{error:#}"), "storage.visit.failed");
                }
            }
        }
    }
    Ok(others)
}

/// Of a file's series: needs neither a configuration nor a store.
pub(crate) fn run_on_file(
    path: &Path,
    args: &args::Forecast,
    output: OutputFormat,
) -> anyhow::Result<Finding> {
    let query = match &args.asked.0 {
        Forecasts::One(_, query) => query.clone(),
        Forecasts::Ranked(..) => ForecastQuery::default(),
    };
    let (series, read) = input::read(path, &args.reading.options(query.capacity_bytes))?;
    let drawn = drawn(of_points(series.points, &query));
    if output == OutputFormat::Json {
        output::json(&read.with(&drawn.answer))?;
    } else {
        output::prose(|out| {
            print(out, &drawn)?;
            read.print(out)
        })?;
    }
    Ok(Finding::None)
}

fn show(as_json: bool, drawn: &Drawn) -> anyhow::Result<Finding> {
    if as_json {
        output::json(&drawn.answer)?;
    } else {
        output::prose(|out| print(out, drawn))?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, drawn: &Drawn) -> io::Result<()> {
    let answer = &drawn.answer;
    let name = name(answer);
    let (Some(now), Some(level), Some(slope)) =
        (answer.now, &answer.level_human, answer.slope_bytes_per_day)
    else {
        let reason = answer
            .insufficient_data
            .as_ref()
            .map_or("there are no samples yet", |known| &*known.reason);
        writeln!(out, "How {name} will go on is not known: {reason}.")?;
        if answer.of != "file" && answer.gone.is_none() {
            writeln!(
                out,
                "`plimsoll serve` takes a sample a day, `plimsoll sample` one now."
            )?;
        }
        return Ok(());
    };
    writeln!(
        out,
        "{name}: {level} on {}, {} a day expected",
        date(now),
        size_text::pretty_signed(slope)
    )?;
    if let Some(days) = answer.period_days {
        writeln!(
            out,
            "It has a pattern that comes back every {}.",
            self::days(days.round())
        )?;
    }
    writeln!(out)?;
    for line in plot::draw_forecast(
        &drawn.points,
        &drawn.path,
        // A limit of one volume is none of what lies on several.
        (answer.volumes.len() < 2)
            .then_some(answer.capacity.limit_bytes)
            .flatten(),
        plot::width(),
    ) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    bands(out, answer, now)?;
    writeln!(out)?;
    if answer.volumes.len() > 1 {
        volumes(out, answer)?;
        writeln!(out)?;
    }
    limit(out, answer)?;
    notes(out, answer)
}

/// Each volume that the size lies on, the one that is full first before the others.
fn volumes(out: &mut dyn Write, answer: &ForecastAnswer) -> io::Result<()> {
    let bytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "not known".to_owned(), size_text::pretty);
    output::table(
        out,
        &[
            Column::Left("VOLUME"),
            Column::Left("PLACES"),
            Column::Right("HOLDS"),
            Column::Right("A DAY"),
            Column::Right("FREE"),
            Column::Left("FULL"),
        ],
        answer.volumes.iter().map(|volume| {
            let room = &volume.room;
            let name = room.volume.as_ref().or(room.pool.as_ref());
            vec![
                name.map_or_else(|| "not known".to_owned(), |name| visible(name).into_owned()),
                visible(&room.places.join(", ")).into_owned(),
                bytes(volume.level_bytes),
                volume
                    .slope_bytes_per_day
                    .map_or_else(|| "not known".to_owned(), size_text::pretty_signed),
                bytes(room.available_bytes),
                match (&volume.full_on, &volume.unknown) {
                    (Some(_), _) if room.available_bytes == Some(0) => "already".to_owned(),
                    (Some(on), _) => on.mid.map_or_else(
                        || "not within a year expected".to_owned(),
                        |mid| format!("{} expected", date(mid)),
                    ),
                    (None, reason) => {
                        format!(
                            "not known: {}",
                            visible(reason.as_deref().unwrap_or_default())
                        )
                    }
                },
            ]
        }),
    )
}

fn bands(out: &mut dyn Write, answer: &ForecastAnswer, now: Timestamp) -> io::Result<()> {
    let record = |h: f64| {
        answer
            .backtest
            .iter()
            .find(|record| (f64::from(record.h) - h).abs() < 0.5)
    };
    let pretty = size_text::pretty;
    output::table(
        out,
        &[
            Column::Left("IN"),
            Column::Left("ON"),
            Column::Right("EXPECTED"),
            Column::Right("80 % BETWEEN"),
            Column::Right("95 % BETWEEN"),
            Column::Right("USUAL ERROR"),
            Column::Right("IF UNCHANGED"),
            Column::Right("80 % HELD IN"),
        ],
        answer.forecast.iter().map(|band| {
            let record = record(band.h);
            vec![
                days(band.h),
                date(after(now, band.h)),
                pretty(band.point),
                format!("{} - {}", pretty(band.lo80), pretty(band.hi80)),
                format!("{} - {}", pretty(band.lo95), pretty(band.hi95)),
                record.map_or_else(String::new, |record| pretty(record.error_bytes)),
                record.map_or_else(String::new, |record| pretty(record.naive_error_bytes)),
                record
                    .and_then(|record| record.coverage80)
                    .map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
            ]
        }),
    )
}

fn limit(out: &mut dyn Write, answer: &ForecastAnswer) -> io::Result<()> {
    let room = &answer.capacity;
    let since = answer.over_since.map(date);
    let Some(passage) = answer.limits.first() else {
        if let Some(since) = since {
            return writeln!(out, "Full: already, it has been above that since {since}");
        }
        let reason = answer.unknown.as_deref().unwrap_or("no limit is known");
        return writeln!(out, "When it is full is unknown: {reason}");
    };
    write!(out, "Room: {} ", size_text::pretty(passage.bytes))?;
    match (room.source, room.capacity_bytes, room.available_bytes) {
        (Some(source), Some(capacity), Some(free)) if room.late.is_none() && source != "asked" => {
            writeln!(
                out,
                "in all, of which {} is free now (the volume of {}, {} large, says {source})",
                size_text::pretty(free),
                visible(
                    room.volume
                        .as_deref()
                        .or(room.path.as_deref())
                        .or(room.pool.as_deref())
                        .unwrap_or("the data directory")
                ),
                size_text::pretty(capacity)
            )?;
        }
        (Some(source), Some(capacity), Some(free)) if source != "asked" => writeln!(
            out,
            "in all, of which {} is free now (the server may use {}, says {source})",
            size_text::pretty(free),
            size_text::pretty(capacity)
        )?,
        _ => writeln!(out, "as given")?,
    }
    let is_full = answer
        .level_bytes
        .is_some_and(|level| level >= passage.bytes);
    match since {
        Some(since) => writeln!(out, "Full: already, it has been above that since {since}")?,
        None if is_full => writeln!(out, "Full: already, nothing is free")?,
        None => writeln!(out, "Full: {}", full(&passage.full_on))?,
    }
    if let Some(late) = &room.late {
        writeln!(out, "      {}", visible(late))?;
    }
    let likely = passage.probability;
    writeln!(
        out,
        "Likely full within 7 days: {}, 30 days: {}, 90 days: {}",
        share(likely.within_7_days),
        share(likely.within_30_days),
        share(likely.within_90_days)
    )
}

fn full(full_on: &FullOnAnswer) -> String {
    let or_later =
        |at: Option<Timestamp>| at.map_or_else(|| "more than a year from now".to_owned(), date);
    match full_on.low {
        None => "not within a year".to_owned(),
        Some(low) => format!(
            "{} expected, {} at the earliest, {} at the latest (four times in five)",
            or_later(full_on.mid),
            date(low),
            or_later(full_on.high)
        ),
    }
}

fn notes(out: &mut dyn Write, answer: &ForecastAnswer) -> io::Result<()> {
    if let Some(reconciled) = &answer.reconciled {
        writeln!(
            out,
            "It agrees with the forecasts of the database's other tables, as of {}.",
            reconciled.as_of.strftime("%Y-%m-%d %H:%M UTC")
        )?;
    }
    if let Some(at) = answer.coverage_changed_at {
        writeln!(
            out,
            "Samples older than {} do not meet these, and are left out: another tool took them, or they cover something \
             else.",
            at.strftime("%Y-%m-%d %H:%M UTC")
        )?;
    }
    if answer.widened {
        writeln!(
            out,
            "The history is only {} long, so the bounds are wider.",
            days(answer.history_days.round())
        )?;
    }
    if !answer.events.is_empty() || !answer.not_growth.is_empty() {
        writeln!(
            out,
            "{} unusual, and {} recorded events that are no growth: `plimsoll events{}` lists them.",
            answer.events.len(),
            answer.not_growth.len(),
            if answer.of == "file" { " --input" } else { "" }
        )?;
    }
    Ok(())
}

fn name(answer: &ForecastAnswer) -> String {
    match (answer.of, &answer.schema_name, &answer.table_name) {
        ("table", Some(schema), Some(table)) => shown_table(schema, table),
        ("set", Some(schema), Some(table)) => {
            format!("{} (set)", shown_table(schema, table))
        }
        ("schema", Some(schema), _) => format!("schema {}", shown(schema)),
        ("tablespace", ..) => format!(
            "tablespace {}",
            shown(answer.tablespace.as_deref().unwrap_or_default())
        ),
        ("instance", ..) => {
            let instance = answer.instance.as_deref().unwrap_or_default();
            format!("all of {}", visible(instance))
        }
        ("database", ..) => shown(answer.database.as_deref().unwrap_or_default()).into_owned(),
        _ => "the series".to_owned(),
    }
}

fn after(now: Timestamp, days: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(days * 86_400.0)
        .ok()
        .and_then(|ahead| now.checked_add(ahead).ok())
        .unwrap_or(now)
}

fn days(number: f64) -> String {
    let s = if number == 1.0 { "" } else { "s" };
    format!("{number} day{s}")
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// A probability in percent, never rounded to certainty.
fn share(probability: f64) -> String {
    match probability * 100.0 {
        percent if percent < 1.0 => "under 1 %".to_owned(),
        percent if percent > 99.0 => "over 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}
