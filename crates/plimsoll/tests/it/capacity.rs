//! `plimsoll disk`, `forecast` and `doctor` with capacity from the configuration, of a server that may be another host's.

use throwaway_postgres::{Options, Server};

use crate::support::{Home, Ran, new_database, number};

/// One that is asked over TCP, as one of another host is.
fn server() -> Server {
    let options = Options {
        tcp: true,
        ..Options::default()
    };
    Server::start(&options).unwrap()
}

#[test]
fn disk_and_doctor_use_what_the_configuration_says_and_show_no_secret() {
    let server = &server();
    let database = new_database(server, "capacity");
    let home = Home::new();
    let config = home.write("plimsoll.toml", &format!(
        "[[instance]]\nname = \"far\"\nurl = \"{}\"\n\
         [[capacity]]\ncommand = [\"/bin/sh\", \"-c\", \"echo hush >&2; exit 3\"]\nbytes = \"1TB\"\n\
         [[capacity]]\nvolume = \"wal\"\non = \"/dev/wal\"\n\
         command = [\"/bin/sh\", \"-c\", \": hush; echo '{{\\\"capacity_bytes\\\": 100000000000, \\\"available_bytes\\\": 60000000000}}'\"]\n",
        server.tcp_url(&database),
    ));
    let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&config).args(args));
    let shown = |ran: &Ran| assert!(!format!("{ran:?}").contains("hush"), "{ran:?}");

    let ran = run(&["disk", "--output", "json"]);
    shown(&ran);
    let disk = ran.json();
    let volume = |place: &str| {
        let volumes = disk["volumes"].as_array().unwrap();
        volumes
            .iter()
            .find(|volume| volume["places"].as_array().unwrap().contains(&place.into()))
            .unwrap_or_else(|| panic!("{disk}"))
            .clone()
    };
    let data = volume("data");
    assert_eq!(
        (&data["source"], &data["capacity_bytes"]),
        (&"config".into(), &(1_u64 << 40).into())
    );
    assert!(
        data["used_bytes"].is_null() && data["known_bytes"].as_i64() > Some(1 << 20),
        "{data}"
    );
    assert!(data["late"].as_str().unwrap().contains("late"));
    let wal = volume("wal");
    assert_eq!(
        (&wal["source"], &wal["assumed"]),
        (&"command".into(), &false.into())
    );
    assert_eq!(wal["used_bytes"], 40_000_000_000_u64);
    let sum: i64 = wal["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["bytes"].as_i64())
        .sum();
    assert_eq!(wal["used_bytes"].as_i64(), Some(sum));
    let segments = wal["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["part"] == "wal")
        .unwrap()
        .clone();
    assert_eq!(
        segments["bytes"],
        number(server, &database, "select sum(size) from pg_ls_waldir()")
    );
    let text = run(&["disk"]);
    shown(&text);
    assert!(text.out.contains("the dates are late"), "{text:?}");

    let ran = run(&["doctor", "--output", "json"]);
    shown(&ran);
    let doctor: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let place = |name: &str| {
        let places = doctor["places"].as_array().unwrap();
        places
            .iter()
            .find(|place| place["place"] == name)
            .unwrap_or_else(|| panic!("{doctor}"))
            .clone()
    };
    assert_eq!(
        (&place("wal")["pool"], &place("wal")["declare"]),
        (&"/dev/wal".into(), &serde_json::Value::Null)
    );
    let log = place("log");
    assert_eq!(
        (&log["assumed"], &log["source"]),
        (&true.into(), &"config".into())
    );
    let declare = log["declare"].as_str().unwrap();
    assert!(
        declare.contains("[[capacity]] instance = \"far\", volume = \"log\", on = \"POOL\""),
        "{declare}"
    );
    let text = run(&["doctor"]);
    shown(&text);
    assert!(text.out.contains("assumed on data"), "{text:?}");
}

#[test]
fn what_contradicts_the_files_that_are_there_is_not_believed_and_said_so() {
    let server = &server();
    let database = new_database(server, "contradiction");
    let home = Home::new();
    let config = home.write("plimsoll.toml", &format!(
        "[[instance]]\nname = \"far\"\nurl = \"{}\"\n\
         [[capacity]]\ncommand = [\"echo\", '{{\"capacity_bytes\": 1000000000000, \"used_bytes\": 1000}}']\n\
         [[capacity]]\nvolume = \"tablespace:nope\"\nbytes = \"1GB\"\n",
        server.tcp_url(&database),
    ));
    let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&config).args(args));
    let disk = run(&["disk", "--output", "json"]).json();
    let data = &disk["volumes"][0];
    assert_eq!(disk["volumes"].as_array().unwrap().len(), 1, "{disk}");
    assert!(
        data["capacity_bytes"].is_null() && data["used_bytes"].is_null(),
        "{data}"
    );
    let reasons = [
        "which the server does not have",
        "PostgreSQL's files alone have",
    ];
    let problems = disk["problems"].as_array().unwrap();
    for (problem, reason) in problems.iter().zip(reasons) {
        assert!(problem.as_str().unwrap().contains(reason), "{problems:?}");
    }
    assert_eq!(problems.len(), 2);
    assert!(
        data["unknown"].as_str().unwrap().contains(reasons[1]),
        "{data}"
    );
    for (command, code) in [("disk", 0), ("doctor", 1)] {
        let ran = run(&[command]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for reason in reasons {
            assert!(flat.contains(reason), "no {reason:?} in {ran:?}");
        }
    }
}
