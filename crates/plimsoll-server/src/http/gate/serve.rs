//! Accepts connections: so many at once, each bounded in time, drained on stop.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send a request's head, also the next one's on an open connection.
const LONGEST_HEAD: Duration = Duration::from_secs(30);

/// How long a wait is after an error of accepting (too many open files) before the next try.
const PAUSE: Duration = Duration::from_millis(200);

/// How long open connections get to finish after the stop.
const LONGEST_DRAIN: Duration = Duration::from_secs(3);

/// Serves `router` until `stop`, with at most so many connections at once; more wait their turn.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let Some((place, accepted)) = stop.run_until_cancelled(next).await else {
            break;
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The connection was given up before it was taken, or files ran out: both pass.
                tracing::warn!(error = %error, "http.accept.failed");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "http.connection.broken");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(LONGEST_DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("http.stopped_with_open_connections");
    }
}
