//! One statement on the wire: framed by its own short transaction, bounded, cancelled when it must end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::maybe_done;
use futures_util::{StreamExt, future};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::{GRACE, Param, Session, title};
use crate::encoding::Encoding;
use crate::error::VisitError;

impl Session {
    /// One statement, ended on the server when the deadline or a cancellation comes first.
    pub(super) async fn bounded<F>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut F,
    ) -> Result<(), VisitError>
    where
        F: FnMut(Row) -> Result<(), VisitError> + Send,
    {
        let server = || self.connected.server.clone();
        let attempted = || title(sql).to_owned();
        if self.cancel.is_cancelled() {
            return Err(VisitError::Cancelled {
                server: server(),
                attempted: attempted(),
            });
        }
        if Instant::now() >= self.limits.deadline {
            return Err(VisitError::TimedOut {
                server: server(),
                attempted: attempted(),
            });
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.is_running.store(true, Ordering::Relaxed);
        let mut work = pin!(self.exchange(sql, params, each));
        let interrupted = tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                VisitError::Cancelled { server: server(), attempted: attempted() }
            }
            () = tokio::time::sleep_until(self.limits.deadline) => {
                VisitError::TimedOut { server: server(), attempted: attempted() }
            }
            result = &mut work => {
                // An error of `each` leaves the rest of the answer unread.
                let is_over = !matches!(&result, Err(Failure::Consumer(_)));
                if !is_over {
                    let _ = tokio::time::timeout(GRACE, self.connected.cancel()).await;
                }
                self.is_running.store(false, Ordering::Relaxed);
                return result.map_err(|failure| self.failed(sql, failure));
            }
        };
        // The server has it in writing; now it gets a moment to comply, so that nothing of ours
        // runs there when the caller goes on.
        let ended = future::join(self.connected.cancel(), &mut work);
        if tokio::time::timeout(GRACE, ended).await.is_ok() {
            self.is_running.store(false, Ordering::Relaxed);
        }
        Err(interrupted)
    }

    /// Sends `begin`, the statement and `commit` at once, and reads the answers.
    async fn exchange<F>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut F,
    ) -> Result<(), Failure>
    where
        F: FnMut(Row) -> Result<(), VisitError> + Send,
    {
        let client = &self.connected.client;
        let started = Instant::now();
        let mut consuming = Duration::ZERO;
        let begin = self.begin();
        let params = params.iter().map(|(value, kind)| (*value, kind.clone()));
        let mut begun = pin!(maybe_done(client.batch_execute(&begin)));
        let mut queried = pin!(maybe_done(client.query_typed_raw(sql, params)));
        let mut committed = pin!(maybe_done(client.batch_execute("commit")));
        // Polled in this order, so that they go out in this order, in one packet where they fit.
        // The commit's answer comes after the rows; it is in the server's hands already, so the
        // transaction ends without waiting for us.
        poll_fn(|cx| {
            let begun = begun.as_mut().poll(cx).is_ready();
            let queried = queried.as_mut().poll(cx).is_ready();
            let _ = committed.as_mut().poll(cx);
            if begun && queried {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let begun = begun.take_output().unwrap_or(Ok(()));
        let result = match (begun, queried.take_output()) {
            (Err(error), _) | (Ok(()), Some(Err(error))) => Err(Failure::Server(error)),
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(Ok(rows))) => {
                let mut rows = pin!(rows);
                let mut result = Ok(());
                let mut bytes = 0_u64;
                while let Some(row) = rows.next().await {
                    match row {
                        Ok(row) => {
                            bytes += u64::try_from(row.raw_size_bytes()).unwrap_or(0);
                            let consumer = Instant::now();
                            let taken = each(row);
                            consuming += consumer.elapsed();
                            if let Err(error) = taken {
                                result = Err(Failure::Consumer(error));
                                break;
                            }
                        }
                        Err(error) => {
                            result = Err(Failure::Server(error));
                            break;
                        }
                    }
                }
                self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
                result
            }
        };
        if result.is_ok() {
            committed.as_mut().await;
            if let Some(Err(error)) = committed.take_output() {
                return Err(Failure::Server(error));
            }
        }
        let waited = started.elapsed().saturating_sub(consuming);
        self.server_us.fetch_add(
            u64::try_from(waited.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        result
    }

    /// The transaction's beginning, with every setting that must hold for the statement.
    ///
    /// `set local` in each transaction, and not `set` once: behind PgBouncer in transaction mode the
    /// next statement may run on another backend, and a plain `set` would stay behind on a backend
    /// that is somebody else's next. Startup `options` are refused there. When one of the settings
    /// fails the transaction is aborted, and the statement with it: it never runs without them.
    fn begin(&self) -> String {
        let ms = |duration: Duration| duration.as_millis().clamp(1, 2_147_483_647);
        // The server ends the statement by itself shortly after the deadline, even if our request
        // to cancel it is lost.
        let left = self
            .limits
            .deadline
            .saturating_duration_since(Instant::now());
        let statement = ms(self
            .limits
            .statement_timeout
            .min(left + Duration::from_millis(500)));
        let lock = ms(self.limits.lock_timeout);
        // Since 15 a statistics snapshot would keep a copy of every table's counters in the backend.
        let statistics = if self.server.major() >= 15 {
            "set local stats_fetch_consistency = none; "
        } else {
            ""
        };
        // UTF-8 is sent as it is. Of anything else the server would convert each name, and one byte that it
        // cannot convert costs the whole answer: we convert.
        let encoding = match self.encoding {
            Encoding::Utf8 => "",
            _ => "set local client_encoding = sql_ascii; ",
        };
        // A role's or a database's own limit on transactions would end the session, as any error would where
        // it says so. Ours end the statement.
        let transaction = if self.server.major() >= 17 {
            "set local transaction_timeout = 0; "
        } else {
            ""
        };
        // pg_temp last, or somebody's temporary table on a shared backend would be found before a
        // catalog of that name. work_mem keeps long answers out of temporary files on the server. A plan that does not
        // know its parameters asks for the right to all that a statement names, also in a case that it never comes to.
        format!(
            "begin isolation level read committed read only; \
             set local statement_timeout = {statement}; \
             set local lock_timeout = {lock}; \
             set local idle_in_transaction_session_timeout = {statement}; \
             set local search_path = pg_catalog, pg_temp; \
             set local work_mem = '32MB'; \
             set local jit = off; \
             set local plan_cache_mode = auto; \
             set local max_parallel_workers_per_gather = 0; \
             set local exit_on_error = off; \
             {statistics}\
             {encoding}\
             {transaction}\
             set local client_min_messages = error"
        )
    }

    fn failed(&self, sql: &str, failure: Failure) -> VisitError {
        let error = match failure {
            Failure::Consumer(error) => return error,
            Failure::Server(error) => error,
        };
        let error_context = self.error_context(title(sql));
        if error.is_closed()
            && let Some(cause) = self.connected.broken_by()
        {
            return error_context.error(&cause);
        }
        error_context.error(&error)
    }
}

/// Who failed.
enum Failure {
    Server(tokio_postgres::Error),
    Consumer(VisitError),
}
