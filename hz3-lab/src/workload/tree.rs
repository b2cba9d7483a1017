//! Objects are put together by size and lifetime until few kinds are left: the group that is spread most is cut in two, at its
//! mean, until there are as many groups as may be.
//!
//! An object counts by its share of the calls and by its share of the bytes over time. So neither the many that are gone at
//! once nor the few that stay are lost.

use super::Call;
use super::births::Birth;

/// One object, or several that are alike, of a phase.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub count: f64,
    pub size: f64,
    pub last: f64,
    pub resizes: f64,
    pub call: Call,
    pub life: f64,
    pub stays: bool,
    pub handed: f64,
    /// Steps that it is live for, until the end at most.
    live: f64,
    /// How much it counts.
    mass: f64,
}

impl Seen {
    /// An object with so many steps until the end.
    pub fn of(birth: &Birth, left: f64) -> Self {
        Self {
            count: birth.count,
            size: birth.size as f64,
            last: birth.last as f64,
            resizes: birth.resizes as f64,
            call: birth.call,
            life: birth.life.unwrap_or(left),
            stays: birth.life.is_none(),
            handed: birth.handed,
            live: birth.life.map_or(left, |life| life.min(left)),
            mass: 0.0,
        }
    }

    /// What is never put together: another call, another fate, resizes or none.
    fn sort(&self) -> (u8, u64, bool, u32) {
        let (call, align) = match self.call {
            Call::Malloc => (0, 0),
            Call::Calloc => (1, 0),
            Call::Aligned(n) => (2, n),
        };
        // Resizes by powers of four: a list that grows a hundred times is not one that grew twice.
        let resizes = match self.resizes {
            n if n < 1.0 => 0,
            n => 1 + (n.log2() / 2.0) as u32,
        };
        (call, align, self.stays, resizes)
    }
}

/// A way to look at an object.
type Axis = fn(&Seen) -> f64;
const AXES: [Axis; 2] = [|s| s.size.log2(), |s| if s.stays { 0.0 } else { s.life.log2() }];

/// A group: its objects, the axis along which it is spread most, its mean there, and how much that is.
struct Group {
    seen: Vec<Seen>,
    axis: Axis,
    mean: f64,
    spread: f64,
}

impl Group {
    fn of(seen: Vec<Seen>) -> Self {
        let mass: f64 = seen.iter().map(|s| s.mass).sum();
        let look = |axis: Axis| {
            let mean = seen.iter().map(|s| s.mass * axis(s)).sum::<f64>() / mass;
            let spread = seen.iter().map(|s| s.mass * (axis(s) - mean).powi(2)).sum::<f64>();
            (axis, mean, spread)
        };
        let (a, b) = (look(AXES[0]), look(AXES[1]));
        let (axis, mean, spread) = if a.2 >= b.2 { a } else { b };
        Self {
            seen,
            axis,
            mean,
            spread,
        }
    }
}

/// At most `most` groups, but for those that are never put together.
pub(super) fn grow(mut seen: Vec<Seen>, most: usize) -> Vec<Vec<Seen>> {
    let calls: f64 = seen.iter().map(|s| s.count).sum();
    let bytes: f64 = seen.iter().map(|s| s.count * s.size * s.live).sum();
    for s in &mut seen {
        s.mass = s.count / calls + s.count * s.size * s.live / bytes;
    }
    seen.sort_by_key(Seen::sort);
    let mut groups: Vec<Group> = seen
        .chunk_by(|a, b| a.sort() == b.sort())
        .map(|chunk| Group::of(chunk.to_vec()))
        .collect();
    while groups.len() < most {
        let worst = (0..groups.len()).max_by(|a, b| groups[*a].spread.total_cmp(&groups[*b].spread));
        // What is left is the noise of floating point.
        let Some(worst) = worst.filter(|g| groups[*g].spread > 1e-9) else {
            break;
        };
        let group = groups.swap_remove(worst);
        let (low, high): (Vec<Seen>, Vec<Seen>) = group.seen.into_iter().partition(|s| (group.axis)(s) <= group.mean);
        if low.is_empty() || high.is_empty() {
            let whole = if low.is_empty() { high } else { low };
            groups.push(Group {
                spread: 0.0,
                ..Group::of(whole)
            });
            continue;
        }
        groups.push(Group::of(low));
        groups.push(Group::of(high));
    }
    let mut out: Vec<Vec<Seen>> = groups.into_iter().map(|g| g.seen).collect();
    let count = |g: &Vec<Seen>| g.iter().map(|s| s.count).sum::<f64>();
    out.sort_by(|a, b| count(b).total_cmp(&count(a)));
    out
}
