//! Which database of the history a name means: a pooler may know one by another name than its own.

use plimsoll_store::{DatabaseKey, Store, StoreError};

use super::{Unknown, readings};

/// A database by its own name, where it is asked for by a pooler's alias for it. What was never visited has the name
/// that it is asked for by.
pub async fn identity(store: &dyn Store, asked: &DatabaseKey) -> Result<DatabaseKey, StoreError> {
    let aliases = store.aliases().await?;
    let own = aliases.into_iter().find(|(alias, _)| alias == asked);
    Ok(match own {
        Some((_, database)) => DatabaseKey {
            database,
            ..asked.clone()
        },
        None => asked.clone(),
    })
}

/// What a database's name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The database that is meant.
    pub key: DatabaseKey,
    /// Another one that the same name leads to, as a pooler's alias: a database's own name goes before that.
    pub leads_to: Option<String>,
}

/// The database of an instance that a name means, of those that the history has and those that are configured; the name
/// may be raw, in quotes as it is shown, or an alias.
pub async fn database(
    store: &dyn Store,
    instance: &str,
    given: &str,
    configured: &[String],
) -> Result<Result<Named, Unknown>, StoreError> {
    let mut known = store.databases().await?;
    known.retain(|key| key.instance == instance);
    let mut aliases = store.aliases().await?;
    aliases.retain(|(alias, _)| alias.instance == instance);
    for name in readings(given) {
        let led = aliases.iter().find(|(alias, _)| alias.database == name);
        let leads_to = led.map(|(_, own)| own.clone());
        let named = |database: &str| DatabaseKey {
            instance: instance.to_owned(),
            database: database.to_owned(),
        };
        let own = named(&name);
        if known.contains(&own) {
            let leads_to = leads_to.filter(|led| *led != name);
            return Ok(Ok(Named { key: own, leads_to }));
        }
        let key = leads_to.as_deref().map_or(own, named);
        let is_led_to = aliases.iter().any(|(_, own)| *own == key.database);
        if is_led_to || known.contains(&key) || configured.contains(&name) {
            let leads_to = None;
            return Ok(Ok(Named { key, leads_to }));
        }
    }
    let known = known.into_iter().map(|key| key.database);
    let mut known: Vec<String> = known.chain(configured.iter().cloned()).collect();
    known.sort();
    known.dedup();
    Ok(Err(Unknown::Database {
        name: given.to_owned(),
        known: known
            .iter()
            .map(|name| format!("{instance}/{name}"))
            .collect(),
    }))
}
