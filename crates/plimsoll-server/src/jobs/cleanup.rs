//! Deletes what policies say. There are none yet, so it says so.

use futures_util::FutureExt;

use super::{Job, Outcome, Scope};

/// What it says while there is no policy.
const NO_POLICY: &str =
    "no cleanup policy is configured, so nothing is ever deleted from a watched database";

/// The job.
pub const JOB: Job = Job {
    name: "cleanup",
    key: "cleanup",
    description: "Deletes rows as the cleanup policies say; without a policy, nothing",
    default_cron: "0 2 * * *",
    scope: Scope::Instance,
    runs_at_first_start: false,
    runs_at_each_start: false,
    runs_without_store: false,
    run: |_| {
        let outcome = Outcome {
            status: "skipped",
            message: NO_POLICY.to_owned(),
        };
        std::future::ready(outcome).boxed()
    },
};
