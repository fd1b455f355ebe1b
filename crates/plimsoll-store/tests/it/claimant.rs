//! A process of its own that claims, keeps and ends runs as a test tells it: to be killed, stopped, or raced against.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_store::Held;

/// How long a run may be silent.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(60);
const URL: &str = "PLIMSOLL_TEST_CLAIM_STORE";
/// What its answers begin with, among what the test runner prints.
const ANSWER: &str = "answer ";

/// The process. It ends with this, or with the process of the test.
pub(crate) struct Claimant {
    child: Child,
    orders: ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Claimant {
    /// Starts it; each claim is of the job `watch`.
    pub(crate) fn start(url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["claimant::child", "--exact", "--ignored"])
            .args(["--nocapture", "--test-threads=1"])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut this = Self {
            child,
            orders,
            lines: BufReader::new(output).lines(),
        };
        assert_eq!(this.answer(), "ready");
        this
    }

    /// Tells it to claim, `keep` or `finish`, without waiting for the answer.
    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// What it answers next: `won`, `ours` or `lost`.
    pub(crate) fn answer(&mut self) -> String {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        let answer = lines.find_map(|line| line.strip_prefix(ANSWER).map(str::to_owned));
        answer.expect("it answers")
    }

    /// Tells it to claim the run of a scheduled time; whether it may have it.
    pub(crate) fn claims(&mut self, scheduled_for: Timestamp) -> bool {
        self.tell(&order_to_claim(scheduled_for));
        self.answer() == "won"
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it in its tracks: what it is told now it does when it is woken.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
        while !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub(crate) fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether each of its threads has stopped.
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ")
                .is_some_and(|(_, state)| state.starts_with('T'))
        })
    }
}

impl Drop for Claimant {
    fn drop(&mut self) {
        // it may be gone already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The order to claim the run of a scheduled time.
pub(crate) fn order_to_claim(scheduled_for: Timestamp) -> String {
    format!("claim {scheduled_for}")
}

/// What the process runs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that start it"]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = plimsoll_store::open(&url).unwrap();
    let mut claim = None;
    println!("\n{ANSWER}ready");
    // until its parent is gone
    for order in std::io::stdin().lines().map_while(Result::ok) {
        let held = match order.split_once(' ') {
            Some(("claim", at)) => {
                let claimed = store.claim("watch", at.parse().unwrap(), STALE_AFTER);
                claim = claimed.await.unwrap();
                match claim {
                    Some(_) => "won",
                    None => "lost",
                }
            }
            _ if order == "keep" => word(store.keep(claim.as_ref().unwrap()).await.unwrap()),
            _ => {
                let claim = claim.take().unwrap();
                word(store.finish(claim, "ok", "by the other").await.unwrap())
            }
        };
        println!("{ANSWER}{held}");
    }
}

const fn word(held: Held) -> &'static str {
    match held {
        Held::Ours => "ours",
        Held::Lost => "lost",
    }
}
