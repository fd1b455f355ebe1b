//! Where a capacity comes from, and which one wins.

use plimsoll_core::instance::Tablespace;

use super::*;

fn tablespace(name: &str, location: &str, capacity: Figure<Capacity>) -> Tablespace {
    Tablespace {
        oid: 1,
        name: name.to_owned(),
        location: Figure::Known(location.to_owned()),
        bytes: Figure::Known(1),
        capacity,
    }
}

fn bytes(figure: &Figure<Capacity>) -> Option<(u64, CapacitySource)> {
    figure.known().map(|it| (it.capacity_bytes, it.source))
}

#[test]
fn the_configuration_goes_before_the_file_system() {
    let size = 9000;
    let seen = Figure::Known(Capacity {
        capacity_bytes: size,
        used_bytes: Some(10),
        available_bytes: Some(8000),
        source: CapacitySource::Statvfs,
        path: Some("/data".to_owned()),
        mount_point: Some("/".to_owned()),
        pool: "/dev/sda".to_owned(),
    });
    let facts = || InstanceFacts {
        tablespaces: Figure::Known(vec![
            tablespace("pg_default", "", seen.clone()),
            tablespace("fast", "/fast", seen.clone()),
            tablespace("slow", "/slow", Figure::default()),
        ]),
        capacity: seen.clone(),
        ..InstanceFacts::default()
    };
    let config = |bytes| Some((bytes, CapacitySource::Config));
    let seen_bytes = Some((size, CapacitySource::Statvfs));
    for (instance, own, expected) in [
        (None, None, [seen_bytes, seen_bytes, seen_bytes, None]),
        (
            Some(500),
            None,
            [config(500), config(500), seen_bytes, config(500)],
        ),
        (None, Some(7), [seen_bytes, seen_bytes, config(7), None]),
        (
            Some(500),
            Some(7),
            [config(500), config(500), config(7), config(500)],
        ),
    ] {
        let mut facts = facts();
        ConfiguredCapacity {
            instance_bytes: instance,
            tablespace_bytes: own
                .map(|own| ("fast".to_owned(), own))
                .into_iter()
                .collect(),
        }
        .apply(&mut facts);
        let mut found = vec![bytes(&facts.capacity)];
        found.extend(
            facts
                .tablespaces
                .each()
                .iter()
                .map(|it| bytes(&it.capacity)),
        );
        assert_eq!(found, expected, "{instance:?} {own:?}");
    }
}
