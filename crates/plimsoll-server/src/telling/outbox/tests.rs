//! What is on its way in memory and in a real store.

use jiff::SignedDuration;
use plimsoll_core::alert::Severity;

use super::*;

#[tokio::test]
async fn what_was_tried_from_memory_is_tried_again_though_the_store_has_another_time() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("history.db").display());
    let store = plimsoll_store::open(&url).unwrap();
    store.migrate().await.unwrap();
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let (again, until) = (
        now + SignedDuration::from_secs(10),
        now + SignedDuration::from_secs(60),
    );
    let message = NewMessage {
        channel: "ops".to_owned(),
        alert_id: 1,
        event: "opened".to_owned(),
        number: 1,
        instance: "main".to_owned(),
        severity: Severity::Critical,
        message: "{}".to_owned(),
        created_at: now,
        is_wanted: true,
        sent_at: None,
    };
    store.add_messages(vec![message]).await.unwrap();

    let outbox = Outbox::new(Arc::clone(&store));
    let row = outbox.waiting("ops").await.remove(0);
    let fate = Fate::Again {
        at: again,
        error: "500".to_owned(),
    };
    // it was tried, and that could not be written: a full disk
    outbox.memory().fared.insert(row.id, after(&row, fate));
    let waiting = outbox.waiting("ops").await;
    assert_eq!((waiting.len(), waiting[0].next_try_at), (1, again));
    let taken = outbox.take(waiting, until).await;
    assert_eq!(taken.len(), 1, "nobody else has it");
    assert!(outbox.waiting("ops").await.is_empty(), "it is being sent");

    outbox.settle(&taken[0], Fate::Sent(again)).await;
    assert!(outbox.waiting("ops").await.is_empty());
    assert!(outbox.memory().fared.is_empty() && outbox.is_kept());
    let told = store.messages_of(&[1]).await.unwrap();
    assert_eq!(told[0].ended_at, Some(again));

    // what the store gives to others is not taken
    let elsewhere = NewMessage {
        number: 2,
        ..told[0].message.clone()
    };
    let elsewhere = NewMessage {
        sent_at: None,
        ..elsewhere
    };
    store.add_messages(vec![elsewhere]).await.unwrap();
    let waiting = outbox.waiting("ops").await;
    store.take_messages(&waiting, until).await.unwrap();
    assert!(outbox.take(waiting, until).await.is_empty());
}
