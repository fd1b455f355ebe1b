//! Delimited files, as programs and countries write them.

use plimsoll_core::forecast::Point;
use plimsoll_input::{DateOrder, Decimal, ReadOptions, Unit};

use crate::series::{CAPACITY, check, column, date, lines, read, reference, thousands};

fn gb(point: &Point) -> String {
    let rounded = (point.bytes + 500_000) / 1_000_000;
    format!("{}.{:03}", rounded / 1000, rounded % 1000)
}

#[test]
fn the_same_series_is_read_from_whatever_a_tool_wrote() {
    let plain = |point: &Point| format!("{},{}", date(point), point.bytes);
    let time = |point: &Point, format: &str| point.at.strftime(format).to_string();
    let cases: Vec<(&str, String, u64)> = vec![
        ("plain", lines("date,bytes\n", plain), 0),
        ("no header", lines("", plain), 0),
        (
            "newest first",
            {
                let mut text: Vec<String> = reference().iter().map(plain).collect();
                text.reverse();
                format!("date,bytes\n{}", text.join("\r\n"))
            },
            0,
        ),
        (
            "thousands",
            lines("date,bytes\n", |p| {
                format!("{},\"{}\"", date(p), thousands(p.bytes, ","))
            }),
            0,
        ),
        (
            "german",
            lines("Datum;Bytes\n", |p| {
                format!("{};{}", p.at.strftime("%d.%m.%Y"), thousands(p.bytes, "."))
            }),
            0,
        ),
        (
            "french",
            lines("date;octets\n", |p| {
                format!(
                    "{};{}",
                    p.at.strftime("%d/%m/%Y"),
                    thousands(p.bytes, "\u{202f}")
                )
            }),
            0,
        ),
        (
            "swiss",
            lines("date\tbytes\n", |p| {
                format!("{}\t{}", date(p), thousands(p.bytes, "'"))
            }),
            0,
        ),
        (
            "excel",
            lines("sep=;\r\ndate;size_gb\r\n", |p| {
                format!(
                    "{};{},{:02}",
                    date(p),
                    p.bytes / 1_000_000_000,
                    p.bytes / 10_000_000 % 100
                )
            }),
            10_000_000,
        ),
        (
            "excel tab",
            lines("sep=\t\r\ndate\tbytes\r\n", |p| {
                format!("{}\t{}", date(p), p.bytes)
            }),
            0,
        ),
        (
            "unit in header",
            lines("date,size_gb\n", |p| format!("{},{}", date(p), gb(p))),
            500_000,
        ),
        (
            "unit in brackets",
            lines("Day,\"Size (GB)\"\n", |p| format!("{},{}", date(p), gb(p))),
            500_000,
        ),
        (
            "unit in cell",
            lines("date,size\n", |p| format!("{},{} GB", date(p), gb(p))),
            500_000,
        ),
        (
            "binary unit",
            lines("date,size_kib\n", |p| {
                format!("{},{}", date(p), p.bytes.div_ceil(1024))
            }),
            1024,
        ),
        (
            "exponents",
            lines("date,bytes\n", |p| {
                format!(
                    "{},{}.{:011}E+11",
                    date(p),
                    p.bytes / 100_000_000_000,
                    p.bytes % 100_000_000_000
                )
            }),
            0,
        ),
        (
            "a mean's fraction",
            lines("date,value\n", |p| format!("{},{}.25", date(p), p.bytes)),
            0,
        ),
        (
            "seconds",
            lines("time,bytes\n", |p| {
                format!("{},{}", p.at.as_second(), p.bytes)
            }),
            0,
        ),
        (
            "seconds without header",
            lines("", |p| format!("{},{}", p.at.as_second(), p.bytes)),
            0,
        ),
        (
            "milliseconds",
            lines("ts,value\n", |p| {
                format!("{},{}", p.at.as_millisecond(), p.bytes)
            }),
            0,
        ),
        (
            "utc",
            lines("time,bytes\n", |p| {
                format!("{},{}", time(p, "%Y-%m-%d %H:%M:%S UTC"), p.bytes)
            }),
            0,
        ),
        (
            "go",
            lines("time,bytes\n", |p| {
                format!("{},{}", time(p, "%Y-%m-%d %H:%M:%S +0000 UTC"), p.bytes)
            }),
            0,
        ),
        (
            "offset",
            lines("time,bytes\n", |p| {
                format!("{}T02:00:00+02:00,{}", date(p), p.bytes)
            }),
            0,
        ),
        (
            "american",
            lines("Date,Bytes\n", |p| {
                format!("{},{}", time(p, "%m/%d/%Y"), p.bytes)
            }),
            0,
        ),
        (
            "locale string",
            lines("Date,Bytes\n", |p| {
                format!(
                    "\"{}, 12:00:00\u{202f}AM\",{}",
                    time(p, "%-m/%-d/%Y"),
                    p.bytes
                )
            }),
            0,
        ),
        (
            "named month",
            lines("day,bytes\n", |p| {
                format!("{},{}", time(p, "%d-%b-%Y"), p.bytes)
            }),
            0,
        ),
        (
            "psql",
            lines(
                "        time         |    bytes     \n---------------------+--------------\n",
                |p| format!(" {} | {:>12} ", time(p, "%Y-%m-%d %H:%M:%S"), p.bytes),
            ) + "(40 rows)\n",
            0,
        ),
        ("comment", lines("# date,bytes\n", plain), 0),
        (
            "grafana",
            lines("\"Time\",\"shop\"\n", |p| {
                format!("{},{}", time(p, "%Y-%m-%d %H:%M:%S"), p.bytes)
            }),
            0,
        ),
        (
            "grafana formatted",
            lines("\"Time\",\"{datname=\"\"shop\"\"}\"\n", |p| {
                format!("\"{}\",\"{} GB\"", time(p, "%Y-%m-%d %H:%M:%S"), gb(p))
            }),
            500_000,
        ),
        (
            "influx",
            lines(
                "#group,false,false\n#datatype,string,long\n#default,_result,\n,result,table,_time,_value,_field,_measurement\n",
                |p| {
                    format!(
                        ",,0,{},{},size,postgresql",
                        time(p, "%Y-%m-%dT%H:%M:%SZ"),
                        p.bytes
                    )
                },
            ),
            0,
        ),
        (
            "cloudwatch console",
            lines(
                "Full label,shop VolumeBytesUsed\nLabel,VolumeBytesUsed\nPeriod,86400\nStatistic,Average\nUnit,Bytes\n,\nTimestamp,VolumeBytesUsed\n",
                |p| format!("{},{}.0", time(p, "%Y/%m/%d %H:%M:%S"), p.bytes),
            ),
            0,
        ),
        (
            "one database in every line",
            lines("time,instance,datname,size_b\n", |p| {
                format!("{},db:9187,shop,{}", time(p, "%Y-%m-%dT%H:%M:%SZ"), p.bytes)
            }),
            0,
        ),
        (
            "rows beside bytes",
            lines("date,rows,size_bytes,size_pretty\n", |p| {
                format!(
                    "{},{},{},{} GB",
                    date(p),
                    p.bytes / 100,
                    p.bytes,
                    p.bytes >> 30
                )
            }),
            0,
        ),
        (
            "our own export",
            lines(
                "time,schema,table,bytes,heap_bytes,toast_bytes,index_bytes,row_count\n",
                |p| format!("{},public,orders,{},{},0,5,7", p.at, p.bytes, p.bytes - 5),
            ),
            0,
        ),
    ];
    for (what, text, within) in cases {
        check(what, read(&text, &ReadOptions::default()), within);
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(
            what,
            read([b"\xff\xfe", &*units].concat(), &ReadOptions::default()),
            within,
        );
        check(
            what,
            read(format!("\u{feff}{text}"), &ReadOptions::default()),
            within,
        );
    }
}

#[test]
fn one_of_several_series_is_chosen_by_its_name() {
    let wide = lines("\"Time\",\"shop\",\"crm\"\n", |p| {
        format!("{} 00:00:00,{},40000000000", date(p), p.bytes)
    });
    check("wide", read(&wide, &column("shop")), 0);
    let labels = lines(
        "Time,\"pg_database_size_bytes{datname=\"\"shop\"\"}\",\"pg_database_size_bytes{datname=\"\"crm\"\"}\"\n",
        |p| format!("{} 00:00:00,{},40000000000", date(p), p.bytes),
    );
    check("labels", read(&labels, &column("shop")), 0);
    let long = lines("time,database,bytes\n", |p| {
        format!("{},shop,{}\n{},crm,4000000000", date(p), p.bytes, date(p))
    });
    check("long", read(&long, &column("shop")), 0);
    let of_tables = lines("time,schema,table,bytes\n", |p| {
        format!(
            "{0},public,orders,{1}\n{0},public,logs,{1}1",
            date(p),
            p.bytes
        )
    });
    check("tables", read(&of_tables, &column("public/orders")), 0);
}

#[test]
fn free_space_becomes_what_is_used_where_the_capacity_is_known() {
    let text = lines("Timestamp,FreeStorageSpace\n", |p| {
        format!("{},{}", p.at.strftime("%Y/%m/%d %H:%M"), CAPACITY - p.bytes)
    });
    let options = ReadOptions {
        is_free: true,
        capacity_bytes: Some(CAPACITY),
        ..ReadOptions::default()
    };
    check("free", read(&text, &options), 0);
}

#[test]
fn cells_without_a_value_are_left_out_and_counted() {
    let text = lines("timestamp,size\n", |p| {
        let value = match p.at.as_second() / 86400 % 10 {
            3 => "NaN".to_owned(),
            5 => String::new(),
            7 => "null".to_owned(),
            _ => p.bytes.to_string(),
        };
        format!("{},{value}", p.at.as_millisecond())
    });
    let series = read(&text, &ReadOptions::default()).unwrap();
    assert_eq!(series.points.len(), 28);
    assert!(
        series
            .notes
            .iter()
            .any(|note| note == "12 lines without a value were left out"),
        "{:?}",
        series.notes
    );
    for point in &series.points {
        assert!(reference().contains(point));
    }
}

#[test]
fn what_was_asked_settles_what_is_unclear() {
    let three_places = "date;size\n2026-01-01;180.094\n2026-01-02;181.095\n";
    let bytes = |text: &str, options: ReadOptions| -> Vec<u64> {
        read(text, &options)
            .unwrap()
            .points
            .iter()
            .map(|point| point.bytes)
            .collect()
    };
    let gb = Some(Unit::Bytes(1_000_000_000));
    let as_asked = |decimal, unit| ReadOptions {
        decimal: Some(decimal),
        unit,
        ..ReadOptions::default()
    };
    assert_eq!(
        bytes(three_places, as_asked(Decimal::Point, gb)),
        [180_094_000_000, 181_095_000_000]
    );
    assert_eq!(
        bytes(three_places, as_asked(Decimal::Comma, None)),
        [180_094, 181_095]
    );
    let pretty = "date,size\n2026-01-01,168 GB\n2026-01-02,8192 bytes\n";
    let apart = |apart| ReadOptions {
        unit: Some(Unit::Base(apart)),
        ..ReadOptions::default()
    };
    assert_eq!(bytes(pretty, apart(1024)), [168 << 30, 8192]);
    assert_eq!(bytes(pretty, apart(1000)), [168_000_000_000, 8192]);
    let header = "date,size_gb\n2026-01-01,168\n";
    assert_eq!(bytes(header, apart(1024)), [168 << 30]);
    assert_eq!(
        bytes(
            header,
            ReadOptions {
                unit: Some(Unit::Bytes(1 << 30)),
                ..ReadOptions::default()
            }
        ),
        [168 << 30]
    );
    let dates = "date,bytes\n01/02/2026,8192\n02/02/2026,8192\n";
    let ordered = |dates| ReadOptions {
        dates: Some(dates),
        ..ReadOptions::default()
    };
    let first = |order| {
        read(dates, &ordered(order)).unwrap().points[0]
            .at
            .to_string()
    };
    assert_eq!(first(DateOrder::DayFirst), "2026-02-01T00:00:00Z");
    assert_eq!(first(DateOrder::MonthFirst), "2026-01-02T00:00:00Z");
}

#[test]
fn what_was_assumed_is_said() {
    let said = |text: &str| {
        read(text, &ReadOptions::default())
            .unwrap()
            .notes
            .join("; ")
    };
    let notes =
        said("date,size_gb\n2026-01-01 03:00,180.25\n2026-01-02 03:00,181\n2026-01-02 03:00,181\n");
    for part in [
        "GB was read as 1,000,000,000 bytes",
        "--unit 1024",
        "1,073,741,824",
        "taken as UTC",
        "1 line says again",
    ] {
        assert!(notes.contains(part), "no {part:?} in {notes}");
    }
    assert_eq!(said("date,bytes\n2026-01-01,9000\n"), "");
}

#[test]
fn a_header_without_data_is_an_empty_series() {
    for text in ["date,bytes\n", "\"Time\";\"shop\"\r\n"] {
        assert_eq!(read(text, &ReadOptions::default()).unwrap().points, []);
    }
}

#[test]
fn a_long_file_is_read_without_holding_it() {
    /// A file of so many lines that is made while it is read.
    struct Made {
        at: u64,
        lines: u64,
        rest: Vec<u8>,
    }
    impl std::io::Read for Made {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.rest.is_empty() && self.at < self.lines {
                let line = if self.at == 0 {
                    "time,database,bytes\n".to_owned()
                } else {
                    let database = if self.at.is_multiple_of(1000) {
                        "shop"
                    } else {
                        "crm"
                    };
                    format!(
                        "{},{database},{}\n",
                        1_700_000_000 + self.at,
                        9_000_000 + self.at
                    )
                };
                self.rest = line.into_bytes();
                self.at += 1;
            }
            let count = self.rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.rest[..count]);
            self.rest.drain(..count);
            Ok(count)
        }
    }
    impl std::io::Seek for Made {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            self.at = 0;
            self.rest.clear();
            Ok(0)
        }
    }
    let mut made = Made {
        at: 0,
        lines: 200_001,
        rest: Vec::new(),
    };
    let series = plimsoll_input::read(&mut made, &column("shop")).unwrap();
    assert_eq!(series.points.len(), 200);
}
