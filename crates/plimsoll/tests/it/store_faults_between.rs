//! Faults of what lies between Plimsoll and its store: a pooler whose server goes, and a certificate that is another's.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use throwaway_postgres::{Options, Pooler, Server, test};

use crate::store_faults::{Course, start};
use crate::support::{Home, new_database};

/// A server that listens on TCP, for a store.
fn server() -> Option<Server> {
    let installation = test::installed(18)?;
    let options = Options {
        tcp: true,
        ..test::options(&installation)
    };
    Some(Server::start(&options).unwrap())
}

#[test]
fn a_pooler_whose_server_goes_costs_samples_and_nobody_who_looks() {
    let (Some(watched), Some(server)) = (test::shared_if_installed(18), server()) else {
        return;
    };
    let store = new_database(&server, "store");
    let Some(pooler) = Pooler::start(&server, "transaction", 2).unwrap() else {
        return;
    };
    let home = Home::new();
    let service = start(watched, &home, &pooler.url(&store));
    let mut course = Course::of(&service);
    for fault in ["stopped", "killed"] {
        course.acknowledge(fault);
        match fault {
            "stopped" => server.stop().unwrap(),
            _ => server.crash().unwrap(),
        }
        course.holds(
            &format!("a server behind a pooler, {fault}"),
            &["store_unreachable"],
        );
        server.start_again().unwrap();
        course.acknowledge(&format!("after {fault}"));
        course.is_whole(fault);
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// Makes an authority of this name in a folder, and gives the server a certificate of it.
fn certify(server: &Server, folder: &Path, name: &str) {
    let named = |name: &str, hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = named(name, &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    std::fs::write(folder.join(format!("{name}.crt")), root.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate = named("the server", &["127.0.0.1"])
        .signed_by(&key, &issuer)
        .unwrap();
    for (file, text) in [("crt", certificate.pem()), ("key", key.serialize_pem())] {
        std::fs::write(folder.join(format!("{name}.server.{file}")), text).unwrap();
    }
    show(server, folder, name);
}

/// Lets the server show the certificate that an authority of this name issued; written by the server's own account.
fn show(server: &Server, folder: &Path, name: &str) {
    for file in ["crt", "key"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.server.{file}"))).unwrap();
        let path = server.data_dir().join(format!("server.{file}"));
        let sql = format!(
            "copy (select unnest(string_to_array('{}', e'\\n'))) to program 'umask 077; cat > {}'",
            text.trim_end(),
            path.display()
        );
        server.sql("postgres", &sql).unwrap();
    }
    server.sql("postgres", "alter system set ssl = on").unwrap();
    server.restart().unwrap();
}

#[test]
fn a_store_that_shows_anothers_certificate_is_not_written_to() {
    let (Some(watched), Some(server)) = (test::shared_if_installed(18), server()) else {
        return;
    };
    let home = Home::new();
    let folder = home.path("certificates");
    std::fs::create_dir(&folder).unwrap();
    certify(&server, &folder, "ours");
    let store = new_database(&server, "store");
    let root = folder.join("ours.crt");
    let url = format!(
        "{}?sslmode=verify-full&sslrootcert={}",
        server.tcp_url(&store),
        root.display()
    );
    let service = start(watched, &home, &url);
    let mut course = Course::of(&service);
    course.acknowledge("with its own certificate");
    certify(&server, &folder, "anothers");
    course.holds(
        "another's certificate",
        &["store_unreachable", "store_denied"],
    );
    show(&server, &folder, "ours");
    course.acknowledge("with its own certificate again");
    course.is_whole("another's certificate");
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.contains("certificate"), "it is not said why: {log}");
}
