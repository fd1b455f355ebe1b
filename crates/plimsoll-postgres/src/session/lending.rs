//! How pulses and visits of one instance make do where a role gets one connection only.
//!
//! A pulse that is refused a connection is asked between a visit's statements, on the visit's session. A visit that is
//! refused one has the pulse's closed and connects in its place; when it ends, the next pulse connects again. Where the
//! role may have no other, a pulse's is closed after it: whoever else uses the role gets in between.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Session;

/// Shared by all that looks at one instance. The default one is nobody else's.
#[derive(Clone, Default)]
pub struct Lending(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// The pulses' own session, open between them.
    own: tokio::sync::Mutex<Option<Session>>,
    /// What is to be asked between two statements of whoever has a session.
    wanted: Mutex<Option<Question>>,
}

/// What is asked on another's session.
type Question = Box<dyn for<'a> FnOnce(&'a Session) -> BoxFuture<'a, ()> + Send>;

impl Lending {
    /// The pulses' session, for as long as the guard is held; none if it is not open.
    pub async fn own(&self) -> tokio::sync::MutexGuard<'_, Option<Session>> {
        self.0.own.lock().await
    }

    /// Has `ask` run between two statements of a visit's session; none where no visit came to that until the deadline.
    pub async fn between<T, F>(&self, deadline: Instant, ask: F) -> Option<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a Session) -> BoxFuture<'a, T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let question: Question = Box::new(move |session| {
            Box::pin(async move {
                // Nobody waits any more: nothing is asked.
                if !tell.is_closed() {
                    let _ = tell.send(ask(session).await);
                }
            })
        });
        *self.wanted() = Some(question);
        match timeout_at(deadline, told).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(_)) => None,
            Err(_) => {
                *self.wanted() = None;
                None
            }
        }
    }

    /// Closes the pulses' session, so that its slot is free.
    pub(crate) async fn give_up(&self) {
        if let Some(session) = self.own().await.take() {
            session.close().await;
        }
    }

    /// Runs what is wanted, on the session of whoever is between two statements.
    pub(crate) async fn serve(&self, session: &Session) {
        // Not in the match: the guard would be held while it is asked.
        let wanted = self.wanted().take();
        if let Some(question) = wanted {
            question(session).await;
        }
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, Option<Question>> {
        self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether this role may have no other connection to this database: then one that stays open keeps everybody else
    /// out. What cannot be read limits nothing.
    pub async fn is_the_only_one(&self) -> bool {
        let sql = include_str!("connection_limit.sql");
        let limit = async {
            let row = self.one(sql, &[]).await?;
            self.read::<Option<i32>, _>(&row, "connections")
        };
        matches!(limit.await, Ok(Some(limit)) if limit <= 1)
    }
}

impl std::fmt::Debug for Lending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lending(..)")
    }
}
