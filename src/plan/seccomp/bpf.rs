// SPDX-License-Identifier: Apache-2.0
//! An interpreter of classic BPF, as far as seccomp(2) allows it.

use super::compile::INSTRUCTION_SIZE;

/// AUDIT_ARCH_* of linux/audit.h for the system calls of this program.
pub const NATIVE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };

/// What the kernel would do on a struct seccomp_data; `None` if the program is none that it would load.
pub fn run(program: &[u8], arch: u32, number: i64, args: [u64; 6]) -> Option<u32> {
    let mut data = Vec::new();
    data.extend((number as u32).to_ne_bytes());
    data.extend(arch.to_ne_bytes());
    data.extend(0_u64.to_ne_bytes());
    args.iter().for_each(|arg| data.extend(arg.to_ne_bytes()));
    let word = |bytes: &[u8], at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (mut counter, mut a, mut x, mut memory) = (0, 0_u32, 0_u32, [0_u32; 16]);
    loop {
        let instruction = program.get(counter * INSTRUCTION_SIZE..)?.get(..INSTRUCTION_SIZE)?;
        let code = u16::from_ne_bytes([instruction[0], instruction[1]]);
        let (jump_true, jump_false, k) = (instruction[2], instruction[3], word(instruction, 4)?);
        let operand = if code & 0x08 == 0 { k } else { x };
        counter += 1;
        match code & 0x07 {
            0 | 1 => {
                let value = match code & 0xe0 {
                    0x00 => k,
                    0x20 => word(&data, k as usize)?,
                    0x60 => *memory.get(k as usize)?,
                    0x80 => data.len() as u32,
                    _ => return None,
                };
                *(if code & 0x07 == 0 { &mut a } else { &mut x }) = value;
            }
            2 => *memory.get_mut(k as usize)? = a,
            3 => *memory.get_mut(k as usize)? = x,
            4 => match code & 0xf0 {
                0x00 => a = a.wrapping_add(operand),
                0x10 => a = a.wrapping_sub(operand),
                0x40 => a |= operand,
                0x50 => a &= operand,
                0x60 => a = a.checked_shl(operand)?,
                0x70 => a = a.checked_shr(operand)?,
                _ => return None,
            },
            5 => {
                let holds = match code & 0xf0 {
                    0x00 => {
                        counter += k as usize;
                        continue;
                    }
                    0x10 => a == operand,
                    0x20 => a > operand,
                    0x30 => a >= operand,
                    0x40 => a & operand != 0,
                    _ => return None,
                };
                counter += usize::from(if holds { jump_true } else { jump_false });
            }
            6 => return Some(if code & 0x18 == 0x10 { a } else { k }),
            _ if code & 0xf8 == 0 => x = a,
            _ => a = x,
        }
    }
}
