//! Which of libpq's parameters and environment variables are honoured, which change nothing, and which are
//! refused by name: to ignore one that makes a connection safer would be the one wrong answer.

use plimsoll_core::name;

use super::{Pairs, UrlError, service};

/// What is understood, with the environment variable that stands in for an absent one.
pub(super) const KEYS: [(&str, &str); 24] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("dbname", "PGDATABASE"),
    ("service", "PGSERVICE"),
    ("servicefile", "PGSERVICEFILE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("options", "PGOPTIONS"),
    ("application_name", ""),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("requiressl", "PGREQUIRESSL"),
    ("ssl", ""),
];

/// What changes nothing that matters here.
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

/// What would change who is trusted or how the session behaves, and is not honoured, with its variable.
const UNSUPPORTED: [(&str, &str); 12] = [
    ("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    ("min_protocol_version", "PGMINPROTOCOLVERSION"),
    ("oauth_issuer", ""),
    ("replication", ""),
    ("require_auth", "PGREQUIREAUTH"),
    ("requirepeer", "PGREQUIREPEER"),
    ("scram_client_key", ""),
    ("scram_server_key", ""),
    ("sslcrl", "PGSSLCRL"),
    ("sslcrldir", "PGSSLCRLDIR"),
    ("sslkeylogfile", ""),
    ("sslpassword", ""),
];

/// Checks what was given, and adds what a service and the environment say of what was not.
///
/// `may_name` tells whether an unknown parameter may be repeated: part of a password may look like one.
pub(super) fn completed(
    mut pairs: Pairs,
    env: &dyn Fn(&str) -> Option<String>,
    may_name: bool,
) -> Result<Pairs, UrlError> {
    check(&pairs, "the database URL", may_name)?;
    let env = |variable: &str| env(variable).filter(|value| !value.is_empty());
    if let Some(service) = pairs.get("service").cloned().or_else(|| env("PGSERVICE")) {
        let found = service::read(&service, pairs.get("servicefile").cloned(), &env)?;
        check(
            &found,
            &format!("the service {}", name::shown(&service)),
            true,
        )?;
        for (key, value) in found {
            pairs.entry(key).or_insert(value);
        }
    }
    for (key, variable) in KEYS.iter().filter(|(_, variable)| !variable.is_empty()) {
        if !pairs.contains_key(*key)
            && let Some(value) = env(variable)
        {
            let value = match *key {
                "dbname" => name::escaped(value.into()).into_owned(),
                _ => value,
            };
            pairs.insert((*key).to_owned(), value);
        }
    }
    for (_, variable) in UNSUPPORTED
        .iter()
        .filter(|(_, variable)| !variable.is_empty())
    {
        if env(variable).is_some() {
            return Err(UrlError(format!(
                "Plimsoll does not support the environment variable {variable}; unset it"
            )));
        }
    }
    if env("PGGSSENCMODE").as_deref() == Some("require") {
        return Err(UrlError(
            "Plimsoll does not support PGGSSENCMODE=require; unset it".to_owned(),
        ));
    }
    Ok(pairs)
}

fn check(pairs: &Pairs, whose: &str, may_name: bool) -> Result<(), UrlError> {
    for (key, value) in pairs {
        let is_refused = UNSUPPORTED.iter().any(|(refused, _)| refused == key)
            || (key == "gssencmode" && value == "require");
        if is_refused {
            return Err(UrlError(format!(
                "Plimsoll does not support the parameter {key} of {whose}; leave it out"
            )));
        }
        if KEYS.iter().any(|(known, _)| known == key) || HARMLESS.contains(&key.as_str()) {
            continue;
        }
        let named = if may_name && !value.is_empty() && is_plain(key) {
            format!("`{key}`")
        } else {
            // A password with an unescaped `?` or `&` ends up here as a key: it is not repeated.
            "a parameter".to_owned()
        };
        return Err(UrlError(format!(
            "{whose} has {named} that Plimsoll does not know or cannot honour; \
             a `?`, `&`, `@`, `/`, `:`, `#` or `%` in a password is written percent-encoded (`%3F`)"
        )));
    }
    Ok(())
}

fn is_plain(key: &str) -> bool {
    key.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
