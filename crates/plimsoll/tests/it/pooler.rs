//! Behind a pooler's alias a database has one history, whichever of its names is given.

use throwaway_postgres::{Options, Pooler, Server, test};

use crate::support::Home;

/// A server, and before it a PgBouncer that knows its database `own_name` by the name `alias` only.
fn behind_an_alias(major: u32) -> Option<(Server, Pooler)> {
    let installation = test::installed(major)?;
    let server = Server::start(&Options {
        tcp: true,
        ..test::options(&installation)
    })
    .unwrap();
    server.sql("postgres", "create database own_name").unwrap();
    server
        .sql(
            "own_name",
            "create table t as select generate_series(1, 1000) n",
        )
        .unwrap();
    let pooler =
        Pooler::start_for(&server, "transaction", 2, &[("alias", Some("own_name"))]).unwrap()?;
    Some((server, pooler))
}

fn a_database_behind_an_alias_has_one_history(major: u32) {
    let Some((_server, pooler)) = behind_an_alias(major) else {
        return;
    };
    let (home, url) = (Home::new(), pooler.url("alias"));
    // what was imported before the first visit goes on under the name that this shows
    let file = home.write(
        "sizes.csv",
        "time,bytes\n2026-01-01,8000000\n2026-01-02,8100000\n",
    );
    let imported = home.run(&url, &["import", file.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    let json = |args: &[&str]| {
        home.run(&url, &[&["--output", "json"], args].concat())
            .json()
    };
    for of in [
        &[][..],
        &["--database", "alias"],
        &["--database", "own_name"],
    ] {
        let history = json(&[of, &["history"]].concat());
        assert_eq!(
            (&history["total"], &history["database"]),
            (&3.into(), &"own_name".into()),
            "{of:?}"
        );
        let table = json(&[of, &["history", "--table", "t"]].concat());
        assert!(table["samples"][0]["table_sizes"]["t"].is_u64(), "{table}");
        for command in [
            &["growth"][..],
            &["events"],
            &["forecast", "--capacity", "1GB"],
            &["forecast", "--by", "table"],
        ] {
            assert_eq!(
                json(&[of, command].concat())["database"],
                "own_name",
                "{of:?} {command:?}"
            );
        }
        // the pooler knows no other name than the alias
        assert_eq!(
            json(&[of, &["sizes"]].concat())["database"],
            "own_name",
            "{of:?}"
        );
        let exported = home.run(&url, &[of, &["export", "--table", "t"]].concat());
        assert_eq!(exported.out.lines().count(), 2, "{exported:?}");
        let asked = home.run(&url, &[of, &["doctor"]].concat());
        assert!(
            asked.out.contains("own_name") || asked.out.contains("alias"),
            "{asked:?}"
        );
    }
    home.run(&url, &["--database", "other", "history"])
        .failed_saying(&["no watched database is named \"other\"; watched are: "]);
}

macro_rules! behind_poolers {
    ($($name:ident $major:literal),+) => {$(
        #[test]
        fn $name() {
            a_database_behind_an_alias_has_one_history($major);
        }
    )+};
}

mod a_database_behind_an_alias_has_one_history_on {
    use super::*;
    behind_poolers!(pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
}
