//! What a `[[capacity]]` entry means: of which place it is, where that lies, and who is asked what is free there.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use plimsoll_call::{Login, Program};
use plimsoll_core::disk::layout::Place;
use plimsoll_server::capacity::{ConfiguredCapacity, Prometheus, Source};
use secrecy::ExposeSecret as _;
use url::Url;

use super::file;
use crate::duration::Length;

/// How long a command, or a query of Prometheus, may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The limit of a database, where the entry is one.
pub(super) fn database_limit(entry: &file::Capacity) -> anyhow::Result<Option<(String, u64)>> {
    let Some(database) = &entry.database else {
        return Ok(None);
    };
    let is_more = entry.volume.is_some()
        || entry.tablespace.is_some()
        || entry.on.is_some()
        || entry.command.is_some()
        || entry.timeout.is_some()
        || entry.prometheus.is_some()
        || entry.path.is_some()
        || entry.file_system.is_some();
    match entry.bytes {
        Some(bytes) if !is_more && !database.is_empty() => Ok(Some((database.clone(), bytes.0))),
        _ => bail!(
            "a [[capacity]] of a database has `database` and `bytes`, and no other key but `instance`"
        ),
    }
}

/// An error repeats nothing that may be a secret.
pub(super) fn configured(entry: &file::Capacity) -> anyhow::Result<ConfiguredCapacity> {
    let place = match (&entry.volume, &entry.tablespace) {
        (Some(_), Some(_)) => {
            bail!(
                "a [[capacity]] has `volume` or `tablespace`, not both: volume = \"tablespace:NAME\""
            )
        }
        (Some(volume), None) => Some(volume.parse::<Place>().context("a [[capacity]]")?),
        (None, Some(tablespace)) => Some(Place::of_tablespace(tablespace)),
        (None, None) => None,
    };
    let mut sources = Vec::new();
    sources.extend(entry.bytes.map(|bytes| Source::Bytes(bytes.0)));
    if let Some(command) = &entry.command {
        let program = Program::of(command, timeout(entry.timeout)?);
        let program = program.ok_or_else(|| {
            anyhow!(
                "a [[capacity]]: `command` is a program and its arguments: [\"df-of\", \"/pgdata\"]"
            )
        })?;
        sources.push(Source::Command(program));
    } else if entry.timeout.is_some() {
        bail!(
            "a [[capacity]] has a `timeout` without a `command`; that of Prometheus stands inside `prometheus`"
        );
    }
    if let Some(prometheus) = &entry.prometheus {
        sources.push(Source::Prometheus(self::prometheus(prometheus)?));
    }
    if let Some(path) = &entry.path {
        if !path.is_absolute() {
            bail!("a [[capacity]]: `path` begins with /: {}", path.display());
        }
        sources.push(Source::Path(path.clone()));
    }
    if entry.bytes.is_some_and(|bytes| bytes.0 == 0) {
        bail!("a [[capacity]] of 0 bytes: no volume has none");
    }
    if sources.is_empty() && entry.file_system.is_some() {
        bail!(
            "a [[capacity]] has a `file_system` and nobody who knows what is free there: `bytes`, `command`, `prometheus` or `path`"
        );
    }
    if sources.is_empty() && entry.on.is_none() {
        bail!(
            "a [[capacity]] says neither where its volume is (`on`) nor who knows what it has: `bytes`, `command`, `prometheus` or `path`"
        );
    }
    Ok(ConfiguredCapacity {
        place,
        on: entry.on.clone(),
        sources,
        file_system: entry.file_system.clone(),
    })
}

fn prometheus(written: &file::Prometheus) -> anyhow::Result<Prometheus> {
    let url: Url = written
        .url
        .expose_secret()
        .parse()
        .map_err(|error| anyhow!("prometheus.url of a [[capacity]] is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        bail!("prometheus.url of a [[capacity]] begins with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        bail!(
            "prometheus.url of a [[capacity]] holds a user, a password or a query: those belong into `username` and `password_file`, or `token_file`"
        );
    }
    let login = match (
        &written.token_file,
        &written.username,
        &written.password_file,
    ) {
        (None, None, None) => Login::None,
        (Some(token), None, None) => Login::Token(token.clone()),
        (None, Some(user), Some(password)) => Login::Password(user.clone(), password.clone()),
        _ => bail!(
            "prometheus of a [[capacity]] has `token_file`, or `username` and `password_file`"
        ),
    };
    Ok(Prometheus {
        url,
        capacity: written.capacity.clone(),
        available: written.available.clone(),
        login,
        timeout: timeout(written.timeout)?,
    })
}

fn timeout(written: Option<Length>) -> anyhow::Result<Duration> {
    let timeout = written.map_or(TIMEOUT, Length::std);
    if timeout.is_zero() || timeout > Duration::from_secs(50) {
        bail!("the `timeout` of a [[capacity]] is between 1ms and 50s: it is asked each minute");
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<ConfiguredCapacity> {
        let file = file::parse(
            &format!("[[capacity]]\n{text}\n"),
            std::path::Path::new("x"),
        )
        .map_err(|error| anyhow!(error))?;
        configured(&file.capacity[0])
    }

    #[test]
    fn sources_stand_in_the_order_in_which_they_are_asked() {
        let entry = read(
            "volume = \"wal\"\non = \"/dev/sdb\"\npath = \"/pgdata\"\ncommand = [\"df-of\", \"secret\"]\ntimeout = \"2s\"\n\
             prometheus = { url = \"https://prom/x\", capacity = \"c\", available = \"a\", username = \"u\", password_file = \"/p\" }",
        )
        .unwrap();
        assert_eq!(
            (entry.place, entry.on.as_deref()),
            (Some(Place::Wal), Some("/dev/sdb"))
        );
        let kinds: Vec<_> = entry
            .sources
            .iter()
            .map(|source| source.kind().as_str())
            .collect();
        assert_eq!(kinds, ["command", "prometheus", "path"]);
        assert!(!format!("{:?}", entry.sources).contains("secret"));
        let old = read("tablespace = \"fast\"\nbytes = \"1GB\"").unwrap();
        assert_eq!(old.place, Some(Place::Tablespace("fast".into())));
        assert_eq!(read("bytes = \"1GB\"").unwrap().place, None);
    }

    #[test]
    fn a_databases_limit_is_a_number_and_nothing_else() {
        let limit = |text: &str| {
            let text = format!("[[capacity]]\n{text}\n");
            let file = file::parse(&text, std::path::Path::new("x")).unwrap();
            database_limit(&file.capacity[0]).map_err(|error| error.to_string())
        };
        let shop = limit("database = \"shop\"\nbytes = \"1MB\"");
        assert_eq!(shop, Ok(Some(("shop".to_owned(), 1 << 20))));
        assert_eq!(limit("bytes = \"1MB\""), Ok(None));
        for rest in [
            "",
            "bytes = 8192\non = \"x\"",
            "path = \"/\"",
            "bytes = 8192\nvolume = \"wal\"",
        ] {
            let error = limit(&format!("database = \"shop\"\n{rest}")).unwrap_err();
            assert!(error.contains("no other key"), "{rest}: {error}");
        }
    }

    #[test]
    fn mistakes_are_named_and_repeat_no_secret() {
        let prometheus = |rest: &str| format!("prometheus = {{ capacity = \"c\", {rest} }}");
        for (text, expect) in [
            ("volume = \"wal\"".to_owned(), "says neither"),
            (
                "volume = \"disk\"\nbytes = 9".to_owned(),
                "no volume's name",
            ),
            (
                "volume = \"wal\"\ntablespace = \"x\"\nbytes = \"1GB\"".to_owned(),
                "not both",
            ),
            ("bytes = \"0GB\"".to_owned(), "of 0 bytes"),
            ("on = \"P\"\nfile_system = \"zfs\"".to_owned(), "nobody"),
            ("command = []".to_owned(), "a program"),
            ("path = \"pgdata\"".to_owned(), "begins with /"),
            (
                "bytes = \"1GB\"\ntimeout = \"1s\"".to_owned(),
                "without a `command`",
            ),
            ("command = [\"x\"]\ntimeout = \"2m\"".to_owned(), "between"),
            (prometheus("url = \"ftp://h\""), "http://"),
            (prometheus("url = \"http://u:hush@h\""), "password_file"),
            (
                prometheus("url = \"http://h\", username = \"hush\""),
                "token_file",
            ),
            (
                prometheus(
                    "url = \"http://h\", token_file = \"/t\", username = \"hush\", password_file = \"/p\"",
                ),
                "token_file",
            ),
            (
                prometheus("url = \"http://h\", password = \"hush\""),
                "password",
            ),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(expect), "{text}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
