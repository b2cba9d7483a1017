//! A process: what is started, what it printed, how it ended.
//!
//! `HZ3_TEST_EMULATOR` names a program, and its arguments, that runs those of another machine: the tests are of that machine, too. An
//! emulator has the same environment as what it runs.

use crate::variant::Allocator;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// When a process counts as hung. No test asserts a speed: this only keeps a deadlock from blocking all others.
const WATCHDOG: Duration = Duration::from_secs(420);

/// What runs the programs, in words; nothing where the machine does.
static EMULATOR: LazyLock<Vec<String>> = LazyLock::new(|| {
    let words = std::env::var("HZ3_TEST_EMULATOR").unwrap_or_default();
    words.split_whitespace().map(str::to_owned).collect()
});

/// Whether an emulator runs the programs.
pub fn is_emulated() -> bool {
    !EMULATOR.is_empty()
}

/// The command that starts a program.
fn started(program: &OsStr) -> Command {
    match EMULATOR.split_first() {
        Some((emulator, arguments)) => {
            let mut command = Command::new(emulator);
            command.args(arguments).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Bytes of each stream that a failure repeats.
const SHOWN: usize = 6000;

/// A command under an allocator.
#[derive(Debug)]
pub struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    input: Option<PathBuf>,
    allocator: Allocator,
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The line to type to see it again.
    pub line: String,
    /// How it ended; `None` if the watchdog had to end it.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Run {
    /// `program` under `allocator`, without arguments so far.
    pub fn new(program: impl AsRef<OsStr>, allocator: &Allocator) -> Run {
        Run {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            input: None,
            allocator: allocator.clone(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Run {
        self.environment.push((key.into(), value.as_ref().to_owned()));
        self
    }

    /// Runs in a folder.
    #[must_use]
    pub fn dir(mut self, directory: &Path) -> Run {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Reads standard input from a file; otherwise it is empty.
    #[must_use]
    pub fn input(mut self, file: &Path) -> Run {
        self.input = Some(file.to_owned());
        self
    }

    /// The command as the shell takes it.
    fn line(&self) -> String {
        let mut line = String::new();
        if let Some(directory) = &self.directory {
            let _ = write!(line, "cd {}; ", directory.display());
        }
        for (key, value) in self.environment.iter().chain(&self.allocator.environment()) {
            let _ = write!(line, "{}={} ", key.display(), quoted(value));
        }
        for word in EMULATOR.iter() {
            let _ = write!(line, "{word} ");
        }
        let _ = write!(line, "{}", quoted(&self.program));
        for argument in &self.arguments {
            let _ = write!(line, " {}", quoted(argument));
        }
        if let Some(input) = &self.input {
            let _ = write!(line, " < {}", input.display());
        }
        line
    }

    fn command(&self) -> std::io::Result<Command> {
        let mut command = started(&self.program);
        command
            .args(&self.arguments)
            .env_remove("LD_PRELOAD")
            .env_remove("HZ3_EXPECT")
            .process_group(0);
        if is_emulated() {
            command.env("HZ3_TEST_UNMEASURED", "1");
        }
        for (key, value) in self.environment.iter().chain(&self.allocator.environment()) {
            command.env(key, value);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(match &self.input {
            Some(file) => Stdio::from(File::open(file)?),
            None => Stdio::null(),
        });
        Ok(command)
    }

    /// Starts it and lets it run; its output goes nowhere. For servers.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    pub fn start(&self) -> Result<std::process::Child, String> {
        let mut command = self.command().map_err(|e| format!("{}: {e}", self.line()))?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(|e| format!("{}: {e}", self.line()))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// What kept it from starting. How it ended is no error here.
    pub fn outcome(&self) -> Result<Outcome, String> {
        let line = self.line();
        self.finish(&line).map_err(|e| format!("{line}: {e}"))
    }

    /// Files take the output: a pipe would block on grandchildren that hold it open.
    fn finish(&self, line: &str) -> std::io::Result<Outcome> {
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = self.command()?;
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let mut child = command.spawn()?;
        let group = child.id();
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if started.elapsed() > WATCHDOG {
                // The whole group, which this process made: a client may hang in a child of its own.
                Command::new("kill").args(["-9", "--", &format!("-{group}")]).status()?;
                child.wait()?;
                break None;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        Ok(Outcome {
            line: line.to_owned(),
            status,
            stdout: contents(&mut stdout)?,
            stderr: contents(&mut stderr)?,
        })
    }

    /// Runs it to its end, which must be exit code 0.
    ///
    /// # Errors
    ///
    /// The outcome, described.
    pub fn success(&self) -> Result<Outcome, String> {
        let outcome = self.outcome()?;
        if outcome.status.is_some_and(|s| s.success()) {
            Ok(outcome)
        } else {
            Err(outcome.describe())
        }
    }
}

impl Outcome {
    /// How it ended, what it printed, and the line to type.
    pub fn describe(&self) -> String {
        let end = match self.status {
            None => format!("hung: ended after {} s", WATCHDOG.as_secs()),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("left with {code}"),
                (_, Some(signal)) => format!("died of signal {signal}"),
                _ => format!("{status}"),
            },
        };
        let mut text = format!("{end}\n  again: {}\n", self.line);
        for (name, bytes) in [("stderr", &self.stderr), ("stdout", &self.stdout)] {
            if !bytes.is_empty() {
                let from = bytes.len().saturating_sub(SHOWN);
                let _ = writeln!(
                    text,
                    "--- {name}\n{}",
                    String::from_utf8_lossy(&bytes[from..]).trim_end()
                );
            }
        }
        text
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

fn quoted(text: &OsStr) -> String {
    hz3_config::suggest::quoted(&text.to_string_lossy())
}

fn contents(file: &mut File) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
