//! Behind a pooler's alias a database has one history, whichever of its names is given.

use throwaway_postgres::{Options, Pooler, Server, test};

use crate::support::{Home, Ran};

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

/// The alias is the name of another database that has a history, too: each has its own, and it is said which was taken.
#[test]
fn an_alias_that_is_another_databases_own_name_never_gives_that_ones_history() {
    let Some((server, pooler)) = behind_an_alias(18) else {
        return;
    };
    server.sql("postgres", "create database alias").unwrap();
    server.sql("alias", "create table other (n int)").unwrap();
    let home = Home::new();
    let config = |name: &str, url: &str| {
        let text = format!("[[instance]]\nname = \"main\"\nurl = \"{url}\"\n");
        home.write(name, &text)
    };
    let direct = config("direct.toml", &server.url("alias"));
    let pooled = config("pooled.toml", &pooler.url("alias"));
    let run = |config: &std::path::Path, args: &[&str]| {
        let ran = home
            .plimsoll()
            .arg("--config")
            .arg(config)
            .args(args)
            .output();
        Ran::from(ran.unwrap())
    };
    let json = |config, args: &[&str]| run(config, &[&["--output", "json"], args].concat()).json();
    // the database's own history first, then what the alias leads to
    assert_eq!(run(&direct, &["sample"]).code, Some(0));
    for _ in 0..2 {
        let taken = run(&pooled, &["sample"]);
        assert!(taken.out.contains("of own_name"), "{taken:?}");
    }
    for (config, of, database, total) in [
        // what the URL leads to
        (&pooled, &[][..], "own_name", 2),
        (&pooled, &["--database", "own_name"], "own_name", 2),
        // the one that has the name
        (&pooled, &["--database", "alias"], "alias", 1),
    ] {
        for command in [
            &["history"][..],
            &["growth"],
            &["events"],
            &["forecast", "--capacity", "1GB"],
        ] {
            let answer = json(config, &[of, command].concat());
            assert_eq!(answer["database"], database, "{of:?} {command:?}: {answer}");
        }
        assert_eq!(
            json(config, &[of, &["history"]].concat())["total"],
            total,
            "{of:?}"
        );
    }
    let said = run(&pooled, &["--database", "alias", "history"]);
    assert!(
        said.err.contains("is taken for the database of that name")
            && said.err.contains("--database own_name"),
        "{said:?}"
    );
    let said = run(&pooled, &["history"]);
    assert!(!said.err.contains("is taken for"), "{said:?}");
    // where the forecast's room would be that of another database, it is none
    let forecast = json(&pooled, &["--database", "alias", "forecast"]);
    assert!(
        forecast["capacity"]["capacity_bytes"].is_null(),
        "{forecast}"
    );
    // a history that an import has under the name goes on under it
    let file = home.write(
        "sizes.csv",
        "date,bytes\n2026-01-01,8000000\n2026-01-02,8100000\n",
    );
    let imported = run(
        &pooled,
        &["--database", "alias", "import", file.to_str().unwrap()],
    );
    assert!(
        imported.out.starts_with("alias on main: 2 samples added"),
        "{imported:?}"
    );
    assert_eq!(json(&pooled, &["history"])["total"], 2);
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
