//! What is worth knowing about a sound config: remarks, which are no faults.

use serde::Serialize;

use crate::cost::Cost;
use crate::plan::{Plan, TagSpace};

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// What it is about, as one word for programs.
    pub about: &'static str,
    /// The remark, as sentences without a full stop at the end.
    pub text: String,
}

/// [`Remark::about`] of a tag table over the whole address space: who builds such a library should know what it needs.
pub const FLAT: &str = "flat-address-space";
/// A remark names at most this many sizes.
const NAMED: usize = 6;

/// All remarks about a plan, always in the same order.
pub fn of(plan: &Plan) -> Vec<Remark> {
    let cost = Cost::of(plan);
    [idle_classes(&cost), flat(plan, &cost)].into_iter().flatten().collect()
}

/// Classes that save nothing.
fn idle_classes(cost: &Cost) -> Option<Remark> {
    let idle: Vec<u32> = cost
        .classes
        .iter()
        .filter(|class| class.saves_nothing)
        .map(|class| class.size)
        .collect();
    if idle.is_empty() {
        return None;
    }
    let (all, count) = (cost.classes.len(), idle.len());
    let mut named: Vec<String> = idle.iter().take(NAMED).map(u32::to_string).collect();
    if count > NAMED {
        named.push("…".to_owned());
    }
    let (save, are) = if count == 1 {
        ("saves", "It has")
    } else {
        ("save", "They have")
    };
    Some(Remark {
        about: "classes-save-nothing",
        text: format!(
            "{count} of {all} classes {save} no memory: an object of the next larger class takes no more of its run. {are} {} bytes",
            named.join(", ")
        ),
    })
}

/// A table over the whole address space.
fn flat(plan: &Plan, cost: &Cost) -> Option<Remark> {
    (plan.tag.space == TagSpace::Flat).then(|| Remark {
        about: FLAT,
        text: format!(
            "`tag.space = \"flat\"` needs {} GiB of address space for its table. Where that much is not to be had (`ulimit -v`, \
             a small RLIMIT_AS, valgrind), programs end with a message at their first allocation, and mlockall is expensive",
            cost.metadata.tag_table_bytes >> 30
        ),
    })
}
