//! Trap 58: where another tool told the total alone, no route counts tables.

use std::io::Cursor;

use plimsoll_store::DatabaseKey;
use plimsoll_store::transfer::csv::{Options, import};

use crate::service::{Service, watched};

#[tokio::test(flavor = "multi_thread")]
async fn trap_58_of_totals_alone_no_route_knows_the_tables() {
    // nobody listens there: all that is known was imported
    let service = Service::of(vec![watched("main", "postgres://nobody@127.0.0.1:1/shop")]).await;
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "shop".to_owned(),
    };
    let text = (1..9).fold("date,bytes\n".to_owned(), |text, day| {
        text + &format!("2026-03-0{day},{}\n", 5_000_000 + day)
    });
    let taken = import(&*service.store, &of, Cursor::new(text), &Options::default()).await;
    assert_eq!(taken.unwrap().history.samples, 8);
    for (route, unknown) in [
        (
            "sizes?wait=10",
            &["tables_total", "attributed_bytes", "estimated_bytes"][..],
        ),
        ("state", &["tables_total"]),
        (
            "growth?since=2026-03-01",
            &[
                "tables_total",
                "new_tables_total",
                "vanished_tables_total",
                "indexes_total",
                "relations_grown_bytes",
            ],
        ),
        (
            "forecast?by=table",
            &["tables", "young_tables", "others", "to_come", "rest"],
        ),
    ] {
        let answer = service.json(&format!("/api/storage/{route}")).await;
        for field in unknown {
            assert!(answer[field].is_null(), "{route}: {field}: {answer}");
            assert!(answer.get(field).is_some(), "{route}: no {field}: {answer}");
        }
    }
    let sizes = service.json("/api/storage/sizes").await;
    assert_eq!(sizes["total_bytes"], 5_000_008, "{sizes}");
    let history = service.json("/api/storage/history").await;
    let samples = history["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 8);
    let is_unknown = |sample: &serde_json::Value| sample["table_count"].is_null();
    assert!(samples.iter().all(is_unknown), "{history}");
    let page = service.get("/").await.text();
    let rows = page.matches(r#"<td class="number">unknown</td>"#).count();
    assert_eq!(rows, 8, "{page}");
}
