//! What every store promises of alerts: a state is replaced by who has read it, and an episode is told once.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::contributors::{Contributor, Part};
use plimsoll_core::alert::evaluate::Standing;
use plimsoll_core::alert::life::{Patience, State};
use plimsoll_core::alert::{AlertType, Reading, ResolvedBy, Severity, Subject, Unit, Verdict};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::Totals;
use plimsoll_store::{
    AlertContent, AlertQuery, DatabaseKey, EpisodeChange, Fate, KEPT_OF_DATABASE, KeptSilence,
    KeptState, NewAlert, NewMessage, NewSilence, ReplacedState, SilenceSpan, Waiting,
};

use crate::fresh::Fresh;
use crate::world::{World, at};

fn start() -> Timestamp {
    at("2026-03-01T00:00:00Z")
}

fn reading(severity: Severity) -> Reading {
    Reading::new(Verdict::Holds(severity), 12.5, 10.0, Unit::Percent)
        .with_bytes(Some(u64::MAX / 2), None)
}

fn told(severity: Severity, evaluated_at: Timestamp) -> AlertContent {
    AlertContent {
        severity,
        evaluated_at,
        message: "we\"ird\n🦀 grew".to_owned(),
        reading: reading(severity),
        contributors: vec![Contributor {
            part: Part::Index,
            schema_name: Some("public".to_owned()),
            table_name: Some("we\"ird".to_owned()),
            name: Some("i".to_owned()),
            bytes: -7,
        }],
    }
}

fn standing(severity: Severity, now: Timestamp) -> Standing {
    let (state, _) = State::default().after(&reading(severity), Patience::default(), now);
    Standing {
        state,
        reading: Some(reading(severity)),
        ..Standing::default()
    }
}

fn replaced(
    before: Option<KeptState>,
    subject: &Subject,
    now: Timestamp,
    episode: EpisodeChange,
) -> ReplacedState {
    ReplacedState {
        before,
        alert_type: AlertType::GrowthWarning,
        subject: subject.clone(),
        standing: standing(Severity::Warning, now),
        episode,
    }
}

fn opens(now: Timestamp) -> EpisodeChange {
    EpisodeChange::Opens(NewAlert {
        since: now - SignedDuration::from_mins(5),
        created_at: now,
        told: told(Severity::Warning, now),
    })
}

fn ends(at: Timestamp) -> EpisodeChange {
    EpisodeChange::Ends {
        at,
        by: ResolvedBy::Condition,
        comment: None,
    }
}

async fn state_of(fresh: &Fresh, subject: &Subject) -> Option<KeptState> {
    let states = fresh.store.alert_states(&subject.instance).await.unwrap();
    states.into_iter().find(|state| state.subject == *subject)
}

/// Opens an episode at a time and ends it an hour later.
async fn episode(fresh: &Fresh, subject: &Subject, now: Timestamp) -> i64 {
    let before = state_of(fresh, subject).await;
    let opened = fresh
        .store
        .keep_alert(replaced(before, subject, now, opens(now)))
        .await
        .unwrap();
    let before = state_of(fresh, subject).await;
    let end = now + SignedDuration::from_hours(1);
    let ended = fresh
        .store
        .keep_alert(replaced(before, subject, end, ends(end)))
        .await
        .unwrap();
    assert_eq!(opened, ended);
    opened.unwrap().unwrap()
}

contract! {
    async fn an_episode_opens_goes_on_and_ends(fresh: &Fresh) {
        let shop = Subject::database("prod", "sh'op\n🦀");
        let (store, now) = (&fresh.store, start());
        let id = store.keep_alert(replaced(None, &shop, now, opens(now))).await.unwrap().unwrap().unwrap();
        let kept = state_of(fresh, &shop).await.unwrap();
        assert_eq!(kept.alert_id, Some(id));
        assert_eq!(kept.standing, standing(Severity::Warning, now));

        let later = now + SignedDuration::from_hours(1);
        let goes_on = EpisodeChange::GoesOn(told(Severity::Critical, later));
        assert_eq!(store.keep_alert(replaced(Some(kept), &shop, later, goes_on)).await.unwrap(), Some(Some(id)));
        let alert = store.alert(id).await.unwrap().unwrap();
        assert_eq!(alert.told, told(Severity::Critical, later));
        assert_eq!((&alert.subject, alert.created_at, alert.resolved_at), (&shop, now, None));

        let kept = state_of(fresh, &shop).await;
        let end = later + SignedDuration::from_hours(1);
        let by_hand = EpisodeChange::Ends { at: end, by: ResolvedBy::Hand, comment: Some("planned".to_owned()) };
        assert_eq!(store.keep_alert(replaced(kept, &shop, end, by_hand)).await.unwrap(), Some(Some(id)));
        let alert = store.alert(id).await.unwrap().unwrap();
        assert_eq!(alert.resolved_at, Some(end));
        assert_eq!((alert.resolved_by, alert.comment.as_deref()), (Some(ResolvedBy::Hand), Some("planned")));
        assert_eq!(state_of(fresh, &shop).await.unwrap().alert_id, None);
        assert_eq!(store.alert(id + 1000).await.unwrap(), None);
    }

    async fn of_two_that_evaluate_at_once_one_tells(fresh: &Fresh) {
        let (shop, now) = (Subject::database("prod", "shop"), start());
        let first = fresh.store.keep_alert(replaced(None, &shop, now, opens(now))).await.unwrap();
        assert!(first.is_some());
        let second = fresh.store.keep_alert(replaced(None, &shop, now, opens(now))).await.unwrap();
        assert_eq!(second, None, "there is a state by now");
        let read = state_of(fresh, &shop).await;
        let later = now + SignedDuration::from_mins(1);
        let one = replaced(read.clone(), &shop, later, EpisodeChange::None);
        assert!(fresh.store.keep_alert(one).await.unwrap().is_some());
        let other = replaced(read, &shop, later, ends(later));
        assert_eq!(fresh.store.keep_alert(other).await.unwrap(), None, "it was replaced");
        let (alerts, total) = fresh.store.alerts(AlertQuery { limit: 10, ..AlertQuery::default() }).await.unwrap();
        assert_eq!((alerts.len(), total), (1, 1));
        assert_eq!(alerts[0].resolved_at, None);
    }

    async fn what_is_forgotten_ends_its_episode_and_begins_anew(fresh: &Fresh) {
        let (store, now) = (&fresh.store, start());
        let shop = Subject::database("prod", "shop");
        let id = store.keep_alert(replaced(None, &shop, now, opens(now))).await.unwrap().unwrap().unwrap();
        let read = state_of(fresh, &shop).await.unwrap();
        let later = now + SignedDuration::from_hours(1);
        let goes_on = EpisodeChange::GoesOn(told(Severity::Warning, later));
        store.keep_alert(replaced(Some(read.clone()), &shop, later, goes_on)).await.unwrap();
        assert!(!store.forget_alert(read, ResolvedBy::Gone, later).await.unwrap(), "it was replaced");
        assert_eq!(store.alert(id).await.unwrap().unwrap().resolved_at, None);
        let read = state_of(fresh, &shop).await.unwrap();
        assert!(store.forget_alert(read.clone(), ResolvedBy::NotWatched, later).await.unwrap());
        let over = store.alert(id).await.unwrap().unwrap();
        assert_eq!((over.resolved_at, over.resolved_by), (Some(later), Some(ResolvedBy::NotWatched)));
        assert!(state_of(fresh, &shop).await.is_none());
        assert!(!store.forget_alert(read, ResolvedBy::Gone, later).await.unwrap(), "it is forgotten");
        let anew = store.keep_alert(replaced(None, &shop, later, opens(later))).await.unwrap().unwrap();
        assert!(anew > Some(id));
    }

    async fn what_has_another_name_keeps_its_state_and_its_episode(fresh: &Fresh) {
        let (store, now) = (&fresh.store, start());
        let [old, new, other] = ["old", "new", "other"].map(|name| Subject::table("prod", "shop", "s", name));
        let id = store.keep_alert(replaced(None, &old, now, opens(now))).await.unwrap().unwrap();
        store.keep_alert(replaced(None, &other, now, EpisodeChange::None)).await.unwrap();
        let read = state_of(fresh, &old).await.unwrap();
        assert!(!store.rename_alert(read.clone(), other).await.unwrap(), "that has a state of its own");
        assert!(store.rename_alert(read.clone(), new.clone()).await.unwrap());
        assert!(!store.rename_alert(read.clone(), new.clone()).await.unwrap(), "it is renamed already");
        let moved = state_of(fresh, &new).await.unwrap();
        assert_eq!((&moved.standing, moved.alert_id), (&read.standing, id));
        assert!(state_of(fresh, &old).await.is_none());
        let alert = store.alert(id.unwrap()).await.unwrap().unwrap();
        assert_eq!((&alert.subject, alert.resolved_at), (&new, None));
    }

    async fn the_states_of_a_database_are_its_own_and_those_within(fresh: &Fresh) {
        let (store, now) = (&fresh.store, start());
        let name = "sh'op%_\"\\n🦀";
        let own = [
            Subject::database("prod", name),
            Subject::schema("prod", name, "s"),
            Subject::table("prod", name, "s", "t"),
        ];
        let others = [
            Subject::database("prod", "shop"),
            Subject::database("prod", &format!("{name}2")),
            Subject::database("test", name),
            Subject::instance("prod"),
            Subject::volume("/dev/sda"),
        ];
        for subject in own.iter().chain(&others) {
            store.keep_alert(replaced(None, subject, now, EpisodeChange::None)).await.unwrap();
        }
        let of = DatabaseKey { instance: "prod".to_owned(), database: name.to_owned() };
        let states = store.alert_states_of(&of).await.unwrap();
        let found: Vec<Subject> = states.into_iter().map(|state| state.subject).collect();
        assert_eq!(found.len(), own.len(), "{found:?}");
        assert!(own.iter().all(|subject| found.contains(subject)), "{found:?}");
        assert_eq!(store.alert_instances().await.unwrap(), ["", "prod", "test"]);
    }

    async fn episodes_are_found_by_what_they_are(fresh: &Fresh) {
        let now = start();
        let [shop, crm] = ["shop", "crm"].map(|name| Subject::database("prod", name));
        let volume = Subject::volume("/dev/sda");
        let ended = episode(fresh, &shop, now).await;
        let mut open = Vec::new();
        for (minutes, subject) in [(10, &shop), (20, &crm), (30, &volume)] {
            let at = now + SignedDuration::from_mins(minutes);
            let before = state_of(fresh, subject).await;
            open.push(fresh.store.keep_alert(replaced(before, subject, at, opens(at))).await.unwrap().unwrap().unwrap());
        }
        let [of_shop, of_crm, of_volume] = open[..] else { panic!() };
        let every = AlertQuery { limit: 10, ..AlertQuery::default() };
        let found = async |query: AlertQuery| {
            let (alerts, total) = fresh.store.alerts(query).await.unwrap();
            (alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>(), total)
        };
        assert_eq!(found(every.clone()).await, (vec![of_volume, of_crm, of_shop, ended], 4));
        let page = AlertQuery { limit: 2, offset: 1, ..every.clone() };
        assert_eq!(found(page).await, (vec![of_crm, of_shop], 4));
        let firing = |is_firing| AlertQuery { is_firing: Some(is_firing), ..every.clone() };
        assert_eq!(found(firing(true)).await, (vec![of_volume, of_crm, of_shop], 3));
        assert_eq!(found(firing(false)).await, (vec![ended], 1));
        let of = AlertQuery { instance: Some("prod".into()), database: Some("crm".into()), ..every.clone() };
        assert_eq!(found(of).await, (vec![of_crm], 1));
        let elsewhere = AlertQuery { instance: Some("test".into()), ..every.clone() };
        assert_eq!(found(elsewhere).await, (vec![of_volume], 1), "a volume is shared");
        let critical = AlertQuery { severity: Some(Severity::Critical), ..every.clone() };
        assert_eq!(found(critical).await, (vec![], 0));
        let warnings = AlertQuery { severity: Some(Severity::Warning), ..every.clone() };
        assert_eq!(found(warnings).await.1, 4);
        let other = AlertQuery { alert_type: Some(AlertType::VolumeFull), ..every };
        assert_eq!(found(other).await.1, 0);
    }

    async fn the_newest_of_each_database_stay_however_old(fresh: &Fresh) {
        let [shop, crm] = ["shop", "crm"].map(|name| Subject::database("prod", name));
        for day in 0..KEPT_OF_DATABASE + 5 {
            episode(fresh, &shop, start() + SignedDuration::from_hours(24 * day)).await;
        }
        episode(fresh, &crm, start()).await;
        let before = start() + SignedDuration::from_hours(24 * 3);
        assert_eq!(fresh.store.thin_alerts("prod", before).await.unwrap(), 3, "not so old");
        let late = start() + SignedDuration::from_hours(24 * 1000);
        assert_eq!(fresh.store.thin_alerts("test", late).await.unwrap(), 0);
        assert_eq!(fresh.store.thin_alerts("prod", late).await.unwrap(), 2);
        let (_, total) = fresh.store.alerts(AlertQuery { limit: 1, ..AlertQuery::default() }).await.unwrap();
        assert_eq!(total, u64::try_from(KEPT_OF_DATABASE).unwrap() + 1);
    }

    async fn a_message_is_kept_once_taken_by_one_and_stays_told(fresh: &Fresh) {
        let (store, now) = (&fresh.store, start());
        let shop = Subject::database("prod", "shop");
        let id = store.keep_alert(replaced(None, &shop, now, opens(now))).await.unwrap().unwrap().unwrap();
        let message = |event: &str, number| NewMessage {
            channel: "ops".to_owned(),
            alert_id: id,
            event: event.to_owned(),
            number,
            instance: "prod".to_owned(),
            severity: Severity::Critical,
            message: "{\"🦀\": 1}".to_owned(),
            created_at: now,
            is_wanted: true,
            sent_at: None,
        };
        let opened = message("opened", 1);
        assert_eq!(store.add_messages(vec![opened.clone()]).await.unwrap(), 1);
        let again = vec![opened.clone(), message("reminder", 1)];
        assert_eq!(store.add_messages(again).await.unwrap(), 1, "the first is kept already");
        let waiting = store.waiting_messages("ops").await.unwrap();
        assert_eq!(waiting.len(), 2);
        assert_eq!((&waiting[0].message, waiting[0].tries, waiting[0].next_try_at), (&opened, 0, now));
        assert!(store.waiting_messages("others").await.unwrap().is_empty());

        let counted = store.waiting_counts().await.unwrap();
        assert_eq!(counted.len(), 1);
        let Waiting { channel, count, since, error } = &counted[0];
        assert_eq!((channel.as_str(), *count, *since, error.as_ref()), ("ops", 2, now, None));

        // Of two that read it one takes it.
        let later = now + SignedDuration::from_secs(60);
        let ids: Vec<i64> = waiting.iter().map(|kept| kept.id).collect();
        assert_eq!(store.take_messages(&waiting, later).await.unwrap(), ids);
        assert!(store.take_messages(&waiting, later).await.unwrap().is_empty());
        let failed = Fate::Again { at: later, error: "refused\n".to_owned() };
        store.settle_messages(&ids[..1], failed).await.unwrap();
        let kept = &store.waiting_messages("ops").await.unwrap()[0];
        assert_eq!((kept.tries, kept.next_try_at, kept.error.as_deref()), (1, later, Some("refused\n")));
        assert_eq!(store.waiting_counts().await.unwrap()[0].error.as_deref(), Some("refused\n"));
        store.settle_messages(&ids[..1], Fate::Sent(later)).await.unwrap();
        let over = Fate::Ended { at: later, fate: "given_up", error: "no".to_owned() };
        store.settle_messages(&ids, over).await.unwrap();
        let fates: Vec<_> = store.messages_of(&[id]).await.unwrap().into_iter()
            .map(|kept| (kept.tries, kept.fate.unwrap(), kept.ended_at)).collect();
        assert_eq!(fates, [(2, "sent".to_owned(), Some(later)), (1, "given_up".to_owned(), Some(later))]);

        // Whoever was told that it opened is to be told that it ended, once.
        assert!(store.told_and_over().await.unwrap().is_empty(), "it fires");
        let before = state_of(fresh, &shop).await;
        store.keep_alert(replaced(before, &shop, later, ends(later))).await.unwrap();
        assert_eq!(store.told_and_over().await.unwrap(), [id]);
        let unwanted = NewMessage { is_wanted: false, ..message("resolved", 1) };
        store.add_messages(vec![unwanted]).await.unwrap();
        assert!(store.told_and_over().await.unwrap().is_empty());
        assert!(store.waiting_messages("ops").await.unwrap().is_empty(), "nobody wants it");
        // One that went out while the store could not be written is no more than told, also of two alerts.
        let sent = NewMessage { sent_at: Some(later), ..message("reminder", 2) };
        let other = NewMessage { alert_id: id + 1, ..sent.clone() };
        assert_eq!(store.add_messages(vec![sent.clone(), other]).await.unwrap(), 2);
        assert!(store.waiting_messages("ops").await.unwrap().is_empty(), "they are sent");
        assert!(store.waiting_counts().await.unwrap().is_empty());
        let kept = store.messages_of(&[id + 1, id]).await.unwrap();
        assert_eq!(kept.iter().map(|kept| kept.message.alert_id).collect::<Vec<_>>(), [id, id, id, id, id + 1]);
        assert_eq!((&kept[3].message, kept[3].ended_at, kept[3].fate.as_deref()), (&sent, Some(later), Some("sent")));
        assert!(store.messages_of(&[]).await.unwrap().is_empty());
        assert_eq!(store.thin_messages(now).await.unwrap(), 0);
        assert_eq!(store.thin_messages(later).await.unwrap(), 5);
    }

    async fn silences_are_kept_until_they_are_over(fresh: &Fresh) {
        let silence = |span| NewSilence {
            pattern: "prod/sh*p".parse().unwrap(),
            alert_type: None,
            span,
            who: "o'ps".to_owned(),
            why: "🦀\n".to_owned(),
            created_at: start(),
        };
        let hour = |n| start() + SignedDuration::from_hours(n);
        let once = silence(SilenceSpan::Until { from: start(), until: hour(2) });
        let weekly = NewSilence {
            alert_type: Some(AlertType::VolumeFull),
            ..silence(SilenceSpan::Recurring {
                from: start(),
                cron: "0 2 * * 0".to_owned(),
                length: SignedDuration::from_hours(3),
            })
        };
        let mut ids = Vec::new();
        for silence in [&once, &weekly] {
            ids.push(fresh.store.add_silence(silence.clone()).await.unwrap());
        }
        let kept = |silences: Vec<KeptSilence>| -> Vec<_> {
            silences.into_iter().map(|kept| (kept.id, kept.silence)).collect()
        };
        let both = [(ids[0], once), (ids[1], weekly.clone())];
        assert_eq!(kept(fresh.store.silences(hour(1)).await.unwrap()), both);
        assert_eq!(kept(fresh.store.silences(hour(2)).await.unwrap()), both[1..], "the other is over");
        assert!(fresh.store.end_silence(ids[1]).await.unwrap());
        assert!(!fresh.store.end_silence(ids[1]).await.unwrap(), "it is ended");
        assert_eq!(kept(fresh.store.silences(hour(1)).await.unwrap()), both[..1]);
        let late = NewSilence { created_at: hour(24 * 91), ..weekly };
        fresh.store.add_silence(late).await.unwrap();
        assert_eq!(fresh.store.silences(hour(1)).await.unwrap().len(), 1, "the old one is forgotten");
    }

    async fn the_last_good_sample_knows_a_total_and_is_plimsolls_own(fresh: &Fresh) {
        let mut world = World::new("prod", "shop");
        world.add(20000, "public", "orders", 8192);
        let times = ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"].map(at);
        let last = async |until| fresh.store.last_good_sample(&world.key(), until).await.unwrap();
        assert_eq!(last(times[1]).await, None);
        for time in times {
            fresh.store.record_sample(&world.snapshot(time), SampleKind::Watch, None).await.unwrap();
        }
        assert_eq!((last(times[0]).await, last(times[1]).await), (Some(times[0]), Some(times[1])));
        let crm = World::new("prod", "crm").snapshot(times[0]);
        fresh.store.record_sample(&crm, SampleKind::Watch, None).await.unwrap();
        let each = fresh.store.last_good_samples("prod", times[1]).await.unwrap();
        let expected = [("shop".to_owned(), times[1]), ("crm".to_owned(), times[0])];
        assert_eq!(each, expected.into());
        assert!(fresh.store.last_good_samples("test", times[1]).await.unwrap().is_empty());
        let later = at("2026-03-03T00:00:00Z");
        let mut unknown = world.snapshot(later);
        unknown.totals = Totals { total_bytes: None, unattributed_bytes: None, unmeasured_bytes: None, ..unknown.totals };
        fresh.store.record_sample(&unknown, SampleKind::Watch, None).await.unwrap();
        assert_eq!(last(later).await, Some(times[1]), "nobody knows that one's total");
    }

    async fn the_parts_of_totals_are_read_since_a_time(fresh: &Fresh) {
        let mut world = World::new("prod", "shop");
        world.add(20000, "public", "orders", 8192);
        let times = ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"].map(at);
        for time in times {
            fresh.store.record_sample(&world.snapshot(time), SampleKind::Watch, None).await.unwrap();
        }
        let parts = fresh.store.sample_parts(&world.key(), times[1]).await.unwrap();
        assert_eq!(parts.iter().map(|parts| parts.sampled_at).collect::<Vec<_>>(), times[1..]);
        let snapshot = world.snapshot(times[2]);
        assert_eq!(Some(parts[1].total_bytes), snapshot.totals.total_bytes);
        let other = World::new("prod", "crm").key();
        assert!(fresh.store.sample_parts(&other, times[0]).await.unwrap().is_empty());
    }
}
