//! What could not be kept, on its way into a real store.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::{Reading, ResolvedBy, Severity, Unit, Verdict};
use plimsoll_store::{AlertContent, AlertQuery};

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

fn told(minute: i64, severity: Severity) -> AlertContent {
    AlertContent {
        severity,
        evaluated_at: at(minute),
        message: format!("at {minute}"),
        reading: Reading::new(Verdict::Holds(severity), 1.0, 1.0, Unit::Bytes),
        contributors: Vec::new(),
    }
}

fn subject() -> Subject {
    Subject::database("prod", "shop")
}

/// What a rule came to at a minute.
fn replaced(before: Option<KeptState>, minute: i64, episode: EpisodeChange) -> ReplacedState {
    let mut standing = Standing::default();
    standing.state.evaluated_at = Some(at(minute));
    ReplacedState {
        before,
        alert_type: AlertType::SizeCritical,
        subject: subject(),
        standing,
        episode,
    }
}

fn opens(minute: i64) -> EpisodeChange {
    EpisodeChange::Opens(NewAlert {
        since: at(minute),
        created_at: at(minute),
        told: told(minute, Severity::Warning),
    })
}

fn goes_on(minute: i64) -> EpisodeChange {
    EpisodeChange::GoesOn(told(minute, Severity::Critical))
}

fn ends(minute: i64) -> EpisodeChange {
    EpisodeChange::Ends {
        at: at(minute),
        by: ResolvedBy::Condition,
        comment: None,
    }
}

/// A memory that has read that the store has nothing, or this.
fn memory(read: Vec<KeptState>) -> Memory {
    Memory {
        read: HashMap::from([("prod".to_owned(), read)]),
        ..Memory::default()
    }
}

/// Writes all that is unkept, as [`Alerting::keep_unkept`] does.
async fn write(memory: &mut Memory, store: &dyn Store) {
    while let Some((key, position)) = memory.begin() {
        let mut writing = Writing {
            store,
            key,
            before: position.before,
            done: 0,
            is_lost: false,
            kept_as: Vec::new(),
        };
        writing.all(position.steps).await.unwrap();
        let Writing {
            key,
            before,
            done,
            is_lost,
            kept_as,
            ..
        } = writing;
        memory.end(&key, before, done, is_lost, &kept_as);
    }
}

async fn store() -> (tempfile::TempDir, std::sync::Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = plimsoll_store::open(&format!("sqlite:{}/store.db", folder.path().display()));
    let store = store.unwrap();
    store.migrate().await.unwrap();
    (folder, store)
}

async fn alerts(store: &dyn Store) -> Vec<(Timestamp, Option<Timestamp>, String)> {
    let query = AlertQuery {
        limit: 10,
        ..AlertQuery::default()
    };
    let (mut alerts, _) = store.alerts(query).await.unwrap();
    alerts.reverse();
    let all = alerts.into_iter();
    all.map(|alert| (alert.created_at, alert.resolved_at, alert.told.message))
        .collect()
}

#[tokio::test]
async fn what_opened_went_on_ended_and_opened_again_is_written_in_its_order_with_its_own_times() {
    let (_folder, store) = store().await;
    let mut memory = memory(Vec::new());
    let first = memory.take_in(replaced(None, 1, opens(1))).unwrap();
    assert!(first < 0, "the store gives ids");
    assert_eq!(memory.take_in(replaced(None, 2, goes_on(2))), Some(first));
    assert_eq!(memory.take_in(replaced(None, 3, ends(3))), Some(first));
    assert_eq!(memory.take_in(replaced(None, 4, EpisodeChange::None)), None);
    let second = memory.take_in(replaced(None, 5, opens(5))).unwrap();
    assert_ne!(first, second);
    let mut states = Vec::new();
    memory.stand_in("prod", &mut states);
    assert_eq!((states.len(), states[0].alert_id), (1, Some(second)));
    assert_eq!(states[0].standing.state.evaluated_at, Some(at(5)));

    write(&mut memory, &*store).await;
    assert!(memory.positions.is_empty());
    assert_eq!(
        alerts(&*store).await,
        [
            (at(1), Some(at(3)), "at 2".to_owned()),
            (at(5), None, "at 5".to_owned())
        ]
    );
    let kept = store.alert_states("prod").await.unwrap();
    assert_eq!(kept[0].alert_id, memory.kept_as.get(&second).copied());
    assert_eq!(
        kept, memory.read["prod"],
        "and that is known without reading it"
    );
}

#[tokio::test]
async fn an_episode_of_the_store_goes_on_and_ends_in_memory() {
    let (_folder, store) = store().await;
    let id = store.keep_alert(replaced(None, 1, opens(1))).await.unwrap();
    let id = id.unwrap().unwrap();
    let mut memory = memory(store.alert_states("prod").await.unwrap());
    assert_eq!(memory.take_in(replaced(None, 2, goes_on(2))), Some(id));
    let (mut known, _) = store.alerts(AlertQuery::firing()).await.unwrap();
    let apply = |memory: &Memory, alerts: &mut Vec<Alert>| {
        for ((alert_type, subject), position) in &memory.positions {
            for step in &position.steps {
                step.apply(*alert_type, subject, alerts);
            }
        }
    };
    apply(&memory, &mut known);
    assert_eq!(
        (known.len(), known[0].told.severity),
        (1, Severity::Critical)
    );
    assert_eq!(memory.take_in(replaced(None, 3, ends(3))), Some(id));
    apply(&memory, &mut known);
    assert_eq!(known[0].resolved_at, Some(at(3)));
    write(&mut memory, &*store).await;
    assert_eq!(
        alerts(&*store).await,
        [(at(1), Some(at(3)), "at 2".to_owned())]
    );
}

#[tokio::test]
async fn what_comes_while_it_is_written_is_written_after_it_and_once() {
    let (_folder, store) = store().await;
    let mut memory = memory(Vec::new());
    memory.take_in(replaced(None, 1, opens(1)));
    let (key, position) = memory.begin().unwrap();
    memory.take_in(replaced(None, 2, goes_on(2)));
    let mut writing = Writing {
        store: &*store,
        key: key.clone(),
        before: position.before,
        done: 0,
        is_lost: false,
        kept_as: Vec::new(),
    };
    writing.all(position.steps).await.unwrap();
    let (before, done, kept_as) = (writing.before, writing.done, writing.kept_as);
    memory.end(&key, before, done, false, &kept_as);
    assert_eq!(
        memory.positions[&key].steps.len(),
        1,
        "the later one is left"
    );
    assert_eq!(memory.positions[&key].steps[0].id, Some(kept_as[0].1));
    write(&mut memory, &*store).await;
    assert_eq!(alerts(&*store).await, [(at(1), None, "at 2".to_owned())]);
}

#[tokio::test]
async fn what_was_written_when_nobody_could_say_so_is_not_written_twice() {
    let (_folder, store) = store().await;
    let mut memory = memory(Vec::new());
    // It was written, and the answer was lost.
    let opened = replaced(None, 1, opens(1));
    let id = store.keep_alert(opened.clone()).await.unwrap().unwrap();
    let had = memory.take_in(opened).unwrap();
    memory.take_in(replaced(None, 2, ends(2)));
    write(&mut memory, &*store).await;
    assert_eq!(memory.kept_as.get(&had).copied(), id);
    assert_eq!(
        alerts(&*store).await,
        [(at(1), Some(at(2)), "at 1".to_owned())]
    );
}

#[tokio::test]
async fn the_word_of_another_process_that_is_in_the_store_counts() {
    let (_folder, store) = store().await;
    let mut memory = memory(Vec::new());
    memory.take_in(replaced(None, 1, opens(1)));
    store
        .keep_alert(replaced(None, 2, EpisodeChange::None))
        .await
        .unwrap();
    write(&mut memory, &*store).await;
    assert!(memory.positions.is_empty() && alerts(&*store).await.is_empty());
}

#[test]
fn a_thousand_are_remembered_and_those_that_changed_first() {
    let mut memory = memory(Vec::new());
    let of = |number: usize, episode| ReplacedState {
        subject: Subject::database("prod", &format!("{number:04}")),
        ..replaced(None, 1, episode)
    };
    for number in 0..MOST {
        memory.take_in(of(number, EpisodeChange::None));
    }
    assert_eq!(memory.take_in(of(MOST, EpisodeChange::None)), None);
    assert_eq!(memory.positions.len(), MOST);
    assert!(memory.take_in(of(MOST + 1, opens(1))).is_some());
    assert_eq!(
        memory.positions.len(),
        MOST,
        "one of which nothing changed went"
    );
    for number in 0..MOST {
        memory.take_in(of(number, opens(2)));
    }
    assert_eq!(
        memory.take_in(of(MOST + 2, opens(3))),
        None,
        "all of them changed"
    );
}
