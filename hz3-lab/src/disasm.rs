//! The hot paths of a library as text, for people to lay side by side.

use crate::{Error, Result};
use hz3_config::file;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, IntelFormatter, OpKind};
use object::{Object, ObjectSection, ObjectSymbol};
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

/// Instructions shown at most.
const MOST: usize = 48;

/// `malloc` and `free` of a library; nothing on machines whose code cannot be decoded here.
pub fn hot_paths(path: &Path) -> Result<Vec<HotPath>> {
    let bytes = file::read(path, file::DATA).map_err(|why| Error::bad_input(format!("{}: {why}", path.display())))?;
    let file = object::File::parse(&*bytes).map_err(|e| Error::bad_input(format!("{}: {e}", path.display())))?;
    if file.architecture() != object::Architecture::X86_64 {
        return Ok(Vec::new());
    }
    let text: Vec<(u64, &[u8])> = file
        .sections()
        .filter(|s| s.kind() == object::SectionKind::Text)
        .filter_map(|s| Some((s.address(), s.data().ok()?)))
        .collect();
    let code = |at: u64| {
        text.iter()
            .find_map(|(base, data)| data.get(usize::try_from(at.checked_sub(*base)?).ok()?..))
            .unwrap_or(&[])
    };
    let mut out = Vec::new();
    for name in ["malloc", "free"] {
        let Some(symbol) = file
            .dynamic_symbols()
            .find(|s| s.is_definition() && s.name() == Ok(name))
        else {
            continue;
        };
        let (mut at, mut size) = (symbol.address(), symbol.size());
        // A shim of one jump: the function is where it leads.
        let first = Decoder::with_ip(64, code(at), at, DecoderOptions::NONE).iter().next();
        if let Some(i) = first.filter(|i| i.flow_control() == FlowControl::UnconditionalBranch) {
            (at, size) = (i.near_branch_target(), 0);
        }
        out.push(function(name, at, size, code(at)));
    }
    Ok(out)
}

/// Decodes to the end of the symbol, or, if its size is unknown, to the first instruction after which nothing of it can
/// follow: a return or jump behind every branch target seen so far.
fn function(name: &str, at: u64, size: u64, code: &[u8]) -> HotPath {
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_space_after_operand_separator(true);
    let mut lines = Vec::new();
    let mut furthest = at;
    let mut cut = true;
    for i in &mut Decoder::with_ip(64, code, at, DecoderOptions::NONE) {
        if lines.len() == MOST || i.is_invalid() {
            break;
        }
        let mut text = String::new();
        if i.op_count() == 1 && matches!(i.op0_kind(), OpKind::NearBranch64) {
            let target = i.near_branch_target();
            formatter.format_mnemonic(&i, &mut text);
            let inside = target >= at && (size == 0 || target < at + size) && target < at + 4096;
            text += &if inside {
                format!(" +{:x}", target - at)
            } else {
                " (elsewhere)".to_string()
            };
            if inside && i.flow_control() == FlowControl::ConditionalBranch {
                furthest = furthest.max(target);
            }
        } else if i.is_ip_rel_memory_operand() {
            formatter.format(&i, &mut text);
            // The address differs from build to build; that it is a constant's or a global's does not.
            if let (Some(a), Some(b)) = (text.find('['), text.find(']')) {
                text.replace_range(a + 1..b, "rip + …");
            }
        } else {
            formatter.format(&i, &mut text);
        }
        lines.push(format!("{:>4x}  {text}", i.ip() - at));
        let last = matches!(
            i.flow_control(),
            FlowControl::Return | FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
        );
        let ends = if size > 0 {
            i.next_ip() >= at + size
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
    }
}
