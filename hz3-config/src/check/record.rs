//! What is recorded, and where a profile goes.

use crate::diagnostic::Sink;
use crate::knob::{Settings, bytes};

/// Longest path of a profile, in bytes, as it is written in the config.
const PATH_MAX: usize = 256;

/// Signals that cannot stand for a wish, each with the reason.
const TAKEN: [(u64, &str); 10] = [
    (4, "it tells of a fault of the program's own code"),
    (5, "debuggers use it"),
    (6, "the C library ends a process by it"),
    (7, "it tells of a fault of the program's own code"),
    (8, "it tells of a fault of the program's own code"),
    (9, "no process can handle it"),
    (11, "it tells of a fault of the program's own code"),
    (19, "no process can handle it"),
    (32, "the C library uses it for threads"),
    (33, "the C library uses it for threads"),
];

/// Checks what no single knob's range says.
pub(super) fn check(settings: &Settings, sink: &mut Sink) {
    let stats = &settings.stats;
    let signal = &stats.dump_signal;
    if signal.ok
        && let Some((number, reason)) = TAKEN.iter().find(|(number, _)| *number == signal.value)
    {
        let message = format!("`stats.dump_signal = {number}` cannot have a profile written: {reason}");
        let help = "choose one that the program does not use, such as 10, 12 or 44; 0 is none";
        sink.error(signal.at, message, "", help);
    }
    let path = &stats.profile_path;
    let Some(text) = path.value.as_deref().filter(|_| path.ok) else {
        return;
    };
    let fault = match fault(text) {
        Some(fault) => fault,
        None if text.len() > PATH_MAX => format!(
            "has {}: {} are the most",
            bytes(text.len() as u64),
            bytes(PATH_MAX as u64)
        ),
        None => return,
    };
    let help = "write a path such as \"/var/tmp/hz3.%p.pb\"; a percent sign of its own is `%%`";
    sink.error(path.at, format!("`stats.profile_path` {fault}"), "", help);
}

/// What is wrong with the text of a path, as the end of a sentence.
fn fault(text: &str) -> Option<String> {
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\0' => return Some("holds a NUL character".into()),
            '%' => match letters.next() {
                Some('p' | '%') => {}
                Some(other) => return Some(format!("holds `%{other}`, which stands for nothing")),
                None => return Some("ends with `%`, which stands for nothing".into()),
            },
            _ => {}
        }
    }
    text.ends_with('/').then(|| "names a folder".into())
}
