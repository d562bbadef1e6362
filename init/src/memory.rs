// SPDX-License-Identifier: Apache-2.0
//! The functions that the compiler calls by itself where there is no libc.

macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty $body:block)*) => {$(
        // SAFETY: the C standard's function of this name, for which nothing else is linked.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $answer {
            // SAFETY: the caller keeps the contract of the C function.
            unsafe { $body }
        }
    )*};
}

functions! {
    fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        forwards(to, from, count);
        to
    }

    fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        if (to as usize).wrapping_sub(from as usize) >= count {
            forwards(to, from, count);
        } else {
            for index in (0..count).rev() {
                to.add(index).write(from.add(index).read());
            }
        }
        to
    }

    fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        fill(to, byte as u8, count);
        to
    }

    fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
        for index in 0..count {
            let (one, other) = (one.add(index).read(), other.add(index).read());
            if one != other {
                return i32::from(one) - i32::from(other);
            }
        }
        0
    }

    fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
        memcmp(one, other, count)
    }

    fn strlen(string: *const u8) -> usize {
        let mut length = 0;
        while string.add(length).read() != 0 {
            length += 1;
        }
        length
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn forwards(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: copies what the caller may read to where it may write; the direction flag is clear by the ABI.
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
    // SAFETY: writes where the caller may write; the direction flag is clear by the ABI.
    unsafe {
        core::arch::asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte,
            options(nostack, preserves_flags));
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn forwards(to: *mut u8, from: *const u8, count: usize) {
    for index in 0..count {
        // SAFETY: copies what the caller may read to where it may write.
        unsafe { to.add(index).write(from.add(index).read()) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
    for index in 0..count {
        // SAFETY: writes where the caller may write.
        unsafe { to.add(index).write(byte) };
    }
}
