// SPDX-License-Identifier: Apache-2.0
//! Bytes of bounded number on the stack: paths, keys, the text of a failure. Not filled with zeros,
//! so that only the pages that are used are touched.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use syscalls::{Sysno, syscall};

use crate::sys::{Errno, Fd, Result, Word};

/// Up to `N` bytes, the last of which only a NUL takes.
pub struct Buffer<const N: usize> {
    bytes: [MaybeUninit<u8>; N],
    length: usize,
}

impl<const N: usize> Buffer<N> {
    /// No bytes.
    pub const fn new() -> Self {
        Self { bytes: [MaybeUninit::uninit(); N], length: 0 }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no more fits.
    pub fn is_full(&self) -> bool {
        self.length + 1 >= N
    }

    /// Forgets all from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Forgets the first `count` bytes.
    pub fn forget(&mut self, count: usize) {
        let count = count.min(self.length);
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }

    /// Appends `bytes`, all or none.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let room = self.bytes.get_mut(self.length..N - 1).unwrap_or_default();
        let room = room.get_mut(..bytes.len()).ok_or(Errno::ENAMETOOLONG)?;
        for (slot, byte) in room.iter_mut().zip(bytes) {
            slot.write(*byte);
        }
        self.length += bytes.len();
        Ok(())
    }

    /// Appends a number in decimal.
    pub fn push_number(&mut self, mut number: usize) -> Result<()> {
        let mut digits = [b'0'; 20];
        let mut count = 0;
        for slot in digits.iter_mut().rev() {
            *slot += (number % 10) as u8;
            number /= 10;
            count += 1;
            if number == 0 {
                break;
            }
        }
        self.push(digits.get(digits.len() - count..).unwrap_or_default())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the first `length` bytes were written, by `push` or by the kernel.
        unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.length) }
    }

    /// The bytes from `start` on as a string.
    pub fn string(&mut self, start: usize) -> &CStr {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            slot.write(0);
        }
        // SAFETY: `length` is below `N`, so that the NUL was just written behind the bytes.
        let bytes = unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.length + 1) };
        bytes.get(start..).and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok()).unwrap_or_default()
    }

    /// read(2) into the room that is left; how many bytes came.
    pub fn read(&mut self, fd: &Fd) -> Result<usize> {
        let (room, size) = self.room();
        // SAFETY: the kernel writes no more than `size` bytes.
        let count = unsafe { syscall!(Sysno::read, fd.word(), room, size) }?;
        self.length += count;
        Ok(count)
    }

    /// readlinkat(2) into the room that is left.
    pub fn read_link(&mut self, dir: &Fd, path: &CStr) -> Result<()> {
        let (room, size) = self.room();
        // SAFETY: the kernel writes no more than `size` bytes.
        self.length += unsafe { syscall!(Sysno::readlinkat, dir.word(), path.word(), room, size) }?;
        Ok(())
    }

    /// getcwd(2) into the room that is left; the NUL counts.
    pub fn read_cwd(&mut self) -> Result<()> {
        let (room, size) = self.room();
        // SAFETY: the kernel writes no more than `size` bytes.
        self.length += unsafe { syscall!(Sysno::getcwd, room, size) }?;
        Ok(())
    }

    /// getdents64(2) into the room that is left; how many bytes came.
    pub fn read_entries(&mut self, directory: &Fd) -> Result<usize> {
        let (room, size) = self.room();
        // SAFETY: the kernel writes no more than `size` bytes.
        let count = unsafe { syscall!(Sysno::getdents64, directory.word(), room, size) }?;
        self.length += count;
        Ok(count)
    }

    /// flistxattr(2) into the room that is left.
    pub fn list_attributes(&mut self, fd: &Fd) -> Result<()> {
        let (room, size) = self.room();
        // SAFETY: the kernel writes no more than `size` bytes.
        self.length += unsafe { syscall!(Sysno::flistxattr, fd.word(), room, size) }?;
        Ok(())
    }

    /// fgetxattr(2) into the room that is left.
    pub fn read_attribute(&mut self, fd: &Fd, name: &CStr) -> Result<()> {
        let (room, size) = self.room();
        // SAFETY: the name is a live string; the kernel writes no more than `size` bytes.
        self.length += unsafe { syscall!(Sysno::fgetxattr, fd.word(), name.word(), room, size) }?;
        Ok(())
    }

    fn room(&mut self) -> (usize, usize) {
        let room = self.bytes.get_mut(self.length..N - 1).unwrap_or_default();
        (room.as_mut_ptr() as usize, room.len())
    }
}
