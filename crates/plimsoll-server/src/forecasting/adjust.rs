//! What a forecast is moved by so that it agrees with those around it, as of the last time that they
//! were made to.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::coherent::Adjustment;
use plimsoll_store::{DatabaseKey, PartKind, PartQuery, Store, StoreError, TableName};

use super::ForecastOf;

/// What was made to agree longer ago is not used.
const AGED: SignedDuration = SignedDuration::from_hours(24);

/// The sample as of which a forecast agrees with those around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconciled {
    /// When the sample was taken.
    pub as_of: Timestamp,
    /// The sample's id.
    pub sample_id: i64,
}

/// An adjustment and what it is as of; or why there is none.
pub(super) type Adjusted = Result<(Adjustment, Reconciled), String>;

/// Of a whole instance or tablespace: each is forecast on its own, but an instance with one database is
/// that database.
pub(super) async fn of_whole(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    now: Option<Timestamp>,
) -> Result<Adjusted, StoreError> {
    if *what == ForecastOf::Instance {
        let mut all = store.databases().await?;
        all.retain(|key| key.instance == of.instance);
        if let [only] = &*all {
            let name = TableName::new("", "");
            return adjustment(store, only, PartKind::Database, name, now).await;
        }
    }
    Ok(Err(
        "a whole instance or tablespace is forecast on its own".to_owned()
    ))
}

/// Reads what the forecast of a part is moved by; `now` is its series' newest sample.
pub(super) async fn adjustment(
    store: &dyn Store,
    of: &DatabaseKey,
    kind: PartKind,
    name: TableName,
    now: Option<Timestamp>,
) -> Result<Adjusted, StoreError> {
    let query = PartQuery {
        kinds: vec![kind],
        name: Some(name),
        limit: None,
    };
    let Some(kept) = store.kept_forecast(of, &query).await? else {
        return Ok(Err(
            "the forecasts of this history were not made to agree yet: the next sample does"
                .to_owned(),
        ));
    };
    let header = kept.header;
    let age = now.map(|now| now.duration_since(header.sampled_at));
    if age.is_none_or(|age| age.abs() > AGED) {
        return Ok(Err(format!(
            "the forecasts of this history were last made to agree as of {}",
            header.sampled_at
        )));
    }
    let adjustment = match (kept.parts.first(), kind) {
        (Some(part), _) => Adjustment {
            bytes: part.horizons.adjustment.map(|bytes| bytes as f64),
        },
        // a table that does not move agrees as it is
        (None, PartKind::Table) => Adjustment::default(),
        (None, PartKind::Set) => {
            return Ok(Err(
                "this set is part of a larger one, lies in several schemas, or is empty: it is forecast \
                 on its own"
                    .to_owned(),
            ));
        }
        (None, PartKind::Database) => {
            return Ok(Err(
                "too little is known of the whole database to agree with".to_owned(),
            ));
        }
        (None, _) => {
            return Ok(Err(
                "this is part of what belongs to no table, and is forecast on its own".to_owned(),
            ));
        }
    };
    let as_of = Reconciled {
        as_of: header.sampled_at,
        sample_id: header.sample_id,
    };
    Ok(Ok((adjustment, as_of)))
}
