//! Every `sslmode` against a server with TLS, with certificates made here.

use std::path::Path;
use std::time::Duration;

use plimsoll_connect::{ConnectError, Connected, DatabaseUrl};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use throwaway_postgres::{Installation, Server, test};

throwaway_postgres::on_own_server! {
    every_sslmode_means_what_it_means_in_libpq => modes,
    a_certificate_that_is_its_own_root_is_trusted_and_only_while_it_is_valid => own_root,
}

/// An authority, in files `NAME.crt` and, of what it issues, `ISSUED.crt` and `ISSUED.key`.
struct Authority<'a> {
    folder: &'a Path,
    issuer: Issuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    fn new(folder: &'a Path, name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, file: &str, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name, hosts).signed_by(&key, &self.issuer).unwrap();
        let write = |suffix: &str, text: String| {
            std::fs::write(self.folder.join(format!("{file}.{suffix}")), text).unwrap();
        };
        write("crt", certificate.pem());
        write("key", key.serialize_pem());
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes a file as the server's own account, with the rights that it asks of a key.
fn write(server: &Server, name: &str, text: &str) {
    let path = server.data_dir().join(name);
    let values = text.trim_end().replace('\'', "''");
    let sql = format!(
        "copy (select unnest(string_to_array('{values}', e'\\n'))) to program 'umask 077; cat > {}'",
        path.display()
    );
    server.sql("postgres", &sql).unwrap();
}

fn start(installation: &Installation) -> Server {
    Server::start(&throwaway_postgres::Options {
        tcp: true,
        ..test::options(installation)
    })
    .unwrap()
}

/// Gives the server its certificate, and waits until it shows that one.
async fn show(server: &Server, folder: &Path, certificate: &str) {
    for suffix in ["crt", "key"] {
        let text = std::fs::read_to_string(folder.join(format!("{certificate}.{suffix}"))).unwrap();
        write(server, &format!("server.{suffix}"), &text);
    }
    server.sql("postgres", "alter system set ssl = on").unwrap();
    tokio::task::block_in_place(|| server.restart().unwrap());
}

async fn open(text: &str) -> Result<Connected, ConnectError> {
    // Without this account's environment and home.
    let url = DatabaseUrl::parse_with(text, &|_| None)?;
    url.connect("plimsoll", Duration::from_secs(10)).await
}

/// `tls`, `plain`, or the error's code.
async fn outcome(text: &str) -> (String, String) {
    match open(text).await {
        Ok(connected) => {
            let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            let row = connected.client.query_one(sql, &[]).await.unwrap();
            let kind = if row.try_get(0).unwrap() {
                "tls"
            } else {
                "plain"
            };
            (kind.to_owned(), String::new())
        }
        Err(error) => (error.code().to_owned(), error.to_string()),
    }
}

async fn check(text: &str, expected: &str, says: &str) {
    let (found, error) = outcome(text).await;
    assert_eq!(found, expected, "{text}: {error}");
    assert!(error.contains(says), "{text}: {error}");
}

async fn modes(installation: &Installation) {
    let server = start(installation);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ours = Authority::new(folder, "ours");
    let other = Authority::new(folder, "other");
    ours.issue("server", "db1", &["localhost", "db1.example.org"]);
    ours.issue("client", "certified", &[]);
    other.issue("stranger", "certified", &[]);
    write(
        &server,
        "root.crt",
        &std::fs::read_to_string(folder.join("ours.crt")).unwrap(),
    );
    for sql in [
        "alter system set ssl_ca_file = 'root.crt'",
        "create role certified login",
        "create role only_tls login",
        "create role only_plain login",
        "create role either login password 'hunter2'",
    ] {
        server.sql("postgres", sql).unwrap();
    }
    write(
        &server,
        "pg_hba.conf",
        "local all all trust\n\
         hostssl all certified 127.0.0.1/32 cert\n\
         hostssl all only_tls 127.0.0.1/32 trust\n\
         hostnossl all only_plain 127.0.0.1/32 trust\n\
         host all either 127.0.0.1/32 scram-sha-256\n",
    );
    show(&server, folder, "server").await;

    let port = server.port();
    let dir = folder.display();
    let ca = format!("sslrootcert={dir}/ours.crt");
    let wrong_ca = format!("sslrootcert={dir}/other.crt");
    let either =
        format!("user=either password=hunter2 dbname=postgres port={port} hostaddr=127.0.0.1");
    let as_role = |role: &str| {
        format!("user={role} dbname=postgres port={port} host=localhost hostaddr=127.0.0.1")
    };
    for (parameters, expected, says) in [
        ("host=localhost sslmode=disable".to_owned(), "plain", ""),
        ("host=localhost sslmode=allow".to_owned(), "plain", ""),
        ("host=localhost".to_owned(), "tls", ""),
        ("host=localhost sslmode=require".to_owned(), "tls", ""),
        (
            "host=localhost sslmode=require channel_binding=require".to_owned(),
            "tls",
            "",
        ),
        (format!("host=localhost sslmode=require {ca}"), "tls", ""),
        // With a root named, `require` checks the chain, as libpq does.
        (
            format!("host=localhost sslmode=require {wrong_ca}"),
            "tls_failed",
            "was not issued by",
        ),
        (
            format!("host=elsewhere.example.org sslmode=verify-ca {ca}"),
            "tls",
            "",
        ),
        (
            format!("host=localhost sslmode=verify-ca {wrong_ca}"),
            "tls_failed",
            "was not issued by",
        ),
        (
            format!("host=localhost sslmode=verify-full {ca}"),
            "tls",
            "",
        ),
        (
            format!("host=DB1.example.org sslmode=verify-full {ca}"),
            "tls",
            "",
        ),
        (
            format!("host=elsewhere.example.org sslmode=verify-full {ca}"),
            "tls_failed",
            "does not name this host",
        ),
        // The common name does not count where there are alternative names.
        (
            format!("host=db1 sslmode=verify-full {ca}"),
            "tls_failed",
            "does not name this host",
        ),
        (
            format!("host=127.0.0.1 sslmode=verify-full {ca}"),
            "tls_failed",
            "does not name this host",
        ),
        (
            format!("host=localhost sslmode=verify-full {wrong_ca}"),
            "tls_failed",
            "was not issued by",
        ),
        (
            "host=localhost sslmode=verify-full".to_owned(),
            "tls_failed",
            "sslrootcert",
        ),
        (
            "host=localhost sslrootcert=system".to_owned(),
            "tls_failed",
            "",
        ),
        (
            "host=localhost sslmode=verify-ca sslrootcert=/no/such.crt".to_owned(),
            "tls_failed",
            "/no/such.crt",
        ),
        (
            format!("host=localhost sslmode=verify-ca sslrootcert={dir}/server.key"),
            "tls_failed",
            "no PEM certificate",
        ),
        // `prefer` goes on without TLS where the server has none, and not where TLS fails.
        (
            format!("host=localhost {wrong_ca}"),
            "tls_failed",
            "sslmode=disable",
        ),
    ] {
        check(&format!("{either} {parameters}"), expected, says).await;
    }
    for (role, parameters, expected, says) in [
        (
            "only_tls",
            "sslmode=disable".to_owned(),
            "authentication_failed",
            "pg_hba.conf",
        ),
        ("only_tls", "sslmode=allow".to_owned(), "tls", ""),
        ("only_tls", String::new(), "tls", ""),
        (
            "only_plain",
            "sslmode=require".to_owned(),
            "authentication_failed",
            "pg_hba.conf",
        ),
        ("only_plain", "sslmode=allow".to_owned(), "plain", ""),
        ("only_plain", String::new(), "plain", ""),
        (
            "certified",
            "sslmode=require".to_owned(),
            "authentication_failed",
            "certificate",
        ),
        (
            "certified",
            format!("sslmode=require sslcert={dir}/client.crt sslkey={dir}/client.key"),
            "tls",
            "",
        ),
        (
            "certified",
            format!("sslmode=verify-full {ca} sslcert={dir}/client.crt sslkey={dir}/client.key"),
            "tls",
            "",
        ),
        (
            "certified",
            format!("sslmode=require sslcert={dir}/stranger.crt sslkey={dir}/stranger.key"),
            "tls_failed",
            "refused the client certificate",
        ),
        (
            "certified",
            format!("sslmode=require sslcert={dir}/client.crt"),
            "tls_failed",
            "sslkey",
        ),
        (
            "certified",
            format!("sslmode=require sslcert={dir}/client.crt sslkey={dir}/stranger.key"),
            "tls_failed",
            "client certificate",
        ),
        (
            "certified",
            format!("sslmode=require sslcert={dir}/client.crt sslkey=/no/such.key"),
            "tls_failed",
            "/no/such.key",
        ),
    ] {
        check(&format!("{} {parameters}", as_role(role)), expected, says).await;
    }
    let direct = format!("{either} host=localhost sslmode=require sslnegotiation=direct");
    let (found, error) = outcome(&direct).await;
    assert_eq!(found == "tls", server.major() >= 17, "{found} {error}");

    // A certificate of X.509 version 1, as Citus makes them: nobody goes on in plain text behind its back.
    let ours = ["crt", "key"].map(|suffix| {
        let path = server.data_dir().join(format!("server.{suffix}"));
        let kept = std::fs::read_to_string(path).unwrap();
        let old = match suffix {
            "crt" => include_str!("version_1/server.crt"),
            _ => include_str!("version_1/server.key"),
        };
        write(&server, &format!("server.{suffix}"), old);
        (suffix, kept)
    });
    tokio::task::block_in_place(|| server.restart().unwrap());
    for mode in ["require", "prefer"] {
        let url = format!("{either} host=localhost sslmode={mode}");
        check(
            &url,
            "tls_failed",
            "X.509 version 1 certificate, as Citus makes",
        )
        .await;
    }
    check(
        &format!("{either} host=localhost sslmode=disable"),
        "plain",
        "",
    )
    .await;
    for (suffix, kept) in ours {
        write(&server, &format!("server.{suffix}"), &kept);
    }
    tokio::task::block_in_place(|| server.restart().unwrap());

    // A database whose name is no text is asked for within TLS, and without.
    let latin1 = "template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'";
    server
        .sql("postgres", &format!("create database latin {latin1}"))
        .unwrap();
    let mut session = server.session("latin").unwrap();
    session.run("set client_encoding = 'UTF8'").unwrap();
    session
        .run(&format!("create database \"Ünï\" {latin1}"))
        .unwrap();
    for (parameters, expected) in [
        ("sslmode=disable", "plain"),
        ("sslmode=prefer", "tls"),
        ("sslmode=require", "tls"),
        ("sslmode=require&ssl_min_protocol_version=TLSv1.3", "tls"),
        ("sslmode=require&ssl_max_protocol_version=TLSv1.2", "tls"),
    ] {
        let url = format!(
            "postgres://either:hunter2@localhost:{port}/%DCn%EF?hostaddr=127.0.0.1&{parameters}"
        );
        check(&url, expected, "").await;
    }

    // The request to cancel goes there encrypted, too: a statement that is not stopped sleeps for long.
    let connected = open(&format!("{either} host=localhost sslmode=verify-full {ca}"))
        .await
        .unwrap();
    let sleeping = connected.client.batch_execute("select pg_sleep(600)");
    let cancelling = async {
        let sql = "select 1 from pg_stat_activity where application_name = 'plimsoll' and state <> 'idle'";
        while server.sql("postgres", sql).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        connected.cancel().await.unwrap();
    };
    let (slept, ()) = tokio::join!(sleeping, cancelling);
    assert_eq!(slept.unwrap_err().code().unwrap().code(), "57014");
    let Connected { client, task, .. } = connected;
    drop(client);
    task.await.unwrap();
}

/// As PostgreSQL's manual makes one: self-signed, with a common name and nothing else.
async fn own_root(installation: &Installation) {
    let server = start(installation);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (file, until) in [("now", 2100), ("past", 2001)] {
        let mut params = named("localhost", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join(format!("{file}.crt")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }
    let (dir, port, password) = (
        folder.display(),
        server.port(),
        server.password().to_owned(),
    );
    let url = |host: &str, mode: &str, root: &str| {
        format!(
            "user=postgres password={password} dbname=postgres port={port} host={host} hostaddr=127.0.0.1 \
             sslmode={mode} sslrootcert={dir}/{root}.crt"
        )
    };
    show(&server, folder, "now").await;
    let url_now = |host: &str, mode: &str| url(host, mode, "now");
    check(&url_now("localhost", "verify-full"), "tls", "").await;
    check(&url_now("db1", "verify-ca"), "tls", "").await;
    check(
        &url_now("db1", "verify-full"),
        "tls_failed",
        "does not name this host",
    )
    .await;
    check(
        &url("localhost", "verify-ca", "past"),
        "tls_failed",
        "not the one in sslrootcert",
    )
    .await;
    show(&server, folder, "past").await;
    check(
        &url("localhost", "verify-full", "past"),
        "tls_failed",
        "has expired",
    )
    .await;
    check(
        &url("localhost", "require", "past"),
        "tls_failed",
        "has expired",
    )
    .await;
}
