//! Single calls, each with what it promises.

use super::World;
use crate::allocator::model::{How, Object, verify_zero};
use crate::allocator::program::{Kind, Op};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes that a program holds at most: larger requests are not made, but for those that cannot be served.
const BUDGET: usize = 48 << 20;
/// From here on nobody has so much.
const IMPOSSIBLE: usize = 1 << 47;
/// A value that `errno` never gets.
const UNTOUCHED: i32 = 4095;
/// Objects that churn at a time.
const BURST: usize = 12;

fn errno() -> i32 {
    // SAFETY: every thread has one.
    unsafe { *libc::__errno_location() }
}

fn set_errno(to: i32) {
    // SAFETY: every thread has one.
    unsafe { *libc::__errno_location() = to };
}

/// What a call that allocates promises.
#[derive(Clone, Copy)]
struct Wish {
    size: usize,
    align: usize,
    how: How,
    zero: bool,
    /// The product of what was asked for is more than a number can say.
    overflows: bool,
    /// The alignment is none.
    invalid: bool,
}

impl Wish {
    fn new(size: usize, align: usize, how: How) -> Self {
        Self {
            size,
            align,
            how,
            zero: false,
            overflows: false,
            invalid: false,
        }
    }
}

impl World<'_> {
    /// One operation on the object of a slot.
    pub(super) fn at_slot(&self, op: &Op, slot: &mut Option<Object>) {
        match op.kind {
            Kind::Free => match slot.take() {
                Some(object) => self.release(object, op.form),
                // SAFETY: null may be freed.
                None => self.quietly("free(null)", || unsafe { (self.entries.free)(ptr::null_mut()) }),
            },
            Kind::Check => {
                if let Some(object) = slot {
                    // SAFETY: the slot's lock is held.
                    unsafe { object.verify(object.at, object.size, "later") };
                }
            }
            Kind::Usable => {
                if let Some(object) = slot {
                    self.usable(object);
                }
            }
            Kind::Realloc | Kind::Reallocarray => self.realloc(op, slot),
            Kind::RustRealloc => self.rust_realloc(op, slot),
            _ => {
                if let Some(object) = slot.take() {
                    self.release(object, op.form);
                }
                *slot = self.allocate(op);
            }
        }
    }

    /// A call that leaves `errno` alone, as far as that is promised.
    pub(super) fn quietly(&self, what: &str, call: impl FnOnce()) {
        set_errno(UNTOUCHED);
        call();
        assert!(
            !self.promise.strict || errno() == UNTOUCHED,
            "{what} sets errno to {}",
            errno()
        );
    }

    /// Frees an object as it was made, after a look at it.
    pub(super) fn release(&self, object: Object, form: u8) {
        self.owners.gives(object.at);
        self.live.fetch_sub(object.size, Relaxed);
        self.release_alone(object, form);
    }

    /// The same, told to nobody.
    pub(super) fn release_alone(&self, object: Object, form: u8) {
        // SAFETY: the object is the caller's, made as it says, and nobody uses it from here on.
        unsafe { object.verify(object.at, object.size, "when it is freed") };
        let (e, p, n, sized) = (self.entries, object.at as *mut u8, object.size, form & 1 != 0);
        // SAFETY: as above.
        self.quietly("free", || unsafe {
            match (object.how, e.cxx, e.rust) {
                (How::Plain, ..) => match e.free_sized.filter(|_| sized) {
                    Some(free_sized) => free_sized(p, n),
                    None => (e.free)(p),
                },
                (How::AlignedAlloc(align), ..) => match e.free_aligned_sized.filter(|_| sized) {
                    Some(free_aligned_sized) => free_aligned_sized(p, align, n),
                    None => (e.free)(p),
                },
                (How::New, Some(cxx), _) if sized => (cxx.delete_sized)(p, n),
                (How::New, Some(cxx), _) => (cxx.delete)(p),
                (How::NewArray, Some(cxx), _) if sized => (cxx.delete_array_sized)(p, n),
                (How::NewArray, Some(cxx), _) => (cxx.delete_array)(p),
                (How::NewAligned(align), Some(cxx), _) if sized => (cxx.delete_sized_aligned)(p, n, align),
                (How::NewAligned(align), Some(cxx), _) => (cxx.delete_aligned)(p, align),
                (How::Rust(align), _, Some(rust)) => (rust.dealloc)(p, n, align),
                _ => (e.free)(p),
            }
        });
    }

    fn usable(&self, object: &Object) {
        if matches!(object.how, How::Rust(_)) {
            return;
        }
        // SAFETY: the object is the slot's, whose lock is held.
        let usable = unsafe { (self.entries.usable)(object.at as *mut u8) };
        assert!(usable >= object.size, "{object:x?} has {usable} usable bytes");
        // All of it may be written: whoever else has some of it will see.
        self.owners.gives(object.at);
        self.owners.takes(object.at, usable, "malloc_usable_size");
        let slack = (usable - object.size).min(1 << 20);
        // SAFETY: so many bytes are usable.
        unsafe {
            (object.at as *mut u8).add(object.size).write_bytes(0xd5, slack);
            object.verify(object.at, object.size, "after its slack was written");
        }
    }

    /// Looks at what a call gave, and writes it.
    fn got(&self, p: *mut u8, wish: Wish, what: &str) -> Option<Object> {
        let Wish { size, align, how, .. } = wish;
        if p.is_null() {
            self.refused(wish, what);
            return None;
        }
        let error = errno();
        assert!(
            !wish.overflows,
            "{what}: the product overflows, and the answer is {p:p}"
        );
        assert!(size < IMPOSSIBLE, "{what} of {size} bytes is {p:p}");
        assert!(
            !self.promise.strict || error == UNTOUCHED,
            "{what} of {size} bytes at {align} succeeds and sets errno to {error}"
        );
        let least = if self.promise.strict || size >= 16 { 16 } else { 8 };
        let align = if wish.invalid { least } else { align.max(least) };
        assert!(
            (p as usize).is_multiple_of(align),
            "{what} of {size} bytes is {p:p}, which is not aligned to {align}"
        );
        self.owners.takes(p as usize, size, what);
        if wish.zero {
            // SAFETY: the object is new, and this thread's.
            unsafe { verify_zero(p as usize, size) };
        }
        let object = Object {
            at: p as usize,
            size,
            seed: self.seeds.fetch_add(1, Relaxed) as u8,
            how,
        };
        // SAFETY: as above.
        unsafe { object.fill() };
        self.live.fetch_add(size, Relaxed);
        Some(object)
    }

    /// A call gave nothing: it had to, or it may have.
    fn refused(&self, wish: Wish, what: &str) {
        let error = errno();
        let must = wish.overflows || wish.invalid || wish.size >= IMPOSSIBLE;
        assert!(
            must || !self.promise.serves,
            "{what} of {} bytes at {} fails with errno {error}, and there is memory",
            wish.size,
            wish.align
        );
        if self.promise.strict {
            let right = if wish.invalid { libc::EINVAL } else { libc::ENOMEM };
            assert!(error == right, "{what} of {} bytes fails with errno {error}", wish.size);
        }
    }

    /// Whether a program may ask for so much now.
    fn may(&self, size: usize) -> bool {
        size >= IMPOSSIBLE || size <= BUDGET.saturating_sub(self.live.load(Relaxed))
    }

    fn allocate(&self, op: &Op) -> Option<Object> {
        let (e, n, a) = (self.entries, op.size, op.align);
        if !self.may(n) {
            return None;
        }
        let plain = Wish::new(n, 1, How::Plain);
        let power = a.is_power_of_two();
        set_errno(UNTOUCHED);
        // SAFETY: allocations ask for nothing but valid alignments where the standard says so, which are looked at here; `out`
        // can be written.
        unsafe {
            match op.kind {
                Kind::Calloc => {
                    let count = [1, 2, 7, 16][usize::from(op.form)];
                    let each = if n >= IMPOSSIBLE { n } else { n.div_ceil(count) };
                    let total = count.checked_mul(each);
                    let mut wish = Wish::new(total.unwrap_or(n), 1, How::Plain);
                    (wish.zero, wish.overflows) = (true, total.is_none());
                    self.got((e.calloc)(count, each), wish, "calloc")
                }
                Kind::AlignedAlloc if self.promise.strict || power => {
                    let mut wish = Wish::new(n, a, How::AlignedAlloc(a));
                    wish.invalid = !power;
                    self.got((e.aligned_alloc)(a, n), wish, "aligned_alloc")
                }
                Kind::PosixMemalign => self.posix_memalign(a, n),
                Kind::Memalign => {
                    // What is no power of two is rounded up to one.
                    let wish = Wish::new(n, a.next_power_of_two(), How::Aligned);
                    self.got((e.memalign)(a, n), wish, "memalign")
                }
                Kind::Valloc => self.got((e.valloc)(n), Wish::new(n, 4096, How::Aligned), "valloc"),
                Kind::Pvalloc => self.got((e.pvalloc)(n), Wish::new(n, 4096, How::Aligned), "pvalloc"),
                Kind::New | Kind::NewArray | Kind::NewNothrow | Kind::NewAligned => self.operator_new(op),
                Kind::RustAlloc | Kind::RustZeroed => self.rust(op),
                _ => self.got((e.malloc)(n), plain, "malloc"),
            }
        }
    }

    /// # Safety
    /// None: every argument has an answer.
    unsafe fn posix_memalign(&self, align: usize, size: usize) -> Option<Object> {
        let mut p = ptr::null_mut();
        // SAFETY: `p` can be written.
        let error = unsafe { (self.entries.posix_memalign)(&mut p, align, size) };
        if self.promise.strict {
            assert!(errno() == UNTOUCHED, "posix_memalign sets errno to {}", errno());
        }
        let mut wish = Wish::new(size, align, How::Aligned);
        wish.invalid = !align.is_power_of_two() || !align.is_multiple_of(size_of::<usize>());
        assert!((error == 0) != p.is_null(), "posix_memalign returns {error} and {p:p}");
        // It returns what others set.
        set_errno(if error == 0 { UNTOUCHED } else { error });
        self.got(p, wish, "posix_memalign")
    }

    /// C++'s operators, which throw what nobody here catches: what cannot be served is only asked of those that do not throw.
    fn operator_new(&self, op: &Op) -> Option<Object> {
        let (n, cxx) = (op.size, self.entries.cxx?);
        let power = op.align.is_power_of_two();
        let nothrow = [0u8; 8];
        // SAFETY: allocations ask for nothing; alignments are powers of two.
        unsafe {
            if op.kind == Kind::NewNothrow {
                let p = (cxx.new_nothrow)(n, nothrow.as_ptr());
                if p.is_null() {
                    // The standard says nothing of `errno` here.
                    set_errno(libc::ENOMEM);
                }
                return self.got(p, Wish::new(n, 1, How::New), "new(nothrow)");
            }
            if n >= IMPOSSIBLE || !self.promise.serves {
                return None;
            }
            match op.kind {
                Kind::New => self.got((cxx.new)(n), Wish::new(n, 1, How::New), "new"),
                Kind::NewArray => self.got((cxx.new_array)(n), Wish::new(n, 1, How::NewArray), "new[]"),
                _ if power => {
                    let wish = Wish::new(n, op.align, How::NewAligned(op.align));
                    self.got((cxx.new_aligned)(n, op.align), wish, "new(align)")
                }
                _ => None,
            }
        }
    }

    /// Rust's layouts: at least a byte, at most `isize::MAX` with the alignment.
    fn rust(&self, op: &Op) -> Option<Object> {
        let (rust, n, a) = (self.entries.rust?, op.size.max(1), op.align);
        if !a.is_power_of_two() || n > isize::MAX as usize - a {
            return None;
        }
        let mut wish = Wish::new(n, a, How::Rust(a));
        set_errno(UNTOUCHED);
        // SAFETY: a valid layout of at least a byte.
        unsafe {
            if op.kind == Kind::RustAlloc {
                return self.got((rust.alloc)(n, a), wish, "alloc");
            }
            wish.zero = true;
            self.got((rust.alloc_zeroed)(n, a), wish, "alloc_zeroed")
        }
    }

    /// The object under its new size, or what it was.
    fn resized(&self, old: Option<Object>, p: *mut u8, wish: Wish, what: &str) -> Option<Object> {
        let Some(old) = old else {
            return self.got(p, wish, what);
        };
        if p.is_null() {
            self.refused(wish, what);
            self.owners.takes(old.at, old.size, "an object that was not resized");
            // SAFETY: the object is as it was.
            unsafe { old.verify(old.at, old.size, "after its resize failed") };
            return Some(old);
        }
        let error = errno();
        // Before it is written anew; whoever else has it is found below.
        let kept = old.size.min(wish.size);
        // SAFETY: the new object has at least so many bytes.
        unsafe { old.verify(p as usize, kept, what) };
        self.live.fetch_sub(old.size, Relaxed);
        set_errno(error);
        self.got(p, wish, what)
    }

    fn realloc(&self, op: &Op, slot: &mut Option<Object>) {
        let (e, n) = (self.entries, op.size);
        if slot.is_some_and(|object| !matches!(object.how, How::Plain | How::AlignedAlloc(_) | How::Aligned))
            || !self.may(n)
        {
            return;
        }
        let array = op.kind == Kind::Reallocarray;
        let count = if array { [1, 2, 7, 16][usize::from(op.form)] } else { 1 };
        let each = if n >= IMPOSSIBLE { n } else { n.div_ceil(count) };
        let total = count.checked_mul(each);
        let mut wish = Wish::new(total.unwrap_or(n), 1, How::Plain);
        wish.overflows = total.is_none();
        let old = slot.take();
        if let Some(old) = old {
            // SAFETY: the slot's lock is held.
            unsafe { old.verify(old.at, old.size, "before realloc") };
            self.owners.gives(old.at);
        }
        let at = old.map_or(ptr::null_mut(), |old| old.at as *mut u8);
        set_errno(UNTOUCHED);
        // SAFETY: null, or the slot's object.
        let p = unsafe {
            if array {
                (e.reallocarray)(at, count, each)
            } else {
                (e.realloc)(at, n)
            }
        };
        if let Some(old) = old
            && p.is_null()
            && total == Some(0)
        {
            // It was freed.
            self.live.fetch_sub(old.size, Relaxed);
            return;
        }
        *slot = self.resized(old, p, wish, "realloc");
    }

    fn rust_realloc(&self, op: &Op, slot: &mut Option<Object>) {
        let n = op.size.max(1);
        let Some(rust) = self.entries.rust else { return };
        let Some(old) = *slot else {
            *slot = self.may(n).then(|| self.rust(op)).flatten();
            return;
        };
        let How::Rust(align) = old.how else { return };
        if !self.may(n) || n > isize::MAX as usize - align {
            return;
        }
        // SAFETY: the object is the slot's, whose lock is held, and was made with this layout.
        let p = unsafe {
            old.verify(old.at, old.size, "before realloc of Rust");
            self.owners.gives(old.at);
            set_errno(UNTOUCHED);
            (rust.realloc)(old.at as *mut u8, old.size, align, n)
        };
        *slot = self.resized(Some(old), p, Wish::new(n, align, old.how), "realloc of Rust");
    }

    /// Objects come and go in bursts, in the order of a stack and of a queue.
    pub(super) fn churn(&self, op: &Op) {
        let size = op.size.min(256 << 10);
        for round in 0..op.count.div_ceil(BURST).min(32) {
            let mut burst = [None; BURST];
            for place in &mut burst {
                if self.may(size) {
                    set_errno(UNTOUCHED);
                    // SAFETY: an allocation asks for nothing.
                    let p = unsafe { (self.entries.malloc)(size) };
                    *place = self.got(p, Wish::new(size, 1, How::Plain), "malloc in turn");
                }
            }
            if round % 2 == 0 {
                burst.reverse();
            }
            burst
                .into_iter()
                .flatten()
                .for_each(|object| self.release(object, op.form));
        }
    }
}
