//! A program of this host: without a shell, bounded in time and in what is read of it, and gone with all that it started.

use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::left_behind::{MARK, end_marked, mark};

/// A program with its arguments, which may hold secrets: only the program's name is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("program", &self.program)
            .field("arguments", &self.arguments.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// What of a program is read. The rest goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its standard output: more bytes than this are an error.
    Output(u64),
    /// So many bytes at the beginning of its standard error.
    Complaint(u64),
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit status.
    pub status: ExitStatus,
    /// What was wanted of it.
    pub text: Vec<u8>,
}

/// Why a program did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// It cannot be started.
    #[error("{0} does not start: {1}")]
    Start(String, String),
    /// It took too long, and was ended.
    #[error("{0} did not end within {1} ms")]
    TimedOut(String, u128),
    /// It prints more than is read.
    #[error("{0} prints more than {1} bytes")]
    TooLong(String, u64),
    /// Reading what it prints failed.
    #[error("{0}: {1}")]
    Read(String, String),
}

/// A program's process group, and what carries its mark: what it started ends with it, also when nobody waits any more.
struct Group {
    leader: Option<Pid>,
    mark: String,
}

impl Group {
    fn end(&mut self) {
        if let Some(group) = self.leader.take() {
            // It may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
            end_marked(&self.mark);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

impl Program {
    /// A program and its arguments as they are configured; none where no program is named.
    pub fn of(words: &[SecretString], timeout: Duration) -> Option<Self> {
        let mut words = words.iter().map(|word| word.expose_secret().to_owned());
        Some(Self {
            program: words.next().filter(|program| !program.is_empty())?,
            arguments: words.collect(),
            timeout,
        })
    }

    /// Runs it to its end, and gives it `input` to read.
    pub async fn run(&self, input: Option<&[u8]>, wanted: Wanted) -> Result<Ran, RunError> {
        let program = || self.program.clone();
        let mark = mark();
        let piped = |is: bool| if is { Stdio::piped() } else { Stdio::null() };
        let wants_output = matches!(wanted, Wanted::Output(_));
        let mut child = tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .stdin(piped(input.is_some()))
            .stdout(piped(wants_output))
            .stderr(piped(!wants_output))
            .env(MARK, &mark)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| RunError::Start(program(), error.to_string()))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let mut group = Group {
            leader: group.and_then(Pid::from_raw),
            mark,
        };
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // Who does not read it all may still have done what was asked.
                let _ = stdin.write_all(input).await;
            }
        };
        let read = async {
            match wanted {
                Wanted::Output(most) => {
                    let text = beginning(stdout, most.saturating_add(1)).await;
                    let text = text.map_err(|error| RunError::Read(program(), error))?;
                    if text.len() as u64 > most {
                        return Err(RunError::TooLong(program(), most));
                    }
                    Ok(text)
                }
                Wanted::Complaint(most) => {
                    let mut stderr = stderr;
                    let text = beginning(stderr.as_mut(), most).await.unwrap_or_default();
                    // Read to its end, so that the program is not held up.
                    if let Some(rest) = &mut stderr {
                        let _ = tokio::io::copy(rest, &mut tokio::io::sink()).await;
                    }
                    Ok(text)
                }
            }
        };
        let wait = async {
            let status = child.wait().await;
            // What it left behind may hold its output open.
            group.end();
            status.map_err(|error| RunError::Read(program(), error.to_string()))
        };
        let run = async {
            let ((), text, status) = tokio::try_join!(
                async {
                    write.await;
                    Ok::<_, RunError>(())
                },
                read,
                wait
            )?;
            Ok(Ran { status, text })
        };
        tokio::time::timeout(self.timeout, run)
            .await
            .map_err(|_| RunError::TimedOut(program(), self.timeout.as_millis()))?
    }
}

async fn beginning(from: Option<impl AsyncRead + Unpin>, most: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    if let Some(from) = from {
        let read = from.take(most).read_to_end(&mut text).await;
        read.map_err(|error| error.to_string())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Program {
        Program {
            program: "/bin/sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            timeout,
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn it_reads_what_it_is_given_and_says_how_it_ended() {
        let ran = shell("cat; echo x >&2", LONG);
        let ran = ran.run(Some(b"given"), Wanted::Output(100)).await.unwrap();
        assert_eq!((ran.status.code(), ran.text), (Some(0), b"given".to_vec()));
        let ran = shell("cat >/dev/null; echo no >&2; exit 3", LONG);
        let ran = ran.run(Some(b"x"), Wanted::Complaint(100)).await.unwrap();
        assert_eq!((ran.status.code(), ran.text), (Some(3), b"no\n".to_vec()));
    }

    #[tokio::test]
    async fn who_does_not_read_its_input_is_no_failure_and_who_complains_at_length_is_not_held_up()
    {
        let input = vec![b'x'; 1 << 20];
        let ran = shell("exit 0", LONG);
        let ran = ran.run(Some(&input), Wanted::Complaint(10)).await.unwrap();
        assert!(ran.status.success());
        let ran = shell("head -c 1000000 /dev/zero >&2; exit 4", LONG);
        let ran = ran.run(None, Wanted::Complaint(10)).await.unwrap();
        assert_eq!((ran.status.code(), ran.text.len()), (Some(4), 10));
    }

    #[tokio::test]
    async fn what_it_left_behind_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        // The one in the background holds the output open.
        let script = format!(
            "(sleep 1000; touch {0}) & echo $! >{0}.pid",
            alive.display()
        );
        let ran = shell(&script, LONG).run(None, Wanted::Output(10)).await;
        assert!(ran.unwrap().status.success());
        let pid = std::fs::read_to_string(format!("{}.pid", alive.display())).unwrap();
        let is_running = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            stat.is_ok_and(|stat| !stat.contains(") Z"))
        };
        while is_running() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn who_left_its_group_ends_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        // Of a group and a session of its own, and of nobody's children.
        let leaves = format!(
            "(setsid sh -c 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000' &) ; sleep 1000",
            pid.display()
        );
        let short = Duration::from_millis(1500);
        let error = shell(&leaves, short).run(None, Wanted::Output(10)).await;
        assert!(matches!(error, Err(RunError::TimedOut(..))), "{error:?}");
        let pid = std::fs::read_to_string(&pid).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        assert!(
            stat.is_ok_and(|stat| stat.contains(") Z")) || !is_there(&pid),
            "it runs on"
        );
    }

    fn is_there(pid: &str) -> bool {
        std::path::Path::new("/proc").join(pid.trim()).exists()
    }

    #[tokio::test]
    async fn who_does_not_end_in_time_is_ended_with_all_that_it_started() {
        let short = Duration::from_millis(200);
        let hangs = shell("sleep 1000 & sleep 1000", short);
        let error = hangs.run(None, Wanted::Output(10)).await.unwrap_err();
        assert_eq!(error, RunError::TimedOut("/bin/sh".to_owned(), 200));
        let missing = Program {
            program: "/no/such/program".to_owned(),
            ..shell("hush", LONG)
        };
        let error = missing.run(None, Wanted::Output(10)).await.unwrap_err();
        assert!(error.to_string().contains("does not start"), "{error}");
        assert!(!format!("{error} {missing:?}").contains("hush"));
    }
}
