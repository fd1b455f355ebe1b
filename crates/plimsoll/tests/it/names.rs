//! Names that hide something: whoever reads a table, an error or a log sees what they are.

use std::os::unix::fs::PermissionsExt;

use throwaway_postgres::test;

use crate::support::{Home, Ran, new_database};

/// That nothing moves the cursor, turns the writing, or hides; lines are ended by ours only.
fn is_visible(text: &str) {
    for line in text.lines() {
        let shown = plimsoll_core::name::visible(line);
        assert_eq!(shown, line, "{text:?}");
    }
}

#[test]
fn hostile_names_are_shown_as_sql_writes_them_everywhere() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "hostile");
    let mut session = server.session(&database).unwrap();
    for sql in [
        "create schema a",
        "create schema \"a\u{202e}\"",
        "create table \"a.b\" as select generate_series(1, 9000) x",
        "create table a.\"b.c\" as select generate_series(1, 9000) x",
        "create table \"Mixed\" as select generate_series(1, 9000) x",
        "create table \"\u{1b}[31mred\nline\u{2028}\u{200b}\" as select generate_series(1, 9000) x",
        "create index \"i\u{202e}\" on \"Mixed\" (x)",
        "create table \"a\u{202e}\".t as select generate_series(1, 9000) x",
    ] {
        session.run(sql).unwrap();
    }
    let (home, url) = (Home::new(), server.url(&database));
    let out = |args: &[&str]| {
        let ran = home.run(&url, args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        is_visible(&ran.out);
        is_visible(&ran.err);
        ran.out
    };
    let sizes = out(&["sizes"]);
    for shown in [
        "\n\"a.b\" ",
        "\na.\"b.c\" ",
        "\n\"Mixed\" ",
        "\nU&\"\\001B[31mred\\000Aline\\2028\\200B\" ",
        "\nU&\"a\\202E\".t ",
    ] {
        assert!(sizes.contains(shown), "{shown:?} in {sizes}");
    }
    out(&["sample"]);
    server
        .sql(
            &database,
            "insert into \"Mixed\" select generate_series(1, 90000)",
        )
        .unwrap();
    out(&["sample"]);
    let growth = out(&["growth"]);
    assert!(growth.contains("U&\"i\\202E\" on \"Mixed\""), "{growth}");
    for args in [&["history"][..], &["events"], &["doctor"], &["store"]] {
        let ran = home.run(&url, args);
        is_visible(&ran.out);
        is_visible(&ran.err);
    }
    // Programs get the names themselves.
    let json = home.run(&url, &["--output", "json", "sizes"]).json();
    let names: Vec<_> = json["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["table_name"])
        .collect();
    assert!(
        names.contains(&&"\u{1b}[31mred\nline\u{2028}\u{200b}".into()),
        "{names:?}"
    );
}

#[test]
fn errors_and_logs_stay_in_their_line() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let home = Home::new();
    // The server repeats the name in what it says.
    let url = server
        .url("evil")
        .replacen("/evil", "/%1B%5B2J%0Aevil%E2%80%AE", 1);
    let ran = home.run(&url, &["sizes"]);
    ran.failed_saying(&["\\u{1b}[2J\\nevil\\u{202e}"]);
    is_visible(&ran.err);
    assert_eq!(ran.err.trim_end().lines().count(), 1, "{ran:?}");

    let passfile = home.write("\u{1b}[2Jpass\nfile", "*:*:*:*:x\n");
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (user, host) = ("nobody", server.folder().display());
    let url = format!(
        "postgres://{user}@/postgres?host={host}&port={}",
        server.port()
    );
    let mut command = home.on(&url);
    command
        .env("PGPASSFILE", &passfile)
        .args(["--log-format", "text", "sizes"]);
    let ran = Ran::of(&mut command);
    assert!(ran.err.contains("password file not used"), "{ran:?}");
    assert!(ran.err.contains("\\u{1b}[2Jpass\\nfile"), "{ran:?}");
    is_visible(&ran.err);
}
