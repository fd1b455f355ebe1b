//! One transaction on a connection, with the statements that are asked in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_postgres::{Client, CopyInSink, Row, RowStream};

use super::error::Wrong;
use super::param::Param;
use crate::session::{CONNECT_TIMEOUT, Mode, STATEMENT_TIMEOUT, Session};

/// What is waited for a statement's answer beyond what the server is told: it ends the statement by itself,
/// unless it or what lies between has stopped.
const GRACE: Duration = Duration::from_secs(15);

/// How long what passes over a whole history may take.
const LONG: Duration = Duration::from_secs(12 * 60 * 60);

pub(super) type Params<'p> = &'p [&'p dyn Param];

/// A transaction; rolled back unless it is committed.
pub(super) struct Work<'a> {
    client: &'a Client,
    store: &'a str,
    is_silent: &'a AtomicBool,
    is_open: bool,
    mode: Mode,
    statement_timeout: Duration,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.send("rollback");
        }
    }
}

impl<'a> Work<'a> {
    pub(super) async fn begin(
        session: &'a Session,
        mode: Mode,
        store: &'a str,
        is_silent: &'a AtomicBool,
    ) -> Result<Self, Wrong> {
        let work = Self {
            client: session.client(),
            store,
            is_silent,
            is_open: true,
            mode,
            statement_timeout: STATEMENT_TIMEOUT,
        };
        let begin = session.begin(mode);
        work.within(CONNECT_TIMEOUT, work.client.batch_execute(&begin))
            .await?;
        Ok(work)
    }

    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Wrong> {
        let typed: Vec<_> = params.iter().map(|p| (p.as_sql(), p.sql_type())).collect();
        self.in_time(self.client.query_typed(sql, &typed)).await
    }

    /// As [`Work::query`], row by row.
    pub(super) async fn stream(&self, sql: &str, params: Params<'_>) -> Result<RowStream, Wrong> {
        let typed = params.iter().map(|p| (p.as_sql(), p.sql_type()));
        self.in_time(self.client.query_typed_raw(sql, typed)).await
    }

    pub(super) async fn row(&self, sql: &str, params: Params<'_>) -> Result<Row, Wrong> {
        let typed: Vec<_> = params.iter().map(|p| (p.as_sql(), p.sql_type())).collect();
        self.in_time(self.client.query_typed_one(sql, &typed)).await
    }

    pub(super) async fn optional(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, Wrong> {
        let typed: Vec<_> = params.iter().map(|p| (p.as_sql(), p.sql_type())).collect();
        self.in_time(self.client.query_typed_opt(sql, &typed)).await
    }

    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Wrong> {
        let typed: Vec<_> = params.iter().map(|p| (p.as_sql(), p.sql_type())).collect();
        self.in_time(self.client.execute_typed(sql, &typed)).await
    }

    /// Lifts the limits that keep ordinary statements short.
    pub(super) async fn may_take_long(&mut self) -> Result<(), Wrong> {
        self.batch(
            "set local statement_timeout = '12h';
             set local lock_timeout = '10min';
             set local idle_in_transaction_session_timeout = '12h'",
        )
        .await?;
        self.statement_timeout = LONG;
        Ok(())
    }

    /// Runs several statements as they stand.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Wrong> {
        self.in_time(self.client.batch_execute(sql)).await
    }

    /// Begins a binary COPY. Its statement has a name, which the client library closes in this transaction.
    pub(super) async fn copy_in(&self, sql: &str) -> Result<CopyInSink<bytes::Bytes>, Wrong> {
        self.in_time(self.client.copy_in(sql)).await
    }

    /// What errors call the store.
    pub(super) const fn store(&self) -> &str {
        self.store
    }

    /// What was done is kept from here on; where the answer to that is lost, nobody knows. Nobody waits for the end
    /// of what only read: what it was asked for is there.
    pub(super) async fn commit(mut self) -> Result<(), Wrong> {
        if self.mode == Mode::Read {
            self.send("commit");
            return Ok(());
        }
        self.is_open = false;
        match self.in_time(self.client.batch_execute("commit")).await {
            Err(wrong)
                if wrong.is_lost() || wrong.is_lost_node() || matches!(wrong, Wrong::Silent(_)) =>
            {
                Err(Wrong::InDoubt(Box::new(wrong)))
            }
            result => result,
        }
    }

    /// Sends what ends the transaction; nobody waits for the answer.
    fn send(&mut self, end: &str) {
        self.is_open = false;
        // polled once, it is on its way
        let _ = self.client.batch_execute(end).now_or_never();
    }

    async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Wrong> {
        self.within(self.statement_timeout + GRACE, asking).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Wrong> {
        match tokio::time::timeout(limit, asking).await {
            Ok(result) => Ok(result?),
            Err(_) => {
                // what it says later is the answer to nobody's question
                self.is_silent.store(true, Ordering::Relaxed);
                Err(Wrong::Silent(limit))
            }
        }
    }
}
