//! Files, by system calls alone: nothing is allocated, and nobody's hooks are called.

use super::{PAGE, raw};
use core::ffi::CStr;
use core::ptr;

/// An open file, which is closed when this is dropped.
pub struct File(usize);

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this file's own.
        unsafe { raw::call(libc::SYS_close, [self.0, 0, 0, 0, 0, 0]) };
    }
}

/// What became of a request for room on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskRoom {
    /// It is there, or the file system does not tell.
    There,
    /// There is none.
    None,
}

impl File {
    fn at(path: &CStr, flags: i32) -> Option<Self> {
        let (here, flags) = (libc::AT_FDCWD as usize, (flags | libc::O_CLOEXEC) as usize);
        // SAFETY: the path ends with a zero, and outlives the call.
        let file = unsafe { raw::call(libc::SYS_openat, [here, path.as_ptr() as usize, flags, 0o600, 0, 0]) };
        (!raw::failed(file)).then_some(File(file as usize))
    }

    /// A new file, to be read and written by this user only. One of that name is emptied first.
    pub fn create(path: &CStr) -> Option<Self> {
        Self::at(path, libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC)
    }

    /// A file that exists, to be read.
    pub fn open(path: &CStr) -> Option<Self> {
        Self::at(path, libc::O_RDONLY)
    }

    /// A file that exists, to be read and written.
    pub fn open_to_write(path: &CStr) -> Option<Self> {
        Self::at(path, libc::O_RDWR)
    }

    /// A new file that has no name, and lies in memory. None if the kernel refuses.
    pub fn in_memory(name: &CStr) -> Option<Self> {
        let (name, flags) = (name.as_ptr() as usize, libc::MFD_CLOEXEC as usize);
        // SAFETY: the name ends with a zero, and outlives the call.
        let file = unsafe { raw::call(libc::SYS_memfd_create, [name, flags, 0, 0, 0, 0]) };
        (!raw::failed(file)).then_some(File(file as usize))
    }

    /// Its descriptor, which stays this file's.
    pub fn descriptor(&self) -> usize {
        self.0
    }

    /// Reads into the buffer; the number of bytes, 0 at the end or where the kernel refuses.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        let into = buffer.as_mut_ptr() as usize;
        loop {
            // SAFETY: the buffer is as long as it says, and this caller's.
            let got = unsafe { raw::call(libc::SYS_read, [self.0, into, buffer.len(), 0, 0, 0]) };
            if got != -(libc::EINTR as isize) {
                return got.max(0) as usize;
            }
        }
    }

    /// The same from an offset on.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        read_at(self.0, offset, buffer)
    }

    /// Makes the file so long. False if the kernel refuses.
    pub fn set_length(&self, bytes: usize) -> bool {
        // SAFETY: no memory is touched.
        !raw::failed(unsafe { raw::call(libc::SYS_ftruncate, [self.0, bytes, 0, 0, 0, 0]) })
    }

    /// Asks for room on the disk for a part of the file: without it, a write to a mapping of it would end the process.
    pub fn make_room(&self, from: usize, bytes: usize) -> DiskRoom {
        // SAFETY: no memory is touched.
        let r = unsafe { raw::call(libc::SYS_fallocate, [self.0, 0, from, bytes, 0, 0]) };
        if [-(libc::ENOSPC as isize), -(libc::EDQUOT as isize)].contains(&r) {
            DiskRoom::None
        } else {
            DiskRoom::There
        }
    }

    /// Maps the file from its beginning, to be read and written by everybody who maps it; null on refusal. The mapping stays
    /// when the file is closed.
    pub fn map(&self, bytes: usize) -> *mut u8 {
        let access = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let bytes = bytes.next_multiple_of(PAGE);
        // SAFETY: nothing is replaced.
        let p = unsafe { raw::call(libc::SYS_mmap, [0, bytes, access, libc::MAP_SHARED as usize, self.0, 0]) };
        if raw::failed(p) { ptr::null_mut() } else { p as *mut u8 }
    }
}

/// Reads at an offset of an open file; the number of bytes that were there.
pub(super) fn read_at(file: usize, offset: u64, buffer: &mut [u8]) -> usize {
    let into = buffer.as_mut_ptr() as usize;
    // SAFETY: the buffer is as long as it says, and this caller's.
    let got = unsafe { raw::call(libc::SYS_pread64, [file, into, buffer.len(), offset as usize, 0, 0]) };
    got.max(0) as usize
}

/// Removes a file.
pub fn remove(path: &CStr) {
    // SAFETY: the path ends with a zero, and outlives the call.
    unsafe {
        raw::call(
            libc::SYS_unlinkat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0, 0, 0, 0],
        )
    };
}
