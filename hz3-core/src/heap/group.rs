//! Groups of objects that share no pages: of sizes, of allocation tokens, or of memory nodes.
//!
//! Where the policy says so (`hardening.partition`), the classes are cut into as many groups as `hardening.groups` says, of about
//! as many classes each, by size, or by the allocation token that they serve; objects above the largest class are one group more. A segment is one group's from the first time
//! that it is taken out of the arena, for the life of the process: whoever has a pointer to an object that was freed never sees
//! an object of another group there. What lies outside of the arena goes back to the kernel with its addresses, so that
//! nothing is known of these.
//!
//! With `ownership.nodes` the owners of each memory node are a group: what was first touched on one node is not carved by threads of
//! another. Objects above the largest class are one group, whichever thread asks for them.

use crate::policy::knobs::{Partition, Policy};
use crate::policy::{ClassId, Owner, Pool, Shape};

/// Whose a segment is; 0 is nobody's in particular.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Group(pub u8);

impl Group {
    /// Where pages serve any size.
    pub const ANY: Group = Group(0);

    /// The group of a class, by its number among so many.
    #[inline]
    pub const fn of_class(policy: &Policy, class: usize, classes: usize) -> Group {
        let groups = match policy.hardening.partition {
            Partition::Off => return Group::ANY,
            // (Of tokens each has as many classes.)
            Partition::Size | Partition::Token => policy.hardening.groups as usize,
        };
        match (class * groups).checked_div(classes) {
            Some(number) => Group(number as u8 + 1),
            None => Group::ANY,
        }
    }

    /// The group of a variant's class.
    #[inline]
    pub fn of<S: Shape>(class: ClassId<S>) -> Group {
        Group::of_class(&S::POLICY, class.number(), S::CLASSES)
    }

    /// The group of a variant's runs of a class and an owner.
    #[inline]
    pub fn of_pool<S: Shape>(pool: Pool<S>) -> Group {
        match S::POLICY.nodes() {
            1 => Group::of(pool.class()),
            nodes => Group((pool.owner().number() * nodes / Owner::<S>::COUNT) as u8 + 1),
        }
    }

    /// The group of what is larger than all classes.
    #[inline]
    pub const fn of_large(policy: &Policy) -> Group {
        if policy.nodes() > 1 {
            return Group(policy.nodes() as u8 + 1);
        }
        match policy.hardening.partition {
            Partition::Off => Group::ANY,
            Partition::Size | Partition::Token => Group(policy.hardening.groups as u8 + 1),
        }
    }

    /// Whether what was taken out of the arena for one may be taken for the other: it was never taken before, or for the same.
    #[inline]
    pub const fn takes(self, segment: Group) -> bool {
        segment.0 == Group::ANY.0 || segment.0 == self.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_each_other_and_are_of_about_one_length() {
        let mut policy = Policy::default();
        assert_eq!(
            (Group::of_class(&policy, 5, 40), Group::of_large(&policy)),
            (Group::ANY, Group::ANY)
        );
        policy.hardening.partition = Partition::Size;
        for (groups, classes) in [(2, 2), (4, 41), (7, 60), (64, 64)] {
            policy.hardening.groups = groups;
            let mut sizes = std::vec![0u32; groups as usize + 2];
            let mut last = Group(1);
            for class in 0..classes {
                let group = Group::of_class(&policy, class, classes);
                assert!(group == last || group.0 == last.0 + 1);
                sizes[usize::from(group.0)] += 1;
                last = group;
            }
            assert_eq!(Group::of_large(&policy).0, last.0 + 1);
            let (least, most) = (classes as u32 / groups, (classes as u32).div_ceil(groups));
            assert!(
                sizes[1..=groups as usize].iter().all(|n| (least..=most).contains(n)),
                "{sizes:?}"
            );
        }
    }
}
