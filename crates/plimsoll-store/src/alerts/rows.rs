//! The rows of alerts: read, written, thinned.

use jiff::Timestamp;
use plimsoll_core::alert::{AlertType, ResolvedBy, Severity, Subject};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Alert, AlertContent, AlertQuery, EpisodeChange, KEPT_OF_DATABASE, KeptState, NewAlert,
    ReplacedState,
};
use crate::StoreError;
use crate::rows::{Row, RowError, Transaction, Value};

/// Episodes, and which of them.
macro_rules! select_alerts {
    ($($rest:expr),+) => {
        concat!(
            "select id, instance, alert_type, severity, database, schema_name, table_name, volume, name,
                since, created_at, evaluated_at, resolved_at, resolved_by, comment, message, reading,
                contributors
             from plimsoll.alerts ",
            $($rest),+
        )
    };
}

/// Those that a query means; a parameter that is null asks for nothing.
macro_rules! of_query {
    () => {
        "where (cast($1 as text) is null or instance = $1 or instance = '')
            and (cast($2 as text) is null or database = $2)
            and (cast($3 as bigint) is null or (resolved_at is null) = ($3 = 1))
            and (cast($4 as text) is null or alert_type = $4)
            and (cast($5 as text) is null or severity = $5 or severity = 'critical') "
    };
}

pub(super) fn state(row: &Row) -> Result<KeptState, RowError> {
    let written: String = row.get(2)?;
    Ok(KeptState {
        alert_type: word(row, 0)?,
        subject: json(row, 1)?,
        standing: serde_json::from_str(&written).unwrap_or_default(),
        written,
        alert_id: row.get(3)?,
    })
}

/// Replaces a state if it is still what it was, and keeps what becomes of its episode.
pub(super) async fn keep(
    work: &dyn Transaction,
    replaced: ReplacedState,
) -> Result<Option<Option<i64>>, StoreError> {
    let ReplacedState {
        before,
        alert_type,
        subject,
        standing,
        episode,
    } = replaced;
    let state = text(work, &standing)?;
    let key = [
        Value::from(&subject.instance),
        Value::from(alert_type.as_str()),
        text(work, &subject)?.into(),
    ];
    let open = before.as_ref().and_then(|before| before.alert_id);
    let [instance, kind, subject_text] = key.clone();
    let changed = match before {
        Some(before) => {
            let sql = "update plimsoll.alert_states set state = $4
                       where instance = $1 and alert_type = $2 and subject = $3 and state = $5";
            let params = [
                instance,
                kind,
                subject_text,
                state.into(),
                before.written.into(),
            ];
            work.execute(sql, &params).await?
        }
        None => {
            let sql = "insert into plimsoll.alert_states (instance, alert_type, subject, state)
                       values ($1, $2, $3, $4) on conflict do nothing";
            work.execute(sql, &[instance, kind, subject_text, state.into()])
                .await?
        }
    };
    if changed == 0 {
        return Ok(None);
    }
    let (told, left_open) = match episode {
        EpisodeChange::None => return Ok(Some(open)),
        EpisodeChange::Opens(alert) => {
            let id = open_one(work, alert_type, &subject, alert).await?;
            (Some(id), Some(id))
        }
        EpisodeChange::GoesOn(told) => {
            if let Some(id) = open {
                go_on(work, &subject.instance, id, told).await?;
            }
            return Ok(Some(open));
        }
        EpisodeChange::Ends { at, by, comment } => {
            if let Some(id) = open {
                end(work, &subject.instance, id, (at, by, comment)).await?;
            }
            (open, None)
        }
    };
    let [instance, kind, subject_text] = key;
    let sql = "update plimsoll.alert_states set alert_id = $4
               where instance = $1 and alert_type = $2 and subject = $3";
    work.execute(sql, &[instance, kind, subject_text, left_open.into()])
        .await?;
    Ok(Some(told))
}

/// Ends an episode: when, why, and what somebody said about it.
async fn end(
    work: &dyn Transaction,
    instance: &str,
    id: i64,
    (at, by, comment): (Timestamp, ResolvedBy, Option<String>),
) -> Result<(), StoreError> {
    let sql = "update plimsoll.alerts
               set resolved_at = $3, resolved_by = $4, comment = coalesce($5, comment)
               where instance = $1 and id = $2 and resolved_at is null";
    let params = [
        Value::from(instance),
        id.into(),
        at.into(),
        by.as_str().into(),
        comment.into(),
    ];
    work.execute(sql, &params).await?;
    Ok(())
}

/// Forgets a state if it is still what it was, and ends its episode.
pub(super) async fn forget(
    work: &dyn Transaction,
    state: KeptState,
    by: ResolvedBy,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "delete from plimsoll.alert_states
               where instance = $1 and alert_type = $2 and subject = $3 and state = $4";
    let params = [
        Value::from(&state.subject.instance),
        state.alert_type.as_str().into(),
        text(work, &state.subject)?.into(),
        state.written.into(),
    ];
    if work.execute(sql, &params).await? == 0 {
        return Ok(false);
    }
    if let Some(id) = state.alert_id {
        end(work, &state.subject.instance, id, (at, by, None)).await?;
    }
    Ok(true)
}

/// Gives a state and its open episode to a table under another name, if nothing has that and it is still what it was.
pub(super) async fn rename(
    work: &dyn Transaction,
    state: KeptState,
    to: Subject,
) -> Result<bool, StoreError> {
    let instance = Value::from(&state.subject.instance);
    let kind = Value::from(state.alert_type.as_str());
    let (from, to_text) = (text(work, &state.subject)?, text(work, &to)?);
    let sql = "update plimsoll.alert_states set subject = $4
               where instance = $1 and alert_type = $2 and subject = $3 and state = $5
                   and not exists (
                       select 1 from plimsoll.alert_states
                       where instance = $1 and alert_type = $2 and subject = $4
                   )";
    let params = [
        instance.clone(),
        kind,
        from.into(),
        to_text.into(),
        state.written.into(),
    ];
    if work.execute(sql, &params).await? == 0 {
        return Ok(false);
    }
    if let Some(id) = state.alert_id {
        let sql = "update plimsoll.alerts set schema_name = $3, table_name = $4
                   where instance = $1 and id = $2";
        let (schema, table) = (to.schema_name.into(), to.table_name.into());
        work.execute(sql, &[instance, id.into(), schema, table])
            .await?;
    }
    Ok(true)
}

/// The states of a subject's instance whose subjects are this one or lie within it: as texts they begin alike.
pub(super) async fn states_within(
    work: &dyn Transaction,
    instance: Value,
    subject: &Subject,
) -> Result<Vec<KeptState>, StoreError> {
    let whole = text(work, subject)?;
    let begin = whole
        .split(",\"schema_name\":null")
        .next()
        .unwrap_or(&whole);
    let sql = "select alert_type, subject, state, alert_id from plimsoll.alert_states
               where instance = $1 and substr(subject, 1, length(cast($2 as text))) = $2
               order by alert_type collate \"C\", subject collate \"C\"";
    let mut states = work.read(sql, &[instance, begin.into()], state).await?;
    states.retain(|state| state.subject.is_within(subject));
    Ok(states)
}

async fn open_one(
    work: &dyn Transaction,
    alert_type: AlertType,
    subject: &Subject,
    alert: NewAlert,
) -> Result<i64, StoreError> {
    let sql = "insert into plimsoll.alerts (instance, alert_type, severity, database, schema_name, table_name,
                   volume, name, since, created_at, evaluated_at, message, reading, contributors)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) returning id";
    let NewAlert {
        since,
        created_at,
        told,
    } = alert;
    let params = [
        Value::from(&subject.instance),
        alert_type.as_str().into(),
        told.severity.as_str().into(),
        subject.database.clone().into(),
        subject.schema_name.clone().into(),
        subject.table_name.clone().into(),
        subject.volume.clone().into(),
        subject.name.clone().into(),
        since.into(),
        created_at.into(),
        told.evaluated_at.into(),
        told.message.clone().into(),
        text(work, &told.reading)?.into(),
        text(work, &told.contributors)?.into(),
    ];
    let ids: Vec<i64> = work.read(sql, &params, |row| row.get(0)).await?;
    ids.first()
        .copied()
        .ok_or_else(|| work.failed("a new alert has no id"))
}

async fn go_on(
    work: &dyn Transaction,
    instance: &str,
    id: i64,
    told: AlertContent,
) -> Result<(), StoreError> {
    let sql = "update plimsoll.alerts
               set severity = $3, evaluated_at = $4, message = $5, reading = $6, contributors = $7
               where instance = $1 and id = $2 and resolved_at is null";
    let params = [
        Value::from(instance),
        id.into(),
        told.severity.as_str().into(),
        told.evaluated_at.into(),
        told.message.clone().into(),
        text(work, &told.reading)?.into(),
        text(work, &told.contributors)?.into(),
    ];
    work.execute(sql, &params).await?;
    Ok(())
}

pub(super) async fn page(
    work: &dyn Transaction,
    query: &AlertQuery,
) -> Result<(Vec<Alert>, u64), StoreError> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let filter = [
        Value::from(query.instance.clone()),
        query.database.clone().into(),
        query.is_firing.map(i64::from).into(),
        query.alert_type.map(|kind| kind.as_str().to_owned()).into(),
        query
            .severity
            .map(|severity| severity.as_str().to_owned())
            .into(),
    ];
    let sql = concat!("select count(*) from plimsoll.alerts ", of_query!());
    let total = work.read(sql, &filter, |row| row.get(0)).await?;
    let [instance, database, is_firing, kind, severity] = filter;
    let (limit, offset) = (number(query.limit).into(), number(query.offset).into());
    let params = [instance, database, is_firing, kind, severity, limit, offset];
    let sql = select_alerts!(
        of_query!(),
        "order by created_at desc, id desc limit $6 offset $7"
    );
    let alerts = work.read(sql, &params, alert).await?;
    Ok((alerts, total.into_iter().next().unwrap_or(0)))
}

pub(super) async fn one(work: &dyn Transaction, id: i64) -> Result<Option<Alert>, StoreError> {
    let alerts = work
        .read(select_alerts!("where id = $1"), &[id.into()], alert)
        .await?;
    Ok(alerts.into_iter().next())
}

/// Deletes episodes that ended before a time, but for the newest of each database.
pub(super) async fn thin(
    work: &dyn Transaction,
    instance: &str,
    ended_before: Timestamp,
) -> Result<u64, StoreError> {
    let sql = "delete from plimsoll.alerts
               where instance = $1 and resolved_at < $2 and id not in (
                   select id from (
                       select id, row_number() over (partition by database order by resolved_at desc, id desc) as place
                       from plimsoll.alerts where instance = $1 and resolved_at is not null
                   ) as ended where place <= $3
               )";
    work.execute(
        sql,
        &[
            instance.into(),
            ended_before.into(),
            KEPT_OF_DATABASE.into(),
        ],
    )
    .await
}

fn alert(row: &Row) -> Result<Alert, RowError> {
    Ok(Alert {
        id: row.get(0)?,
        alert_type: word(row, 2)?,
        subject: Subject {
            instance: row.get(1)?,
            database: row.get(4)?,
            schema_name: row.get(5)?,
            table_name: row.get(6)?,
            volume: row.get(7)?,
            name: row.get(8)?,
        },
        since: row.get(9)?,
        created_at: row.get(10)?,
        resolved_at: row.get(12)?,
        resolved_by: optional_word(row, 13)?,
        comment: row.get(14)?,
        told: AlertContent {
            severity: word::<Severity>(row, 3)?,
            evaluated_at: row.get(11)?,
            message: row.get(15)?,
            reading: json(row, 16)?,
            contributors: json(row, 17)?,
        },
    })
}

pub(super) fn optional_word<T: std::str::FromStr>(
    row: &Row,
    column: usize,
) -> Result<Option<T>, RowError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| row.no("known word", column)))
        .transpose()
}

pub(super) fn word<T: std::str::FromStr>(row: &Row, column: usize) -> Result<T, RowError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| row.no("known word", column))
}

fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, RowError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| row.no("JSON of its kind", column))
}

fn text(work: &dyn Transaction, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| work.failed(&error.to_string()))
}
