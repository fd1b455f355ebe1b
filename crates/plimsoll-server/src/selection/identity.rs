//! Which database of the history a name means: a pooler may know it by an alias.

use plimsoll_store::{DatabaseKey, Store, StoreError};

use super::{Unknown, interpretations};

/// The database's own key, where it is asked for by a pooler's alias; any other key as it is.
pub async fn resolve_alias(
    store: &dyn Store,
    asked: &DatabaseKey,
) -> Result<DatabaseKey, StoreError> {
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

/// The database that a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedDatabase {
    /// Its own key.
    pub key: DatabaseKey,
    /// Another database that the name is a pooler's alias of: a database's own name goes before an alias.
    pub alias_of: Option<String>,
}

/// The database of an instance that a name means, of those that the history has and those that are configured; the name
/// may be raw, in quotes as it is shown, or an alias.
pub async fn database(
    store: &dyn Store,
    instance: &str,
    given: &str,
    configured: &[String],
) -> Result<Result<ResolvedDatabase, Unknown>, StoreError> {
    let mut known = store.databases().await?;
    known.retain(|key| key.instance == instance);
    let mut aliases = store.aliases().await?;
    aliases.retain(|(alias, _)| alias.instance == instance);
    for name in interpretations(given) {
        let led = aliases.iter().find(|(alias, _)| alias.database == name);
        let alias_of = led.map(|(_, own)| own.clone());
        let named = |database: &str| DatabaseKey {
            instance: instance.to_owned(),
            database: database.to_owned(),
        };
        let own = named(&name);
        if known.contains(&own) {
            let alias_of = alias_of.filter(|led| *led != name);
            return Ok(Ok(ResolvedDatabase { key: own, alias_of }));
        }
        let key = alias_of.as_deref().map_or(own, named);
        let is_led_to = aliases.iter().any(|(_, own)| *own == key.database);
        if is_led_to || known.contains(&key) || configured.contains(&name) {
            let alias_of = None;
            return Ok(Ok(ResolvedDatabase { key, alias_of }));
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
