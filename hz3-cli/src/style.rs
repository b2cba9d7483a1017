//! Colour, units and tables: what people see. Escape codes only on terminals, and not with `NO_COLOR`.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table, presets};
use hz3_project::Error;
use std::io::IsTerminal;

fn enabled(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Whether stderr takes colour.
pub fn stderr_colour() -> bool {
    enabled(std::io::stderr().is_terminal())
}

/// Whether stdout takes colour.
pub fn stdout_colour() -> bool {
    enabled(std::io::stdout().is_terminal())
}

fn paint(on: bool, codes: &str, text: &str) -> String {
    if on {
        format!("\x1b[{codes}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Red and bold, on stderr.
pub fn error(text: &str) -> String {
    paint(stderr_colour(), "1;31", text)
}

/// Tells a failure on stderr.
pub fn report(failure: &Error) {
    if !failure.message.is_empty() {
        eprintln!("{}: {}", error("error"), failure.message);
    }
    if let Some(help) = &failure.help {
        eprintln!("{}: {help}", note("help"));
    }
}

/// Yellow and bold, on stderr.
pub fn warning(text: &str) -> String {
    paint(stderr_colour(), "1;33", text)
}

/// Cyan and bold, on stderr.
pub fn note(text: &str) -> String {
    paint(stderr_colour(), "1;36", text)
}

/// Bold, on stdout.
pub fn strong(text: &str) -> String {
    paint(stdout_colour(), "1", text)
}

/// Green, on stdout.
pub fn good(text: &str) -> String {
    paint(stdout_colour(), "32", text)
}

/// Red, on stdout.
pub fn bad(text: &str) -> String {
    paint(stdout_colour(), "31", text)
}

/// `4096` as `4 KiB`, `2500` as `2500 B`: exact or not at all.
pub fn bytes(n: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if n >> shift != 0 && n & ((1 << shift) - 1) == 0 {
            return format!("{} {unit}", n >> shift);
        }
    }
    format!("{n} B")
}

/// Rounded to three digits, for quantities that nobody needs exactly.
pub fn roughly(n: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if n >> shift != 0 {
            let value = n as f64 / (1u64 << shift) as f64;
            let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
            return format!("{value:.digits$} {unit}");
        }
    }
    format!("{n} B")
}

/// A table in the house style: no frame, a bold header on terminals, columns aligned to the right from `right` on.
pub fn table(header: &[&str], right: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let bold = stdout_colour();
    table.set_header(header.iter().map(|h| {
        let cell = Cell::new(h);
        if bold {
            cell.add_attribute(Attribute::Bold)
        } else {
            cell
        }
    }));
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 1 }, 1));
        if i >= right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table's text without blanks at the ends of lines.
pub fn print_table(table: &Table) {
    for line in table.to_string().lines() {
        println!("{}", line.trim_end());
    }
}

/// Lines of `key  value`, the values below each other.
pub fn print_fields(fields: &[(&str, String)]) {
    let width = fields.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    for (key, value) in fields {
        let line = format!("{key:width$}  {value}");
        println!("{}", line.trim_end());
    }
}
