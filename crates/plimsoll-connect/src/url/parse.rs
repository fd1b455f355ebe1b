//! From libpq's two notations to values: first to pairs of key and text, then each text to its type.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, percent_encode,
};
use plimsoll_core::name;
use secrecy::SecretString;

use super::parameters::{self, KEYS};
use super::{
    ChannelBinding, DatabaseUrl, Host, Pairs, Place, Roots, SessionKind, SslMode, TlsChoice,
    UrlError, Versions,
};

pub(super) fn parse(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<DatabaseUrl, UrlError> {
    let text = text.trim();
    let url = text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"));
    let (pairs, may_name) = match url {
        // What follows a bare `?` in a password has the `@` of the URL in it, or lies before it.
        Some(rest) => {
            let query = rest.split_once('?').map_or("", |(_, query)| query);
            (url_pairs(rest)?, !query.contains('@'))
        }
        None => {
            let pairs = keyword_pairs(text)?;
            let has_password = pairs.contains_key("password");
            (pairs, !has_password)
        }
    };
    let pairs = parameters::completed(pairs, env, may_name)?;
    build(pairs, env)
}

/// `[user[:password]@][host[:port],...][/database][?key=value&...]`, each part percent-encoded.
fn url_pairs(rest: &str) -> Result<Pairs, UrlError> {
    let mut pairs = Pairs::new();
    // libpq looks for `@` only before the first `/`, so a socket or a parameter may contain one.
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    // A password with a bare `@` in it is wrong, but unambiguous when the last one is taken.
    let hosts = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            put(&mut pairs, "user", &decode(user, "user")?);
            if let Some(password) = password {
                put(&mut pairs, "password", &decode(password, "password")?);
            }
            hosts
        }
        None => authority,
    };
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    if path.matches('/').count() > 1 {
        return Err(UrlError(
            "the database URL has more than one `/` after the host; a socket directory is written \
             `?host=/directory`, and a `/` in a name or password as `%2F`"
                .to_owned(),
        ));
    }
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    if !hosts.is_empty() {
        for host in hosts.split(',') {
            let (name, port) = host_and_port(host)?;
            names.push(decode(name, "host")?);
            ports.push(port.to_owned());
        }
    }
    put(&mut pairs, "host", &names.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        put(&mut pairs, "port", &ports.join(","));
    }
    put(
        &mut pairs,
        "dbname",
        &name::of_bytes(&decoded(path.strip_prefix('/').unwrap_or(""), "database")?),
    );
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if pair.is_empty() {
            continue;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key, "a parameter's name")?;
        let value = if key == "dbname" {
            name::of_bytes(&decoded(value, "database")?).into_owned()
        } else {
            decode(value, "a parameter's value")?
        };
        put(&mut pairs, &key, &value);
        if value.is_empty() && !KEYS.iter().any(|(known, _)| *known == key) {
            // Kept, so that an unknown key is an error even without a value.
            pairs.insert(key, value);
        }
    }
    Ok(pairs)
}

fn host_and_port(host: &str) -> Result<(&str, &str), UrlError> {
    if let Some(rest) = host.strip_prefix('[') {
        let (name, port) = rest
            .split_once(']')
            .ok_or_else(|| UrlError("the database URL's host has a `[` without `]`".to_owned()))?;
        return match port.strip_prefix(':') {
            Some(port) => Ok((name, port)),
            None if port.is_empty() => Ok((name, "")),
            None => Err(UrlError(
                "the database URL has text between `]` and the port".to_owned(),
            )),
        };
    }
    Ok(host.split_once(':').unwrap_or((host, "")))
}

/// `key = value key='quo\'ted'`, as libpq reads it.
fn keyword_pairs(text: &str) -> Result<Pairs, UrlError> {
    let not_understood = || {
        UrlError(
            "not a database URL: write postgres://user@host:5432/database, or key=value pairs \
             such as `host=db1 dbname=app user=monitor`"
                .to_owned(),
        )
    };
    let mut pairs = Pairs::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        if characters.peek().is_none() {
            break;
        }
        let mut key = String::new();
        while let Some(c) = characters.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        if characters.next() != Some('=') || key.is_empty() {
            return Err(not_understood());
        }
        while characters.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = characters.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match characters.next() {
                None if quoted => {
                    return Err(UrlError(
                        "the database's key=value pairs have a quote that does not end".to_owned(),
                    ));
                }
                None => break,
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some('\\') => value.extend(characters.next()),
                Some(c) => value.push(c),
            }
        }
        if key == "dbname" {
            value = name::escaped(value.into()).into_owned();
        }
        pairs.insert(key, value);
    }
    if pairs.is_empty() {
        return Err(not_understood());
    }
    pairs.retain(|key, value| !value.is_empty() || !KEYS.iter().any(|(known, _)| known == key));
    Ok(pairs)
}

fn build(mut pairs: Pairs, env: &dyn Fn(&str) -> Option<String>) -> Result<DatabaseUrl, UrlError> {
    let home = env("HOME").map(PathBuf::from);
    let mut take = |key: &str| pairs.remove(key);
    let hosts = hosts(take("host"), take("hostaddr"), take("port"))?;
    let mode = take("sslmode");
    // Read by `parameters`.
    let _ = (take("service"), take("servicefile"));
    let demanded =
        take("requiressl").as_deref() == Some("1") || take("ssl").as_deref() == Some("true");
    let roots = match take("sslrootcert") {
        None => Roots::Default,
        Some(text) if text == "system" => Roots::System,
        Some(path) => Roots::File(path.into()),
    };
    let mode = match mode.as_deref() {
        None if roots == Roots::System => SslMode::VerifyFull,
        None if demanded => SslMode::Require,
        None => SslMode::default(),
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("prefer") => SslMode::Prefer,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(_) => {
            return Err(UrlError(
                "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"
                    .to_owned(),
            ));
        }
    };
    if roots == Roots::System && mode != SslMode::VerifyFull {
        // As libpq: with public authorities anybody has a certificate, for some name.
        return Err(UrlError(format!(
            "sslrootcert=system needs sslmode=verify-full, not {}",
            mode.as_str()
        )));
    }
    let sends_certificate = match take("sslcertmode").as_deref() {
        None | Some("allow") => true,
        Some("disable") => false,
        Some("require") => {
            return Err(UrlError(
                "Plimsoll does not support sslcertmode=require; leave it out".to_owned(),
            ));
        }
        Some(_) => {
            return Err(UrlError(
                "sslcertmode is disable, allow or require".to_owned(),
            ));
        }
    };
    let versions = versions(
        take("ssl_min_protocol_version"),
        take("ssl_max_protocol_version"),
    )?;
    let direct = match take("sslnegotiation").as_deref() {
        None | Some("postgres") => false,
        Some("direct") if mode >= SslMode::Require => true,
        Some("direct") => {
            return Err(UrlError(
                "sslnegotiation=direct needs sslmode=require or stronger".to_owned(),
            ));
        }
        Some(_) => {
            return Err(UrlError("sslnegotiation is postgres or direct".to_owned()));
        }
    };
    let connect_timeout = match take("connect_timeout") {
        None => None,
        Some(text) => {
            let seconds: i64 = text
                .trim()
                .parse()
                .map_err(|_| UrlError("connect_timeout is a whole number of seconds".to_owned()))?;
            u64::try_from(seconds)
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs)
        }
    };
    let session = match take("target_session_attrs").as_deref() {
        None | Some("any") => SessionKind::Any,
        Some("read-write") => SessionKind::ReadWrite,
        Some("read-only") => SessionKind::ReadOnly,
        Some("primary") => SessionKind::Primary,
        Some("standby") => SessionKind::Standby,
        Some("prefer-standby") => SessionKind::PreferStandby,
        Some(_) => {
            return Err(UrlError(
                "target_session_attrs is one of any, read-write, read-only, primary, standby, prefer-standby"
                    .to_owned(),
            ));
        }
    };
    let channel_binding = match take("channel_binding").as_deref() {
        None | Some("prefer") => ChannelBinding::Prefer,
        Some("disable") => ChannelBinding::Disable,
        Some("require") => ChannelBinding::Require,
        Some(_) => {
            return Err(UrlError(
                "channel_binding is one of disable, prefer, require".to_owned(),
            ));
        }
    };
    let user = take("user").or_else(|| env("USER").or_else(|| env("LOGNAME")));
    Ok(DatabaseUrl {
        hosts,
        user: user.filter(|user| !user.is_empty()),
        password: take("password").map(SecretString::from),
        passfile: take("passfile")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".pgpass"))),
        database: take("dbname"),
        tls: TlsChoice {
            mode,
            roots,
            certificate: take("sslcert").map(PathBuf::from),
            key: take("sslkey").map(PathBuf::from),
            direct,
            sends_certificate,
            versions,
            home: home.as_ref().map(|home| home.join(".postgresql")),
        },
        connect_timeout,
        options: take("options"),
        application_name: take("application_name"),
        session,
        channel_binding,
    })
}

/// Which versions of TLS may be spoken, of the two that there are here.
fn versions(least: Option<String>, most: Option<String>) -> Result<Versions, UrlError> {
    let number = |text: Option<String>, key: &str| match text.as_deref() {
        None => Ok(None),
        Some("TLSv1") => Ok(Some(0)),
        Some("TLSv1.1") => Ok(Some(1)),
        Some("TLSv1.2") => Ok(Some(2)),
        Some("TLSv1.3") => Ok(Some(3)),
        Some(_) => Err(UrlError(format!(
            "{key} is one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3"
        ))),
    };
    let least = number(least, "ssl_min_protocol_version")?.unwrap_or(2);
    let most = number(most, "ssl_max_protocol_version")?.unwrap_or(3);
    if least > most {
        return Err(UrlError(
            "ssl_min_protocol_version is above ssl_max_protocol_version".to_owned(),
        ));
    }
    match (least, most) {
        (_, ..=1) => Err(UrlError(
            "Plimsoll speaks TLS 1.2 and 1.3 only; raise ssl_max_protocol_version".to_owned(),
        )),
        (..=2, 2) => Ok(Versions::Only12),
        (3, _) => Ok(Versions::Only13),
        _ => Ok(Versions::Both),
    }
}

fn hosts(
    names: Option<String>,
    addresses: Option<String>,
    ports: Option<String>,
) -> Result<Vec<Host>, UrlError> {
    let split = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let (mut names, addresses, ports) = (split(names), split(addresses), split(ports));
    if names.is_empty() {
        names = if addresses.is_empty() {
            vec![String::new()]
        } else {
            addresses.clone()
        };
    }
    if !addresses.is_empty() && addresses.len() != names.len() {
        return Err(UrlError(format!(
            "the database URL has {} hosts and {} hostaddr",
            names.len(),
            addresses.len()
        )));
    }
    if ports.len() > 1 && ports.len() != names.len() {
        return Err(UrlError(format!(
            "the database URL has {} hosts and {} ports",
            names.len(),
            ports.len()
        )));
    }
    let mut hosts = Vec::with_capacity(names.len());
    for (at, name) in names.into_iter().enumerate() {
        let port = match ports.get(at).or_else(|| ports.first()).map(String::as_str) {
            None | Some("") => 5432,
            Some(text) => text
                .trim()
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| {
                    // Not repeated: a password with a bare `/` or `:` ends up here.
                    UrlError(
                        "the port in the database URL is not a number from 1 to 65535; a `:`, `/` \
                         or `@` in a password is written percent-encoded (`%3A`, `%2F`, `%40`)"
                            .to_owned(),
                    )
                })?,
        };
        let place = if name.starts_with('/') || name.starts_with('@') {
            Place::Unix(name.into())
        } else if name.is_empty() {
            default_place()
        } else {
            let address = match addresses.get(at).filter(|text| !text.is_empty()) {
                None => None,
                Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
                    UrlError("hostaddr in the database URL is not an IP address".to_owned())
                })?),
            };
            Place::Tcp(name, address)
        };
        hosts.push(Host { place, port });
    }
    Ok(hosts)
}

/// Where libpq looks without a host: Debian's and Red Hat's socket directory, then PostgreSQL's own.
fn default_place() -> Place {
    if !cfg!(unix) {
        return Place::Tcp("localhost".to_owned(), None);
    }
    let packaged = PathBuf::from("/var/run/postgresql");
    Place::Unix(if packaged.is_dir() {
        packaged
    } else {
        PathBuf::from("/tmp")
    })
}

fn put(pairs: &mut Pairs, key: &str, value: &str) {
    // libpq: an empty value is an absent one.
    if !value.is_empty() {
        pairs.insert(key.to_owned(), value.to_owned());
    }
}

/// Undoes percent-encoding. `what` names the part in errors; its text may be secret.
fn decode(text: &str, what: &str) -> Result<String, UrlError> {
    String::from_utf8(decoded(text, what)?).map_err(|_| undecoded(what, "is not UTF-8"))
}

fn undecoded(what: &str, why: &str) -> UrlError {
    UrlError(format!(
        "{what} in the database URL {why}; a bare `%` is written `%25`"
    ))
}

fn decoded(text: &str, what: &str) -> Result<Vec<u8>, UrlError> {
    let is_code = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    // The library takes any other `%` as it stands.
    if !text.split('%').skip(1).all(is_code) {
        return Err(undecoded(what, "has a `%` without two hexadecimal digits"));
    }
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    if bytes.contains(&0) {
        return Err(undecoded(what, "contains %00"));
    }
    Ok(bytes)
}

/// What is percent-encoded in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes what is not plain.
pub(super) fn encode(text: &[u8]) -> PercentEncode<'_> {
    percent_encode(text, ENCODED)
}
