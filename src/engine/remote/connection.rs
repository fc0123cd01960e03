//! The child process whose pipes are the line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Lines of what the child says that are kept to be shown.
const KEPT_LINES: usize = 6;
/// Bytes of such a line.
const LONGEST_LINE: u64 = 400;

/// Where an engine is to be started, and how one gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarPlace {
    /// What `ssh` calls the machine: `host`, `user@host`, an entry of its configuration.
    pub host: String,
    /// What is called in place of `ssh`, with its arguments before the host.
    pub ssh: Vec<String>,
    /// The program over there, as its shell finds it.
    pub program: String,
    /// Further arguments for it.
    pub arguments: Vec<String>,
}

impl FarPlace {
    /// Checks that `host` is a name, not an option.
    ///
    /// # Errors
    /// It is none.
    pub fn check(&self) -> anyhow::Result<()> {
        let is_name = !self.host.is_empty() && !self.host.starts_with('-');
        ensure!(
            is_name && !self.host.contains(|letter: char| letter.is_whitespace() || letter.is_control()),
            "--remote {:?} names no machine; expected what ssh takes: a host, user@host or an entry of its configuration",
            self.host
        );
        ensure!(!self.ssh.is_empty(), "--ssh names no program; expected ssh, or what is called in its place");
        Ok(())
    }

    /// What the shell over there is to run.
    fn remote_line(&self) -> String {
        let words = [&self.program].into_iter().chain(&self.arguments).map(|word| quoted(word));
        let mut line: Vec<String> = words.collect();
        line.splice(1..1, ["serve".to_owned(), "--stdio".to_owned()]);
        line.join(" ")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.ssh[0]);
        command.args(&self.ssh[1..]);
        // No terminal: what travels is bytes.
        command.arg("-T").arg("--").arg(&self.host).arg(self.remote_line());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A word as a shell takes it, its `~` meant as one.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./~=,:@%+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    match word.strip_prefix("~/") {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A child that runs.
pub struct Connection {
    child: Child,
    /// What it says beside the line.
    complaints: Complaints,
    listener: Option<JoinHandle<()>>,
}

/// The last lines of what a child says.
#[derive(Clone, Default)]
struct Complaints(Arc<Mutex<Vec<String>>>);

impl Connection {
    /// Starts the child; what goes to it and what comes from it.
    ///
    /// # Errors
    /// There is no such program, or no thread.
    pub fn open(place: &FarPlace) -> anyhow::Result<(Self, ChildStdin, ChildStdout)> {
        let name = &place.ssh[0];
        let mut child = place.command().spawn().with_context(|| format!("{name} cannot be started"))?;
        let (Some(input), Some(output), Some(said)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            anyhow::bail!("{name} was started without pipes");
        };
        let complaints = Complaints::default();
        let kept = complaints.clone();
        let listen = move || kept.listen(said);
        let listener = thread::Builder::new().name("ssh's words".into()).spawn(listen).ok();
        Ok((Self { child, complaints, listener }, input, output))
    }

    /// Waits until the child ends by itself.
    pub fn wait(mut self) {
        // Nobody is there any more to hear how it ended.
        let _ = self.child.wait();
    }

    /// Ends the child, which may be about to end by itself, and says what is known of why it ended: what it said, else
    /// its exit status.
    pub fn close(mut self) -> String {
        let is_over = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        wait_for(|| is_over(&mut self.child));
        // It may have ended by now.
        let _ = self.child.kill();
        let status = self.child.wait();
        // Somebody else may hold the other end of what it said.
        wait_for(|| self.listener.as_ref().is_none_or(JoinHandle::is_finished));
        let said = self.complaints.0.lock().unwrap_or_else(PoisonError::into_inner).join("; ");
        match (said.is_empty(), status) {
            (false, _) => said,
            (true, Ok(status)) => format!("ssh ended with {status}"),
            (true, Err(error)) => format!("ssh cannot be waited for: {error}"),
        }
    }
}

/// Waits until `is_over`, for a second at most.
fn wait_for(mut is_over: impl FnMut() -> bool) {
    for _ in 0..50 {
        if is_over() {
            return;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

impl Complaints {
    fn listen(&self, said: impl Read) {
        let mut said = BufReader::new(said);
        let mut line = vec![];
        loop {
            line.clear();
            match said.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let words = crate::words::one_line(String::from_utf8_lossy(&line).trim_end()).into_owned();
            log::info!("over there: {words}");
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == KEPT_LINES {
                kept.remove(0);
            }
            kept.push(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, program: &str) -> FarPlace {
        let (host, program) = (host.into(), program.into());
        FarPlace {
            host,
            ssh: vec!["ssh".into()],
            program,
            arguments: vec!["--memory".into(), "4 GiB".into()],
        }
    }

    #[test]
    fn the_shell_over_there_gets_words_and_ssh_no_options() {
        assert_eq!(place("a", "bagssl").remote_line(), "bagssl serve --stdio --memory '4 GiB'");
        let odd = place("a", "~/my tools/it's").remote_line();
        assert_eq!(odd, r"~/'my tools/it'\''s' serve --stdio --memory '4 GiB'");
        for host in ["", "-oProxyCommand=x", "a b"] {
            assert!(place(host, "bagssl").check().is_err(), "{host:?}");
        }
        assert!(place("user@host", "bagssl").check().is_ok());
    }
}
