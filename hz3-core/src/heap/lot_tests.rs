//! Lots under threads that take, hand over and free at once.

use super::lot::{GATHERED, LOTS, Seat};
use super::page::PAGES;
use super::page_heap::PageHeap;
use super::reservation::tags;
use super::segment::{SEGMENT, USABLE};
use super::{Heap, Reach, Waiting};
use crate::os::{self, PAGE};
use crate::policy::Policy;
use crate::policy::knobs::OnFull;
use crate::sync::{AtomicUsize, Ordering};
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::vec::Vec;

const THREADS: usize = 4;
/// Objects of 16 pages that fit a segment: 20 in one of 2 MiB.
const FEW: usize = USABLE / 25;

/// A large object on its way to another thread.
struct Handed {
    at: usize,
    bytes: usize,
    stamp: usize,
}

impl Handed {
    /// The first word of each of its pages.
    fn words(&self) -> impl Iterator<Item = *mut usize> {
        (self.at..self.at + self.bytes).step_by(PAGE).map(|p| p as *mut usize)
    }

    fn write(&self) {
        for word in self.words() {
            // SAFETY: the object is out, and this is who has it.
            unsafe { word.write(self.stamp) };
        }
    }

    fn check(&self) {
        for word in self.words() {
            // SAFETY: as in `write`.
            let read = unsafe { word.read() };
            assert_eq!(read, self.stamp, "somebody else wrote to {:x}", self.at);
        }
    }
}

struct World {
    heap: Heap,
    policy: Policy,
}

impl World {
    fn new() -> World {
        World::of(256)
    }

    /// One whose arena has so many segments. Beyond them lies the system.
    fn of(segments: usize) -> World {
        let mut policy = Policy::default();
        policy.arena.size = segments * SEGMENT;
        policy.arena.on_full = OnFull::System;
        policy.purge.dirty = 32 * SEGMENT;
        let (heap, base) = (Heap::new(), AtomicUsize::new(0));
        heap.locked(|h| h.arena.reserve(&policy, tags(&policy), &base));
        World { heap, policy }
    }

    fn take(&self, seat: &Seat, bytes: usize, align: usize, stamp: usize) -> Handed {
        self.take_within(Reach::Arena, seat, bytes, align, stamp)
    }

    fn take_within(&self, reach: Reach, seat: &Seat, bytes: usize, align: usize, stamp: usize) -> Handed {
        let fresh = self.heap.large(&self.policy, reach, bytes, align, seat);
        assert!(!fresh.p.is_null() && (fresh.p as usize).is_multiple_of(align));
        let object = Handed {
            at: fresh.p as usize,
            bytes,
            stamp,
        };
        if fresh.clean {
            // SAFETY: the object was just taken.
            object.words().for_each(|word| unsafe { assert_eq!(word.read(), 0) });
        }
        object.write();
        object
    }

    fn give(&self, seat: &Seat, object: Handed) {
        object.check();
        let p = object.at as *mut u8;
        let what = self.heap.find_large(p).expect("an object that is out is found");
        // SAFETY: the object is out, and nobody uses it any more.
        unsafe { self.heap.give_large(&self.policy, p, what, seat) };
    }

    /// One thread's work: some objects stay, some go to the next thread, some of both are freed, and now and then everything
    /// is recalled or purged.
    fn work(&self, number: usize, inbox: &Receiver<Handed>, next: &Sender<Handed>) {
        let seat = if number == 0 {
            Seat::new()
        } else {
            Seat::in_lot(&self.heap.lots)
        };
        let mut random = number as u64 + 1;
        let mut draw = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        let mut mine: Vec<Handed> = Vec::new();
        for step in 0..3000 {
            match draw(8) {
                0..3 => {
                    let (pages, align) = (1 + draw(200), PAGE << draw(4));
                    mine.push(self.take(&seat, pages * PAGE, align, step << 8 | number));
                }
                3 if !mine.is_empty() => {
                    let object = mine.swap_remove(draw(mine.len()));
                    next.send(object).expect("the next thread is there");
                }
                4 if draw(64) == 0 => self.heap.recall(&Waiting, draw(2) == 0),
                5 if draw(64) == 0 => drop(self.heap.purge_to(&self.policy, 0)),
                6 if draw(16) == 0 => {
                    if let Some(object) = mine.pop() {
                        self.resize(&seat, object, draw(250) + 1, &mut mine);
                    }
                }
                _ if mine.len() > draw(20) => self.give(&seat, mine.swap_remove(0)),
                _ => inbox.try_iter().for_each(|object| self.give(&seat, object)),
            }
        }
        mine.into_iter().for_each(|object| self.give(&seat, object));
    }

    fn resize(&self, seat: &Seat, mut object: Handed, pages: usize, mine: &mut Vec<Handed>) {
        let p = object.at as *mut u8;
        let what = self.heap.find_large(p).expect("an object that is out is found");
        // SAFETY: the object is out, and this is who has it.
        if !unsafe { self.heap.resize_large(&self.policy, p, what, pages * PAGE) } {
            return self.give(seat, object);
        }
        object.bytes = object.bytes.min(pages * PAGE);
        object.check();
        object.bytes = pages * PAGE;
        object.write();
        mine.push(object);
    }
}

#[test]
fn threads_hand_ranges_over() {
    let world = World::new();
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).unzip();
    let inboxes: Vec<Receiver<Handed>> = std::thread::scope(|scope| {
        let threads: Vec<_> = inboxes
            .into_iter()
            .enumerate()
            .map(|(n, inbox)| {
                let (world, next) = (&world, senders[(n + 1) % THREADS].clone());
                scope.spawn(move || {
                    world.work(n, &inbox, &next);
                    inbox
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a thread")).collect()
    });
    drop(senders);
    let seat = Seat::new();
    for inbox in &inboxes {
        inbox.try_iter().for_each(|object| world.give(&seat, object));
    }
    world.heap.purge_to(&world.policy, 0);
    world.heap.purge_huge(None);
    assert_eq!(world.heap.lots.lent.load(Ordering::Relaxed), 0);
    world.heap.locked(|h: &mut PageHeap| {
        assert_eq!((h.segments, h.free_pages, h.dirty_pages, h.arena.used()), (0, 0, 0, 0));
        // SAFETY: nothing of the arena is in use, and the heap ends here.
        unsafe { os::unmap(h.arena.address(0), h.arena.segments() * SEGMENT) };
    });
}

/// Where the arena ends, a lot gets no more, and the page heap serves its threads from the system.
#[test]
fn what_lies_outside_is_not_lent() {
    const SEGMENTS: usize = 8;
    let world = World::of(SEGMENTS);
    let seat = Seat::in_lot(&world.heap.lots);
    let take = |n| world.take_within(Reach::System, &seat, 100 * PAGE, PAGE, n);
    for _ in 0..3 {
        let mine: Vec<Handed> = (0..SEGMENTS * 2 * (USABLE / 100)).map(take).collect();
        assert!(world.heap.lots.lent.load(Ordering::Relaxed) as usize <= SEGMENTS);
        let outside = world.heap.locked(|h| h.outside.len());
        assert!((1..=SEGMENTS * 2).contains(&outside), "{outside} segments outside");
        mine.into_iter().for_each(|object| world.give(&seat, object));
    }
    world.heap.purge_to(&world.policy, 0);
    assert_eq!(world.heap.locked(|h| (h.segments, h.outside.len())), (0, 0));
}

/// What others give back serves the next requests of the same length as it is, and whatever is left of it goes home.
#[test]
fn what_comes_back_serves_as_it_is() {
    let world = World::new();
    let (alone, seat) = (Seat::new(), Seat::in_lot(&world.heap.lots));
    let take = |pages| {
        (0..FEW)
            .map(|n| world.take(&seat, pages * PAGE, 2 * PAGE, n))
            .collect::<Vec<_>>()
    };
    let (mut seen, mut mine) = (BTreeSet::new(), take(16));
    for _ in 0..10 {
        seen.extend(mine.iter().map(|o| o.at));
        mine.into_iter().for_each(|o| world.give(&alone, o));
        mine = take(16);
    }
    // Some gather before the lot looks.
    assert!((FEW..=FEW + GATHERED).contains(&seen.len()), "{} places", seen.len());
    mine.into_iter().for_each(|o| world.give(&alone, o));
    // Nothing of another length is there, so all of it becomes free pages again, and these serve.
    let longer = take(30);
    assert!(longer.iter().any(|o| seen.contains(&o.at)));
    longer.into_iter().for_each(|o| world.give(&alone, o));
    let few = world.take(&seat, 30 * PAGE, PAGE, 1);
    world.give(&seat, few);
    world.heap.recall_all();
    assert!(!world.heap.lots.any());
    world.heap.locked(|h| assert_eq!(h.free_pages, h.segments * USABLE));
}

/// A thread that is in nobody's way has no lot, and a lot keeps no more than it may.
#[test]
fn a_lot_keeps_little() {
    let world = World::new();
    let (alone, seat) = (Seat::new(), Seat::in_lot(&world.heap.lots));
    let objects = |seat| {
        (0..60)
            .map(|n| world.take(seat, 100 * PAGE, PAGE, n))
            .collect::<Vec<_>>()
    };
    objects(&alone).into_iter().for_each(|o| world.give(&alone, o));
    assert_eq!((alone.number(), world.heap.lots.any()), (0, false));
    let mine = objects(&seat);
    assert!(world.heap.lots.lent.load(Ordering::Relaxed) >= 60 * 100 / PAGES as u32);
    // Somebody else frees half of them, and the owner the rest.
    for (n, object) in mine.into_iter().enumerate() {
        let by = if n % 2 == 0 { &alone } else { &seat };
        world.give(by, object);
        let most = world.policy.lot_pages() + 60 * 100 / 8;
        assert!(world.heap.lent(&world.policy, &mut |_| {}) <= most + 100);
    }
    assert!(world.heap.lent(&world.policy, &mut |_| {}) <= world.policy.lot_pages() + PAGES);
    // It does not rest when this is first asked, as it was used.
    world.heap.recall(&Waiting, true);
    assert!(world.heap.lots.any());
    world.heap.recall(&Waiting, true);
    assert!(!world.heap.lots.any());
    const { assert!(LOTS > THREADS) };
}
