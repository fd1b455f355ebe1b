//! The long-running program: answers, outlives the server's restarts, stops when told.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use throwaway_postgres::{Server, on_every_major, test};

use crate::support::{Home, new_database, number, row};

/// A running `plimsoll serve` or `demo`.
pub(crate) struct Service {
    child: Child,
    base: String,
    /// Every line of standard error so far.
    log: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Service {
    /// Starts it and waits until it says where it answers.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let base = loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended: {seen}");
            seen.push_str(&line);
            if let Some(at) = line.find("http://127.0.0.1:") {
                let address = line[at..].trim_end().trim_end_matches('/');
                break address.to_owned();
            }
        };
        // What it logs is read to the end, or it would wait for a reader.
        let log = Arc::new(Mutex::new(seen));
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                kept.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        Self {
            child,
            base,
            log,
            reader: Some(reader),
        }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let mut response = agent().get(format!("{}{path}", self.base)).call().unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        let json = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (response.status().as_u16(), json)
    }

    pub(crate) fn post(&self, path: &str) -> (u16, Value) {
        let mut response = agent()
            .post(format!("{}{path}", self.base))
            .send_empty()
            .unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        (
            response.status().as_u16(),
            serde_json::from_str(&body).unwrap(),
        )
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its address, as `http://127.0.0.1:PORT`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and returns the exit code and everything that was logged.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.log())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

on_every_major! {
    fn it_answers_what_the_command_line_prints(server: &Server) {
        let database = new_database(server, "serve");
        server.sql(&database, "
            create table events (id bigint primary key, body text);
            insert into events select i, repeat('x', 200) from generate_series(1, 3000) i").unwrap();
        server.sql(&database, "vacuum analyze").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let service = Service::start(home.on(&url).args(["--log-format", "json", "serve", "--listen", "127.0.0.1:0"]));

        let (status, sizes) = service.get("/api/storage/sizes");
        assert_eq!(status, 200, "{sizes}");
        let exact = number(server, &database, "select pg_total_relation_size('events')");
        assert_eq!(row(&sizes, "events")["size_bytes"], exact);
        let cli = home.run(&url, &["--output", "json", "sizes"]).json();
        assert_eq!(cli["tables"], sizes["tables"]);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&cli), keys(&sizes));

        let (status, sample) = service.post("/api/storage/samples");
        assert_eq!((status, &sample["kind"]), (201, &"manual".into()), "{sample}");
        let (status, history) = service.get("/api/storage/history?kind=all");
        assert_eq!(status, 200);
        let ids: Vec<_> = history["samples"].as_array().unwrap().iter().map(|s| s["id"].as_i64().unwrap()).collect();
        assert!(ids.contains(&sample["id"].as_i64().unwrap()), "{history}");
        assert!(history["total"].as_u64().unwrap() >= 1);

        let (status, jobs) = service.get("/api/jobs");
        assert_eq!(status, 200);
        let names: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|j| j["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["cleanup", "sample_storage_sizes", "watch", "look_at_disk"]);
        for (path, code) in [("/api/nothing", 404), ("/api/storage/sizes?limit=x", 400), ("/api/storage/sizes?limt=1", 400), ("/api/storage/sizes?database=no", 404)] {
            let (status, problem) = service.get(path);
            assert_eq!(status, code, "{path}: {problem}");
            assert!(problem["code"].is_string() && problem["detail"].is_string(), "{problem}");
        }
        let (status, page) = service.get("/");
        assert!(status == 200 && page.as_str().unwrap().contains("events"), "{page}");
        for path in ["/healthz", "/readyz", "/api/openapi.json", "/api/databases", "/api/cleanup/stats", "/api/cleanup/history"] {
            assert_eq!(service.get(path).0, 200, "{path}");
        }

        let (code, log) = service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
        let events: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let recorded = events.iter().find(|e| e["message"] == "storage.sampling.recorded").expect("it is logged");
        for field in ["database", "sample_id", "total_bytes", "table_count", "took_ms"] {
            assert!(!recorded[field].is_null(), "{field}: {recorded}");
        }
        assert!(events.iter().any(|e| e["message"] == "storage.sampling.start"));
    }
}

/// One test a major, because the server goes down.
macro_rules! restarts {
    ($($test:ident $major:literal),+) => { mod it_outlives_the_servers_restart { $(
        #[test]
        fn $test() {
            super::it_outlives_the_servers_restart($major);
        }
    )+ } };
}

restarts!(pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);

fn it_outlives_the_servers_restart(major: u32) {
    let Some(installation) = test::installed(major) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let database = new_database(&server, "restart");
    server
        .sql(
            &database,
            "create table t as select generate_series(1, 100) i",
        )
        .unwrap();
    let (home, url) = (Home::new(), server.url(&database));
    let service = Service::start(home.on(&url).args(["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(service.get("/api/storage/sizes").0, 200);
    // only what is asked for here: the schedule takes samples of its own, as the clock says
    let kept = |service: &Service| {
        service.get("/api/storage/history?kind=manual").1["total"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(service.post("/api/storage/samples").0, 201);
    let before = kept(&service);

    server.stop().unwrap();
    // looking never fails with the server: what is known is answered, and why there is no more
    let mut tries = 0;
    loop {
        let (status, sizes) = service.get("/api/storage/sizes?wait=30");
        assert_eq!(status, 200, "{sizes}");
        assert!(sizes["total_bytes"].as_u64() > Some(0), "{sizes}");
        if sizes["visit_error"]["code"] == "server_unreachable" {
            break;
        }
        tries += 1;
        assert!(tries < 600, "nobody noticed: {sizes}");
        thread::sleep(Duration::from_millis(50));
    }
    let (status, ready) = service.get("/readyz");
    assert_eq!(status, 200, "Plimsoll itself is ready: {ready}");
    let checks = ready["checks"].as_array().unwrap();
    let down = checks.iter().find(|check| check["ready"] == false);
    let name = down.unwrap()["name"].as_str().unwrap();
    assert!(name.ends_with(&database), "{ready}");
    assert_eq!(service.get("/healthz").0, 200);
    assert_eq!(
        kept(&service),
        before,
        "the history is there without the server"
    );

    server.start_again().unwrap();
    // a failure answers for a moment, so that a server that is down is not knocked at all the time
    let mut tries = 0;
    while service.post("/api/storage/samples").0 != 201 {
        tries += 1;
        assert!(tries < 600, "it does not come back");
        thread::sleep(Duration::from_millis(50));
    }
    let (_, sizes) = service.get("/api/storage/sizes");
    assert!(sizes["visit_error"].is_null(), "{sizes}");
    assert_eq!(kept(&service), before + 1);
    assert_eq!(service.stop("-INT").0, Some(0));
}

/// Nobody listens at this address, and it needs nobody to start.
const NOWHERE: &str = "postgres://u@127.0.0.1:1/app";

#[test]
fn every_signal_that_asks_it_to_end_ends_it_in_order() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let home = Home::new();
        let service = Service::start(home.on(NOWHERE).args(["serve", "--listen", "127.0.0.1:0"]));
        let (code, log) = service.stop(signal);
        assert_eq!(code, Some(0), "{signal}: {log}");
        assert!(log.contains("server.stopping"), "{signal}: {log}");
    }
}

#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let home = Home::new();
    let program = home.on(NOWHERE);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" serve --listen 127.0.0.1:0"]);
    shell.arg(program.get_program()).env_clear();
    for (name, value) in program.get_envs() {
        shell.env(name, value.unwrap());
    }
    let service = Service::start(&mut shell);
    let hung_up = Command::new("kill")
        .args(["-HUP", &service.id().to_string()])
        .status();
    assert!(hung_up.unwrap().success());
    // whoever ends at the signal does not answer after it
    for _ in 0..10 {
        assert_eq!(service.get("/healthz").0, 200);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(service.stop("-TERM").0, Some(0));
}

#[test]
fn every_line_that_a_request_causes_has_its_id() {
    let home = Home::new();
    let service = Service::start(home.on(NOWHERE).args([
        "-vv",
        "--log-format",
        "json",
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]));
    let mut response = agent()
        .post(format!("{}/api/storage/samples", service.base))
        .header("x-request-id", "the-one-asked-for")
        .send_empty()
        .unwrap();
    assert_eq!(response.headers()["x-request-id"], "the-one-asked-for");
    let problem = response.body_mut().read_to_string().unwrap();
    assert!(problem.contains("cannot reach"), "{problem}");
    let (_, log) = service.stop("-TERM");
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of_request: Vec<&Value> = lines
        .iter()
        .filter(|line| {
            line["request_id"] == "the-one-asked-for"
                || line["span"]["request_id"] == "the-one-asked-for"
        })
        .collect();
    // its own line, and that of the visit that it caused and that failed, in a task of its own
    assert!(
        of_request
            .iter()
            .any(|line| line["message"] == "http.request"),
        "{log}"
    );
    assert!(
        of_request
            .iter()
            .any(|line| line["message"] != "http.request"),
        "{log}"
    );
}

#[test]
fn the_help_tells_a_commands_own_options_from_the_common_ones() {
    let home = Home::new();
    for command in [
        "sizes", "history", "growth", "forecast", "events", "export", "import", "doctor", "serve",
    ] {
        let help = home.run(NOWHERE, &[command, "--help"]).out;
        let (own, common) = help.split_once("Options of every command:").unwrap();
        assert!(!own.contains("--database-url"), "{help}");
        assert!(
            common.contains("--database-url") && common.contains("--instance"),
            "{help}"
        );
        assert!(common.contains("Examples:"), "{help}");
    }
}
