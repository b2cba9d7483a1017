//! How the objects of a class come and go in a thread.
//!
//! A list that is as long as a batch has an event for each batch. Where objects come and go one by one, the two kinds take turns:
//! a refilled list is full, so it overflows next, and one that overflowed is empty. Two events of one kind in a row mean that a
//! whole batch was taken, or freed, without a pause. A thread that frees so, and then takes so, gave away what it wanted again.
//! Such a class is better off with a longer list: what it frees stays with the thread, and nothing of it is shared.

/// The last events of a slot: how many of one kind there were in a row, refills or overflows, how many of the other kind before
/// them, and how many times in a row they took turns.
///
/// All zero at the start, as if there had been one refill after one overflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Tide(u8);

/// Events in a row that are no accident. More are not counted.
const MANY: u8 = 2;
/// The length of the present row, less one, in the lowest bits.
const LATELY: u8 = 3;
/// That of the row before.
const BEFORE: u32 = 2;
/// The kind of the present row.
const OVERFLOWS: u8 = 1 << 4;
/// Rows of one event in a row, in the highest bits.
const TURN: u32 = 5;
/// Most that is counted of them.
const TURNS: u8 = 7;

impl Tide {
    /// The list was empty, and is refilled.
    #[inline]
    pub fn refilled(&mut self) {
        self.happens(0);
    }

    /// The list was full, and overflowed.
    #[inline]
    pub fn overflowed(&mut self) {
        self.happens(OVERFLOWS);
    }

    /// Whether batches came in a row, and before that batches went in a row, or the reverse.
    #[inline]
    pub fn has_turned(self) -> bool {
        self.0 & LATELY >= MANY - 1 && self.follows_many()
    }

    /// Whether one overflow came after another: the thread only frees.
    #[inline]
    pub fn rises(self) -> bool {
        self.0 & OVERFLOWS != 0 && self.0 & LATELY >= MANY - 1
    }

    /// Whether the row before the present one was no accident.
    #[inline]
    pub fn follows_many(self) -> bool {
        (self.0 >> BEFORE) & LATELY >= MANY - 1
    }

    /// Whether refills and overflows have long taken turns. They are counted anew from here on.
    #[inline]
    pub fn is_slack(&mut self) -> bool {
        let slack = self.0 >> TURN == TURNS;
        if slack {
            self.0 &= (1 << TURN) - 1;
        }
        slack
    }

    #[inline]
    fn happens(&mut self, kind: u8) {
        let (lately, turns) = (self.0 & LATELY, self.0 >> TURN);
        *self = if self.0 & OVERFLOWS == kind {
            Tide(kind | self.0 & LATELY << BEFORE | (lately + 1).min(MANY - 1))
        } else {
            let turns = if lately == 0 { (turns + 1).min(TURNS) } else { 0 };
            Tide(turns << TURN | kind | lately << BEFORE)
        };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// `r`: a refill, `o`: an overflow. Returns after which of them the tide has turned.
    fn turns(events: &str) -> std::string::String {
        let mut tide = Tide::default();
        let after = |event| {
            match event {
                'r' => tide.refilled(),
                _ => tide.overflowed(),
            }
            if tide.has_turned() { 'x' } else { '-' }
        };
        events.chars().map(after).collect()
    }

    #[test]
    fn events_that_take_turns_are_slack() {
        let mut tide = Tide::default();
        let mut slack = 0;
        for _ in 0..80 {
            tide.refilled();
            tide.overflowed();
            slack += u32::from(tide.is_slack());
        }
        assert_eq!(slack, 19, "about one in eight of 160 events");
        for _ in 0..80 {
            tide.refilled();
            tide.overflowed();
            tide.overflowed();
            assert!(!tide.is_slack());
        }
    }

    #[test]
    fn it_turns_where_batches_come_and_go_in_rows() {
        for (events, expected) in [
            ("rororororo", "----------"),
            ("rrrrrrrrrrr", "-----------"),
            ("ooooooooooo", "-----------"),
            ("rrrroooroooo", "-----xx-----"),
            ("rrrrooooooor", "-----xxxxxx-"),
            ("oorrrooroo", "---xx-x---"),
            ("roorr", "--x-x"),
        ] {
            assert_eq!(turns(events), expected, "{events}");
        }
    }
}
