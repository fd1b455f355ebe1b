//! libpq's password file: `host:port:database:user:password` a line, first match wins.

use std::path::Path;

use secrecy::SecretString;

use super::{Host, Place};
use crate::folder;

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
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            // As libpq: one that is not there is none.
            if error.kind() != std::io::ErrorKind::NotFound {
                let error = folder::of_file(file, error);
                tracing::warn!(file = %file.display(), error = %error, "password file not used");
            }
            return None;
        }
    };
    find(&text, host, database, user).map(SecretString::from)
}

fn find(text: &str, host: &Host, database: &str, user: &str) -> Option<String> {
    let name = match &host.place {
        Place::Tcp(name, _) => name.clone(),
        Place::Unix(dir) => dir.to_string_lossy().into_owned(),
    };
    // As libpq: the socket's directory, and `localhost` where it is the default one. Another server's socket, also
    // an abstract one, must be named.
    let is_default_socket = matches!(&host.place, Place::Unix(dir) if is_default(dir));
    let port = host.port.to_string();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut fields = fields(line);
            let password = (fields.len() == 5).then(|| fields.pop())??;
            let host_fits = fields[0] == "*"
                || fields[0] == name
                || (is_default_socket && fields[0] == "localhost");
            let fits = |field: &str, value: &str| field == "*" || field == value;
            (host_fits
                && fits(&fields[1], &port)
                && fits(&fields[2], database)
                && fits(&fields[3], user))
            .then_some(password)
        })
}

/// Where servers put their sockets: as PostgreSQL is built by itself, and as it is packaged.
fn is_default(dir: &Path) -> bool {
    ["/tmp", "/var/run/postgresql", "/run/postgresql"]
        .iter()
        .any(|default| dir == Path::new(default))
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
            place: Place::Unix("/var/run/postgresql".into()),
            port: 5432,
        };
        let own_socket = Host {
            place: Place::Unix("/srv/sockets".into()),
            port: 5432,
        };
        let abstract_socket = Host {
            place: Place::Unix("@shop".into()),
            port: 5432,
        };
        let file = "# comment\n\
            other:5432:app:monitor:no\n\
            db1:5432:app:monitor:a\\:b\\\\c\n\
            db1:*:*:monitor:second\n\
            localhost:*:*:monitor:by socket\n\
            @shop:*:*:monitor:by its name\n\
            *:*:*:x:too:many\n";
        for (host, database, user, password) in [
            (&tcp, "app", "monitor", Some("a:b\\c")),
            (&tcp, "shop", "monitor", Some("second")),
            (&socket, "app", "monitor", Some("by socket")),
            // `localhost` is not just any socket: its password is another server's.
            (&own_socket, "app", "monitor", None),
            (&abstract_socket, "app", "monitor", Some("by its name")),
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
