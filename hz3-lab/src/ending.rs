//! How a process ended badly, in words: exit code or signal, and the last lines that it wrote.

use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// At most this many lines are repeated.
const LINES: usize = 3;
/// At most this many characters of a line are repeated.
const WIDTH: usize = 160;

/// [`words`] of a process that this program started itself.
pub fn of(status: ExitStatus, written: &[u8]) -> String {
    words(status.code().unwrap_or(-1), status.signal().unwrap_or(0), written)
}

/// `exit code 3`, `killed by signal 11 (SIGSEGV)`; and what a process wrote last, if it wrote something.
pub fn words(exit: i32, signal: i32, written: &[u8]) -> String {
    let how = match (signal, exit) {
        (0, exit) => format!("exit code {exit}"),
        (signal, _) => match Signal::try_from(signal) {
            Ok(name) => format!("killed by signal {signal} ({name})"),
            Err(_) => format!("killed by signal {signal}"),
        },
    };
    match last_lines(written) {
        lines if lines.is_empty() => how,
        lines => format!("{how}: {lines}"),
    }
}

/// The last lines of a text, as one line, without what would move a terminal's cursor.
pub fn last_lines(written: &[u8]) -> String {
    let lines = lines(written);
    lines[lines.len().saturating_sub(LINES)..].join(" / ")
}

/// The first lines: a report says what it is about before it lists stacks.
pub fn first_lines(written: &[u8]) -> String {
    let lines = lines(written);
    lines[..lines.len().min(LINES)].join(" / ")
}

/// The lines that say something.
fn lines(written: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(written);
    text.lines()
        .map(|l| l.chars().filter(|c| !c.is_control()).take(WIDTH).collect::<String>())
        .map(|l| l.trim().to_owned())
        .filter(|l| !l.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_worded() {
        assert_eq!(words(3, 0, b""), "exit code 3");
        assert_eq!(words(-1, 11, b" \n\n"), "killed by signal 11 (SIGSEGV)");
        assert_eq!(words(-1, 40, b""), "killed by signal 40");
        assert_eq!(
            words(1, 0, b"one\ntwo\n\n\x1b[31mthree\x1b[0m\nfour\n"),
            "exit code 1: two / [31mthree[0m / four"
        );
        assert_eq!(first_lines(b"one\n\n two\nthree\nfour\n"), "one / two / three");
        assert_eq!(last_lines("x".repeat(1000).as_bytes()).len(), WIDTH);
    }
}
