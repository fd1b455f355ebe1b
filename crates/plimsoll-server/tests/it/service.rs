//! The real router over a real database, and a store: a file in a temporary folder unless asked.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use plimsoll_server::clock::ManualClock;
use plimsoll_server::http::router;
use plimsoll_server::jobs::{Job, Scheduler, Step, Subject};
use plimsoll_server::settings::{Settings, Watched};
use plimsoll_server::telling::Telling;
use plimsoll_server::watch::Watch;
use plimsoll_store::Store;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Noon, so that nothing is due at the start.
pub(crate) const NOON: &str = "2026-03-10T12:00:00Z";

pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) watch: Arc<Watch>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) telling: Arc<Telling>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) folder: Arc<TempDir>,
}

pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Service {
    pub(crate) async fn of(instances: Vec<Watched>) -> Self {
        Self::with(Settings::new("127.0.0.1:8000".parse().unwrap(), instances)).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::sharing(settings, folder).await
    }

    /// A second process, as it were: its own everything, but the same store file.
    pub(crate) async fn sharing(settings: Settings, folder: Arc<TempDir>) -> Self {
        let url = format!("sqlite:{}/store.db", folder.path().display());
        Self::on_store(settings, &url, folder).await
    }

    /// On the store that a URL names, through a pool of its own.
    pub(crate) async fn on_store(settings: Settings, url: &str, folder: Arc<TempDir>) -> Self {
        let store = plimsoll_store::open(url).unwrap();
        store.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::new(at(NOON)));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let assembled =
            plimsoll_server::assemble(settings, Arc::clone(&store), clock.clone(), &tasks, &stop);
        Self {
            watch: Arc::clone(&assembled.app.watch),
            router: router(assembled.app),
            scheduler: assembled.scheduler,
            telling: assembled.telling,
            store,
            clock,
            stop,
            tasks,
            folder,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock_now(&self) -> Timestamp {
        use plimsoll_server::clock::Clock;
        self.clock.now()
    }

    /// Whether somebody holds a run of a job.
    pub(crate) async fn is_running(&self, name: &str) -> bool {
        let states = self.store.jobs().await.unwrap();
        states
            .iter()
            .any(|state| state.name == name && state.is_running)
    }

    /// One step of a job of an instance.
    pub(crate) async fn step(&self, job: &Job, instance: usize) -> Step {
        let of = Subject::Instance(&self.watch.instances()[instance]);
        self.scheduler.step(job, &of).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Request::get(path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        self.send(Request::post(path)).await
    }

    pub(crate) async fn send(&self, request: axum::http::request::Builder) -> Response {
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Response {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Returns once nothing is done in the background any more.
    pub(crate) async fn settled(&self) {
        while !self.tasks.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// The JSON of a route that must answer 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that it is a problem with this status and code; gives its text.
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        body["detail"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn watched(name: &str, url: &str) -> Watched {
    Watched::new(name, url.parse().unwrap())
}
