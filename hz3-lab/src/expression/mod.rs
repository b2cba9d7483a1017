//! A small language for what somebody wants of a comparison: `rss > 1.05`, `time + 0.3 rss`.
//!
//! Names are ratios, contender / base. Sums have numbers, names, `+ - * /` and parentheses; a number before a name or a
//! parenthesis multiplies it. A condition compares two sums (`<`, `<=`, `>`, `>=`), and conditions are joined by `not`, `and`,
//! `or`, which bind in this order.

mod parse;
mod shown;

use crate::rows::{Job, Metric};
pub use parse::Fault;
pub use shown::Shown;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Time, as the row is judged by it.
    Time,
    /// CPU time of the process.
    Cpu,
    /// Peak resident memory.
    Peak,
    /// Resident memory at the end.
    Final,
    /// Page faults.
    Faults,
    /// Instructions under callgrind.
    Instructions,
    /// p99.9 of single calls, where the row is judged by it.
    Latency,
    /// A figure of the single calls of one kind, by its name.
    Single(&'static str),
}

/// Every name, and what it stands for; the first name of a quantity is its own.
const NAMES: &[(&str, Quantity)] = &[
    ("time", Quantity::Time),
    ("cpu", Quantity::Cpu),
    ("rss", Quantity::Peak),
    ("peak", Quantity::Peak),
    ("final", Quantity::Final),
    ("faults", Quantity::Faults),
    ("instructions", Quantity::Instructions),
    ("p99.9", Quantity::Latency),
    ("latency", Quantity::Latency),
    ("malloc.p50", Quantity::Single("malloc.p50")),
    ("malloc.p99", Quantity::Single("malloc.p99")),
    ("malloc.p99.9", Quantity::Single("malloc.p99.9")),
    ("malloc.max", Quantity::Single("malloc.max")),
    ("free.p50", Quantity::Single("free.p50")),
    ("free.p99", Quantity::Single("free.p99")),
    ("free.p99.9", Quantity::Single("free.p99.9")),
    ("free.max", Quantity::Single("free.max")),
    ("realloc.p50", Quantity::Single("realloc.p50")),
    ("realloc.p99", Quantity::Single("realloc.p99")),
    ("realloc.p99.9", Quantity::Single("realloc.p99.9")),
    ("realloc.max", Quantity::Single("realloc.max")),
];

/// What a row's samples tell.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// What it is judged by.
    pub metric: Metric,
    /// Whether a client of the lab runs.
    pub client: bool,
    /// Whether instructions are counted.
    pub counted: bool,
    /// Whether single calls are timed.
    pub timed: bool,
}

impl Told {
    /// By the samples of a row; `counted` says that instructions are counted, too.
    pub fn by(job: &Job, counted: bool) -> Self {
        Self {
            metric: job.metric,
            client: job.client.is_some(),
            counted,
            timed: job.tails > 0 || job.metric.call().is_some(),
        }
    }
}

impl Quantity {
    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, q)| *q == self).map_or("", |(name, _)| name)
    }

    /// Whether a row that tells so much has it.
    pub fn is_had(self, row: Told) -> bool {
        match self {
            Self::Time => row.metric.call().is_none() && row.metric != Metric::RssEnd,
            Self::Latency => row.metric.call().is_some(),
            Self::Single(_) => row.timed,
            Self::Final => row.client,
            Self::Instructions => row.counted,
            Self::Cpu | Self::Peak | Self::Faults => true,
        }
    }
}

/// What joins two sums, or two conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Times,
    Divide,
    Less,
    AtMost,
    More,
    AtLeast,
    And,
    Or,
}

/// A node of the tree. The parser makes only trees whose types are right.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    Name(Quantity),
    Not(Box<Node>),
    Two(Operator, Box<Node>, Box<Node>),
}

impl Node {
    /// The names in it.
    fn names(&self, into: &mut Vec<Quantity>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name) if into.contains(name) => {}
            Self::Name(name) => into.push(*name),
            Self::Not(node) => node.names(into),
            Self::Two(_, a, b) => {
                a.names(into);
                b.names(into);
            }
        }
    }

    fn all_names(&self) -> Vec<Quantity> {
        let mut names = Vec::new();
        self.names(&mut names);
        names
    }

    /// The value of a sum; of a condition there is none.
    fn value(&self, of: &impl Fn(Quantity) -> f64) -> f64 {
        match self {
            Self::Number(n) => *n,
            Self::Name(name) => of(*name),
            Self::Two(operator, a, b) => {
                let (a, b) = (a.value(of), b.value(of));
                match operator {
                    Operator::Add => a + b,
                    Operator::Subtract => a - b,
                    Operator::Times => a * b,
                    Operator::Divide => a / b,
                    _ => f64::NAN,
                }
            }
            Self::Not(_) => f64::NAN,
        }
    }
}

/// A sum: what is to be made small.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    text: String,
    node: Node,
}

impl Sum {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it.
    pub fn names(&self) -> Vec<Quantity> {
        self.node.all_names()
    }

    /// Its value for ratios, in terms of what it is for a contender that is just as the base.
    pub fn relative(&self, of: impl Fn(Quantity) -> f64) -> f64 {
        self.node.value(&of) / self.node.value(&|_| 1.0)
    }
}

/// A condition: what must not be, or must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: String,
    node: Node,
}

impl Condition {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it.
    pub fn names(&self) -> Vec<Quantity> {
        self.node.all_names()
    }
}
