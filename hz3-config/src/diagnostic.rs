//! Everything that is wrong with a config, told with file, line, column, caret and help.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::source::{At, Place, Source};

/// One thing that is wrong with a config.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The file that holds the fault: the config or one of its parents.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    text: Arc<str>,
    span: Option<Range<usize>>,
}

impl Diagnostic {
    /// The diagnostic as people read it: message, place, the line with its caret, help.
    ///
    /// No trailing newline. With `color` it carries ANSI escapes.
    pub fn render(&self, color: bool) -> String {
        let path = self.file.display().to_string();
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = match &self.span {
            Some(span) => {
                let caret = AnnotationKind::Primary.span(span.clone());
                let caret = if self.label.is_empty() {
                    caret
                } else {
                    caret.label(self.label.as_str())
                };
                title.element(Snippet::source(&*self.text).path(path).annotation(caret))
            }
            None => title.element(annotate_snippets::Origin::path(path)),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let text = renderer.render(&[group]);
        // Right margins are padding of the renderer, not text.
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// All that is wrong with a config and its parents. Never empty as an error.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The faults, by file (the config first, then its parents), line and column.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// All faults as people read them, separated by empty lines; no trailing newline.
    pub fn render(&self, color: bool) -> String {
        self.items
            .iter()
            .map(|item| item.render(color))
            .collect::<Vec<_>>()
            .join("\n\n")
    }

    /// What is wrong with a text of another language, in the same words and drawings: for each fault its bytes in the text,
    /// what is wrong, and what to do about it (or nothing). `None` if there are no faults.
    pub fn of_text(
        file: &Path,
        text: &str,
        faults: impl IntoIterator<Item = (Range<usize>, String, String)>,
    ) -> Option<Self> {
        let mut sink = Sink::default();
        for (span, message, help) in faults {
            sink.error(Some(At::new(0, span)), message, "", help);
        }
        sink.finish(&[Source {
            shown: file.to_path_buf(),
            place: Place::File(file.to_path_buf()),
            text: text.to_owned(),
        }])
    }

    /// A fault of a file as a whole, such as that it cannot be read.
    pub(crate) fn of_file(file: &Path, message: String, help: Option<String>) -> Self {
        let (file, text) = (file.to_path_buf(), Arc::from(""));
        let item = Diagnostic {
            file,
            line: 1,
            column: 1,
            message,
            label: String::new(),
            help,
            text,
            span: None,
        };
        Diagnostics { items: vec![item] }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// A fault before its file's text is at hand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// Where; `None` when no file says it (a missing key): the config's first line.
    pub at: Option<At>,
    pub message: String,
    pub label: String,
    pub help: Option<String>,
}

/// Collects faults until all checks are done.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    faults: Vec<Fault>,
}

impl Sink {
    /// Adds a fault. Empty `label` and `help` are left out.
    pub fn error(
        &mut self,
        at: Option<At>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = Some(help.into()).filter(|text| !text.is_empty());
        self.faults.push(Fault {
            at,
            message: message.into(),
            label: label.into(),
            help,
        });
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many faults there are so far.
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// All faults with their files' text; `None` if there are none.
    pub fn finish(mut self, sources: &[Source]) -> Option<Diagnostics> {
        if self.faults.is_empty() {
            return None;
        }
        let place = |fault: &Fault| fault.at.map_or((0, 0, 0), |at| (at.file, at.start, at.end));
        self.faults
            .sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.message.cmp(&b.message)));
        self.faults.dedup();
        let texts: Vec<Arc<str>> = sources.iter().map(|source| Arc::from(source.text.as_str())).collect();
        let items = self
            .faults
            .into_iter()
            .map(|fault| locate(fault, sources, &texts))
            .collect();
        Some(Diagnostics { items })
    }
}

/// Gives a fault its line, column and text.
fn locate(fault: Fault, sources: &[Source], texts: &[Arc<str>]) -> Diagnostic {
    let file = fault.at.map_or(0, |at| at.file);
    let text = texts[file].clone();
    let span = match fault.at {
        Some(at) => clamp(&text, at.start..at.end),
        None => 0..0,
    };
    let before = &text[..span.start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Diagnostic {
        file: sources[file].shown.clone(),
        line,
        column,
        message: fault.message,
        label: fault.label,
        help: fault.help,
        text,
        span: fault.at.map(|_| span),
    }
}

/// A range that lies in `text`, on character boundaries and on one line, so that a caret can be drawn under it.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(span.start);
    let end = boundary(span.end).max(start);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    start..end.min(line_end)
}
