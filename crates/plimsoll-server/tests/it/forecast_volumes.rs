//! A database on several volumes: what grows on one is compared with what is free there, where the test may mount.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use throwaway_postgres::{Server, Volume, report_volumes, test};

use crate::service::{NOON, Service, at, watched};

const MB: u64 = 1 << 20;

#[tokio::test]
async fn trap_73_bytes_on_several_volumes_are_measured_each_against_its_own() {
    // Where bytes lie is no matter of the server's version.
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let volumes = Volume::tmpfs(&server, "fast", 64)
        .and_then(|fast| Ok((fast, Volume::tmpfs(&server, "wal", 2048)?)));
    let made = volumes.as_ref().map(|_| ()).map_err(String::as_str);
    report_volumes("a database on several volumes", made);
    let Ok((fast, wal)) = volumes else { return };
    wal.take_wal(&server).unwrap();
    let location = fast.make_folder(&server, "space").unwrap();
    for sql in [
        &format!("create tablespace fast location '{}'", location.display()),
        "create database app",
        "create database other",
    ] {
        server.sql("postgres", sql).unwrap();
    }
    server
        .sql(
            "app",
            "create table slow (a int, b text);
             create table quick (a int, b text) tablespace fast;
             create index on slow (a) tablespace fast",
        )
        .unwrap();
    server.sql("other", "create table t (a int)").unwrap();
    let mut settings = watched("main", &server.url("app"));
    settings.databases =
        plimsoll_server::settings::Databases::Listed(vec!["app".into(), "other".into()]);
    let service = Service::of(vec![settings]).await;
    for day in 0..14 {
        service
            .clock
            .set(at(NOON) + SignedDuration::from_hours(24 * day));
        server
            .sql(
                "app",
                "insert into quick select a, repeat('x', 1000) from generate_series(1, 1000) a;
                 insert into slow select a, repeat('x', 1000) from generate_series(1, 100) a",
            )
            .unwrap();
        for database in ["app", "other"] {
            let path = format!("/api/storage/samples?database={database}");
            assert_eq!(service.post(&path).await.status, 201);
        }
    }
    service.settled().await;
    let of = async |query: &str| {
        service
            .json(&format!("/api/storage/forecast?{query}"))
            .await
    };

    let app = of("database=app").await;
    let volumes = app["volumes"].as_array().unwrap();
    assert_eq!(volumes.len(), 2, "{app}");
    assert_eq!(volumes[0]["places"], serde_json::json!(["tablespace:fast"]));
    assert_eq!(volumes[0]["volume"], fast.path().to_str().unwrap());
    assert_eq!(app["capacity"]["capacity_bytes"], 64 * MB);
    assert_eq!(app["full_on"], volumes[0]["full_on"]);
    // A megabyte a day, and some fifty are left.
    let mid: Timestamp = app["full_on"]["mid"].as_str().unwrap().parse().unwrap();
    let days = mid.duration_since(service.clock_now()).as_hours() / 24;
    assert!((30..60).contains(&days), "{days}: {app}");
    let bytes = |value: &Value, key: &str| value[key].as_i64().unwrap_or_else(|| panic!("{value}"));
    let sum =
        |values: &[Value], key: &str| values.iter().map(|value| bytes(value, key)).sum::<i64>();
    assert_eq!(sum(volumes, "level_bytes"), bytes(&app, "level_bytes"));
    let difference = sum(volumes, "slope_bytes_per_day") - bytes(&app, "slope_bytes_per_day");
    assert!(difference.abs() <= 2, "{app}");

    // The tablespaces of a database are the database.
    let spaces = [
        of("database=app&tablespace=fast").await,
        of("database=app&tablespace=pg_default").await,
    ];
    assert_eq!(sum(&spaces, "level_bytes"), bytes(&app, "level_bytes"));
    for at in 0..3 {
        let points: i64 = spaces
            .iter()
            .map(|space| bytes(&space["forecast"][at], "point"))
            .sum();
        let whole = bytes(&app["forecast"][at], "point");
        assert!((points - whole).abs() <= 2, "{points} {whole}");
    }
    assert_eq!(spaces[0]["full_on"], app["full_on"]);
    assert_eq!(spaces[0]["reconciled"], app["reconciled"]);

    // So is a schema, or a table with its indexes; one that lies on one volume has one.
    let schema = of("database=app&schema=public").await;
    assert_eq!(
        schema["volumes"][0]["places"],
        serde_json::json!(["tablespace:fast"])
    );
    let slow = of("database=app&table=slow").await;
    assert_eq!(
        sum(slow["volumes"].as_array().unwrap(), "level_bytes"),
        bytes(&slow, "level_bytes")
    );
    let other = of("database=other").await;
    assert_eq!(other["volumes"].as_array().unwrap().len(), 1);
    assert_eq!(other["capacity"]["places"], serde_json::json!(["data"]));

    // Of the instance, too, and there is WAL on a volume of its own: how that grew is not in the samples.
    let instance = of("scope=instance").await;
    assert_eq!(
        instance["full_on"], app["full_on"],
        "the earliest: {instance}"
    );
    let volumes = instance["volumes"].as_array().unwrap();
    let wal_volume = volumes
        .iter()
        .find(|volume| volume["places"] == serde_json::json!(["wal"]));
    let wal_volume = wal_volume.unwrap_or_else(|| panic!("{instance}"));
    assert_eq!(wal_volume["capacity_bytes"], 2048 * MB);
    assert_eq!(wal_volume["full_on"], Value::Null);
    assert!(wal_volume["unknown"].as_str().unwrap().contains("WAL"));

    // A volume that cannot be seen: the earliest date stays the earliest of what is known, and the other says so.
    std::fs::remove_file(
        server
            .data_dir()
            .join("pg_tblspc")
            .join(tablespace_oid(&server)),
    )
    .unwrap();
    service
        .clock
        .set(service.clock_now() + SignedDuration::from_hours(1));
    assert_eq!(
        service
            .post("/api/storage/samples?database=app")
            .await
            .status,
        201
    );
    service.settled().await;
    let lost = of("database=app").await;
    assert_eq!(lost["full_on"], Value::Null, "{lost}");
    let reason = lost["unknown"].as_str().unwrap();
    assert!(reason.contains("not known of every volume"), "{reason}");
}

fn tablespace_oid(server: &Server) -> String {
    let sql = "select oid from pg_tablespace where spcname = 'fast'";
    server.sql("postgres", sql).unwrap()[0][0].clone().unwrap()
}
