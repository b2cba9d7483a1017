//! Call stacks, each kept once, and the addresses in them, each kept once.

use super::index::{Index, mixed};

/// Where a stack's frames are.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Stack {
    hash: u64,
    /// The first of its frames.
    at: u32,
    /// Frames.
    count: u32,
}

/// All stacks. Entries are added and never changed, so that whoever knows how many there are can read them without the lock.
pub(super) struct Stacks {
    stacks: *mut Stack,
    of_stack: Index,
    /// Most stacks.
    room: usize,
    /// Numbers of addresses.
    frames: *mut u32,
    used: usize,
    frames_room: usize,
    addresses: *mut u64,
    of_address: Index,
}

/// What stacks need memory for.
pub(super) struct Memory {
    pub stacks: *mut Stack,
    pub stacks_room: usize,
    pub of_stack: Index,
    pub frames: *mut u32,
    pub frames_room: usize,
    pub addresses: *mut u64,
    pub of_address: Index,
}

impl Stacks {
    pub(super) const NONE: Stacks = Stacks {
        stacks: core::ptr::null_mut(),
        of_stack: Index::NONE,
        room: 0,
        frames: core::ptr::null_mut(),
        used: 0,
        frames_room: 0,
        addresses: core::ptr::null_mut(),
        of_address: Index::NONE,
    };

    /// No stacks yet, but the empty one, which is number 0.
    ///
    /// # Safety
    /// The memory is as long as its rooms say, all zero, and this table's alone.
    pub(super) unsafe fn new(memory: Memory) -> Stacks {
        let mut this = Stacks {
            stacks: memory.stacks,
            of_stack: memory.of_stack,
            room: memory.stacks_room,
            frames: memory.frames,
            used: 0,
            frames_room: memory.frames_room,
            addresses: memory.addresses,
            of_address: memory.of_address,
        };
        this.number(&[]);
        this
    }

    /// The number of a stack; 0, that of the empty one, if there is no room for another.
    pub(super) fn number(&mut self, addresses: &[usize]) -> u32 {
        if self.stacks.is_null() {
            return 0;
        }
        let hash = addresses
            .iter()
            .fold(addresses.len() as u64, |hash, a| mixed(hash ^ *a as u64));
        let (stacks, frames, known) = (self.stacks, self.frames, self.addresses);
        let same = |n: usize| {
            // SAFETY: the index has numbers of stacks that were written, and their frames name addresses that were.
            unsafe {
                let stack = &*stacks.add(n);
                let numbers = core::slice::from_raw_parts(frames.add(stack.at as usize), stack.count as usize);
                stack.hash == hash
                    && numbers.len() == addresses.len()
                    && numbers
                        .iter()
                        .zip(addresses)
                        .all(|(n, a)| *known.add(*n as usize) == *a as u64)
            }
        };
        if let Some(number) = self.of_stack.find(hash, same) {
            return number as u32;
        }
        let (at, number) = (self.used, self.of_stack.len());
        if at + addresses.len() > self.frames_room || number >= self.room {
            return 0;
        }
        for (i, address) in addresses.iter().enumerate() {
            let Some(address) = self.address(*address as u64) else {
                return 0;
            };
            // SAFETY: within the room, as was just seen.
            unsafe { *frames.add(at + i) = address };
        }
        // SAFETY: within the room; the index asks for stacks that were written.
        unsafe {
            stacks.add(number).write(Stack {
                hash,
                at: at as u32,
                count: addresses.len() as u32,
            });
            if !self.of_stack.add(hash, |n| (*stacks.add(n)).hash) {
                return 0;
            }
        }
        self.used = at + addresses.len();
        number as u32
    }

    /// The number of an address.
    fn address(&mut self, address: u64) -> Option<u32> {
        let addresses = self.addresses;
        let hash = mixed(address);
        // SAFETY: the index has numbers of addresses that were written.
        if let Some(n) = self.of_address.find(hash, |n| unsafe { *addresses.add(n) == address }) {
            return Some(n as u32);
        }
        let number = self.of_address.len();
        // SAFETY: as above.
        if !self.of_address.add(hash, |n| unsafe { mixed(*addresses.add(n)) }) {
            return None;
        }
        // SAFETY: the index has room for half as many as it has places, and there is memory for as many addresses.
        unsafe { *addresses.add(number) = address };
        Some(number as u32)
    }

    /// What can be read without the lock from now on.
    pub(super) fn view(&self) -> View {
        View {
            stacks: self.stacks,
            count: self.of_stack.len(),
            frames: self.frames,
            addresses: self.addresses,
            address_count: self.of_address.len(),
        }
    }
}

/// The stacks that there were at some time.
#[derive(Clone, Copy)]
pub struct View {
    stacks: *const Stack,
    count: usize,
    frames: *const u32,
    addresses: *const u64,
    address_count: usize,
}

impl View {
    pub(super) const NONE: View = View {
        stacks: core::ptr::null(),
        count: 0,
        frames: core::ptr::null(),
        addresses: core::ptr::null(),
        address_count: 0,
    };

    /// All addresses, by number.
    pub fn addresses(&self) -> &[u64] {
        if self.address_count == 0 {
            return &[];
        }
        // SAFETY: so many were written before the view was made, and none is changed.
        unsafe { core::slice::from_raw_parts(self.addresses, self.address_count) }
    }

    /// The numbers of a stack's addresses, the innermost first.
    pub fn stack(&self, number: u32) -> &[u32] {
        if number as usize >= self.count {
            return &[];
        }
        // SAFETY: so many stacks were written before the view was made, with their frames.
        unsafe {
            let stack = &*self.stacks.add(number as usize);
            core::slice::from_raw_parts(self.frames.add(stack.at as usize), stack.count as usize)
        }
    }
}
