//! What the server needs to know, ready to use. The binary fills it in from its configuration.

mod cron;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_connect::DatabaseUrl;
use plimsoll_core::alert::pattern::Pattern;
use plimsoll_core::thinning::Retention;
use plimsoll_postgres::VisitOptions;
use plimsoll_store::DatabaseKey;

pub use crate::capacity::{Capacities, ConfiguredCapacity};
pub use crate::channels::ConfiguredChannel;
pub use cron::{Cron, CronError};

/// Everything the server is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the page and the API answer.
    pub listen: SocketAddr,
    /// The servers that are watched.
    pub instances: Vec<Watched>,
    /// When each job runs.
    pub schedule: Schedule,
    /// How long samples are kept.
    pub retention: Retention,
    /// The most that the history may take of the store's disk: what is over it goes, oldest detail
    /// first.
    pub max_bytes: Option<u64>,
    /// Where messages about alerts go.
    pub channels: Vec<ConfiguredChannel>,
    /// How much one client may ask.
    pub requests: RequestLimits,
    /// When an alert opens and closes.
    pub alerts: Arc<plimsoll_core::alert::settings::Settings>,
}

/// The settings of one watched server.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The key of its history.
    pub instance: Arc<str>,
    /// Where it is and how to get in.
    pub url: DatabaseUrl,
    /// Which of its databases are watched.
    pub databases: Databases,
    /// Which of those are left out after all.
    pub exclude: BTreeSet<String>,
    /// How a visit behaves.
    pub visit: VisitOptions,
    /// Where its volumes are, and who says what they have, as far as the configuration does.
    pub capacity: Vec<ConfiguredCapacity>,
    /// How large its databases may be, by name, as far as the configuration says.
    pub database_limits: BTreeMap<String, u64>,
}

/// Which databases of a server are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Databases {
    /// The one that the URL names.
    OfUrl,
    /// Those with these names.
    Listed(Vec<String>),
    /// Every one that takes connections and is no template; new ones are found, dropped ones end.
    All,
}

/// When the jobs run, in UTC.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// By the job's key; one that is not here runs at its default.
    set: BTreeMap<String, When>,
    /// Each run starts later by a random time of up to this.
    pub jitter: Duration,
}

/// When a job runs.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// At these times.
    Cron(Box<Cron>),
    /// Never: a job that runs each minute, say, keeps a serverless database awake.
    Off,
}

impl FromStr for When {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.trim() == "off" {
            return Ok(Self::Off);
        }
        Ok(Self::Cron(Box::new(text.parse()?)))
    }
}

impl Schedule {
    /// When the job with this key runs, if that was set.
    pub fn when(&self, key: &str) -> Option<&When> {
        self.set.get(key)
    }

    /// Sets when the job with this key runs.
    pub fn set(&mut self, key: &str, when: When) {
        self.set.insert(key.to_owned(), when);
    }
}

/// How much clients may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Largest body of a request.
    pub body_bytes: usize,
    /// How long an answer may take to begin. A visit that it waits for goes on after that.
    pub timeout: Duration,
    /// How many requests are worked on at once; more are turned away with 503.
    pub concurrency: usize,
    /// How many connections are open at once; more wait.
    pub connections: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            timeout: Duration::from_secs(150),
            concurrency: 64,
            connections: 512,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is nothing to watch.
    #[error(
        "no database is named: set DATABASE_URL, or name a configuration that has an [[instance]] with --config plimsoll.toml"
    )]
    NothingToWatch,
    /// Two instances have the same key.
    #[error(
        "two instances are named \"{0}\": the name is the key of the history, so each needs its own"
    )]
    SameName(String),
    /// An instance without a name.
    #[error("an instance has an empty name: the name is the key of its history")]
    EmptyName,
    /// Open to others without a way to tell who asks.
    #[error(
        "refusing to listen on {0}: others could reach it, and there are no access tokens yet. Listen on 127.0.0.1 or [::1], and put a reverse proxy that authenticates in front"
    )]
    OpenToOthers(SocketAddr),
    /// A limit of 0, with which nothing could ever be done.
    #[error("{0} is 0: nothing could be done; leave it out for the default")]
    Zero(&'static str),
}

impl Settings {
    /// Every default, for these instances.
    pub fn new(listen: SocketAddr, instances: Vec<Watched>) -> Self {
        Self {
            listen,
            instances,
            schedule: Schedule::default(),
            retention: Retention::default(),
            max_bytes: None,
            channels: Vec::new(),
            requests: RequestLimits::default(),
            alerts: Arc::default(),
        }
    }

    /// How large databases may be, as far as the configuration says.
    pub fn database_limits(&self) -> HashMap<DatabaseKey, u64> {
        let of = |watched: &Watched| {
            let instance = watched.instance.to_string();
            let limits = watched.database_limits.clone().into_iter();
            limits.map(move |(database, bytes)| {
                let instance = instance.clone();
                (DatabaseKey { instance, database }, bytes)
            })
        };
        self.instances.iter().flat_map(of).collect()
    }

    /// Whether a pattern may fit something that is watched; all may where nothing is.
    pub fn may_fit(&self, pattern: &Pattern) -> bool {
        let fits = |watched: &Watched| {
            pattern.may_fit(&watched.instance, watched.known_databases().as_deref())
        };
        self.instances.is_empty() || self.instances.iter().any(fits)
    }

    /// What is watched, as patterns have it.
    pub fn subjects(&self) -> Vec<String> {
        let of = |watched: &Watched| {
            let instance = &watched.instance;
            let known = watched.known_databases();
            let databases = known.unwrap_or_else(|| vec!["*".to_owned()]).into_iter();
            let names = databases.map(|database| format!("{instance}/{database}"));
            names.collect::<Vec<_>>()
        };
        self.instances.iter().flat_map(of).collect()
    }

    /// Checks that the settings can be used.
    pub fn validate(&self) -> Result<(), SettingsError> {
        if self.instances.is_empty() {
            return Err(SettingsError::NothingToWatch);
        }
        let mut names = BTreeSet::new();
        for watched in &self.instances {
            if watched.instance.trim().is_empty() {
                return Err(SettingsError::EmptyName);
            }
            if !names.insert(&watched.instance) {
                return Err(SettingsError::SameName(watched.instance.to_string()));
            }
        }
        if !self.listen.ip().to_canonical().is_loopback() {
            return Err(SettingsError::OpenToOthers(self.listen));
        }
        for (number, name) in [
            (self.requests.concurrency, "the number of requests at once"),
            (
                self.requests.connections,
                "the number of connections at once",
            ),
        ] {
            if number == 0 {
                return Err(SettingsError::Zero(name));
            }
        }
        Ok(())
    }
}

impl Watched {
    /// Every default, for a server of which the database that the URL names is watched.
    pub fn new(instance: &str, url: DatabaseUrl) -> Self {
        Self {
            instance: instance.into(),
            url,
            databases: Databases::OfUrl,
            exclude: BTreeSet::new(),
            visit: VisitOptions::default(),
            capacity: Vec::new(),
            database_limits: BTreeMap::new(),
        }
    }

    /// The databases that are watched; none where they are found by visiting.
    pub fn known_databases(&self) -> Option<Vec<String>> {
        match &self.databases {
            Databases::OfUrl => Some(vec![self.database_of_url()]),
            Databases::Listed(names) => Some(names.clone()),
            Databases::All => None,
        }
    }

    /// The database that its URL leads to, as servers have it: without a name that of the user.
    pub fn database_of_url(&self) -> String {
        let named = self.url.database().or_else(|| self.url.user());
        named.unwrap_or("postgres").to_owned()
    }

    /// What asks the `[[capacity]]` entries.
    pub fn capacities(&self) -> Capacities {
        Capacities::new(&self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str, names: &[&str]) -> Settings {
        let url: DatabaseUrl = "postgres://u@localhost/app".parse().unwrap();
        let instances = names
            .iter()
            .map(|name| Watched::new(name, url.clone()))
            .collect();
        Settings::new(listen.parse().unwrap(), instances)
    }

    #[test]
    fn only_this_machine_is_let_in_while_there_are_no_tokens() {
        for (listen, fine) in [
            ("127.0.0.1:8000", true),
            ("[::1]:0", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:8000", false),
            ("[::]:8000", false),
            ("192.168.1.4:8000", false),
        ] {
            assert_eq!(
                settings(listen, &["a"]).validate().is_ok(),
                fine,
                "{listen}"
            );
        }
    }

    #[test]
    fn each_instance_has_its_own_key() {
        let error = |names: &[&str]| settings("127.0.0.1:1", names).validate().unwrap_err();
        assert_eq!(error(&[]), SettingsError::NothingToWatch);
        assert_eq!(error(&["a", "b", "a"]), SettingsError::SameName("a".into()));
        assert_eq!(error(&[" "]), SettingsError::EmptyName);
    }
}
