//! The whole server on a real socket: it starts, answers, and stops in time.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_server::clock::SystemClock;
use plimsoll_server::settings::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::service::watched;

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_in_time_while_a_watched_server_hangs() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://u@{}/app?sslmode=disable",
        hanging.local_addr().unwrap()
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = Settings::new(address, vec![watched("main", &url)]);
    let folder = tempfile::tempdir().unwrap();
    let store = plimsoll_store::open(&format!("sqlite:{}/s.db", folder.path().display())).unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(plimsoll_server::run(
        settings,
        store,
        Arc::new(SystemClock),
        listener,
        shutdown.clone(),
        || (),
    ));
    // The schedule's first visit has begun once the watched server's socket has a caller.
    let (_caller, _) = hanging.accept().await.unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /api/databases HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("\"visit_began_at\":\"2"), "{answer}");
    // A request that waits for the hanging visit must not hold up the stop either.
    let mut waiting = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/storage/sizes HTTP/1.1\r\nhost: {address}\r\n\r\n");
    waiting.write_all(request.as_bytes()).await.unwrap();
    shutdown.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(10), running).await;
    stopped
        .expect("it stops within ten seconds")
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_their_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut settings = Settings::new(
        address,
        vec![watched("main", "postgres://u@127.0.0.1:1/app")],
    );
    settings.requests.connections = 1;
    let folder = tempfile::tempdir().unwrap();
    let store = plimsoll_store::open(&format!("sqlite:{}/s.db", folder.path().display())).unwrap();
    let shutdown = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    let running = tokio::spawn(plimsoll_server::run(
        settings,
        store,
        clock,
        listener,
        shutdown.clone(),
        || (),
    ));
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), second.read_u8()).await;
    assert!(
        early.is_err(),
        "the first connection still holds the only place"
    );
    drop(first);
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
