//! Every order in which threads can meet in the page heap, within loom's model of memory: with real pages of the kernel's.

use super::large::Large;
use super::lot::Seat;
use super::run::Run;
use super::segment::{HEADER_PAGES, SEGMENT};
use super::tag_table::TagTable;
use super::{Heap, Reach};
use crate::os::{PAGE, watch};
use crate::policy::Policy;
use crate::policy::knobs::OnFull;
use crate::sync::AtomicUsize;
use crate::sync::explore::explore;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::boxed::Box;
use std::vec::Vec;

/// Pages of the first segment that a model may use.
const USED: usize = 8;

/// A heap, and for each of its pages a cell: whoever has the page may touch it, and nobody else. To give a page to the kernel
/// is to touch it.
struct Model {
    heap: Heap,
    policy: Policy,
    base: usize,
    cells: Vec<UnsafeCell<()>>,
}

// SAFETY: pages are touched by who has them; that it is one thread at a time is what the tests prove.
unsafe impl Sync for Model {}
// SAFETY: as above.
unsafe impl Send for Model {}

impl Model {
    fn new() -> Arc<Model> {
        let mut policy = Policy::default();
        policy.arena.size = 4 * SEGMENT;
        policy.arena.on_full = OnFull::Fail;
        let heap = Heap::new();
        let tags = TagTable::new((policy.arena.size / PAGE * 2).next_multiple_of(PAGE), 2, 0);
        let base = heap.locked(|h| {
            h.arena.reserve(&policy, tags, &AtomicUsize::new(0));
            h.arena.base()
        });
        let model = Arc::new(Model {
            heap,
            policy,
            base,
            cells: (0..USED).map(|_| UnsafeCell::new(())).collect(),
        });
        let told = model.clone();
        watch::purges(Some(Box::new(move |p, bytes| told.touch(p, bytes))));
        model
    }

    /// Ends it, when no other thread is left.
    fn end(&self) {
        watch::purges(None);
        // SAFETY: nobody uses the heap any more.
        self.heap.locked(|h| unsafe { h.unmap_unused() });
    }

    fn touch(&self, p: usize, bytes: usize) {
        let first = (p - self.base) / PAGE - HEADER_PAGES;
        for page in first..first + bytes / PAGE {
            let cell = self.cells.get(page).expect("a page that the model knows");
            cell.with_mut(|_| ());
        }
    }

    /// An object of so many pages, which is written to. What is said to be clean has to be so.
    fn make(&self, pages: usize) -> *mut u8 {
        let fresh = self
            .heap
            .large(&self.policy, Reach::Arena, pages * PAGE, PAGE, &Seat::new());
        assert!(!fresh.p.is_null());
        self.touch(fresh.p as usize, pages * PAGE);
        for page in 0..pages {
            // SAFETY: the object is this thread's.
            unsafe {
                let word = fresh.p.add(page * PAGE).cast::<usize>();
                assert!(!fresh.clean || word.read() == 0, "it is said to be clean");
                word.write(fresh.p as usize);
            }
        }
        fresh.p
    }

    /// The object's owner looks it up, and finds its pages and what it wrote.
    fn find(&self, p: *mut u8, pages: usize) -> Large {
        let what = self.heap.find_large(p).expect("the caller's object");
        let Large::Pages(run) = what else {
            panic!("an object of pages")
        };
        // SAFETY: the object is this thread's, so its run is open, and its pages are memory.
        unsafe {
            assert_eq!((Run::base(run), (*run).pages as usize), (p, pages));
            for page in 0..pages {
                assert_eq!(p.add(page * PAGE).cast::<usize>().read(), p as usize, "page {page}");
            }
        }
        what
    }

    fn free(&self, p: *mut u8, pages: usize) {
        let what = self.find(p, pages);
        self.touch(p as usize, pages * PAGE);
        // SAFETY: the object is this thread's, which does not use it any more.
        unsafe { self.heap.give_large(&self.policy, p, what, &Seat::new()) };
    }

    /// Nothing is out, on its way to the kernel, or counted twice.
    fn is_whole(&self) {
        self.heap.purge_to(&self.policy, 0);
        self.heap.locked(|h| {
            assert_eq!((h.dirty_pages, h.purging, h.free_pages, h.segments), (0, 0, 0, 0));
            assert_eq!(h.arena.used(), 0);
        });
    }
}

/// Pages are on their way to the kernel while another thread takes pages and gives them back: nobody has them meanwhile, and
/// they come back once.
#[test]
fn pages_on_their_way_to_the_kernel_are_nobodys() {
    explore(Some(3), || {
        let model = Model::new();
        let kept = model.make(1);
        let gone = model.make(2);
        model.free(gone, 2);
        let purging = {
            let model = model.clone();
            thread::spawn(move || model.heap.purge_to(&model.policy, 0))
        };
        let p = model.make(2);
        model.find(p, 2);
        model.free(p, 2);
        purging.join().unwrap();
        model.free(kept, 1);
        model.is_whole();
        model.end();
    });
}

/// Two threads purge while pages come back: each page goes to the kernel once at a time.
#[test]
fn two_purge_and_none_gets_the_others_pages() {
    explore(Some(2), || {
        let model = Model::new();
        let kept = model.make(1);
        let objects = [model.make(1), model.make(1)];
        model.free(objects[0], 1);
        let other = {
            let model = model.clone();
            thread::spawn(move || model.heap.purge_to(&model.policy, 0))
        };
        model.free(objects[1], 1);
        model.heap.purge_to(&model.policy, 0);
        other.join().unwrap();
        model.free(kept, 1);
        model.is_whole();
        model.end();
    });
}

/// An object's owner looks it up without the lock, while another thread frees what lies beside it, makes another one there and
/// closes the segment when it is the last: each finds its own.
#[test]
fn owners_find_their_objects_while_others_close_theirs() {
    explore(Some(3), || {
        let model = Model::new();
        let (mine, theirs) = (model.make(1), model.make(2) as usize);
        let other = {
            let model = model.clone();
            thread::spawn(move || {
                model.free(theirs as *mut u8, 2);
                let p = model.make(1);
                model.free(p, 1);
            })
        };
        model.find(mine, 1);
        model.free(mine, 1);
        other.join().unwrap();
        model.is_whole();
        model.end();
    });
}
