//! libpq's password file: `host:port:database:user:password` a line, first match wins.

use std::path::Path;

use secrecy::SecretString;

use super::{Host, Place};

/// The password for a connection, if the file has one. A file that others may read is not used,
/// as libpq does not use it.
pub(super) fn password(
    file: &Path,
    host: &Host,
    database: &str,
    user: &str,
) -> Option<SecretString> {
    if is_open_to_others(file) {
        tracing::warn!(
            file = %file.display(),
            "password file not used: others may read it; chmod 600 makes it usable"
        );
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    find(&text, host, database, user).map(SecretString::from)
}

fn find(text: &str, host: &Host, database: &str, user: &str) -> Option<String> {
    let name = match &host.place {
        Place::Tcp(name, _) => name.clone(),
        // libpq looks for the socket's directory, and for `localhost` where it is the default one.
        Place::Unix(dir) => dir.to_string_lossy().into_owned(),
    };
    let is_socket = matches!(host.place, Place::Unix(_));
    let port = host.port.to_string();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut fields = fields(line);
            let password = (fields.len() == 5).then(|| fields.pop())??;
            let host_fits =
                fields[0] == "*" || fields[0] == name || (is_socket && fields[0] == "localhost");
            let fits = |field: &str, value: &str| field == "*" || field == value;
            (host_fits
                && fits(&fields[1], &port)
                && fits(&fields[2], database)
                && fits(&fields[3], user))
            .then_some(password)
        })
}

/// Splits at colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => {
                if let (Some(next), Some(field)) = (characters.next(), fields.last_mut()) {
                    field.push(next);
                }
            }
            c => {
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    fields
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_file: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let tcp = Host {
            place: Place::Tcp("db1".into(), None),
            port: 5432,
        };
        let socket = Host {
            place: Place::Unix("/run/postgresql".into()),
            port: 5432,
        };
        let file = "# comment\n\
            other:5432:app:monitor:no\n\
            db1:5432:app:monitor:a\\:b\\\\c\n\
            db1:*:*:monitor:second\n\
            localhost:*:*:monitor:by socket\n\
            *:*:*:x:too:many\n";
        for (host, database, user, password) in [
            (&tcp, "app", "monitor", Some("a:b\\c")),
            (&tcp, "shop", "monitor", Some("second")),
            (&socket, "app", "monitor", Some("by socket")),
            (&tcp, "app", "x", Some("too:many")),
            (&tcp, "app", "nobody", None),
        ] {
            assert_eq!(
                find(file, host, database, user).as_deref(),
                password,
                "{host:?}"
            );
        }
    }
}
