//! Starting, stopping, crashing, settings, TCP and standbys.

use throwaway_postgres::{Options, Server, on_every_major, test};

fn one(server: &Server, sql: &str) -> String {
    let rows = server.sql("postgres", sql).unwrap();
    rows.into_iter()
        .flatten()
        .flatten()
        .next()
        .unwrap_or_default()
}

on_every_major! {
    fn starts_answers_and_comes_back(server: &Server) {
        let server = &Server::start(&test::options(server.installation())).unwrap();
        let version = one(server, "select current_setting('server_version_num')");
        assert_eq!(version.parse::<u32>().unwrap() / 10_000, server.major());
        assert_eq!(one(server, "select current_setting('max_prepared_transactions')"), "20");
        assert_eq!(one(server, "show dynamic_shared_memory_type"), "mmap");
        assert_eq!(one(server, "select 'näme', null, 'b'"), "näme");

        let error = server.sql("postgres", "select 1/0").unwrap_err().to_string();
        assert!(error.contains("22012"), "{error}");
        let error = server.sql("no_such", "select 1").unwrap_err().to_string();
        assert!(error.contains("3D000"), "{error}");

        server.sql("postgres", "create table kept (n int); insert into kept values (7)").unwrap();
        let first = server.postmaster_pid().unwrap();
        server.restart().unwrap();
        assert_ne!(server.postmaster_pid().unwrap(), first);
        assert_eq!(one(server, "select n from kept"), "7");
        server.crash().unwrap();
        assert!(server.sql("postgres", "select 1").is_err());
        server.start_again().unwrap();
        assert_eq!(one(server, "select n from kept"), "7");
        assert!(server.log().contains("was not properly shut down"));
    }

    fn a_standby_follows_its_primary_and_its_tablespaces(server: &Server) {
        let place = server.make_folder("fast").unwrap();
        server.sql("postgres", &format!("create tablespace fast location '{}'", place.display())).unwrap();
        server.sql("postgres", "create table elsewhere (n int) tablespace fast").unwrap();
        let standby = server.standby(&[("hot_standby_feedback".into(), "on".into())]).unwrap();
        assert_eq!(one(&standby, "select pg_is_in_recovery()"), "t");
        server.sql("postgres", "insert into elsewhere select generate_series(1, 500)").unwrap();
        standby.wait_for(server).unwrap();
        assert_eq!(one(&standby, "select count(*) from elsewhere"), "500");
        assert_eq!(one(&standby, "select current_setting('hot_standby_feedback')"), "on");
        assert_ne!(standby.folder(), server.folder());
    }
}

#[test]
fn over_tcp_a_password_is_asked_for() {
    for major in throwaway_postgres::SUPPORTED_MAJORS {
        let Some(installation) = test::installed(major) else {
            continue;
        };
        let options = Options {
            installation: Some(installation),
            tcp: true,
            ..Options::default()
        };
        let server = Server::start(&options).unwrap();
        assert!(server.tcp_url("app").contains(server.password()));
        assert!(!format!("{server:?}").contains(server.password()));
        std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let hash = one(
            &server,
            "select rolpassword from pg_authid where rolname = 'postgres'",
        );
        assert!(hash.starts_with("SCRAM-SHA-256"), "PostgreSQL {major}");
        let rules = one(
            &server,
            "select string_agg(distinct auth_method, ',') from pg_hba_file_rules where type = 'host'",
        );
        assert_eq!(rules, "scram-sha-256", "PostgreSQL {major}");
    }
}

#[test]
fn a_setting_that_the_server_refuses_is_told_with_its_log() {
    let options = Options::default().setting("no_such_setting", "1");
    let error = Server::start(&options).unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}
