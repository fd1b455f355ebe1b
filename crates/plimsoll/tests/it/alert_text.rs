//! What the built program's alert says of a database that grew: the parts that did, with their bytes, and no other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use plimsoll_core::size_text::pretty;
use throwaway_postgres::test;

use crate::days_ago::date_back;
use crate::serve::Service;
use crate::support::{Home, new_database, number};

#[test]
fn an_index_of_one_table_and_anothers_toast_grow_and_the_text_names_exactly_these_with_their_bytes()
{
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "why");
    let sql = |text: &str| server.sql(&database, text).unwrap();
    // Nine rows in ten are gone from each page of the orders' heap and of their index. New keys go to new pages of the
    // index, and into the heap's old ones.
    sql("create table orders (reference text) with (autovacuum_enabled = off);
         insert into orders select repeat('0', 150) || lpad(n::text, 10, '0') from generate_series(1, 300000) n;
         create index orders_by_reference on orders (reference) with (deduplicate_items = off);
         delete from orders where reference::numeric % 10 <> 0;
         create table mails (id int, body text) with (autovacuum_enabled = off);
         alter table mails alter column body set storage external;
         insert into mails select n, repeat('x', 100000) from generate_series(1, 10) n;
         create table still as select n from generate_series(1, 100000) n;
         create index still_by_n on still (n)");
    sql("vacuum orders, mails, still");
    let (home, url) = (Home::new(), server.url(&database));
    for _ in 0..2 {
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    }
    date_back(&home, &url);
    let index = || {
        let relation = "select pg_total_relation_size('orders_by_reference')";
        number(server, &database, relation)
    };
    let toast = || {
        let relation =
            "select pg_total_relation_size(reltoastrelid) from pg_class where relname = 'mails'";
        number(server, &database, relation)
    };
    let heap = || number(server, &database, "select pg_relation_size('orders')");
    let (index_before, toast_before, heap_before) = (index(), toast(), heap());
    sql("insert into orders select repeat('0', 150) || lpad(n::text, 10, '0') from generate_series(300001, 500000) n;
         insert into mails select n, repeat('x', 100000) from generate_series(11, 1200) n");
    let (index, toast) = (index() - index_before, toast() - toast_before);
    assert!(index > 20 << 20, "the index grew by {index}");
    assert_eq!(heap(), heap_before, "the heap has room");

    let service = Service::start(home.on(&url).args(["serve", "--listen", "127.0.0.1:0"]));
    let began = Instant::now();
    let alert = loop {
        let (_, answer) = service.get("/api/storage/alerts?type=growth_warning");
        if answer["count"] == 1 {
            break answer["alerts"][0].clone();
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{answer}");
        // The first sample after a start is taken at once, if it is due.
        service.post("/api/storage/samples");
        sleep(Duration::from_millis(200));
    };
    let message = alert["message"].as_str().unwrap();
    let named = [
        format!("{} the toast of mails", pretty(toast)),
        format!("{} index orders_by_reference of orders", pretty(index)),
    ];
    let shares = message
        .lines()
        .find(|line| line.starts_with("Of this: "))
        .unwrap();
    for share in &named {
        assert!(shares.contains(share.as_str()), "no {share}: {message}");
    }
    assert!(
        !shares.contains("still") && !shares.contains("the rows of"),
        "{message}"
    );
    let parts: Vec<(&str, i64)> = alert["contributors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|share| {
            (
                share["part"].as_str().unwrap(),
                share["bytes"].as_i64().unwrap(),
            )
        })
        .collect();
    let exactly = [("toast", toast), ("index", index)]
        .map(|(part, bytes)| (part, i64::try_from(bytes).unwrap()));
    assert_eq!(parts[..2], exactly, "{alert}");
    assert!(
        parts[2..]
            .iter()
            .all(|(part, _)| ["other", "no_relation"].contains(part)),
        "{alert}"
    );
    let grown =
        alert["current_bytes"].as_i64().unwrap() - alert["previous_bytes"].as_i64().unwrap();
    assert_eq!(
        parts.iter().map(|(_, bytes)| bytes).sum::<i64>(),
        grown,
        "{alert}"
    );
}
