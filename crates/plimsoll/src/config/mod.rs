//! What the command line, the environment and `plimsoll.toml` together mean.
//!
//! The command line goes before the environment, and both before the file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use plimsoll_connect::DatabaseUrl;
use plimsoll_connect::folder::of_file;
use plimsoll_core::counted::counted;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::thinning::Retention;
use plimsoll_postgres::{MethodChoice, VisitOptions};
use plimsoll_server::capacity::ConfiguredCapacity;
use plimsoll_server::settings::{ConfiguredChannel, Databases, Schedule, Settings, Watched, When};
use secrecy::{ExposeSecret as _, SecretString};

use crate::args::Global;
use crate::duration::Length;

mod alerts;
mod capacity;
mod checks;
mod file;

/// Where the page and the API answer unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

/// Everything that was configured, ready to use.
pub(crate) struct Config {
    /// What is watched, when, and how.
    pub(crate) settings: Settings,
    /// Where the history is kept: a URL that may hold a password.
    pub(crate) store_url: SecretString,
    /// Whether the folder for a new store may be made: in the user's data folder, or where `--create` is given.
    pub(crate) may_create_folder: bool,
    /// Things that are allowed but hardly meant.
    pub(crate) warnings: Vec<String>,
}

/// Puts the configuration together. With nothing to watch, `settings.instances` is empty.
pub(crate) fn resolve(global: &Global) -> anyhow::Result<Config> {
    let file = match &global.config {
        Some(path) => read(path)?,
        None => file::File::default(),
    };
    let mut warnings = global.typed_passwords.clone();
    let visit = visit_options(&file.visit)?;
    let mut instances = Vec::new();
    if let Some(url) = &global.database_url {
        if !file.instance.is_empty() {
            warnings.push(format!(
                "--database-url (or DATABASE_URL) takes the place of the {} [[instance]] in the configuration",
                file.instance.len()
            ));
        }
        instances.push(of_url(url, &visit)?);
    } else {
        for instance in &file.instance {
            instances.push(watched(instance, &visit)?);
        }
    }
    add_capacities(
        &file.capacity,
        &mut instances,
        global.database_url.is_some(),
    )?;
    let listen = file.server.listen.unwrap_or(DEFAULT_LISTEN);
    let mut settings = Settings::new(listen, instances);
    settings.schedule = schedule(file.schedule);
    settings.retention = retention(&file.history);
    settings.max_bytes = max_bytes(&file.history)?;
    settings.alerts = std::sync::Arc::new(file.alerts.settings()?);
    settings.channels = ConfiguredChannel::all(&file.channel)?;
    warnings.extend(checks::staleness(&settings, jiff::Timestamp::now())?);
    warnings.extend(checks::fits_nothing(&settings));
    if settings.retention.hourly_for < settings.retention.all_for {
        warnings.push(
            "history.hourly_for is shorter than history.all_for, so it has no effect".to_owned(),
        );
    }
    if matches!(
        settings.schedule.when(plimsoll_server::jobs::DISK.key),
        Some(When::Off)
    ) {
        warnings.push(
            "schedule.disk is off, so no alert is raised about volumes, WAL and how old samples are"
                .to_owned(),
        );
    }
    let (store_url, is_default) = match global.store.clone().or(file.store.url) {
        Some(url) => (url, false),
        None => (default_store()?, true),
    };
    if is_in_memory(store_url.expose_secret()) {
        bail!(
            "a store in memory is lost with each command: name a file with --store sqlite:PATH (one in /dev/shm lies in \
             memory)"
        );
    }
    Ok(Config {
        settings,
        store_url,
        may_create_folder: is_default || global.create,
        warnings,
    })
}

/// Whether nothing of a store outlives the process.
fn is_in_memory(url: &str) -> bool {
    let path = url.strip_prefix("sqlite:");
    path.is_some_and(|path| path.trim_start_matches('/') == ":memory:" && !path.starts_with("/:"))
}

fn read(path: &Path) -> anyhow::Result<file::File> {
    if path.as_os_str().is_empty() {
        bail!("--config names no file");
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| of_file(path, error))
        .with_context(|| format!("reading the configuration {}", path.display()))?;
    file::parse(&text, path).map_err(|error| anyhow!(error))
}

/// The single instance that `--database-url` names; its key is the server's address, so that two
/// servers' histories in one store stay apart.
fn of_url(url: &SecretString, visit: &VisitOptions) -> anyhow::Result<Watched> {
    let url: DatabaseUrl = url
        .expose_secret()
        .parse()
        .context("--database-url (or DATABASE_URL)")?;
    let name = url.host_text();
    let mut watched = Watched::new(&name, url);
    watched.visit = visit.clone();
    Ok(watched)
}

fn watched(instance: &file::Instance, visit: &VisitOptions) -> anyhow::Result<Watched> {
    let name = &instance.name;
    let context = || format!("the instance \"{name}\"");
    let url = match (&instance.url, &instance.url_file) {
        (Some(url), None) => url.expose_secret().to_owned(),
        (None, Some(path)) if path.to_string_lossy().contains("://") => {
            bail!(
                "the instance \"{name}\": `url_file` is the name of a file; a URL is written as `url`"
            )
        }
        (None, Some(path)) => std::fs::read_to_string(path)
            .map_err(|error| of_file(path, error))
            .with_context(|| format!("reading {}", path.display()))
            .with_context(context)?
            .trim()
            .to_owned(),
        _ => bail!("the instance \"{name}\" needs one of `url` and `url_file`"),
    };
    let url: DatabaseUrl = url.parse().with_context(context)?;
    let mut watched = Watched::new(name, url);
    watched.databases = match &*instance.databases {
        [] => Databases::OfUrl,
        [all] if all == "*" => Databases::All,
        names if names.iter().any(|name| name == "*") => {
            bail!("the instance \"{name}\": `databases` is [\"*\"] or a list of names, not both")
        }
        names => Databases::Listed(names.to_vec()),
    };
    watched.exclude = instance.exclude.iter().cloned().collect();
    watched.visit = VisitOptions {
        method: match instance.method.unwrap_or(file::Method::Auto) {
            file::Method::Auto => MethodChoice::Auto,
            file::Method::Files => MethodChoice::Files,
            file::Method::Functions => MethodChoice::Functions,
            file::Method::Changes => MethodChoice::Changes,
        },
        parallel: instance.parallel.unwrap_or(1),
        ..visit.clone()
    };
    if !(1..=2).contains(&watched.visit.parallel) {
        bail!(
            "the instance \"{name}\": `parallel` is 1 or 2 connections, not {}",
            watched.visit.parallel
        );
    }
    Ok(watched)
}

fn visit_options(visit: &file::Visit) -> anyhow::Result<VisitOptions> {
    let default = VisitOptions::default();
    let options = VisitOptions {
        lock_timeout: visit.lock_timeout.map_or(default.lock_timeout, Length::std),
        statement_timeout: visit
            .statement_timeout
            .map_or(default.statement_timeout, Length::std),
        connect_timeout: visit
            .connect_timeout
            .map_or(default.connect_timeout, Length::std),
        deadline: visit.deadline.map_or(default.deadline, Length::std),
        full_sweep_every: visit
            .full_sweep_every
            .map_or(default.full_sweep_every, Length::std),
        ..default
    };
    // PostgreSQL reads a time limit of 0 as none at all, which a visit never is.
    for (name, limit) in [
        ("lock_timeout", options.lock_timeout),
        ("statement_timeout", options.statement_timeout),
        ("connect_timeout", options.connect_timeout),
        ("deadline", options.deadline),
    ] {
        if limit.as_millis() == 0 {
            bail!("visit.{name} must be at least 1ms: a visit is never without limits");
        }
    }
    Ok(options)
}

fn add_capacities(
    capacities: &[file::Capacity],
    instances: &mut [Watched],
    is_by_url: bool,
) -> anyhow::Result<()> {
    for capacity in capacities {
        let limit = capacity::database_limit(capacity)?;
        let configured = match limit {
            Some(_) => None,
            None => Some(capacity::configured(capacity)?),
        };
        let instance = match (&capacity.instance, &mut *instances) {
            (None, [only]) => only,
            // A configuration without instances takes them from the command line, or has no use here.
            (None, []) => continue,
            (None, _) => bail!("a [[capacity]] needs `instance`, since several are watched"),
            (Some(name), all) => match all.iter_mut().find(|i| *i.instance == **name) {
                Some(instance) => instance,
                None if is_by_url => bail!(
                    "a [[capacity]] names the instance \"{name}\", but --database-url (or DATABASE_URL) takes the place of \
                     every [[instance]] of the configuration: leave it out, or unset DATABASE_URL"
                ),
                None => bail!("a [[capacity]] names the instance \"{name}\", which is not watched"),
            },
        };
        if let Some(configured) = &configured {
            refuse_a_second(instance, configured)?;
        }
        if let Some((database, bytes)) = limit {
            let limits = &mut instance.database_limits;
            if limits.insert(database.clone(), bytes).is_some() {
                bail!(
                    "two [[capacity]] limit the database \"{database}\" of \"{}\": leave one of them",
                    instance.instance
                );
            }
        }
        instance.capacity.extend(configured);
    }
    Ok(())
}

/// Of one volume one entry says what it has.
fn refuse_a_second(instance: &Watched, configured: &ConfiguredCapacity) -> anyhow::Result<()> {
    let place = |it: &ConfiguredCapacity| it.place.clone().unwrap_or(Place::Data);
    let is_twice = instance.capacity.iter().any(|earlier| {
        place(earlier) == place(configured)
            && !earlier.sources.is_empty()
            && !configured.sources.is_empty()
    });
    if is_twice {
        bail!(
            "two [[capacity]] say what the volume of {} of \"{}\" has: several sources belong into one, which asks them one \
             after the other",
            place(configured),
            instance.instance
        );
    }
    Ok(())
}

fn schedule(written: file::Schedule) -> Schedule {
    let mut schedule = Schedule::default();
    for (key, when) in written.crons {
        schedule.set(key, when);
    }
    if let Some(jitter) = written.jitter {
        schedule.jitter = jitter.std();
    }
    schedule
}

fn retention(history: &file::History) -> Retention {
    let default = Retention::default();
    Retention {
        daily_samples: history.daily_samples.unwrap_or(default.daily_samples),
        all_for: history.all_for.map_or(default.all_for, |length| length.0),
        hourly_for: history
            .hourly_for
            .map_or(default.hourly_for, |length| length.0),
    }
}

/// An empty history takes a fraction of the least that is allowed: some 150 kB in SQLite.
fn max_bytes(history: &file::History) -> anyhow::Result<Option<u64>> {
    const LEAST_BYTES: u64 = 1 << 20;
    match history.max_bytes {
        Some(file_size) if file_size.0 < LEAST_BYTES => {
            bail!(
                "history.max_bytes is {}: a history needs 1MB at least",
                counted(file_size.0, "byte")
            )
        }
        other => Ok(other.map(|bytes| bytes.0)),
    }
}

/// `plimsoll/plimsoll.db` in the user's data folder, as the XDG base directory specification has it.
fn default_store() -> anyhow::Result<SecretString> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let data = set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .ok_or_else(|| anyhow!("neither HOME nor XDG_DATA_HOME is set, so there is no data folder: name the store with --store sqlite:PATH"))?;
    let path = data.join("plimsoll/plimsoll.db");
    let path = path.to_str().ok_or_else(|| {
        anyhow!("the data folder's name is not UTF-8: name the store with --store sqlite:PATH")
    })?;
    Ok(format!("sqlite:{path}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_of_an_instance_that_a_url_replaced_says_what_replaced_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plimsoll.toml");
        let text = "[[instance]]\nname = \"main\"\nurl = \"postgres://db/app\"\n\
                    [[capacity]]\ninstance = \"main\"\nbytes = \"1GB\"\n";
        std::fs::write(&path, text).unwrap();
        assert!(resolve(&Global::for_test(Some(path.clone()), None)).is_ok());
        let by_url = Global::for_test(Some(path), Some("postgres://other/app"));
        let error = resolve(&by_url).err().unwrap().to_string();
        assert!(error.contains("DATABASE_URL"), "{error}");
    }

    fn with_file(text: &str) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plimsoll.toml");
        std::fs::write(&path, text).unwrap();
        resolve(&Global::for_test(Some(path), None))
    }

    fn error(text: &str) -> String {
        format!("{:#}", with_file(text).err().expect("a mistake"))
    }

    #[test]
    fn the_example_is_a_configuration_with_the_defaults() {
        let config = with_file(include_str!("../../../../plimsoll.example.toml")).unwrap();
        let default = Settings::new(DEFAULT_LISTEN, Vec::new());
        let schedule = &config.settings.schedule;
        assert_eq!(schedule.jitter, default.schedule.jitter);
        for job in plimsoll_server::jobs::ALL {
            assert!(
                schedule.when(job.key).is_some(),
                "it shows no `{}`",
                job.key
            );
            let written = job.cron(schedule).unwrap();
            assert_eq!(written.to_string(), job.default_cron, "{}", job.key);
        }
        assert_eq!(config.settings.retention, default.retention);
        assert_eq!(config.settings.max_bytes, Some(1 << 30));
        assert_eq!(config.settings.listen, default.listen);
        let instance = &config.settings.instances[0];
        assert_eq!(instance.databases, Databases::All);
        assert_eq!(
            instance.capacity[0].sources,
            [plimsoll_server::capacity::Source::Bytes(500 << 30)]
        );
        assert_eq!(config.warnings, Vec::<String>::new());
    }

    #[test]
    fn mistakes_are_named() {
        let instance = |rest: &str| format!("[[instance]]\nname = \"a\"\n{rest}\n");
        for (text, expect) in [
            (instance(""), "needs one of `url` and `url_file`"),
            (instance("url = \"mysql://h/d\""), "the instance \"a\""),
            (instance("url = \"postgres://h/d\"\nparallel = 8"), "1 or 2"),
            (
                instance("url = \"postgres://h/d\"\ndatabases = [\"*\", \"b\"]"),
                "not both",
            ),
            (
                instance("url = \"postgres://h/d\"\nmethod = \"magic\""),
                "magic",
            ),
            (
                "[visit]\nlock_timeout = \"0s\"\n".to_owned(),
                "never without limits",
            ),
            (
                "[history]\nmax_bytes = \"10kB\"\n".to_owned(),
                "needs 1MB at least",
            ),
            (
                format!(
                    "{}[[capacity]]\ninstance = \"b\"\nbytes = \"1GB\"\n",
                    instance("url = \"postgres://h/d\"")
                ),
                "not watched",
            ),
            (
                format!(
                    "{}[[capacity]]\nvolume = \"data\"\n",
                    instance("url = \"postgres://h/d\"")
                ),
                "says neither",
            ),
            (
                format!(
                    "{}[[capacity]]\nvolume = \"data\"\nbytes = \"1GB\"\n[[capacity]]\npath = \"/pgdata\"\n",
                    instance("url = \"postgres://h/d\"")
                ),
                "belong into one",
            ),
        ] {
            let error = error(&text);
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn the_command_line_goes_before_the_file_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plimsoll.toml");
        std::fs::write(
            &path,
            "[[instance]]\nname = \"a\"\nurl = \"postgres://h/d\"\n",
        )
        .unwrap();
        let global = Global::for_test(Some(path), Some("postgres://u:hush@elsewhere/app"));
        let config = resolve(&global).unwrap();
        assert_eq!(config.settings.instances.len(), 1);
        assert_eq!(&*config.settings.instances[0].instance, "elsewhere:5432");
        assert_eq!(config.warnings.len(), 1);
        assert!(!format!("{:?}{:?}", config.settings, global).contains("hush"));
    }
}
