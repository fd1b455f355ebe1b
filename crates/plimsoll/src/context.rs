//! What every command works with: the configuration, the store, the one database that is meant.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use plimsoll_connect::DatabaseUrl;
use plimsoll_core::name::shown;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, Target, visit};
use plimsoll_server::ask::OfDatabase;
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_server::selection::{self, ResolvedDatabase, Unknown};
use plimsoll_server::settings::{Databases, Watched};
use plimsoll_server::watch::fill_last_good;
use plimsoll_store::{DatabaseKey, Store, StoreError};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, OutputFormat};
use crate::config::{self, Config};
use crate::output;
use crate::progress::Spinner;

/// What every command works with.
pub(crate) struct Context {
    pub(crate) config: Config,
    global: Global,
}

impl Context {
    pub(crate) fn new(global: Global) -> anyhow::Result<Self> {
        let config = config::resolve(&global)?;
        for warning in &config.warnings {
            tracing::warn!(warning, "config.warning");
        }
        Ok(Self { config, global })
    }

    /// Whether JSON is to be printed.
    pub(crate) fn wants_json(&self) -> bool {
        self.global.output == OutputFormat::Json
    }

    /// The databases of the history that the command line means: all that are there, where it names none.
    pub(crate) async fn kept(&self, store: &dyn Store) -> anyhow::Result<Vec<DatabaseKey>> {
        let OfDatabase { instance, database } = &self.global.of.0;
        let mut all = store.databases().await?;
        let mut instances: Vec<String> = all.iter().map(|key| key.instance.clone()).collect();
        instances.extend(store.disk_instances().await?);
        instances.sort();
        instances.dedup();
        if let Some(name) = instance {
            all.retain(|key| key.instance == *name);
            if !instances.contains(name) {
                let (name, known) = (name.clone(), instances);
                bail!(Unknown::Instance { name, known });
            }
            instances = vec![name.clone()];
        }
        let Some(name) = database else {
            return Ok(all);
        };
        let mut kept = Vec::new();
        for instance in &instances {
            let found = selection::database(store, instance, name, &[]).await?.ok();
            kept.extend(found.map(|named| taken(name, named)));
        }
        if kept.is_empty() {
            let known = all
                .iter()
                .map(|key| format!("{}/{}", key.instance, key.database));
            bail!(Unknown::Database {
                name: name.clone(),
                known: known.collect(),
            });
        }
        Ok(kept)
    }

    /// Which instance and database of the history the command line names, each by its own name; nothing where it names
    /// none.
    pub(crate) async fn named(&self, store: &dyn Store) -> anyhow::Result<OfDatabase> {
        let of = &self.global.of.0;
        if of.instance.is_none() && of.database.is_none() {
            return Ok(of.clone());
        }
        let kept = self.kept(store).await?;
        let database = kept.first().map(|key| key.database.clone());
        Ok(OfDatabase {
            instance: of.instance.clone(),
            database: database.filter(|_| of.database.is_some()),
        })
    }

    /// Whether the command line means all of this instance, or names none: what no single database has goes with it.
    pub(crate) fn means_all_of(&self, instance: &str) -> bool {
        let of = &self.global.of.0;
        of.database.is_none() && of.instance.as_deref().is_none_or(|asked| asked == instance)
    }

    /// The store, as it is: not migrated, or not there.
    pub(crate) fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(plimsoll_store::open(self.config.store_url.expose_secret())?)
    }

    /// The store, for a command that writes: it may begin one, but not in a folder that is not there, which
    /// would hide that a disk is not mounted.
    pub(crate) fn writable_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        if self.config.may_create_folder {
            plimsoll_store::create_folder(self.config.store_url.expose_secret())?;
        }
        self.store()
    }

    /// The store, for a command that only reads: it must be there and set up already.
    pub(crate) async fn readable_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let store = self.store()?;
        if !store.pending_migrations().await?.is_empty() {
            bail!(StoreError::NotMigrated {
                store: store.name(),
            });
        }
        Ok(store)
    }

    /// The store, its schema brought up to date where it has one already; a new one is left to be set up.
    pub(crate) async fn store_to_begin(&self) -> anyhow::Result<Arc<dyn Store>> {
        let store = self.writable_store()?;
        let is_new = match store.pending_migrations().await {
            Ok(pending) => pending.iter().any(|name| name.starts_with("001")),
            Err(error) => matches!(error, StoreError::Absent { .. }),
        };
        if is_new {
            Ok(store)
        } else {
            self.migrated_store().await
        }
    }

    /// The store, its schema brought up to date.
    pub(crate) async fn migrated_store(&self) -> anyhow::Result<Arc<dyn Store>> {
        let store = self.writable_store()?;
        for name in store.migrate().await? {
            tracing::info!(migration = name, "store.migrated");
        }
        Ok(store)
    }

    /// The one watched server that is meant.
    pub(crate) fn instance(&self) -> anyhow::Result<&Watched> {
        let instances = &self.config.settings.instances;
        let names = || {
            instances
                .iter()
                .map(|i| i.instance.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (&self.global.of.0.instance, &**instances) {
            (_, []) => bail!(plimsoll_server::settings::SettingsError::NothingToWatch),
            (None, [only]) => Ok(only),
            (None, _) => bail!(
                "several instances are configured ({}): name one with --instance",
                names()
            ),
            (Some(name), all) => match all.iter().find(|i| *i.instance == **name) {
                Some(instance) => Ok(instance),
                None => bail!(Unknown::Instance {
                    name: name.clone(),
                    known: all.iter().map(|i| i.instance.to_string()).collect(),
                }),
            },
        }
    }

    /// The watched servers that are meant: all of them, where the command line names none.
    pub(crate) fn instance_names(&self) -> anyhow::Result<Vec<String>> {
        let instances = &self.config.settings.instances;
        if self.global.of.0.instance.is_none() && instances.len() > 1 {
            return Ok(instances.iter().map(|it| it.instance.to_string()).collect());
        }
        Ok(vec![self.instance()?.instance.to_string()])
    }

    /// The one watched database that is meant, and how to visit it.
    pub(crate) fn target(&self) -> anyhow::Result<(Target, &Watched)> {
        let watched = self.instance()?;
        let name = match (&self.global.of.0.database, &watched.databases) {
            (Some(name), _) => name.clone(),
            (None, Databases::Listed(names)) => match &**names {
                [only] => only.clone(),
                _ => bail!(
                    "several databases of \"{}\" are watched ({}): name one with --database",
                    watched.instance,
                    names.join(", ")
                ),
            },
            (None, _) => database_of(&watched.url),
        };
        let url = watched.url.with_database(&name);
        Ok((
            Target {
                instance: Arc::clone(&watched.instance),
                url,
            },
            watched,
        ))
    }

    /// The history's key of that database: by its own name, where it is asked for by another. A name that is given means
    /// the database that has it before one that it leads to.
    pub(crate) async fn key(&self, store: &dyn Store) -> anyhow::Result<DatabaseKey> {
        let (target, watched) = self.target()?;
        let key = DatabaseKey {
            instance: watched.instance.to_string(),
            database: database_of(&target.url),
        };
        let led = match selection::resolve_alias(store, &key).await {
            Err(StoreError::Absent { .. } | StoreError::NotMigrated { .. }) => return Ok(key),
            led => led?,
        };
        let is_given = self.global.of.0.database.is_some();
        if is_given && led != key && store.databases().await?.contains(&key) {
            let given = key.database.clone();
            let alias_of = Some(led.database);
            return Ok(taken(&given, ResolvedDatabase { key, alias_of }));
        }
        Ok(led)
    }

    /// The same, of a database that the history or the configuration knows.
    pub(crate) async fn known_key(&self, store: &dyn Store) -> anyhow::Result<DatabaseKey> {
        let watched = self.instance()?;
        let configured = match &watched.databases {
            Databases::Listed(names) => names.clone(),
            Databases::OfUrl | Databases::All => vec![database_of(&watched.url)],
        };
        let Some(given) = &self.global.of.0.database else {
            return self.key(store).await;
        };
        let named = selection::database(store, &watched.instance, given, &configured).await??;
        Ok(taken(given, named))
    }

    /// Visits that database now. What could not be read gets its last good value from the history,
    /// where there is one.
    pub(crate) async fn visit(&self) -> anyhow::Result<Snapshot> {
        let (target, watched) = self.reachable_target().await?;
        self.visit_target(&target, watched).await
    }

    /// Visits another database of that server now.
    pub(crate) async fn visit_database(&self, name: &str) -> anyhow::Result<Snapshot> {
        let (target, watched) = self.target()?;
        let url = target.url.with_database(name);
        self.visit_target(&Target { url, ..target }, watched).await
    }

    async fn visit_target(&self, target: &Target, watched: &Watched) -> anyhow::Result<Snapshot> {
        let spinner = Spinner::new();
        let cancel = CancellationToken::new();
        let now = SystemClock.now();
        let mut memory = Memory::default();
        let visiting = visit(target, &watched.visit, &mut memory, &spinner, &cancel, now);
        let snapshot = {
            tokio::pin!(visiting);
            tokio::select! {
                snapshot = &mut visiting => snapshot,
                // The visit ends its statement on the server before it returns.
                _ = tokio::signal::ctrl_c() => {
                    cancel.cancel();
                    visiting.await
                }
            }
        };
        drop(spinner);
        let mut snapshot = snapshot.with_context(|| format!("visiting {}", target.url))?;
        let declared = watched.capacities().ask(now).await;
        declared.apply_to_facts(&mut snapshot.facts);
        if let Err(error) = self.keep_alias(target, &snapshot).await {
            tracing::debug!(%error, "storage.alias.not_kept");
        }
        self.fill_last_good(&mut snapshot).await?;
        Ok(snapshot)
    }

    /// As [`Context::target`], by the alias that leads there, where the URL has one for the database that is named:
    /// a pooler may know no other.
    pub(crate) async fn reachable_target(&self) -> anyhow::Result<(Target, &Watched)> {
        let (target, watched) = self.target()?;
        let alias = database_of(&watched.url);
        let Some(given) = &self.global.of.0.database else {
            return Ok((target, watched));
        };
        let asked = DatabaseKey {
            instance: watched.instance.to_string(),
            database: alias.clone(),
        };
        let own = match self.readable_store().await {
            Ok(store) => selection::resolve_alias(&*store, &asked).await?,
            Err(_) => asked,
        };
        if own.database != *given {
            return Ok((target, watched));
        }
        let url = watched.url.with_database(&alias);
        Ok((Target { url, ..target }, watched))
    }

    /// Keeps where an alias led to, for whoever asks by it later.
    async fn keep_alias(&self, target: &Target, snapshot: &Snapshot) -> anyhow::Result<()> {
        let asked = DatabaseKey {
            instance: snapshot.instance.to_string(),
            database: database_of(&target.url),
        };
        let store = self.readable_store().await?;
        if selection::resolve_alias(&*store, &asked).await?.database != *snapshot.database {
            store.keep_alias(&asked, &snapshot.database).await?;
        }
        Ok(())
    }

    /// A measurement does not fail for want of a history; but a store that is another's, or a newer program's,
    /// is refused by every command.
    async fn fill_last_good(&self, snapshot: &mut Snapshot) -> anyhow::Result<()> {
        let key = DatabaseKey {
            instance: snapshot.instance.to_string(),
            database: snapshot.database.to_string(),
        };
        match fill_last_good(snapshot, &key, &*self.store()?).await {
            Err(error @ (StoreError::Newer { .. } | StoreError::Foreign { .. })) => {
                Err(error.into())
            }
            Err(error) => {
                tracing::debug!(%error, "storage.last_good.unavailable");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// The database that a name means; where it leads to another one, too, that is said.
fn taken(given: &str, named: ResolvedDatabase) -> DatabaseKey {
    if let Some(alias_of) = &named.alias_of {
        let (given, alias_of) = (shown(given), shown(alias_of));
        // Standard error may be closed; the answer names the database, too.
        let _ = output::complain(&format!(
            "plimsoll: {given} is taken for the database of that name; as an alias it leads to {alias_of}, which \
             --database {alias_of} names"
        ));
    }
    named.key
}

/// libpq's rule: without a database the URL means the one of the role's name.
pub(crate) fn database_of(url: &DatabaseUrl) -> String {
    url.database()
        .or_else(|| url.user())
        .unwrap_or("postgres")
        .to_owned()
}
