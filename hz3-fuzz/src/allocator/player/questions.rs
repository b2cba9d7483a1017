//! What is asked of the allocator as a whole: to give memory back, and what it knows of itself.

use super::World;
use crate::allocator::program::{Kind, Op};
use hz3_lab::profile::Profile;
use std::ffi::CString;

impl World<'_> {
    /// What is asked of the allocator as a whole.
    pub(super) fn ask(&self, op: &Op) {
        match (op.kind, self.entries.own) {
            (Kind::Trim, _) => {
                if let Some(trim) = self.entries.trim {
                    // SAFETY: it asks for nothing.
                    self.quietly("malloc_trim", || unsafe {
                        trim(if op.form == 0 { 0 } else { op.size });
                    });
                }
            }
            (Kind::Dump, Some(own)) => dumped(own.dump),
            (Kind::Info, own) => {
                if let Some(info) = self.entries.info {
                    info();
                }
                let mut text = [0u8; 16 << 10];
                let Some(own) = own else { return };
                // SAFETY: so many bytes can be written.
                let length = unsafe { (own.stats_json)(text.as_mut_ptr(), text.len()) };
                assert!(length < text.len() && text[length] == 0, "statistics of {length} bytes");
                if self.in_turn {
                    let json = serde_json::from_slice::<serde_json::Value>(&text[..length]);
                    assert!(json.is_ok(), "{json:?}: {}", String::from_utf8_lossy(&text[..length]));
                }
            }
            _ => {}
        }
    }
}

/// Has a profile written, which must be one if anything is recorded.
fn dumped(dump: unsafe extern "C" fn(*const libc::c_char) -> libc::c_int) {
    // SAFETY: every thread has a number.
    let path = format!("/dev/shm/hz3-fuzz-{}.pb", unsafe { libc::gettid() });
    let name = CString::new(path.as_str()).unwrap_or_default();
    // SAFETY: the path ends with a zero, and stays as it is.
    let error = unsafe { dump(name.as_ptr()) };
    if error == 0 {
        let data = std::fs::read(&path).expect("a profile");
        let _ = std::fs::remove_file(&path);
        if let Err(fault) = Profile::read(&data) {
            panic!("a profile of {} bytes: {}", data.len(), fault.message);
        }
    }
}
