//! From libpq's two notations to values: first to pairs of key and text, then each text to its type.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_core::name;
use secrecy::SecretString;

use super::{
    ChannelBinding, DatabaseUrl, Host, Place, Roots, SessionKind, SslMode, TlsChoice, UrlError,
};

/// Keys that are understood, with the environment variable that stands in for an absent one.
const KEYS: [(&str, &str); 19] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("dbname", "PGDATABASE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("options", "PGOPTIONS"),
    ("application_name", ""),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("requiressl", ""),
    ("ssl", ""),
];

/// Keys of libpq that change nothing that matters here.
const HARMLESS: [&str; 14] = [
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "gssdelegation",
    "gsslib",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
];

/// Keys of libpq that would change who is trusted or how the session behaves, and are not honoured:
/// better refused than ignored.
const UNSUPPORTED: [&str; 16] = [
    "max_protocol_version",
    "min_protocol_version",
    "replication",
    "require_auth",
    "requirepeer",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
];

type Pairs = BTreeMap<String, String>;

pub(super) fn parse(
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<DatabaseUrl, UrlError> {
    let text = text.trim();
    let mut pairs = match text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"))
    {
        Some(rest) => url_pairs(rest)?,
        None => keyword_pairs(text)?,
    };
    for (key, value) in &pairs {
        if UNSUPPORTED.contains(&key.as_str()) || (key == "gssencmode" && value == "require") {
            return Err(UrlError(format!(
                "Plimsoll does not support the parameter {key} of the database URL; leave it out"
            )));
        }
        if !KEYS.iter().any(|(known, _)| known == key) && !HARMLESS.contains(&key.as_str()) {
            // A password with an unescaped `?` or `&` ends up here as a key: it is not repeated.
            return Err(UrlError(
                "the database URL has a parameter that Plimsoll does not know or cannot honour; \
                 a `?`, `&`, `@`, `/`, `:`, `#` or `%` in a password is written percent-encoded (`%3F`)"
                    .to_owned(),
            ));
        }
    }
    for (key, variable) in KEYS.iter().filter(|(_, variable)| !variable.is_empty()) {
        if !pairs.contains_key(*key)
            && let Some(value) = env(variable).filter(|value| !value.is_empty())
        {
            let value = match *key {
                "dbname" => name::escaped(value.into()).into_owned(),
                _ => value,
            };
            pairs.insert((*key).to_owned(), value);
        }
    }
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
            home: home.as_ref().map(|home| home.join(".postgresql")),
        },
        connect_timeout,
        options: take("options"),
        application_name: take("application_name"),
        session,
        channel_binding,
    })
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
    let bad = |why| undecoded(what, why);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let code = tail
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| bad("has a `%` without two hexadecimal digits"))?;
        if code == 0 {
            return Err(bad("contains %00"));
        }
        bytes.push(code);
        rest = &tail[2..];
    }
    Ok(bytes)
}

/// Percent-encodes what is not plain.
pub(super) fn encode(text: &[u8]) -> String {
    text.iter().fold(String::new(), |mut out, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
