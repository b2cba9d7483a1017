//! The ways through the functions of a variant's library, read from its file.

use hz3_project::code::{self, FlowControl, Image, Instruction, Traits};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A library's functions.
pub struct Code {
    image: Image,
    /// The function that `malloc` goes on in above the fine table. C++ has a second copy of it, under the same name.
    coarse: Option<(String, u64)>,
}

/// One way through a function, from its start to its end or to another function.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// Instructions, the last one included.
    pub instructions: usize,
    /// Conditional branches among them.
    pub branches: usize,
    /// Whether it ends in the function's own `ret`.
    pub returns: bool,
}

/// What an instruction of a hot path may not be, and what it may.
#[derive(Debug, PartialEq, Eq)]
pub enum Steps {
    /// Anything else.
    Plain,
    /// A call.
    Call,
    /// A read-modify-write that locks.
    Lock,
    /// A jump to where this function was before: a loop.
    Back,
}

impl Code {
    /// Reads a library.
    pub fn read(path: &std::path::Path) -> Result<Code, String> {
        let image = Image::read(path).map_err(|e| e.message)?;
        let mut code = Code { image, coarse: None };
        code.coarse = code
            .function("malloc")?
            .iter()
            .map(Instruction::near_branch_target)
            .filter_map(|to| Some((code.image.at(to)?.0.to_owned(), to)))
            .find(|(name, _)| name.ends_with("hot::malloc::coarse"));
        Ok(code)
    }

    /// Names of everything in the file, readable.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.image.names()
    }

    /// The function that `malloc` goes on in above the fine table, if there is one of its own.
    pub fn coarse(&self) -> Option<&str> {
        self.coarse.as_ref().map(|(name, _)| name.as_str())
    }

    /// A function's instructions.
    fn function(&self, name: &str) -> Result<Vec<Instruction>, String> {
        let coarse = self.coarse.as_ref().filter(|(own, _)| own == name).map(|(_, at)| *at);
        let address = coarse
            .or_else(|| self.image.address(name))
            .ok_or_else(|| format!("no function `{name}`"))?;
        let length = self.image.at(address).map_or(0, |(_, length)| length as usize);
        let code = self
            .image
            .code(address)
            .get(..length)
            .ok_or_else(|| format!("`{name}` is cut short"))?;
        let all: Vec<Instruction> = code::decode(address, code).collect();
        match all.iter().find(|i| i.is_invalid()) {
            Some(bad) => Err(format!("`{name}` has no instruction at {:#x}", bad.ip())),
            None => Ok(all),
        }
    }

    /// What its instructions are, as far as hot paths care.
    pub fn steps(&self, name: &str) -> Result<Vec<Steps>, String> {
        let all = self.function(name)?;
        let start = all.first().map_or(0, |i| i.ip());
        let back = |i: &Instruction| {
            let jumps = matches!(
                i.flow_control(),
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            );
            jumps && (start..=i.ip()).contains(&i.near_branch_target())
        };
        // What is called at the end of a function never comes back: that is left as by a jump.
        let leaves = |i: &Instruction| all.last().is_some_and(|last| last.ip() == i.ip());
        Ok(all
            .iter()
            .map(|i| match Traits::of(i) {
                traits if traits.call && !leaves(i) => Steps::Call,
                _ if back(i) => Steps::Back,
                traits if traits.locked => Steps::Lock,
                _ => Steps::Plain,
            })
            .collect())
    }

    /// Every way through it. The function has no loop, as `steps` tells.
    pub fn paths(&self, name: &str) -> Result<Vec<Path>, String> {
        let all = self.function(name)?;
        let at: BTreeMap<u64, usize> = all.iter().enumerate().map(|(n, i)| (i.ip(), n)).collect();
        let mut done = Vec::new();
        let mut open = vec![(0, 0, 0)];
        while let Some((mut n, mut instructions, mut branches)) = open.pop() {
            loop {
                let i = all.get(n).ok_or_else(|| format!("`{name}` runs over its end"))?;
                instructions += 1;
                if instructions > all.len() {
                    return Err(format!("`{name}` has a loop"));
                }
                let inside = at.get(&i.near_branch_target()).copied();
                match i.flow_control() {
                    FlowControl::ConditionalBranch => {
                        branches += 1;
                        match inside {
                            Some(there) => open.push((there, instructions, branches)),
                            None => done.push(Path {
                                instructions,
                                branches,
                                returns: false,
                            }),
                        }
                        n += 1;
                    }
                    FlowControl::UnconditionalBranch if inside.is_some() => n = inside.unwrap_or(n),
                    FlowControl::Next => n += 1,
                    FlowControl::Call | FlowControl::IndirectCall if n + 1 < all.len() => n += 1,
                    // (And a call at the end: see `steps`.)
                    flow => {
                        let returns = flow == FlowControl::Return;
                        done.push(Path {
                            instructions,
                            branches,
                            returns,
                        });
                        break;
                    }
                }
            }
        }
        done.sort_by_key(|path| (path.instructions, path.branches));
        Ok(done)
    }

    /// The function as text without addresses: places inside of it are numbered, others are named.
    pub fn listing(&self, name: &str) -> String {
        let all = match self.function(name) {
            Ok(all) => all,
            Err(e) => return e,
        };
        let inside = |address: u64| all.iter().any(|i| i.ip() == address);
        let mut labels: Vec<u64> = all
            .iter()
            .map(Instruction::near_branch_target)
            .filter(|a| *a != 0 && inside(*a))
            .collect();
        labels.sort_unstable();
        labels.dedup();
        let label = |address: u64| labels.iter().position(|a| *a == address).map(|n| format!(".{n}"));
        let name_at = |address: u64| self.image.name_at(address);
        let mut text = format!("{name}: {} instructions\n", all.len());
        for i in &all {
            if let Some(here) = label(i.ip()) {
                let _ = writeln!(text, "{here}:");
            }
            let line = code::text(i, |to| label(to).unwrap_or_else(|| name_at(to)), name_at);
            let _ = writeln!(text, "    {line}");
        }
        text
    }
}
