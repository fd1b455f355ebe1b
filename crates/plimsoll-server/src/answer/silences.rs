//! Silences as they are asked for, answered and printed.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_store::{DatabaseKey, KeptSilence, NewSilence, SilenceSpan, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::alerting::silences::of_core;
use crate::settings::{Cron, Settings};

/// A silence that is wanted.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// Which subjects: `instance/database`, or `volume:POOL`, with `*` for any text.
    #[serde(rename = "match")]
    #[schema(
        pattern = r"^(?!volume:$)(volume:[^\x00]+|[^/\x00]*[^/\s\x00][^/\x00]*(/[^/\x00]*[^/\s\x00][^/\x00]*(/[^\x00]*[^\s\x00][^\x00]*)?)?)$"
    )]
    pub pattern: String,
    /// Which alerts; without it all.
    #[schema(schema_with = schema::alert_type_or_null)]
    pub alert_type: Option<String>,
    /// From then on; without it from now.
    pub from: Option<Timestamp>,
    /// To then; or `length_seconds`.
    pub until: Option<Timestamp>,
    /// When it recurs: a cron expression, in UTC; takes `length_seconds`.
    pub cron: Option<String>,
    /// So long; with `cron`, each time.
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub length_seconds: Option<i64>,
    /// Who wants it.
    #[schema(pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub who: String,
    /// Why.
    #[schema(pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub why: String,
}

/// Silences that are not over.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SilencesAnswer {
    /// The silences, in the order in which they were made.
    pub silences: Vec<SilenceAnswer>,
    /// How many there are.
    pub count: u64,
}

/// A silence: messages about what fits are held back. What fires is kept and answered all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SilenceAnswer {
    /// Its id.
    pub id: i64,
    /// Which subjects.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Which alerts; null is all.
    #[schema(schema_with = schema::alert_type_or_null)]
    pub alert_type: Option<AlertType>,
    /// From then on.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub from: Timestamp,
    /// To then; null for one that recurs.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub until: Option<Timestamp>,
    /// When it recurs, in UTC; null for one that does not.
    pub cron: Option<String>,
    /// How long each time; null for one that does not recur.
    pub length_seconds: Option<i64>,
    /// Until when it holds now; null if it does not.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub holds_until: Option<Timestamp>,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When it was made.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub created_at: Timestamp,
}

/// Why a silence is refused.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// It is no silence.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Longer than any maintenance, and short enough for every calendar.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);

/// The silences that are not over at `now`.
pub async fn silences(store: &dyn Store, now: Timestamp) -> Result<SilencesAnswer, StoreError> {
    let kept = store.silences(now).await?;
    let silences: Vec<SilenceAnswer> = kept.into_iter().map(|kept| answer(kept, now)).collect();
    Ok(SilencesAnswer {
        count: silences.len() as u64,
        silences,
    })
}

/// Whether a pattern fits nothing: neither what is watched here nor what the history has.
pub async fn fits_nothing(
    store: &dyn Store,
    settings: &Settings,
    pattern: &Pattern,
) -> Result<bool, StoreError> {
    if settings.may_fit(pattern) {
        return Ok(false);
    }
    let known = store.databases().await?;
    let fits =
        |of: &DatabaseKey| pattern.may_fit(&of.instance, Some(std::slice::from_ref(&of.database)));
    Ok(!known.iter().any(fits))
}

/// Makes a silence.
pub async fn add(
    store: &dyn Store,
    request: SilenceRequest,
    now: Timestamp,
) -> Result<SilenceAnswer, SilenceError> {
    let silence = read(request, now).map_err(SilenceError::Refused)?;
    let id = store.add_silence(silence.clone()).await?;
    Ok(answer(KeptSilence { id, silence }, now))
}

fn read(request: SilenceRequest, now: Timestamp) -> Result<NewSilence, String> {
    let pattern: Pattern = request
        .pattern
        .parse()
        .map_err(|error| format!("`match`: {error}"))?;
    if request.pattern.contains('\0') {
        return Err("`match`: no name has a NUL character".to_owned());
    }
    let alert_type = request
        .alert_type
        .map(|text| known_type(&text))
        .transpose()?;
    let (who, why) = (request.who.trim(), request.why.trim());
    for (key, text) in [("who", who), ("why", why)] {
        if text.is_empty() || text.contains('\0') {
            return Err(format!("`{key}` is a text: somebody else will read it"));
        }
    }
    let from = request.from.unwrap_or(now);
    let length = request.length_seconds.map(SignedDuration::from_secs);
    if length.is_some_and(|length| length <= SignedDuration::ZERO || length > LONGEST) {
        return Err("`length_seconds` is between 1 and 366 days of seconds".to_owned());
    }
    let span = match (request.until, request.cron, length) {
        (Some(until), None, None) => SilenceSpan::Until { from, until },
        (None, None, Some(length)) => {
            let until = from
                .checked_add(length)
                .map_err(|_| "it ends beyond the calendar".to_owned())?;
            SilenceSpan::Until { from, until }
        }
        (None, Some(cron), Some(length)) => {
            let cron: Cron = cron.parse().map_err(|error| format!("`cron`: {error}"))?;
            SilenceSpan::Recurring {
                from,
                cron: cron.to_string(),
                length,
            }
        }
        _ => {
            return Err(
                "a silence has `until`, or `length_seconds`, or both `cron` and `length_seconds`"
                    .to_owned(),
            );
        }
    };
    if let SilenceSpan::Until { from, until } = span
        && (until <= from || until <= now)
    {
        return Err("it is over before it begins".to_owned());
    }
    Ok(NewSilence {
        pattern,
        alert_type,
        span,
        who: who.to_owned(),
        why: why.to_owned(),
        created_at: now,
    })
}

/// A type of alerts.
fn known_type(text: &str) -> Result<AlertType, String> {
    text.parse::<AlertType>().map_err(|_| {
        let names = AlertType::NAMES.join(", ");
        format!("`alert_type` is one of {names}, not `{text}`")
    })
}

/// Ends a silence; whether there was one.
pub async fn end(store: &dyn Store, id: i64) -> Result<bool, StoreError> {
    store.end_silence(id).await
}

fn answer(kept: KeptSilence, now: Timestamp) -> SilenceAnswer {
    let KeptSilence { id, silence } = kept;
    let (from, until, cron, length_seconds) = match silence.span.clone() {
        SilenceSpan::Until { from, until } => (from, Some(until), None, None),
        SilenceSpan::Recurring { from, cron, length } => {
            (from, None, Some(cron), Some(length.as_secs()))
        }
    };
    let (pattern, alert_type) = (silence.pattern.to_string(), silence.alert_type);
    let (who, why, created_at) = (silence.who.clone(), silence.why.clone(), silence.created_at);
    SilenceAnswer {
        id,
        pattern,
        alert_type,
        from,
        until,
        cron,
        length_seconds,
        holds_until: of_core(silence, now).holds_now_until(now),
        who,
        why,
        created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn request(json: &str) -> Result<NewSilence, String> {
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap();
        for (key, value) in [("match", "prod"), ("who", "ops"), ("why", "migration")] {
            let map = json.as_object_mut().unwrap();
            map.entry(key).or_insert_with(|| value.into());
        }
        read(serde_json::from_value(json).unwrap(), now())
    }

    #[test]
    fn a_silence_is_once_or_recurs() {
        let two_hours = SignedDuration::from_hours(2);
        for json in [
            r#"{"length_seconds": 7200}"#,
            r#"{"until": "2026-03-10T14:00:00Z"}"#,
        ] {
            let until = SilenceSpan::Until {
                from: now(),
                until: now() + two_hours,
            };
            assert_eq!(request(json).unwrap().span, until, "{json}");
        }
        let weekly = request(
            r#"{"cron": "0 11 * * *", "length_seconds": 7200, "from": "2026-03-01T00:00:00Z"}"#,
        );
        let held = answer(
            KeptSilence {
                id: 1,
                silence: weekly.unwrap(),
            },
            now(),
        );
        assert_eq!(
            held.holds_until,
            Some("2026-03-10T13:00:00Z".parse().unwrap())
        );
        let begins = request(r#"{"cron": "0 11 * * *", "length_seconds": 7200}"#).unwrap();
        let held = answer(
            KeptSilence {
                id: 1,
                silence: begins,
            },
            now(),
        );
        assert_eq!(
            held.holds_until, None,
            "the last window was before it was made"
        );
    }

    #[test]
    fn what_is_no_silence_is_refused_with_a_reason() {
        for (json, reason) in [
            ("{}", "a silence has"),
            (r#"{"cron": "0 2 * * *"}"#, "a silence has"),
            (r#"{"cron": "nightly", "length_seconds": 9}"#, "cron"),
            (
                r#"{"until": "2026-03-10T14:00:00Z", "length_seconds": 9}"#,
                "a silence has",
            ),
            (r#"{"until": "2026-03-10T12:00:00Z"}"#, "over before"),
            (r#"{"length_seconds": 0}"#, "between"),
            (r#"{"length_seconds": 9223372036854775807}"#, "between"),
            (r#"{"length_seconds": 9, "match": ""}"#, "match"),
            (r#"{"length_seconds": 9, "why": " "}"#, "why"),
            (r#"{"length_seconds": 9, "alert_type": "growth"}"#, "one of"),
        ] {
            let error = request(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }
}
