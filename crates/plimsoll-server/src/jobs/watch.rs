//! Looks more often, so that a sudden growth is seen within minutes; and takes the daily sample of a
//! database that could not be reached when it was due.

use futures_util::FutureExt;
use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_store::{CLOCK_SKEW, DatabaseKey, SampleQuery, StoreError};

use super::sampling::{PlannedSample, sample_all, shrink};
use super::{Job, Outcome, RunContext, SAMPLE, Scope};

/// The job.
pub const JOB: Job = Job {
    name: "watch",
    key: "watch",
    description: "Samples between the daily ones; makes up for a daily one that failed",
    default_cron: "*/15 * * * *",
    scope: Scope::Instance,
    runs_at_first_start: false,
    runs_at_each_start: false,
    runs_without_store: false,
    run: |work| run(work).boxed(),
};

async fn run(work: &RunContext<'_>) -> Outcome {
    let (_, outcome) = sample_all(work, |key| {
        async move {
            let missing = missing_daily(work, &key).await?;
            Ok(match missing {
                Some(scheduled_for) => PlannedSample {
                    kind: SampleKind::Daily,
                    scheduled_for,
                },
                None => PlannedSample {
                    kind: SampleKind::Watch,
                    scheduled_for: work.scheduled_for,
                },
            })
        }
        .boxed()
    })
    .await;
    shrink(work, outcome).await
}

/// The time of the last daily sample that should be there, if it is not.
async fn missing_daily(
    work: &RunContext<'_>,
    of: &DatabaseKey,
) -> Result<Option<Timestamp>, StoreError> {
    let now = work.watch.clock().now();
    let cron = SAMPLE.cron(&work.settings.schedule);
    let Some(due) = cron.and_then(|cron| cron.last_until(now)) else {
        return Ok(None);
    };
    let query = SampleQuery {
        of: of.clone(),
        kinds: vec![SampleKind::Daily],
        since: Some(due),
        step: plimsoll_store::Step::All,
        limit: 100,
    };
    let page = work.watch.store().samples(&query).await?;
    // one of the future was taken before a clock was set back
    let latest = now + CLOCK_SKEW;
    let is_there = page
        .samples
        .iter()
        .any(|sample| sample.sampled_at <= latest);
    Ok((!is_there).then_some(due))
}
