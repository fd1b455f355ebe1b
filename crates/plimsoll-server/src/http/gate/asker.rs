//! Who asks: a page of another site begins no visit, and who waits for one gives its place back.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use tokio::sync::OwnedSemaphorePermit;

use super::super::{Problem, Shared};
use super::guard;
use crate::ask::Fresh;
use crate::watch::{Look, VisitState, Watch, WatchedDatabase};

/// A request's place among those that are worked on.
#[derive(Clone)]
pub(in crate::http) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Who asks, and how.
pub(in crate::http) struct Asker {
    /// Whether a visit may be begun for it.
    may_visit: bool,
    /// What it asks.
    pub(in crate::http) question: Uri,
    /// The request's headers.
    pub(in crate::http) headers: HeaderMap,
    place: Option<Place>,
}

impl Asker {
    /// Gives its place to others, before it waits.
    fn leave_place(&self) {
        if let Some(place) = &self.place {
            place.leave();
        }
    }
}

impl Asker {
    /// Looks at a database, seen as current as was asked for.
    pub(in crate::http) async fn look_current(
        &self,
        watch: &Watch,
        database: &Arc<WatchedDatabase>,
        fresh: Fresh,
    ) -> VisitState {
        let look = Look::current(fresh.wait, fresh.max_age, self.may_visit);
        watch.look(database, look, || self.leave_place()).await
    }

    /// Looks at whatever is known of a database; only where that is nothing, its first visit is waited for.
    pub(in crate::http) async fn look(
        &self,
        watch: &Watch,
        database: &Arc<WatchedDatabase>,
    ) -> VisitState {
        let look = Look::at_once(self.may_visit);
        watch.look(database, look, || self.leave_place()).await
    }
}

impl FromRequestParts<Shared> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Shared) -> Result<Self, Problem> {
        let authority = guard::authority(&parts.uri, &parts.headers);
        Ok(Self {
            may_visit: guard::is_same_origin(&parts.headers, authority.as_ref()),
            question: parts.uri.clone(),
            headers: parts.headers.clone(),
            place: parts.extensions.get::<Place>().cloned(),
        })
    }
}
