//! The malloc of somebody else: the C library's own, or that of the process that we are linked into.
//!
//! A library that exports `malloc`, `free` and all their other names cannot ask for them by name: it would find itself. The
//! loader's `dlsym` is no way either: it takes the loader's lock, under which the constructor of a library may wait for the
//! very thread that frees here, and it may allocate. So the C library's table of symbols is read as it lies in memory.

use super::KeepErrno;
use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// The three functions that take a pointer.
#[derive(Clone, Copy)]
pub struct Malloc {
    free: unsafe extern "C" fn(*mut c_void),
    realloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    usable: unsafe extern "C" fn(*mut c_void) -> usize,
}

impl Malloc {
    /// That of the process, as the names are bound here: for code that does not export them itself.
    pub fn of_process() -> Malloc {
        Malloc {
            free: libc::free,
            realloc: libc::realloc,
            usable: libc::malloc_usable_size,
        }
    }

    /// The C library's own, whoever else exports these names. None if its symbols cannot be read. Allocates nothing and takes
    /// no lock that is held while foreign code runs.
    pub fn of_c_library() -> Option<Malloc> {
        static FOUND: [AtomicPtr<c_void>; 3] = [const { AtomicPtr::new(ptr::null_mut()) }; 3];
        const NAMES: [&CStr; 3] = [c"free", c"realloc", c"malloc_usable_size"];
        // The last one is written last.
        if FOUND[2].load(Ordering::Acquire).is_null() {
            let library = Symbols::of_c_library()?;
            for (found, name) in FOUND.iter().zip(NAMES) {
                // SAFETY: the C library is never unloaded.
                found.store(unsafe { library.function(name) }?.cast_mut(), Ordering::Release);
            }
        }
        let [free, realloc, usable] = [0, 1, 2].map(|i: usize| FOUND[i].load(Ordering::Acquire));
        // SAFETY: functions of these names have these types in every C library.
        unsafe {
            Some(Malloc {
                free: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(free),
                realloc: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void>(realloc),
                usable: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void) -> usize>(usable),
            })
        }
    }

    /// Frees `p`.
    ///
    /// As that malloc's `free`.
    pub unsafe fn free(&self, p: *mut u8) {
        let _errno = KeepErrno::new();
        // SAFETY: the caller's contract.
        unsafe { (self.free)(p.cast()) }
    }

    /// Resizes `p`; a failure is told as C does it.
    ///
    /// As that malloc's `realloc`.
    pub unsafe fn realloc(&self, p: *mut u8, n: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { (self.realloc)(p.cast(), n).cast() }
    }

    /// Bytes that `p` can hold.
    ///
    /// As that malloc's `malloc_usable_size`.
    pub unsafe fn usable(&self, p: *mut u8) -> usize {
        // SAFETY: the caller's contract.
        unsafe { (self.usable)(p.cast()) }
    }
}

/// One entry of an object's dynamic section.
#[repr(C)]
struct Dynamic {
    tag: i64,
    value: usize,
}

const DT_NULL: i64 = 0;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_GNU_HASH: i64 = 0x6fff_fef5;
const STT_FUNC: u8 = 2;

/// The symbols of a loaded object. All zero means none.
struct Symbols {
    base: usize,
    symbols: *const libc::Elf64_Sym,
    names: *const u8,
    hash: *const u32,
}

impl Symbols {
    /// Those of the object that `errno` lives in.
    fn of_c_library() -> Option<Symbols> {
        let mut found = Symbols {
            base: 0,
            symbols: ptr::null(),
            names: ptr::null(),
            hash: ptr::null(),
        };
        // SAFETY: the callback is called with this very structure while the call lasts.
        unsafe { libc::dl_iterate_phdr(Some(look_at), (&raw mut found).cast()) };
        (!found.symbols.is_null() && !found.names.is_null() && !found.hash.is_null()).then_some(found)
    }

    /// The address of a function.
    ///
    /// The object is loaded.
    unsafe fn function(&self, name: &CStr) -> Option<*const c_void> {
        let mut h: u32 = 5381;
        for &b in name.to_bytes() {
            h = h.wrapping_mul(33).wrapping_add(u32::from(b));
        }
        // SAFETY: the table's form is GNU's: four words, a filter, a bucket for each remainder with the number of its first
        // symbol, and a word a symbol whose lowest bit ends its bucket. The loader goes by the same.
        unsafe {
            let [buckets, first, filter] = [0, 1, 2].map(|i| *self.hash.add(i) as usize);
            let bucket = self.hash.add(4 + filter * 2);
            let chain = bucket.add(buckets);
            let mut i = *bucket.add(h as usize % buckets.max(1)) as usize;
            if i < first {
                return None;
            }
            loop {
                let word = *chain.add(i - first);
                let symbol = self.symbols.add(i);
                if word | 1 == h | 1
                    && CStr::from_ptr(self.names.add((*symbol).st_name as usize).cast()) == name
                    && (*symbol).st_shndx != 0
                    && (*symbol).st_info & 15 == STT_FUNC
                {
                    return Some((self.base + (*symbol).st_value as usize) as *const c_void);
                }
                if word & 1 != 0 {
                    return None;
                }
                i += 1;
            }
        }
    }
}

/// Takes down where the object's tables are, if it is the C library. Nonzero ends the search.
unsafe extern "C" fn look_at(object: *mut libc::dl_phdr_info, _: usize, into: *mut c_void) -> c_int {
    // SAFETY: the loader passes an object that is loaded, and what `of_c_library` gave it.
    unsafe {
        let (object, into) = (&*object, &mut *into.cast::<Symbols>());
        let base = object.dlpi_addr as usize;
        let headers = core::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum));
        let inside = libc::__errno_location as *const () as usize;
        let of = |kind: u32| headers.iter().filter(move |h| h.p_type == kind);
        let holds = |h: &libc::Elf64_Phdr| inside.wrapping_sub(base + h.p_vaddr as usize) < h.p_memsz as usize;
        if !of(libc::PT_LOAD).any(holds) {
            return 0;
        }
        // Some loaders make addresses of what stands in the dynamic section, some leave it as it is in the file.
        let address = |value: usize| if value < base { base + value } else { value };
        for header in of(libc::PT_DYNAMIC) {
            let mut entry = (base + header.p_vaddr as usize) as *const Dynamic;
            while (*entry).tag != DT_NULL {
                let at = address((*entry).value);
                match (*entry).tag {
                    DT_STRTAB => into.names = at as *const u8,
                    DT_SYMTAB => into.symbols = at as *const libc::Elf64_Sym,
                    DT_GNU_HASH => into.hash = at as *const u32,
                    _ => {}
                }
                entry = entry.add(1);
            }
        }
        into.base = base;
        1
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_loader_finds() {
        let library = Symbols::of_c_library().expect("the C library's symbols");
        for name in [
            c"free",
            c"realloc",
            c"malloc_usable_size",
            c"malloc",
            c"getpid",
            c"abort",
        ] {
            // SAFETY: the names are C strings; the C library stays loaded.
            let (got, want) = unsafe { (library.function(name), libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr())) };
            assert_eq!(got, Some(want.cast_const()), "{name:?}");
        }
        // SAFETY: as above.
        unsafe {
            assert_eq!(library.function(c"no_such_function"), None);
            assert_eq!(library.function(c"environ"), None, "it is no function");
        }
    }

    #[test]
    fn serves_pointers_of_the_c_library() {
        for malloc in [
            Malloc::of_c_library().expect("the C library's malloc"),
            Malloc::of_process(),
        ] {
            // SAFETY: the object is the C library's, of 100 bytes at least.
            unsafe {
                let p: *mut u8 = libc::malloc(100).cast();
                p.add(99).write(7);
                assert!(malloc.usable(p) >= 100);
                let p = malloc.realloc(p, 100_000);
                assert!(!p.is_null() && p.add(99).read() == 7 && malloc.usable(p) >= 100_000);
                malloc.free(p);
            }
        }
    }
}
