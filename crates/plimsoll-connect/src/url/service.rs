//! libpq's connection service file: `[name]` and, below it, `parameter=value` a line.

use std::path::PathBuf;

use plimsoll_core::name;

use super::{Pairs, UrlError};

/// Where packages of PostgreSQL keep the file for all users, unless `PGSYSCONFDIR` says otherwise.
const SYSTEM_FOLDER: &str = "/etc/postgresql-common";

/// The parameters of a service, from the user's file, or else from the system's.
pub(super) fn read(
    service: &str,
    file: Option<String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Pairs, UrlError> {
    let named = file.or_else(|| env("PGSERVICEFILE")).map(PathBuf::from);
    let own = || Some(PathBuf::from(env("HOME")?).join(".pg_service.conf"));
    let is_named = named.is_some();
    let system = PathBuf::from(env("PGSYSCONFDIR").unwrap_or_else(|| SYSTEM_FOLDER.to_owned()));
    let files = [named.or_else(own), Some(system.join("pg_service.conf"))];
    for (at, path) in files.into_iter().enumerate() {
        let Some(path) = path else { continue };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if is_named && at == 0 => {
                return Err(UrlError(format!(
                    "the service file {} cannot be read: {error}",
                    path.display()
                )));
            }
            Err(_) => continue,
        };
        let found = section(&text, service).map_err(|line| {
            UrlError(format!(
                "line {line} of the service file {} is not `parameter=value`, or is of a kind that Plimsoll does not support",
                path.display()
            ))
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(UrlError(format!(
        "no service {} in the service files (PGSERVICEFILE, ~/.pg_service.conf, PGSYSCONFDIR/pg_service.conf)",
        name::shown(service)
    )))
}

/// The parameters below `[service]`, if it is there; an error is the number of a line.
fn section(text: &str, service: &str) -> Result<Option<Pairs>, usize> {
    let mut found: Option<Pairs> = None;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if title.strip_suffix(']') == Some(service) {
                found = Some(Pairs::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        let (key, value) = line
            .split_once('=')
            .filter(|(key, _)| !key.starts_with("ldap") && !key.starts_with("service"))
            .ok_or(at + 1)?;
        let value = match key {
            "dbname" => name::escaped(value.into()).into_owned(),
            _ => value.to_owned(),
        };
        // As libpq: the first of several counts.
        pairs.entry(key.to_owned()).or_insert(value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_what_is_below_its_title() {
        let file = "# ours\n[other]\nhost=no\n\n[shop]\nhost=db1\n port=5433 \nhost=second\n[last]\nhost=no\n";
        let found = section(file, "shop").unwrap().unwrap();
        assert_eq!(
            found
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect::<Vec<_>>(),
            [("host", "db1"), ("port", "5433")]
        );
        assert_eq!(section(file, "none"), Ok(None));
        assert_eq!(section("[x]\nldap://host/base\n", "x"), Err(2));
        assert_eq!(section("[x]\nservice=y\n", "x"), Err(2));
    }
}
