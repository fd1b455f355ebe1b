//! Whatever happens to one watched server: the other's samples are taken, whoever looks is answered, and what
//! was acknowledged is there afterwards.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use throwaway_postgres::{Server, test};

use crate::serve::Service;
use crate::support::{Home, new_database};

/// Every GET of the instance whose server is at fault.
const LOOKS: [&str; 10] = [
    "/api/storage/sizes?wait=0&instance=faulty",
    "/api/storage/tables/public/t?wait=0&instance=faulty",
    "/api/storage/instance?instance=faulty",
    "/api/storage/history?kind=all&instance=faulty",
    "/api/storage/series?table=t&instance=faulty",
    "/api/storage/forecast?instance=faulty",
    "/api/storage/state?instance=faulty",
    "/api/databases",
    "/api/jobs",
    "/readyz",
];

/// What goes wrong on the way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum OnTheWay {
    Nothing,
    /// Bytes stop, and nobody says anything.
    Hangs,
    /// The connection ends after some of an answer.
    Cuts,
    /// A few bytes at a time.
    IsSlow,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    fault: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(AtomicU8::new(0));
        let faults = Arc::clone(&fault);
        thread::spawn(move || {
            while let Ok((caller, _)) = listener.accept() {
                let Ok(server) = UnixStream::connect(&socket) else {
                    continue;
                };
                let (from_caller, to_server) = (caller.try_clone(), server.try_clone());
                let (there, back) = (Arc::clone(&faults), Arc::clone(&faults));
                thread::spawn(move || copy(from_caller.unwrap(), to_server.unwrap(), &there));
                thread::spawn(move || {
                    copy(&server, &caller, &back);
                    let _ = server.shutdown(std::net::Shutdown::Both);
                    let _ = caller.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { port, fault }
    }

    pub(crate) fn set(&self, fault: OnTheWay) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }
}

fn copy(mut from: impl Read, mut to: impl Write, fault: &AtomicU8) {
    let is = |wanted: OnTheWay| fault.load(Ordering::SeqCst) == wanted as u8;
    let mut bytes = [0; 8192];
    let mut passed = 0;
    loop {
        let most = if is(OnTheWay::IsSlow) {
            512
        } else {
            bytes.len()
        };
        let Ok(count @ 1..) = from.read(&mut bytes[..most]) else {
            return;
        };
        while is(OnTheWay::Hangs) {
            thread::sleep(Duration::from_millis(5));
        }
        if is(OnTheWay::IsSlow) {
            thread::sleep(Duration::from_millis(10));
        }
        passed += count;
        if is(OnTheWay::Cuts) && passed > 3000 {
            let _ = to.write_all(&bytes[..count / 2]);
            return;
        }
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

fn total(service: &Service, instance: &str, kind: &str) -> u64 {
    let path = format!("/api/storage/history?limit=1&kind={kind}&instance={instance}");
    service.get(&path).1["total"].as_u64().unwrap_or(0)
}

pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut tries = 0;
    while !is_so() {
        tries += 1;
        assert!(tries < 2000, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn of_faulty(service: &Service, field: &str) -> Value {
    let (_, all) = service.get("/api/databases");
    let all = all["databases"].as_array().unwrap();
    all.iter().find(|one| one["instance"] == "faulty").unwrap()[field].clone()
}

fn signal(server: &Server, signal: &str) {
    let postmaster = server.postmaster_pid().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &postmaster])
            .status()
            .unwrap()
            .success()
    );
}

/// Lets a server go on at the end, whatever happened: one that is stopped cannot be ended in order.
struct GoesOn<'a>(&'a Server);

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        signal(self.0, "-CONT");
    }
}

#[test]
fn whatever_one_server_does_the_other_is_sampled_and_all_is_answered() {
    let (Some(shared), Some(installation)) = (test::shared_if_installed(18), test::installed(18))
    else {
        return;
    };
    let options = test::options(&installation).setting("max_connections", "12");
    let server = Server::start(&options).unwrap();
    let _goes_on = GoesOn(&server);
    let (faulty, fine) = (
        new_database(&server, "faulty"),
        new_database(shared, "fine"),
    );
    let table = "create table t as select generate_series(1, 2000) n";
    server.sql(&faulty, table).unwrap();
    shared.sql(&fine, table).unwrap();
    let proxy = Proxy::to(server.folder().join(format!(".s.PGSQL.{}", server.port())));
    let home = Home::new();
    let config = home.write(
        "plimsoll.toml",
        &format!(
            "[[instance]]\nname = \"faulty\"\nurl = \"postgres://postgres@127.0.0.1:{}/{faulty}?sslmode=disable\"\n\
             [[instance]]\nname = \"fine\"\nurl = \"{}\"\n\
             [visit]\nconnect_timeout = \"1h\"\ndeadline = \"1h\"\n\
             [schedule]\nwatch = \"* * * * * *\"\n[server]\nlisten = \"127.0.0.1:0\"\n",
            proxy.port,
            shared.url(&fine),
        ),
    );
    let mut command = home.plimsoll();
    let service = Service::start(command.arg("--config").arg(&config).arg("serve"));
    wait_until("nothing was sampled", || {
        total(&service, "faulty", "watch") > 0 && total(&service, "fine", "watch") > 0
    });

    let mut acknowledged = 0;
    let mut held = Vec::new();
    for fault in [
        "stopped",
        "hung",
        "hung on the way",
        "FATAL",
        "out of connections",
        "cut in mid-answer",
        "slow",
    ] {
        let before = total(&service, "faulty", "manual");
        wait_until("it takes no sample", || {
            service.post("/api/storage/samples?instance=faulty").0 == 201
        });
        acknowledged += 1;
        assert_eq!(total(&service, "faulty", "manual"), before + 1);
        match fault {
            "stopped" => server.stop().unwrap(),
            "hung" => signal(&server, "-STOP"),
            "hung on the way" => proxy.set(OnTheWay::Hangs),
            "FATAL" => {
                let sql = format!("alter database {faulty} allow_connections false");
                server.sql("postgres", &sql).map(drop).unwrap();
            }
            "out of connections" => {}
            "cut in mid-answer" => proxy.set(OnTheWay::Cuts),
            _ => proxy.set(OnTheWay::IsSlow),
        }
        let hangs = fault.starts_with("hung");
        if hangs {
            // the visit that was under way may still end; the next one is there for good
            wait_until("no visit hangs", || {
                let began = of_faulty(&service, "visit_began_at");
                let sampled = total(&service, "fine", "watch");
                wait_until("the other is not sampled", || {
                    total(&service, "fine", "watch") > sampled + 1
                });
                began.is_string() && began == of_faulty(&service, "visit_began_at")
            });
        } else if fault != "slow" {
            wait_until(fault, || {
                // a visit that was under way gives a place back when it ends
                while fault == "out of connections"
                    && let Ok(session) = server.session("postgres")
                {
                    held.push(session);
                }
                of_faulty(&service, "error").is_string()
            });
        }
        let began = of_faulty(&service, "visit_began_at");
        for _ in 0..2 {
            let sampled = total(&service, "fine", "watch");
            for path in LOOKS {
                let (status, answer) = service.get(path);
                assert_eq!(status, 200, "{fault}: {path}: {answer}");
            }
            wait_until(&format!("{fault}: the other is not sampled"), || {
                total(&service, "fine", "watch") > sampled
            });
        }
        if hangs {
            let still = of_faulty(&service, "visit_began_at");
            assert_eq!(still, began, "{fault}: all that was while the visit hung");
        } else if fault != "slow" {
            let (_, sizes) = service.get(LOOKS[0]);
            assert!(
                sizes["visit_error"]["message"].is_string(),
                "{fault}: {sizes}"
            );
            assert!(sizes["total_bytes"].as_u64() > Some(0), "{fault}: {sizes}");
        }
        match fault {
            "stopped" => server.start_again().unwrap(),
            "hung" => signal(&server, "-CONT"),
            "FATAL" => {
                let sql = format!("alter database {faulty} allow_connections true");
                server.sql("postgres", &sql).map(drop).unwrap();
            }
            "out of connections" => held.clear(),
            _ => proxy.set(OnTheWay::Nothing),
        }
        let sampled = total(&service, "faulty", "watch");
        wait_until(&format!("{fault}: it is not sampled again"), || {
            total(&service, "faulty", "watch") > sampled
        });
        assert_eq!(of_faulty(&service, "error"), Value::Null, "{fault}");
        assert_eq!(total(&service, "faulty", "manual"), acknowledged, "{fault}");
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
