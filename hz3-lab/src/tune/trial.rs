//! What is known of one candidate.

use crate::expression::{Quantity, Sum};
use crate::stats;

/// What one execution of a row cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The row's judged value.
    pub value: f64,
    /// CPU seconds.
    pub cpu: f64,
    /// Peak resident bytes.
    pub peak: f64,
    /// Resident bytes at the end, where the client says so.
    pub end: Option<f64>,
    /// Page faults.
    pub faults: f64,
    /// Whether the judged value is the tail of single calls.
    pub tail: bool,
}

impl Figures {
    fn of(&self, name: Quantity) -> f64 {
        match name {
            Quantity::Time if !self.tail => self.value,
            Quantity::Latency if self.tail => self.value,
            Quantity::Cpu => self.cpu,
            Quantity::Peak => self.peak,
            Quantity::Final => self.end.unwrap_or(f64::NAN),
            Quantity::Faults => self.faults,
            _ => f64::NAN,
        }
    }
}

/// Log ratios to the base, a value a block: the mean over the rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trial {
    /// Of the goal.
    pub goal: Vec<f64>,
    /// Of the judged value: time, or the tail of single calls.
    pub value: Vec<f64>,
    /// Of peak resident memory.
    pub peak: Vec<f64>,
}

impl Trial {
    /// Adds a block. What is no number (a goal below 0, a row without the quantity) adds nothing: callers look before.
    pub(super) fn add(&mut self, goal: &Sum, own: &[Figures], base: &[Figures]) {
        let mean = |of: &dyn Fn(&Figures, &Figures) -> f64| {
            let logs: Vec<f64> = own.iter().zip(base).map(|(a, b)| of(a, b).ln()).collect();
            logs.iter().sum::<f64>() / logs.len() as f64
        };
        let goal = mean(&|a, b| goal.relative(|name| a.of(name) / b.of(name)));
        let (value, peak) = (mean(&|a, b| a.value / b.value), mean(&|a, b| a.peak / b.peak));
        if [goal, value, peak].iter().all(|v| v.is_finite()) {
            self.goal.push(goal);
            self.value.push(value);
            self.peak.push(peak);
        }
    }

    /// Median of the goal.
    pub fn median(&self) -> f64 {
        stats::median(&self.goal)
    }
}
