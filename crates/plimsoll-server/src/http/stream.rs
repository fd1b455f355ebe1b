//! Bodies that are written piece by piece, as fast as the client reads them.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};

/// A JSON answer in pieces. An error in the middle breaks the connection off: the client must not
/// take half an answer for a whole one.
pub(super) fn json<E>(pieces: impl Stream<Item = Result<Vec<u8>, E>> + Send + 'static) -> Response
where
    E: std::error::Error + Send + Sync + 'static,
{
    let pieces = pieces.map(|piece| {
        piece.map(Bytes::from).inspect_err(|error| {
            tracing::error!(error = %error, "http.answer.broken_off");
        })
    });
    (
        [(CONTENT_TYPE, "application/json")],
        Body::from_stream(pieces),
    )
        .into_response()
}
