//! What came of one misuse: from how its process ended, and what it and the allocator said.

use crate::ending;
use serde::{Deserialize, Serialize};

/// What came of a misuse, the weakest answer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The process ended before it did anything wrong, or in a way that no rule speaks of.
    Broken,
    /// The client proved harm: live objects that overlap or change, an address of the writer's choice, a heap that loops.
    Harm,
    /// No harm was seen.
    Nothing,
    /// A fault without a message, in the allocator or in what the program did later.
    Crash,
    /// A fault of the access that is the misuse: it did not happen.
    Fault,
    /// A message of the allocator, an abort, or a request that was refused.
    Detected,
    /// It could not be committed here.
    Absent,
}

impl Verdict {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Harm => "HARM",
            Self::Nothing => "nothing",
            Self::Crash => "crash",
            Self::Fault => "fault",
            Self::Detected => "detected",
            Self::Absent => "-",
        }
    }
}

/// Where a process was when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before the misuse.
    Before,
    /// In it.
    Within,
    /// Behind it.
    After,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// Its exit code; -1 if it has none.
    pub exit: i32,
    /// The signal that ended it; 0 if none did.
    pub signal: i32,
    /// What the client wrote.
    pub said: &'a str,
    /// What the allocator wrote.
    pub told: &'a [u8],
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The verdict: of several rounds, the weakest.
    pub verdict: Verdict,
    /// Where the process was when it ended.
    pub stage: Stage,
    /// Why, in words: of the client, or of the allocator.
    pub why: String,
    /// The verdicts of all rounds.
    pub rounds: Vec<Verdict>,
}

/// Signals by which programs end themselves on purpose: `abort`, a trap, an instruction that does not exist.
const ON_PURPOSE: [i32; 3] = [6, 5, 4];
/// Faults: of memory, and of arithmetic.
const FAULTS: [i32; 3] = [11, 7, 8];

impl Ending<'_> {
    fn stage(&self) -> Stage {
        let count = |word| self.said.lines().filter(|line| *line == word).count();
        match (count("act"), count("past")) {
            (0, _) => Stage::Before,
            (acts, pasts) if acts > pasts => Stage::Within,
            _ => Stage::After,
        }
    }

    /// The verdict of one process. `access` says that the misuse is a read or a write, `property` that nothing wrong is done.
    pub fn judge(&self, access: bool, property: bool) -> Found {
        let stage = self.stage();
        let told = ending::first_lines(self.told);
        let last = self.said.lines().last().unwrap_or_default();
        let (word, why) = last.split_once(' ').unwrap_or((last, ""));
        let aloud = !told.is_empty();
        let how = || ending::words(self.exit, self.signal, self.told);
        let (verdict, why) = match (self.exit, self.signal) {
            (0, 0) => match word {
                "harm" => (Verdict::Harm, why.to_owned()),
                "refused" => (Verdict::Detected, why.to_owned()),
                "absent" => (Verdict::Absent, why.to_owned()),
                "nothing" if aloud && !property => (Verdict::Detected, told),
                "nothing" => (Verdict::Nothing, why.to_owned()),
                _ => (Verdict::Broken, "the client said nothing".to_owned()),
            },
            _ if stage == Stage::Before => (Verdict::Broken, how()),
            (_, signal) if ON_PURPOSE.contains(&signal) => (Verdict::Detected, if aloud { told } else { how() }),
            (_, signal) if FAULTS.contains(&signal) => match (aloud, access && stage == Stage::Within) {
                (true, _) => (Verdict::Detected, told),
                (false, true) => (Verdict::Fault, how()),
                (false, false) => (Verdict::Crash, how()),
            },
            // Some end the process with a message and an exit code.
            (_, 0) if aloud => (Verdict::Detected, told),
            _ => (Verdict::Broken, how()),
        };
        Found {
            verdict,
            stage,
            why,
            rounds: vec![verdict],
        }
    }
}

impl Found {
    /// Several rounds of one kind: the weakest is the answer, as a defence that holds now and then does not hold. Nothing
    /// if there are none.
    pub fn together(all: Vec<Self>) -> Option<Self> {
        let rounds: Vec<Verdict> = all.iter().map(|f| f.verdict).collect();
        let weakest = all.into_iter().min_by_key(|f| f.verdict)?;
        Some(Self { rounds, ..weakest })
    }

    /// The verdict's word, and in how many rounds it was so where they differ: `HARM 1/3`.
    pub fn word(&self) -> String {
        let same = self.rounds.iter().filter(|v| **v == self.verdict).count();
        match same == self.rounds.len() {
            true => self.verdict.word().to_owned(),
            false => format!("{} {same}/{}", self.verdict.word(), self.rounds.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(exit: i32, signal: i32, said: &str, told: &str) -> (Verdict, String) {
        let ending = Ending {
            exit,
            signal,
            said,
            told: told.as_bytes(),
        };
        let found = ending.judge(true, false);
        (found.verdict, found.why)
    }

    #[test]
    fn each_end_has_its_verdict() {
        use Verdict::*;
        let all = [
            (
                0,
                0,
                "act\npast\nharm two live objects overlap\n",
                "",
                Harm,
                "two live objects overlap",
            ),
            (0, 0, "act\npast\nnothing no harm\n", "", Nothing, "no harm"),
            (
                0,
                0,
                "act\npast\nnothing no harm\n",
                "free: twice\n",
                Detected,
                "free: twice",
            ),
            (0, 0, "act\npast\nharm h\n", "free: twice\n", Harm, "h"),
            (0, 0, "act\npast\nrefused null\n", "", Detected, "null"),
            (0, 0, "absent no neighbour\n", "", Absent, "no neighbour"),
            (0, 0, "act\npast\n", "", Broken, "the client said nothing"),
            (-1, 6, "act\n", "free: twice\n", Detected, "free: twice"),
            (-1, 4, "act\npast\n", "", Detected, "killed by signal 4 (SIGILL)"),
            (-1, 11, "act\n", "", Fault, "killed by signal 11 (SIGSEGV)"),
            (-1, 11, "act\npast\n", "", Crash, "killed by signal 11 (SIGSEGV)"),
            (-1, 11, "act\npast\n", "overflow\n", Detected, "overflow"),
            (-1, 8, "act\npast\n", "", Crash, "killed by signal 8 (SIGFPE)"),
            (-1, 11, "", "", Broken, "killed by signal 11 (SIGSEGV)"),
            (-1, 9, "act\n", "", Broken, "killed by signal 9 (SIGKILL)"),
            (1, 0, "act\n", "bad free\n", Detected, "bad free"),
            (1, 0, "act\n", "", Broken, "exit code 1"),
        ];
        for (exit, signal, said, told, verdict, why) in all {
            let found = judged(exit, signal, said, told);
            assert_eq!(found, (verdict, why.to_owned()), "{exit} {signal} {said:?} {told:?}");
        }
    }

    #[test]
    fn a_fault_elsewhere_is_a_crash_and_properties_may_talk() {
        let ending = Ending {
            exit: -1,
            signal: 11,
            said: "act\n",
            told: b"",
        };
        assert_eq!(ending.judge(false, false).verdict, Verdict::Crash);
        let ending = Ending {
            exit: 0,
            signal: 0,
            said: "act\npast\nnothing new\n",
            told: b"hello\n",
        };
        assert_eq!(ending.judge(false, true).verdict, Verdict::Nothing);
    }

    #[test]
    fn the_weakest_round_counts() {
        let of = |verdict| Found {
            verdict,
            stage: Stage::After,
            why: verdict.word().to_owned(),
            rounds: vec![verdict],
        };
        let all = [Verdict::Detected, Verdict::Harm, Verdict::Detected];
        let found = Found::together(all.map(of).to_vec()).unwrap();
        assert_eq!((found.word().as_str(), found.why.as_str()), ("HARM 1/3", "HARM"));
        assert_eq!(Found::together(vec![of(Verdict::Detected)]).unwrap().word(), "detected");
        assert_eq!(Found::together(Vec::new()), None);
        // What could be committed once counts.
        let found = Found::together([Verdict::Absent, Verdict::Nothing].map(of).to_vec()).unwrap();
        assert_eq!(found.word(), "nothing 1/2");
    }
}
