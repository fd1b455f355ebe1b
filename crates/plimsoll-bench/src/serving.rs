//! What a running `plimsoll serve` answers and occupies beside a large database.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bed::{Bed, DATABASE};
use crate::exact::peak_bytes;
use crate::report::{Report, megabytes};

const REQUESTS: usize = 20;
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts the program that was built beside this one, and asks it for sizes.
pub(crate) fn check(bed: &Bed, report: &mut Report) -> Result<()> {
    let program = std::env::current_exe()?.with_file_name("plimsoll");
    if !program.exists() {
        report.tell(
            "plimsoll serve",
            "not measured: plimsoll was not built beside the bench".to_owned(),
        );
        return Ok(());
    }
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let folder = bed.server.make_folder("serving")?;
    let log = File::create(folder.join("log"))?;
    let served = Served(
        Command::new(&program)
            .args(["serve", "--listen", &address.to_string()])
            .arg("--store")
            .arg(format!("sqlite:{}", folder.join("history.db").display()))
            .env("DATABASE_URL", bed.server.url(DATABASE))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?,
    );
    let result = ask(address, &served, report);
    if result.is_err() {
        crate::say(&std::fs::read_to_string(folder.join("log")).unwrap_or_default());
    }
    drop(served);
    result?;
    bed.wait_until_alone()
}

fn ask(address: SocketAddr, served: &Served, report: &mut Report) -> Result<()> {
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        if started.elapsed() > START_TIMEOUT {
            bail!("plimsoll serve does not listen after {START_TIMEOUT:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // Two visits: the second is made while the first one's snapshot is the latest.
    for _ in 0..2 {
        ask_for(address, "POST", "/api/storage/samples", "201")?;
    }
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let asked = Instant::now();
        get(address, "/api/storage/sizes?limit=100&max_age=900")?;
        times.push(asked.elapsed());
    }
    times.sort();
    let median = times.get(REQUESTS / 2).copied().unwrap_or_default();
    report.at_most(
        "GET /api/storage/sizes?limit=100, median of 20",
        median.as_secs_f64() * 1000.0,
        50.0,
        " ms",
    );
    report.at_most(
        "peak memory of plimsoll serve after two visits",
        megabytes(peak_bytes(&std::fs::read_to_string(format!(
            "/proc/{}/status",
            served.0.id()
        ))?)?),
        200.0,
        " MB",
    );
    Ok(())
}

/// The process, ended when it is no longer needed.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> Result<()> {
    ask_for(address, "GET", path, "200")
}

fn ask_for(address: SocketAddr, method: &str, path: &str, status: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if !answer.starts_with(format!("HTTP/1.1 {status}").as_bytes()) {
        let answer = String::from_utf8_lossy(&answer);
        bail!(
            "{method} {path}: {}",
            answer.chars().take(500).collect::<String>()
        );
    }
    Ok(())
}
