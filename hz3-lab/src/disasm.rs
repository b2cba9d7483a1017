//! The hot paths of a library as text, for people to lay side by side.

use hz3_project::Result;
use hz3_project::code::{self, FlowControl, Image};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The beginning of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotPath {
    /// Exported name.
    pub name: String,
    /// Instructions, each `offset  text`.
    pub lines: Vec<String>,
    /// Whether the function goes on.
    pub cut: bool,
}

/// At most this many instructions are shown.
const MOST: usize = 48;

/// `malloc` and `free` of a library; an error on machines whose code cannot be decoded here.
pub fn hot_paths(path: &Path) -> Result<Vec<HotPath>> {
    Ok(of_image(&Image::read(path)?))
}

/// The same of a file that was read.
pub fn of_image(image: &Image) -> Vec<HotPath> {
    let mut out = Vec::new();
    for name in ["malloc", "free"] {
        let Some(mut at) = image.address(name) else {
            continue;
        };
        let mut size = image.at(at).map_or(0, |(_, size)| size);
        // A shim of one jump: the function is where it leads.
        let first = code::decode(at, image.code(at)).next();
        if let Some(i) = first.filter(|i| i.flow_control() == FlowControl::UnconditionalBranch) {
            (at, size) = (i.near_branch_target(), 0);
        }
        out.push(function(name, at, size, image.code(at)));
    }
    out
}

/// Decodes to the end of the symbol, or, if its size is unknown, to the first instruction after which nothing of it can
/// follow: a return or jump behind every branch target seen so far.
fn function(name: &str, at: u64, size: u64, code: &[u8]) -> HotPath {
    let mut lines = Vec::new();
    let mut furthest = at;
    let mut cut = true;
    let inside = |target: u64| {
        let distance = target.checked_sub(at);
        distance.is_some_and(|distance| (size == 0 || distance < size) && distance < 4096)
    };
    for i in code::decode(at, code) {
        if lines.len() == MOST || i.is_invalid() {
            break;
        }
        let target = |to: u64| match inside(to) {
            true => format!("+{:x}", to - at),
            false => "(elsewhere)".to_owned(),
        };
        // The address differs from build to build; that it is a constant's or a global's does not.
        let text = code::text(&i, target, |_| "rip + …".to_owned());
        lines.push(format!("{:>4x}  {text}", i.ip().wrapping_sub(at)));
        if i.flow_control() == FlowControl::ConditionalBranch && inside(i.near_branch_target()) {
            furthest = furthest.max(i.near_branch_target());
        }
        let last = matches!(
            i.flow_control(),
            FlowControl::Return | FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
        );
        let ends = if size > 0 {
            i.next_ip() >= at.saturating_add(size)
        } else {
            last && i.next_ip() > furthest
        };
        if ends {
            cut = false;
            break;
        }
    }
    HotPath {
        name: name.into(),
        lines,
        cut,
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_small_function() {
        // test edi, edi; jz +5; mov eax, 1; ret -- then something else
        let code = [0x85, 0xff, 0x74, 0x06, 0xb8, 1, 0, 0, 0, 0xc3, 0x31, 0xc0, 0xc3, 0x90];
        let f = function("f", 0x1000, 0, &code);
        assert_eq!(
            f.lines,
            [
                "   0  test edi, edi",
                "   2  je +a",
                "   4  mov eax, 1",
                "   9  ret",
                "   a  xor eax, eax",
                "   c  ret"
            ]
        );
        assert!(!f.cut);
        assert_eq!(function("f", 0x1000, 10, &code).lines.len(), 4);
        // The symbols of a damaged file may lie anywhere.
        assert!(!function("f", u64::MAX - 4, u64::MAX, &code).lines.is_empty());
    }
}
