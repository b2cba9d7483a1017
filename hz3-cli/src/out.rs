//! Standard output and standard error, without the panics of the standard library's macros, which these replace.
//!
//! A reader who has enough (`cargo hz3 diff a b | head`) is no fault: what else would be printed is dropped, and the command
//! goes on to the exit code that it has to tell. A full disk is one: it is told at the end, and the exit code is not 0.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::Mutex;

/// What became of standard output.
enum State {
    Open,
    /// Nobody reads any more.
    Unread,
    /// It could not be written; why.
    Broken(String),
}

static STATE: Mutex<State> = Mutex::new(State::Open);

fn settle(result: std::io::Result<()>) {
    let Err(error) = result else { return };
    let mut state = STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if matches!(*state, State::Open) {
        *state = match error.kind() {
            ErrorKind::BrokenPipe => State::Unread,
            _ => State::Broken(hz3_config::file::reason(&error)),
        };
    }
}

fn open() -> bool {
    matches!(
        *STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
        State::Open
    )
}

/// Writes to standard output, as long as that works.
pub fn out(text: Arguments<'_>) {
    if open() {
        settle(std::io::stdout().lock().write_fmt(text));
    }
}

/// Writes to standard error. If that fails, there is nowhere to say so.
pub fn err(text: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_fmt(text);
}

/// To be asked at the end: why not all of the output was written, if somebody still wants it.
pub fn fault() -> Option<String> {
    if open() {
        settle(std::io::stdout().lock().flush());
    }
    match &*STATE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        State::Broken(why) => Some(why.clone()),
        State::Open | State::Unread => None,
    }
}

macro_rules! print {
    ($($text:tt)*) => { $crate::out::out(format_args!($($text)*)) };
}

macro_rules! println {
    () => { $crate::out::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprintln {
    () => { $crate::out::err(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::err(format_args!("{}\n", format_args!($($text)*))) };
}
