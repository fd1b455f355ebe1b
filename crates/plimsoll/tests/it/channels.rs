//! `plimsoll test CHANNEL`, and what the configuration says of channels.

use serde_json::Value;

use crate::support::{Home, Ran};

const HUSH: &str = "hush4711";

fn with(home: &Home, text: &str, args: &[&str]) -> Ran {
    let config = home.write("plimsoll.toml", text);
    let mut command = home.plimsoll();
    Ran::of(command.arg("--config").arg(config).args(args))
}

#[test]
fn a_channel_is_tried_and_says_what_became_of_it() {
    let home = Home::new();
    let read = home.path("read");
    let text = format!(
        "[[channel]]\nname = \"script\"\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat > {}\", \"{HUSH}\"]\n\
         [[channel]]\nname = \"fails\"\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"echo no room >&2; exit 3\"]\n\
         [[channel]]\nname = \"nobody\"\nkind = \"slack\"\nurl = \"http://127.0.0.1:1/{HUSH}\"\n",
        read.display()
    );
    // No instance is needed, and no store is made.
    let ran = with(&home, &text, &["test", "script"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "script (command) took it: /bin/sh\n"),
        "{ran:?}"
    );
    let sent: Value = serde_json::from_slice(&std::fs::read(&read).unwrap()).unwrap();
    assert_eq!(sent["data"]["messages"][0]["event"], "test");
    let json = with(&home, &text, &["test", "script", "--output", "json"]).json();
    assert_eq!(
        (&json["channel"], &json["kind"]),
        (&"script".into(), &"command".into())
    );
    assert!(!home.store_path().exists());

    with(&home, &text, &["test", "fails"]).failed_saying(&[
        "the channel \"fails\"",
        "exit status: 3",
        "no room",
    ]);
    let ran = with(&home, &text, &["test", "nobody"]);
    ran.failed_saying(&["http://127.0.0.1:1"]);
    assert!(!ran.err.contains(HUSH), "{ran:?}");
    with(&home, &text, &["test", "other"])
        .failed_saying(&["no channel is named", "script, fails, nobody"]);
    with(&home, "", &["test", "other"]).failed_saying(&["has no [[channel]]"]);
}

#[test]
fn a_mistake_in_a_channel_is_named_by_its_key_and_not_repeated() {
    let home = Home::new();
    for (text, parts) in [
        (format!("kind = \"slack\"\nurl = \"{HUSH}\""), &["the channel `ops`: `url` is not an address"][..]),
        (format!("kind = \"slack\"\nurl = \"https://h\"\nuser = \"{HUSH}\""), &["`user` is no key of kind `slack`"]),
        (format!("kind = \"slack\"\nurll = \"https://{HUSH}\""), &["line 4", "Did you mean `url`?"]),
        (format!("kind = \"webhook\"\nurl = \"https://h\"\nsecret = \"{HUSH}\""), &["`secret` cannot be used"]),
        (format!("kind = \"command\"\ncommand = \"{HUSH}\""), &["line 4", "expected a sequence"]),
        ("kind = \"slack\"\nurl = \"https://h\"\n[[channel]]\nname = \"ops\"\nkind = \"heartbeat\"\nurl = \"https://h\"".to_owned(), &["the channel `ops`: `name` stands twice"]),
    ] {
        let ran = with(&home, &format!("[[channel]]\nname = \"ops\"\n{text}\n"), &["check-config"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        for part in parts {
            assert!(ran.out.contains(part), "{part}: {ran:?}");
        }
        assert!(!ran.out.contains(HUSH) && !ran.err.contains(HUSH), "{ran:?}");
    }
    // What fits nothing is allowed, and told.
    let idle = "[[instance]]\nname = \"prod\"\nurl = \"postgres://h/shop\"\n\
                [[alerts.override]]\nmatch = \"prdo\"\ngrowth_warning = { percent = 5 }\n\
                [[channel]]\nname = \"ops\"\nkind = \"slack\"\nurl = \"https://h.example\"\nmatch = \"prod/crm\"\n";
    let ran = with(&home, idle, &["check-config"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "warning: an [[alerts.override]] is about `prdo`, which fits nothing that is watched: prod/shop",
        "warning: the channel `ops` is about `prod/crm`, which fits nothing that is watched",
    ] {
        assert!(ran.out.contains(part), "{part}: {ran:?}");
    }
    let twice = "[[instance]]\nname = \"prod\"\nurl = \"postgres://h/shop\"\n\
                 [[capacity]]\ndatabase = \"shop\"\nbytes = \"1GB\"\n[[capacity]]\ndatabase = \"shop\"\nbytes = \"2GB\"\n";
    let ran = with(&home, twice, &["check-config"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out
            .contains("two [[capacity]] limit the database \"shop\" of \"prod\""),
        "{ran:?}"
    );
    let fine = "[[instance]]\nname = \"a\"\nurl = \"postgres://h/d\"\n\
                [[channel]]\nname = \"ops\"\nkind = \"slack\"\nurl = \"https://h.example/hush4711\"\n";
    let ran = with(&home, fine, &["check-config"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .contains("has the channel \"ops\": slack, to https://h.example\n"),
        "{ran:?}"
    );
    assert!(!ran.out.contains(HUSH), "{ran:?}");
}
