//! Transfer: a database's whole history, out of a store and into one.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::portable::row::Row;
use crate::{DatabaseKey, ImportedHistory, NotImported, StoreError};

/// Moves histories.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// Sends every row of a database's history, as it is at one moment; stops when nobody listens.
    async fn read_history(
        &self,
        of: &DatabaseKey,
        to: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), StoreError>;

    /// Takes one database's rows, which end with [`Row::End`]: what the store lacks of them, all or
    /// nothing.
    async fn write_history(
        &self,
        from: mpsc::Receiver<Vec<Row>>,
    ) -> Result<Result<ImportedHistory, NotImported>, StoreError>;
}
