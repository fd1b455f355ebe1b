//! Capacity from a real Prometheus that reads a node exporter's metrics, where Prometheus is installed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use plimsoll_call::Login;
use plimsoll_core::instance::{Figure, InstanceFacts};
use plimsoll_server::capacity::{Capacities, ConfiguredCapacity, Prometheus, Source};

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_real_prometheus_says_what_a_volume_has() {
    let folder = tempfile::tempdir().unwrap();
    let exporter = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exported = exporter.local_addr().unwrap();
    let metrics = "node_filesystem_size_bytes{mountpoint=\"/pgdata\"} 1e12\n\
                   node_filesystem_avail_bytes{mountpoint=\"/pgdata\"} 2.5e11\n\
                   node_filesystem_size_bytes{mountpoint=\"/\"} 5e10\n";
    let router = Router::new().route("/metrics", get(move || async move { metrics }));
    tokio::spawn(async move { axum::serve(exporter, router).await });
    // A port that is free now; nobody else takes it in a moment.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = folder.path().join("prometheus.yml");
    std::fs::write(
        &config,
        format!(
            "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: node\n  static_configs:\n  - targets: ['{exported}']\n"
        ),
    )
    .unwrap();
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _running = match started {
        Ok(child) => {
            eprintln!("Prometheus: tested");
            Running(child)
        }
        Err(error) => {
            eprintln!(
                "Prometheus: not tested: it cannot be started ({error}; scripts/fetch-prometheus)"
            );
            return;
        }
    };
    let capacities = |capacity: &str| {
        Capacities::new(&[ConfiguredCapacity {
            place: None,
            file_system: None,
            on: None,
            sources: vec![Source::Prometheus(Prometheus {
                url: format!("http://127.0.0.1:{port}").parse().unwrap(),
                capacity: capacity.to_owned(),
                available: Some("node_filesystem_avail_bytes{mountpoint=\"/pgdata\"}".to_owned()),
                login: Login::None,
                timeout: Duration::from_secs(10),
            })],
        }])
    };
    let seen = async |capacity: &str| {
        let mut facts = InstanceFacts::default();
        let asked = capacities(capacity).ask(jiff::Timestamp::now()).await;
        asked.apply_to_facts(&mut facts);
        facts.capacity
    };
    let one = "node_filesystem_size_bytes{mountpoint=\"/pgdata\"}";
    let began = std::time::Instant::now();
    let known = loop {
        match seen(one).await {
            Figure::Known(known) => break known,
            // It starts, and has to have read the metrics once.
            Figure::Absent(reason) if began.elapsed() > Duration::from_secs(60) => {
                panic!("{reason}")
            }
            Figure::Absent(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    assert_eq!(
        (
            known.capacity_bytes,
            known.available_bytes,
            known.used_bytes
        ),
        (
            1_000_000_000_000,
            Some(250_000_000_000),
            Some(750_000_000_000)
        )
    );
    let reason = |figure: Figure<_>| figure.reason().map(str::to_owned).unwrap_or_default();
    let two = reason(seen("node_filesystem_size_bytes").await);
    assert!(two.contains("2 series"), "{two}");
    let none = reason(seen("no_such_metric").await);
    assert!(none.contains("nothing"), "{none}");
    let wrong = reason(seen("sum(").await);
    assert!(wrong.contains("bad_data"), "{wrong}");
}
