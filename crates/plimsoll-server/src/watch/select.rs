//! Which watched database, or which history, the names of a request mean.

use std::sync::Arc;

use plimsoll_store::{DatabaseKey, StoreError};

use super::{Watch, WatchedDatabase, WatchedInstance};
use crate::selection::{Unknown, interpretations};

/// Why a request does not name one watched database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// Nothing has the name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Several fit.
    #[error(
        "several databases fit: {}; name one with ?instance= and &database=", .fitting.join(", ")
    )]
    Ambiguous {
        /// Those that fit, as `instance/database`.
        fitting: Vec<String>,
    },
    /// A database is asked for by the name that another one has in the history.
    #[error(
        "\"{name}\" leads to the database \"{alias_of}\", and the history has another database of that name: \
         ?database={alias_of} names the one that is watched; history, series, growth, events and state answer for the \
         other"
    )]
    Crossed {
        /// The name.
        name: String,
        /// Where it leads.
        alias_of: String,
    },
    /// Several instances fit.
    #[error("several instances are watched: {}; name one with ?instance=", .fitting.join(", "))]
    AmbiguousInstance {
        /// Those that fit.
        fitting: Vec<String>,
    },
    /// Nothing is known of the instance's databases yet.
    #[error("no database of \"{0}\" is known yet; /readyz says why")]
    NoneYet(String),
}

/// A database for people.
fn path(key: &DatabaseKey) -> String {
    format!("{}/{}", key.instance, key.database)
}

impl Watch {
    /// The instance of this name; without a name, the only one.
    pub fn select_instance(&self, name: Option<&str>) -> Result<&WatchedInstance, SelectError> {
        let known = || {
            self.instances
                .iter()
                .map(|i| i.settings.instance.to_string())
                .collect()
        };
        match (name, &*self.instances) {
            (None, [only]) => Ok(only),
            (None, _) => Err(SelectError::AmbiguousInstance { fitting: known() }),
            (Some(name), all) => all
                .iter()
                .find(|instance| &*instance.settings.instance == name)
                .ok_or_else(|| {
                    let (name, known) = (name.to_owned(), known());
                    Unknown::Instance { name, known }.into()
                }),
        }
    }

    /// The one watched database that fits.
    pub fn select(
        &self,
        instance: Option<&str>,
        database: Option<&str>,
    ) -> Result<Arc<WatchedDatabase>, SelectError> {
        if let Some(name) = instance {
            self.select_instance(Some(name))?;
        }
        let of_instance: Vec<_> = self
            .databases()
            .into_iter()
            .filter(|db| instance.is_none_or(|name| db.key().instance == name))
            .collect();
        let mut fitting: Vec<_> = of_instance
            .iter()
            .filter(|db| database.is_none_or(|name| db.is_named(name)))
            .collect();
        // its own name goes before one by which another is asked for
        let has_it = |db: &&Arc<WatchedDatabase>| database.is_some_and(|name| db.owns(name));
        if fitting.iter().any(&has_it) {
            fitting.retain(has_it);
        }
        // one that is watched by its own name and by an alias is one
        fitting.dedup_by(|a, b| a.key() == b.key());
        let paths = |dbs: &[&Arc<WatchedDatabase>]| dbs.iter().map(|db| path(db.key())).collect();
        match (fitting.pop(), fitting.is_empty(), database) {
            (Some(only), true, _) => Ok(Arc::clone(only)),
            (Some(last), false, _) => {
                fitting.push(last);
                Err(SelectError::Ambiguous {
                    fitting: paths(&fitting),
                })
            }
            (None, _, Some(name)) => Err(SelectError::Unknown(Unknown::Database {
                name: name.to_owned(),
                known: paths(&of_instance.iter().collect::<Vec<_>>()),
            })),
            (None, _, None) => Err(SelectError::NoneYet(
                instance.unwrap_or("any instance").to_owned(),
            )),
        }
    }

    /// The same, unless it is asked for by the name that another database has in the history.
    pub async fn select_uncrossed(
        &self,
        instance: Option<&str>,
        database: Option<&str>,
    ) -> Result<Arc<WatchedDatabase>, SelectError> {
        let watched = self.select(instance, database)?;
        // a store that does not answer knows of no other
        if let (Some(name), Ok(Some(_))) = (database, self.crossed(&watched, database).await) {
            return Err(SelectError::Crossed {
                name: name.to_owned(),
                alias_of: watched.key().database.clone(),
            });
        }
        Ok(watched)
    }

    /// The database of the history whose own name is what `watched` is asked for by.
    async fn crossed(
        &self,
        watched: &WatchedDatabase,
        name: Option<&str>,
    ) -> Result<Option<DatabaseKey>, StoreError> {
        let Some(name) = name.filter(|name| !watched.owns(name)) else {
            return Ok(None);
        };
        let instance = &watched.key().instance;
        let kept = self.store().databases().await?;
        let is_it = |key: &DatabaseKey| key.instance == *instance && has_name(key, name);
        Ok(kept.into_iter().find(is_it))
    }

    /// The one database that fits and has a history: also one that is watched no more, because it was
    /// dropped, say.
    pub async fn select_kept(
        &self,
        instance: Option<&str>,
        database: Option<&str>,
    ) -> Result<Result<DatabaseKey, SelectError>, StoreError> {
        let error = match self.select(instance, database) {
            Ok(watched) => {
                let crossed = self.crossed(&watched, database).await?;
                return Ok(Ok(crossed.unwrap_or_else(|| watched.key().clone())));
            }
            Err(error) => error,
        };
        let (SelectError::Unknown(Unknown::Database { .. }), Some(name)) = (&error, database)
        else {
            return Ok(Err(error));
        };
        let aliases = self.store().aliases().await?;
        let mut fitting = self.store().databases().await?;
        fitting.retain(|key| {
            let leads_here = |(alias, own): &(DatabaseKey, String)| {
                alias.instance == key.instance && alias.database == name && *own == key.database
            };
            (has_name(key, name) || aliases.iter().any(leads_here))
                && instance.is_none_or(|name| key.instance == name)
                && self.select_instance(Some(&key.instance)).is_ok()
        });
        if fitting.iter().any(|key| has_name(key, name)) {
            fitting.retain(|key| has_name(key, name));
        }
        let Some(only) = fitting.pop() else {
            return Ok(Err(error));
        };
        if fitting.is_empty() {
            return Ok(Ok(only));
        }
        fitting.push(only);
        let fitting = fitting.iter().map(path).collect();
        Ok(Err(SelectError::Ambiguous { fitting }))
    }
}

/// Whether a database has this name itself, however the name was given.
fn has_name(key: &DatabaseKey, name: &str) -> bool {
    interpretations(name).any(|name| key.database == name)
}
