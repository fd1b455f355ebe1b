//! What a panic in one piece of work becomes: that work's failure, with its message.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// A piece of work that panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mistake in Plimsoll itself: {message}; please report it")]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

/// Runs work whose panic must not end what others do.
///
/// Whatever it shares with others must hold through a panic: it is locked for moments only, and no lock
/// here is poisoned for good.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.map_err(|panic| Panicked {
        message: message(&*panic),
    })
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| "it said nothing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_message_of_a_panic_is_kept_whatever_it_is_made_of() {
        let number = 7;
        let formatted = caught(async move {
            assert_eq!(number, 8, "seven is {number}");
        });
        assert!(formatted.await.unwrap_err().message.contains("seven is 7"));
        let plain = caught(async { panic!("plain") });
        assert_eq!(plain.await.map(|(): ()| ()).unwrap_err().message, "plain");
        let other = caught(async { std::panic::panic_any(7) });
        assert_eq!(
            other.await.map(|(): ()| ()).unwrap_err().message,
            "it said nothing"
        );
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }
}
