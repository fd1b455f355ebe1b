//! What was not covered is unknown: that it is covered now is no growth.

use throwaway_postgres::on_every_major;

use crate::support::{Home, new_database};

on_every_major! {
    fn the_first_own_sample_after_an_import_of_some_tables_is_no_growth(server: &Server) {
        let database = new_database(server, "covered");
        server.sql(&database, "
            create table orders as select generate_series(1, 20000) as n;
            create table large as select generate_series(1, 200000) as n").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let mut text = "time,table,bytes\n".to_owned();
        for day in 1..=28 {
            text.push_str(&format!("2026-01-{day:02},public.orders,{}\n", 600_000 + day * 1000));
        }
        let file = home.write("sizes.csv", &text);
        let imported = home.run(&url, &["import", file.to_str().unwrap()]);
        assert!(imported.out.contains("28 samples added"), "{imported:?}");
        let history = home.run(&url, &["--output", "json", "history"]).json();
        assert!(history["samples"][0]["total_bytes"].is_null(), "{history}");
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));

        let since = ["growth", "--since", "2026-01-01"];
        let growth = home.run(&url, &[&["--output", "json"], &since[..]].concat()).json();
        assert!(growth["grown_bytes"].is_null() && growth["per_day_bytes"].is_null(), "{growth}");
        assert_eq!((&growth["new_tables_total"], &growth["tables_total"]), (&0.into(), &1.into()), "{growth}");
        assert_eq!(growth["tables"][0]["table_name"], "orders");
        assert!(growth["coverage_changed_at"].is_string() && growth["uncovered_tables_total"] != 0, "{growth}");
        let shown = home.run(&url, &since);
        assert!(!shown.out.contains("NEW") && shown.out.contains("another tool"), "{shown:?}");
        let events = home.run(&url, &["--output", "json", "events"]).json();
        assert_eq!(events["count"], 1, "{events}");
        assert_eq!((&events["events"][0]["kind"], &events["events"][0]["alert"]), (&"coverage".into(), &false.into()));
        // one own sample is too few to say how the database goes on
        let forecast = home.run(&url, &["--output", "json", "forecast", "--capacity", "500GB"]).json();
        assert!(forecast["insufficient_data"].is_object(), "{forecast}");
    }
}
