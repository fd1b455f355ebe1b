//! A password shows in no answer, log, error or process title, wherever it was typed and whatever goes wrong.

use std::fmt::Write as _;

use throwaway_postgres::{Options, Server, test};

use crate::serve::Service;
use crate::support::{Home, Ran};

/// What must never be seen.
const MARK: &str = "hush4711";

/// Texts that hold a password, as they come to stand in wrong places.
fn marked() -> [String; 5] {
    [
        format!("postgres://u:{MARK}@127.0.0.1:1/app"),
        format!("postgresq://u:{MARK}@127.0.0.1:1/app"),
        format!("postgres://u:a@{MARK}@127.0.0.1:port/app?nonsense=1"),
        format!("u:{MARK}@h/app"),
        format!("host=127.0.0.1 port=1 user=u password={MARK} dbname=app"),
    ]
}

fn assert_silent(ran: &Ran, how: &dyn std::fmt::Debug) {
    assert!(!ran.out.contains(MARK), "{how:?}: {ran:?}");
    assert!(!ran.err.contains(MARK), "{how:?}: {ran:?}");
}

/// The first words of the indented lines of a section of a help text.
fn listed(help: &str, section: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != section)
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The options of a help text that take a value.
fn options(help: &str) -> Vec<String> {
    help.lines()
        .filter_map(|line| {
            let option = line
                .trim_start()
                .split_inclusive("--")
                .nth(1)
                .map(|_| line)?;
            let (_, rest) = option.split_once("--")?;
            let (name, value) = rest.split_once(' ')?;
            value.starts_with('<').then(|| format!("--{name}"))
        })
        .collect()
}

#[test]
fn whatever_is_typed_where_no_error_repeats_a_password() {
    let home = Home::new();
    let nowhere = "postgres://u@127.0.0.1:1/app";
    let help = home.run(nowhere, &["--help"]).out;
    let commands = listed(&help, "Commands:");
    assert!(commands.len() > 10, "{help}");
    let common = options(&help);
    assert!(common.contains(&"--database-url".to_owned()), "{help}");
    let mut tried = 0;
    for command in &commands {
        // The demo has no password, and would begin.
        if ["help", "demo"].contains(&command.as_str()) {
            continue;
        }
        let mut own = options(&home.run(nowhere, &[command, "--help"]).out);
        // What every command takes is tried with one of them.
        own.retain(|option| command == "sizes" || !common.contains(option));
        for text in marked() {
            let mut cases: Vec<Vec<&str>> = vec![vec![command, &text]];
            cases.extend(
                own.iter()
                    .map(|option| vec![command.as_str(), option, &text]),
            );
            for mut args in cases {
                if command == "serve" {
                    // refused in the end, so that it never waits for a signal
                    args.extend(["--listen", "0.0.0.0:0"]);
                }
                let mut run = home.on(nowhere);
                // where files with such names may be made
                run.current_dir(home.path("."));
                let ran = Ran::of(run.args(["-vv", "--log-format", "json"]).args(&args));
                assert_silent(&ran, &args);
                tried += 1;
            }
        }
    }
    assert!(tried > 150, "only {tried} cases");
    for variable in [
        "DATABASE_URL",
        "PLIMSOLL_STORE",
        "PLIMSOLL_CONFIG",
        "PLIMSOLL_LOG",
    ] {
        for text in marked() {
            for command in ["sizes", "sample", "check-config", "migrate", "store"] {
                let mut run = home.on(nowhere);
                run.current_dir(home.path("."));
                let ran = Ran::of(run.env(variable, &text).args(["-vv", command]));
                assert_silent(&ran, &(variable, &text, command));
            }
        }
    }
}

#[test]
fn no_mistake_in_a_configuration_shows_a_password() {
    let home = Home::new();
    let mut files = Vec::new();
    for text in marked() {
        let secret = home.write("secret", &text);
        for line in [
            format!("url = \"{text}\""),
            format!("url = {text}"),
            format!("url = \"{text}"),
            format!("url = [\"{text}\"]"),
            format!("url = \"{text}\"\nurl = \"{text}\""),
            format!("urll = \"{text}\""),
            format!("\"{text}\" = 1"),
            format!("url_file = \"{text}\""),
            format!("url_file = \"{}\"", secret.display()),
            format!("url = \"postgres://h/d\"\ndatabases = \"{text}\""),
            format!("url = \"postgres://h/d\"\nmethod = \"{text}\""),
            format!("url = \"postgres://h/d\"\nparallel = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[store]\nurl = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[store]\nurl = \"sqlite:{text}\""),
            format!("url = \"postgres://h/d\"\n[store]\nurl = [\"{text}\"]"),
            format!("url = \"postgres://h/d\"\n[server]\nlisten = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[history]\nall_for = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[history]\nmax_bytes = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[schedule]\nsample = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[[capacity]]\nbytes = \"{text}\""),
            format!("url = \"postgres://h/d\"\n[[capacity]]\ninstance = \"{text}\"\nbytes = 1"),
        ] {
            files.push(format!("[[instance]]\nname = \"a\"\n{line}\n"));
        }
    }
    for (number, text) in files.iter().enumerate() {
        let file = home.write(&format!("{number}.toml"), text);
        for command in ["check-config", "sizes"] {
            let ran = Ran::of(
                home.plimsoll()
                    .arg("--config")
                    .arg(&file)
                    .args(["-vv", command]),
            );
            assert_silent(&ran, text);
            assert_ne!(ran.code, Some(101), "{ran:?}");
        }
    }
}

#[test]
fn a_password_on_the_command_line_is_warned_of() {
    let home = Home::new();
    let url = format!("postgres://u:{MARK}@127.0.0.1:1/app");
    for (args, option) in [
        (
            &["--database-url", &*url, "sizes"] as &[&str],
            "--database-url",
        ),
        (&["sizes", "--database-url", &*url], "--database-url"),
        (&["--store", &*url, "store"], "--store"),
        (&["import", &*url], "the URL"),
    ] {
        let ran = Ran::of(home.on("postgres://u@127.0.0.1:1/app").args(args));
        assert!(ran.err.contains("list of processes"), "{ran:?}");
        assert!(ran.err.contains(option), "{ran:?}");
        assert_silent(&ran, &args);
    }
    // neither a URL without one nor the environment is worth a word
    let mut run = home.on(&url);
    let ran = Ran::of(run.args(["--store", "postgres://u@127.0.0.1:1/app", "sizes"]));
    assert!(!ran.err.contains("list of processes"), "{ran:?}");
}

#[test]
fn a_service_shows_the_password_of_no_server_in_any_answer_log_or_title() {
    let Some(installation) = test::installed(17).or_else(|| test::installed(15)) else {
        return;
    };
    let server = Server::start(&Options {
        tcp: true,
        ..test::options(&installation)
    })
    .unwrap();
    let url = server.tcp_url("postgres");
    let password = server.password().to_owned();
    let (home, other) = (Home::new(), url.replace(&password, MARK));
    let file = home.write("url", &url);
    let config = home.write(
        "plimsoll.toml",
        &format!(
            "[[instance]]\nname = \"good\"\nurl_file = \"{}\"\n[[instance]]\nname = \"bad\"\nurl = \"{other}\"\n",
            file.display()
        ),
    );
    let service = Service::start(home.plimsoll().arg("--config").arg(config).args([
        "-vv",
        "--log-format",
        "json",
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]));
    let (_, document) = service.get("/api/openapi.json");
    let mut answers = String::new();
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path
            .replace("{schema}", "pg_catalog")
            .replace("{table}", "pg_class");
        for of in ["", "?instance=good", "?instance=bad"] {
            let _ = writeln!(answers, "{}", service.get(&format!("{path}{of}")).1);
        }
    }
    for instance in ["good", "bad"] {
        let _ = writeln!(
            answers,
            "{}",
            service
                .post(&format!("/api/storage/samples?instance={instance}"))
                .1
        );
    }
    let process =
        |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", service.id())).unwrap();
    let title = process("cmdline") + &process("comm");
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(answers.contains("did not let"), "{answers}");
    for secret in [&*password, MARK] {
        for text in [&answers, &log, &title] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
