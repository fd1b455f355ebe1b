//! Looks at every instance's volumes: how full, by what, how fast. Each minute, because what fills a disk may need no
//! more than minutes for it.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{Job, Outcome, Scope, Subject, Work};
use crate::disk::Looked;

/// The job.
pub const JOB: Job = Job {
    name: "look_at_disk",
    key: "disk",
    description: "Looks at the volumes: how full, by what, and how fast; touches no table",
    default_cron: "* * * * *",
    scope: Scope::Instance,
    runs_at_first_start: true,
    runs_at_each_start: true,
    run: |work| run(work).boxed(),
};

async fn run(work: &Work<'_>) -> Outcome {
    let Subject::Instance(instance) = *work.subject else {
        return failed("it is a job of instances");
    };
    let databases = instance.databases();
    let visited_at = databases
        .iter()
        .filter_map(|database| Some(database.latest()?.measured_at))
        .max();
    let disk = Arc::clone(instance.disk());
    let (store, now) = (work.watch.store(), work.watch.clock().now());
    let days = work.plan.retention.daily_samples;
    match disk.look(store, days, visited_at, now).await {
        Ok(looked) => {
            let name = instance.settings.instance.as_ref();
            if let Err(error) = disk.forecast_if_due(store, now).await {
                tracing::warn!(instance = name, error = %error, "storage.disk.not_forecast");
            }
            outcome(name, &looked)
        }
        Err(error) => {
            tracing::error!(instance = %instance.settings.instance, error = %error, "storage.disk.not_kept");
            failed(&error.to_string())
        }
    }
}

fn outcome(instance: &str, looked: &Looked) -> Outcome {
    if let Some(error) = &looked.unreachable {
        tracing::warn!(instance, code = error.code(), error = %error, "storage.disk.server_unreachable");
        return failed(&format!("only the volumes were looked at: {error}"));
    }
    if let Some(error) = &looked.not_full {
        tracing::warn!(instance, code = error.code(), error = %error, "storage.disk.totals_not_read");
    }
    let totals = if looked.is_full {
        ", and databases' totals"
    } else {
        ""
    };
    Outcome {
        word: "ok",
        message: format!("a pulse of {} statements{totals}", looked.statements),
    }
}

fn failed(reason: &str) -> Outcome {
    Outcome {
        word: "failed",
        message: reason.to_owned(),
    }
}
