//! Connection strings, as libpq reads them.

use super::*;

fn no_env(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse_with(text, &no_env).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn password(url: &DatabaseUrl) -> Option<&str> {
    url.password.as_ref().map(ExposeSecret::expose_secret)
}

#[test]
fn both_notations_name_server_role_and_database() {
    for (text, hosts, user, secret, database) in [
        (
            "postgres://monitor:s3cret@db1:5433/app",
            "db1:5433",
            Some("monitor"),
            Some("s3cret"),
            Some("app"),
        ),
        ("postgresql://db1/app", "db1:5432", None, None, Some("app")),
        ("postgres://db1", "db1:5432", None, None, None),
        (
            "postgres://u%40x:p%3A%2F%3F%40@db1/a%20b%2Fc",
            "db1:5432",
            Some("u@x"),
            Some("p:/?@"),
            Some("a b/c"),
        ),
        (
            "postgres://u:p@ss@db1/app",
            "db1:5432",
            Some("u"),
            Some("p@ss"),
            Some("app"),
        ),
        (
            "postgres://[::1]:6000/app",
            "[::1]:6000",
            None,
            None,
            Some("app"),
        ),
        (
            "postgres://a:1,b,[::2]:3/app",
            "a:1,b:5432,[::2]:3",
            None,
            None,
            Some("app"),
        ),
        (
            "postgres:///app?host=/run/pg&port=5440",
            "/run/pg/.s.PGSQL.5440",
            None,
            None,
            Some("app"),
        ),
        (
            "postgres://u@%2Frun%2Fpg:5440/app",
            "/run/pg/.s.PGSQL.5440",
            Some("u"),
            None,
            Some("app"),
        ),
        (
            "postgres://h/app?user=x&password=y%26z&application_name=a@b",
            "h:5432",
            Some("x"),
            Some("y&z"),
            Some("app"),
        ),
        (
            "host=db1 dbname=app user=monitor password='it''s'",
            "",
            None,
            None,
            None,
        ),
        (
            r"host = db1 port=5433 dbname='my app' user=monitor password='it\'s \\ x'",
            "db1:5433",
            Some("monitor"),
            Some(r"it's \ x"),
            Some("my app"),
        ),
        (
            "host=a,b port=1,2 dbname=app",
            "a:1,b:2",
            None,
            None,
            Some("app"),
        ),
        (
            "hostaddr=127.0.0.1 dbname=app",
            "127.0.0.1:5432",
            None,
            None,
            Some("app"),
        ),
    ] {
        if hosts.is_empty() {
            assert!(DatabaseUrl::parse_with(text, &no_env).is_err(), "{text}");
            continue;
        }
        let url = parse(text);
        assert_eq!(
            (
                url.host_text().as_str(),
                url.user(),
                password(&url),
                url.database()
            ),
            (hosts, user, secret, database),
            "{text}"
        );
    }
}

#[test]
fn a_socket_is_known_as_one() {
    assert_eq!(
        parse("postgres:///app?host=/run/pg").socket_dir(),
        Some(Path::new("/run/pg"))
    );
    assert!(!parse("postgres://h/app").is_unix_socket());
    assert!(!parse("host=/run/pg,h dbname=app").is_unix_socket());
    assert!(parse("dbname=app").is_unix_socket());
}

#[test]
fn tls_is_chosen_as_libpq_does() {
    for (text, mode) in [
        ("postgres://h/d", SslMode::Prefer),
        ("postgres://h/d?sslmode=disable", SslMode::Disable),
        ("postgres://h/d?sslmode=allow", SslMode::Allow),
        ("postgres://h/d?sslmode=require", SslMode::Require),
        (
            "postgres://h/d?sslmode=verify-ca&sslrootcert=/x.crt",
            SslMode::VerifyCa,
        ),
        ("postgres://h/d?sslmode=verify-full", SslMode::VerifyFull),
        ("postgres://h/d?sslrootcert=system", SslMode::VerifyFull),
        ("postgres://h/d?ssl=true", SslMode::Require),
    ] {
        assert_eq!(parse(text).tls.mode, mode, "{text}");
    }
    for bad in [
        "postgres://h/d?sslmode=verify_full",
        "postgres://h/d?sslmode=require&sslrootcert=system",
        "postgres://h/d?sslnegotiation=direct",
    ] {
        assert!(DatabaseUrl::parse_with(bad, &no_env).is_err(), "{bad}");
    }
}

#[test]
fn the_environment_fills_what_is_left_out() {
    let env = |name: &str| {
        Some(
            match name {
                "PGHOST" => "envhost",
                "PGPORT" => "6543",
                "PGPASSWORD" => "envsecret",
                "PGUSER" => "envuser",
                "PGSSLMODE" => "require",
                _ => return None,
            }
            .to_owned(),
        )
    };
    let url = DatabaseUrl::parse_with("postgres:///app", &env).unwrap();
    assert_eq!(url.host_text(), "envhost:6543");
    assert_eq!(
        (url.user(), password(&url)),
        (Some("envuser"), Some("envsecret"))
    );
    assert_eq!(url.tls.mode, SslMode::Require);
    let url = DatabaseUrl::parse_with("postgres://u:p@h:1/app?sslmode=disable", &env).unwrap();
    assert_eq!(url.host_text(), "h:1");
    assert_eq!((url.user(), password(&url)), (Some("u"), Some("p")));
    assert_eq!(url.tls.mode, SslMode::Disable);
}

#[test]
fn a_password_is_never_printed() {
    for text in [
        "postgres://u:hunter2@h/d",
        "postgres://u@h/d?password=hunter2",
        "host=h user=u password=hunter2 dbname=d",
    ] {
        let url = parse(text);
        let printed = format!(
            "{url} {url:?} {:?} {:?}",
            url.config(&url.hosts[0], "x"),
            Some(&url)
        );
        assert_eq!(password(&url), Some("hunter2"));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    assert_eq!(
        parse("postgres://u:p@h/d").to_string(),
        "postgres://u@h:5432/d?sslmode=prefer"
    );
    // Wrongly written ones, whose pieces land where no password is expected.
    for text in [
        "postgres://u:hun/ter2@h/d",
        "postgres://u:hun?ter2@h/d",
        "postgres://u:hun&ter2?ter2@h/d",
        "postgres://u:hunter2%@h/d",
        "postgres://u:hunter2%zz@h/d",
        "postgres://h:hunter2/d",
        "postgres://h/d?pass=hunter2",
        "postgres://h/d?hunter2",
        "host=h password='hunter2",
        "mysql://u:hunter2@h/d",
        "hunter2",
        "postgres://u@h/d?sslmode=hunter2",
        "postgres://u@h/d?connect_timeout=hunter2",
    ] {
        let error = DatabaseUrl::parse_with(text, &no_env).unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("ter2"), "{text}: {printed}");
    }
}

#[test]
fn another_database_keeps_everything_else() {
    let url = parse("postgres://u:p@h:1/app?sslmode=require").with_database("Weird/Na\"me");
    assert_eq!(url.database(), Some("Weird/Na\"me"));
    assert_eq!(
        (url.host_text().as_str(), password(&url)),
        ("h:1", Some("p"))
    );
}

/// The URL, with the environment given.
fn with_env(text: &str, env: &[(&str, &str)]) -> Result<DatabaseUrl, UrlError> {
    DatabaseUrl::parse_with(text, &|name| {
        let found = env.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn what_makes_a_connection_safer_is_honoured_or_refused_by_name() {
    for (text, variable, value, named) in [
        (
            "postgres://h/d",
            "PGREQUIREAUTH",
            "scram-sha-256",
            "PGREQUIREAUTH",
        ),
        (
            "postgres://h/d",
            "PGREQUIREPEER",
            "postgres",
            "PGREQUIREPEER",
        ),
        ("postgres://h/d", "PGSSLCRL", "/x.crl", "PGSSLCRL"),
        ("postgres://h/d", "PGSSLCRLDIR", "/x", "PGSSLCRLDIR"),
        ("postgres://h/d", "PGGSSENCMODE", "require", "PGGSSENCMODE"),
        (
            "postgres://h/d",
            "PGMINPROTOCOLVERSION",
            "3.2",
            "PGMINPROTOCOLVERSION",
        ),
        ("postgres://h/d", "PGSSLCERTMODE", "require", "sslcertmode"),
        (
            "postgres://h/d",
            "PGSSLMINPROTOCOLVERSION",
            "SSLv3",
            "ssl_min_protocol_version",
        ),
        (
            "postgres://h/d",
            "PGSSLMAXPROTOCOLVERSION",
            "TLSv1.1",
            "ssl_max_protocol_version",
        ),
        (
            "postgres://h/d",
            "PGTARGETSESSIONATTRS",
            "leader",
            "target_session_attrs",
        ),
        ("postgres://h/d?require_auth=none", "", "", "require_auth"),
        ("postgres://h/d?sslcrl=/x", "", "", "sslcrl"),
        ("postgres://h/d?sslmood=require", "", "", "`sslmood`"),
        ("host=h sslmood=require", "", "", "`sslmood`"),
    ] {
        let error = with_env(text, &[(variable, value)]).unwrap_err();
        assert!(error.0.contains(named), "{text} {variable}: {error}");
    }
    // What may be part of a password is not repeated.
    for text in [
        "postgres://u:my?secret@h/d",
        "postgres://u:my?secret&more@h/d",
        "host=h password=my secret=word",
    ] {
        let error = with_env(text, &[]).unwrap_err();
        assert!(!error.0.contains("secret"), "{text}: {error}");
    }
    for (variable, value, versions) in [
        ("PGSSLMINPROTOCOLVERSION", "TLSv1", Versions::Both),
        ("PGSSLMINPROTOCOLVERSION", "TLSv1.3", Versions::Only13),
        ("PGSSLMAXPROTOCOLVERSION", "TLSv1.2", Versions::Only12),
    ] {
        let url = with_env("postgres://h/d", &[(variable, value)]).unwrap();
        assert_eq!(url.tls().versions, versions, "{variable}={value}");
    }
    let url = with_env("postgres://h/d", &[("PGSSLCERTMODE", "disable")]).unwrap();
    assert!(!url.tls().sends_certificate);
    let url = with_env("postgres://h/d", &[("PGTARGETSESSIONATTRS", "standby")]).unwrap();
    assert_eq!(url.session(), SessionKind::Standby);
    let url = with_env("postgres://h/d", &[("PGREQUIRESSL", "1")]).unwrap();
    assert_eq!(url.tls().mode, SslMode::Require);
}

#[test]
fn a_service_stands_between_the_url_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services");
    std::fs::write(
        &file,
        "[shop]\nhost=db9\nuser=seller\ndbname=caf\\xE9\n[bad]\nsslmood=x\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let env = [
        ("PGSERVICE", "shop"),
        ("PGSERVICEFILE", file),
        ("PGUSER", "nobody"),
        ("PGPORT", "6000"),
    ];
    let url = with_env("postgres://?host=mine", &env).unwrap();
    assert_eq!(
        (url.host_text().as_str(), url.user()),
        ("mine:6000", Some("seller"))
    );
    // What is only written like a byte of a name.
    assert_eq!(url.database(), Some("caf\\x5CxE9"));
    let url = with_env(&format!("service=shop servicefile={file}"), &[]).unwrap();
    assert_eq!(url.host_text(), "db9:5432");
    for (text, named) in [("service=none", "none"), ("service=bad", "`sslmood`")] {
        let error = with_env(text, &env[1..2]).unwrap_err();
        assert!(error.0.contains(named), "{error}");
    }
    let error = with_env("service=shop", &[("PGSERVICEFILE", "/no/such")]).unwrap_err();
    assert!(error.0.contains("/no/such"), "{error}");
}

#[test]
fn a_database_is_named_by_its_bytes() {
    for (text, database, shown) in [
        ("postgres://h/%DCn%EF", "\\xDCn\\xEF", "/%DCn%EF?"),
        ("postgres://h/%C3%9Cn%C3%AF", "Ünï", "/%C3%9Cn%C3%AF?"),
        ("postgres://h/%5CxE9", "\\x5CxE9", "/%5CxE9?"),
        ("postgres://h?dbname=%E9", "\\xE9", "/%E9?"),
        ("host=h dbname='\\\\xE9'", "\\x5CxE9", "/%5CxE9?"),
    ] {
        let url = with_env(text, &[]).unwrap();
        assert_eq!(url.database(), Some(database), "{text}");
        assert!(url.to_string().contains(shown), "{text}: {url}");
    }
    let url = with_env("postgres://h/d", &[]).unwrap();
    assert_eq!(url.with_database("\\xE9").database(), Some("\\xE9"));
}
