//! Functions of libraries that may come at any time: found among the objects that are loaded, when they are needed.
//!
//! A weak reference is bound when the object that has it is loaded: what comes later is not seen. `dlsym` sees only what is
//! global, and `dlopen` allocates, which is what cannot be done where this is asked. So the objects' own symbol tables are
//! read, under the lock of the loader's that keeps them, and nothing is allocated.

use core::ffi::{CStr, c_int, c_void};
use core::ptr;

/// What of an object's dynamic section is looked at.
struct Object {
    base: usize,
    symbols: *const libc::Elf64_Sym,
    strings: *const u8,
    hashes: *const u32,
    /// Its own name, as an offset of `strings`.
    soname: usize,
    /// Its dynamic section, for the libraries that it needs.
    dynamic: *const Entry,
}

/// An entry of a dynamic section.
#[repr(C)]
struct Entry {
    tag: i64,
    value: usize,
}

const NEEDED: i64 = 1;
const STRINGS: i64 = 5;
const SYMBOLS: i64 = 6;
const SONAME: i64 = 14;
const GNU_HASH: i64 = 0x6fff_fef5;

/// The entries of a dynamic section.
///
/// # Safety
/// `at` is the dynamic section of a loaded object, which stays while the iterator lives: it ends with an entry of tag 0.
unsafe fn entries(mut at: *const Entry) -> impl Iterator<Item = &'static Entry> {
    // SAFETY: the section ends with an entry of tag 0.
    core::iter::from_fn(move || unsafe {
        let entry = &*at;
        at = at.add(1);
        (entry.tag != 0).then_some(entry)
    })
}

impl Object {
    /// None if it has no symbols of the sort that the C library's dynamic linker looks at first.
    ///
    /// # Safety
    /// `info` describes a loaded object, which stays while the result lives.
    unsafe fn new(info: &libc::dl_phdr_info) -> Option<Object> {
        let base = info.dlpi_addr as usize;
        let mut this = Object {
            base,
            symbols: ptr::null(),
            strings: ptr::null(),
            hashes: ptr::null(),
            soname: 0,
            dynamic: ptr::null(),
        };
        // SAFETY: the object is loaded: program headers and what they lead to are mapped. The dynamic linker has made the
        // addresses in the dynamic section absolute where that can be written (on all platforms that are ours), but for
        // the object that the kernel brings.
        unsafe {
            let headers = core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            let dynamic = headers.iter().find(|header| header.p_type == libc::PT_DYNAMIC)?;
            this.dynamic = (base + dynamic.p_vaddr as usize) as *const Entry;
            let absolute = |value: usize| if value < base { base + value } else { value };
            for entry in entries(this.dynamic) {
                match entry.tag {
                    SYMBOLS => this.symbols = absolute(entry.value) as *const _,
                    STRINGS => this.strings = absolute(entry.value) as *const _,
                    GNU_HASH => this.hashes = absolute(entry.value) as *const _,
                    SONAME => this.soname = entry.value,
                    _ => {}
                }
            }
        }
        let whole = !this.symbols.is_null() && !this.strings.is_null() && !this.hashes.is_null();
        whole.then_some(this)
    }

    /// A text of its own, by offset.
    ///
    /// # Safety
    /// The object is loaded, and `offset` is one that its own tables name.
    unsafe fn text(&self, offset: usize) -> &CStr {
        // SAFETY: offsets of an object that the dynamic linker took lie in its strings, which end with zeroes.
        unsafe { CStr::from_ptr(self.strings.add(offset).cast()) }
    }

    /// Whether it names the other one as a library that it needs.
    ///
    /// # Safety
    /// Both objects are still loaded.
    unsafe fn needs(&self, other: &Object) -> bool {
        // SAFETY: both objects are loaded, and their names are texts of their own.
        unsafe {
            let name = other.text(other.soname);
            other.soname != 0 && entries(self.dynamic).any(|e| e.tag == NEEDED && self.text(e.value) == name)
        }
    }

    /// The function that it defines under this name.
    ///
    /// # Safety
    /// The object is still loaded.
    unsafe fn function(&self, name: &CStr) -> Option<usize> {
        // SAFETY: the layout of a GNU hash table: four words, a filter of so many words of 64 bits, so many buckets, and a
        // chain of hashes that begins with the symbol `first`; the last of a bucket is odd.
        unsafe {
            let word = |at: usize| *self.hashes.add(at);
            let (buckets, first, filter) = (word(0) as usize, word(1) as usize, word(2) as usize);
            if buckets == 0 {
                return None;
            }
            let hash = name.to_bytes().iter().fold(5381u32, |hash, byte| {
                hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
            });
            let bucket = 4 + filter * 2;
            let mut at = word(bucket + hash as usize % buckets) as usize;
            while at >= first && at != 0 {
                let found = word(bucket + buckets + at - first);
                let symbol = &*self.symbols.add(at);
                let kind = symbol.st_info & 0xf;
                const FUNCTION: u8 = 2;
                if found | 1 == hash | 1
                    && symbol.st_shndx != 0
                    && kind == FUNCTION
                    && self.text(symbol.st_name as usize) == name
                {
                    return Some(self.base + symbol.st_value as usize);
                }
                if found & 1 != 0 {
                    return None;
                }
                at += 1;
            }
            None
        }
    }
}

/// Whether an address lies in an object.
///
/// # Safety
/// `info` describes a loaded object: its program headers can be read.
unsafe fn holds(info: &libc::dl_phdr_info, address: usize) -> bool {
    // SAFETY: program headers of a loaded object can be read.
    let headers = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    headers.iter().any(|header| {
        let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        header.p_type == libc::PT_LOAD && address.wrapping_sub(start) < header.p_memsz as usize
    })
}

const ANY: u8 = 1;
const NEAR: u8 = 2;
const OWN: u8 = 3;

/// A search, or two: the object that asks comes first.
struct Search<'a> {
    name: &'a CStr,
    near: usize,
    /// The object that asks, if it was found.
    asking: Option<Object>,
    /// How near the object is in which it was found: any, one that is needed, or the one that asks.
    best: u8,
    found: usize,
}

/// Whether one object holds both addresses.
pub fn in_one_object(a: usize, b: usize) -> bool {
    let _errno = super::KeepErrno::new();
    let mut asked = (a, b, false);
    // SAFETY: the callback is called before this returns, with what it is given here.
    unsafe { libc::dl_iterate_phdr(Some(find_both), (&raw mut asked).cast()) };
    asked.2
}

/// # Safety
/// Called by `dl_iterate_phdr`, with a pointer to the addresses that it was given, and the answer.
unsafe extern "C" fn find_both(info: *mut libc::dl_phdr_info, _: libc::size_t, data: *mut c_void) -> c_int {
    // SAFETY: the C library passes an object that is loaded, and what was given to it.
    unsafe {
        let (a, b, both) = &mut *data.cast::<(usize, usize, bool)>();
        let (one, other) = (holds(&*info, *a), holds(&*info, *b));
        *both = one && other;
        c_int::from(one || other)
    }
}

/// The function `name` of the object that holds the address `inside`. None if it defines none.
pub fn function_in(name: &CStr, inside: usize) -> Option<usize> {
    let search = search(name, inside);
    (search.best == OWN).then_some(search.found)
}

/// The function `name` of the object that holds the address `near`, or else of one that this object needs, or else of any
/// that is loaded. None if there is none.
pub fn function_near(name: &CStr, near: usize) -> Option<usize> {
    let search = search(name, near);
    (search.best > 0).then_some(search.found)
}

fn search(name: &CStr, near: usize) -> Search<'_> {
    let _errno = super::KeepErrno::new();
    let mut search = Search {
        name,
        near,
        asking: None,
        best: 0,
        found: 0,
    };
    let data = (&raw mut search).cast();
    // SAFETY: the callbacks are called before this returns, with the search. (What the first one finds stays loaded: its
    // code is what is asking.)
    unsafe {
        libc::dl_iterate_phdr(Some(find_asking), data);
        libc::dl_iterate_phdr(Some(find_function), data);
    }
    search
}

/// # Safety
/// Called by `dl_iterate_phdr`, with a pointer to the search that it was given.
unsafe extern "C" fn find_asking(info: *mut libc::dl_phdr_info, _: libc::size_t, data: *mut c_void) -> c_int {
    // SAFETY: the C library passes an object that is loaded, and what was given to it.
    unsafe {
        let (info, search) = (&*info, &mut *data.cast::<Search<'_>>());
        if !holds(info, search.near) {
            return 0;
        }
        search.asking = Object::new(info);
        1
    }
}

/// # Safety
/// Called by `dl_iterate_phdr`, with a pointer to the search that it was given.
unsafe extern "C" fn find_function(info: *mut libc::dl_phdr_info, _: libc::size_t, data: *mut c_void) -> c_int {
    // SAFETY: as above.
    unsafe {
        let (info, search) = (&*info, &mut *data.cast::<Search<'_>>());
        let Some(object) = Object::new(info) else {
            return 0;
        };
        let Some(found) = object.function(search.name) else {
            return 0;
        };
        let rank = match &search.asking {
            Some(asking) if ptr::eq(asking.dynamic, object.dynamic) => OWN,
            Some(asking) if asking.needs(&object) => NEAR,
            _ => ANY,
        };
        if rank > search.best {
            search.best = rank;
            search.found = found;
        }
        c_int::from(rank == OWN)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn c_library() -> usize {
        libc::getpid as *const () as usize
    }

    #[test]
    fn finds_what_the_loader_finds() {
        for name in [
            c"free",
            c"realloc",
            c"malloc_usable_size",
            c"malloc",
            c"getpid",
            c"abort",
        ] {
            // SAFETY: the names are C strings.
            let want = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize;
            assert_eq!(function_in(name, c_library()), Some(want), "{name:?}");
            assert_eq!(
                function_near(name, finds_what_the_loader_finds as *const () as usize),
                Some(want),
                "{name:?}"
            );
        }
        assert_eq!(function_near(c"no_such_function", c_library()), None);
        assert_eq!(function_near(c"environ", c_library()), None, "it is no function");
    }

    #[test]
    fn tells_objects_apart() {
        let here = tells_objects_apart as *const () as usize;
        assert!(in_one_object(here, c_library as *const () as usize));
        assert!(!in_one_object(here, libc::dlsym as *const () as usize));
        assert!(!in_one_object(8, here) && !in_one_object(8, 8));
    }

    #[test]
    fn looks_into_one_object_if_it_is_told_to() {
        let here = looks_into_one_object_if_it_is_told_to as *const () as usize;
        assert_eq!(function_in(c"malloc", here), None);
        assert_eq!(function_in(c"malloc", 8), None);
        assert!(function_near(c"malloc", 8).is_some());
    }
}
