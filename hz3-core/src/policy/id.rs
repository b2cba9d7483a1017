//! Numbers that must not mix: which class, which owner, which pool. Each is one of a variant's own, so that what is found by
//! it is there.

use super::class::Class;
use super::knobs::{Partition, Policy};
use super::shape::Shape;
use core::marker::PhantomData;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $count:expr) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name<S>(usize, PhantomData<fn() -> S>);

        impl<S> Clone for $name<S> {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<S> Copy for $name<S> {}

        impl<S> PartialEq for $name<S> {
            #[inline(always)]
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<S: Shape> $name<S> {
            /// How many there are.
            pub const COUNT: usize = $count;

            /// The one with this number.
            ///
            /// # Safety
            /// The number is below [`COUNT`](Self::COUNT).
            #[inline(always)]
            pub const unsafe fn new(number: usize) -> Self {
                Self(number, PhantomData)
            }

            /// All of them, in order.
            #[inline(always)]
            pub fn all() -> impl Iterator<Item = Self> {
                (0..Self::COUNT).map(|number| Self(number, PhantomData))
            }

            /// Its number, from 0 on.
            #[inline(always)]
            pub const fn number(self) -> usize {
                self.0
            }
        }
    };
}

impl Policy {
    /// Memory nodes that owners are told apart by; 1 where they are not.
    pub const fn nodes(&self) -> usize {
        if self.ownership.nodes > 1 {
            self.ownership.nodes as usize
        } else {
            1
        }
    }

    /// How many allocation tokens have classes of their own; 1 where tokens are not told apart.
    pub const fn tokens(&self) -> usize {
        match self.hardening.partition {
            Partition::Token => self.hardening.groups as usize,
            Partition::Off | Partition::Size => 1,
        }
    }
}

number! {
    /// A size class of a variant.
    ClassId, S::CLASSES
}

number! {
    /// Whose runs are: one of a variant's owners.
    Owner, S::SHARDS
}

number! {
    /// The runs of one class and one owner.
    Pool, S::CLASSES * S::SHARDS
}

impl<S: Shape> ClassId<S> {
    /// Its entry of the class table.
    #[inline(always)]
    pub fn row(self) -> &'static Class {
        // SAFETY: the number is below the number of classes, of which each has an entry (the contract of `Shape`).
        unsafe { S::classes().get_unchecked(self.0) }
    }

    /// Its place in a slot array, or among spares: the trap stands in front of them.
    #[inline(always)]
    pub const fn place(self) -> usize {
        self.0 + 1
    }

    /// The class at a place in a slot array.
    ///
    /// # Safety
    /// The place is from 1 to the number of classes.
    #[inline(always)]
    pub const unsafe fn at(place: usize) -> Self {
        Self(place - 1, PhantomData)
    }

    /// Classes of a row: each allocation token has one.
    const ROW: usize = S::CLASSES / S::POLICY.tokens();

    /// This class and all larger ones of the same token.
    #[inline(always)]
    pub fn and_larger(self) -> impl Iterator<Item = Self> {
        let end = self.0 - self.0 % Self::ROW + Self::ROW;
        (self.0..end).map(|number| Self(number, PhantomData))
    }

    /// Its place among the classes of its token.
    #[inline(always)]
    pub const fn in_row(self) -> usize {
        self.0 % Self::ROW
    }

    /// The next larger one, the smallest after the largest.
    #[inline(always)]
    pub const fn around(self) -> Self {
        Self(if self.0 + 1 < S::CLASSES { self.0 + 1 } else { 0 }, PhantomData)
    }
}

impl<S: Shape> Owner<S> {
    /// The first one; the only one where runs belong to nobody in particular.
    pub const FIRST: Self = Self(0, PhantomData);

    /// What of a tag, or of a place in a bank with a slot array for each owner, says that it is this one.
    #[inline(always)]
    pub const fn shifted(self) -> usize {
        self.0 << S::BIN_BITS
    }

    /// The same with owners counted from 1 on, where 0 is nobody.
    #[inline(always)]
    pub const fn shifted_from_one(self) -> usize {
        (self.0 + 1) << S::BIN_BITS
    }
}

impl<S: Shape> Pool<S> {
    /// The pool of a class and an owner.
    #[inline(always)]
    pub const fn of(owner: Owner<S>, class: ClassId<S>) -> Self {
        Self(owner.0 * S::CLASSES + class.0, PhantomData)
    }

    /// That of this number and all after it, in order.
    #[inline(always)]
    pub fn from(number: usize) -> impl Iterator<Item = Self> {
        (number..Self::COUNT).map(|number| Self(number, PhantomData))
    }

    /// Whose it is.
    #[inline(always)]
    pub const fn owner(self) -> Owner<S> {
        Owner(self.0 / S::CLASSES, PhantomData)
    }

    /// The class of its objects.
    #[inline(always)]
    pub const fn class(self) -> ClassId<S> {
        ClassId(self.0 % S::CLASSES, PhantomData)
    }

    /// That class's entry of the class table.
    #[inline(always)]
    pub fn row(self) -> &'static Class {
        self.class().row()
    }
}
