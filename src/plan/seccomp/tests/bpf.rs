// SPDX-License-Identifier: Apache-2.0
//! An interpreter of classic BPF, as far as seccomp(2) allows it.

/// What the kernel would do: classic BPF as seccomp(2) allows it, on a struct seccomp_data.
pub fn run(program: &[u8], arch: u32, number: i64, args: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend((number as u32).to_ne_bytes());
    data.extend(arch.to_ne_bytes());
    data.extend(0_u64.to_ne_bytes());
    args.iter().for_each(|arg| data.extend(arg.to_ne_bytes()));
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut counter, mut a, mut x, mut memory) = (0, 0_u32, 0_u32, [0_u32; 16]);
    loop {
        let instruction = &program[counter * 8..counter * 8 + 8];
        let code = u16::from_ne_bytes([instruction[0], instruction[1]]);
        let (jump_true, jump_false, k) = (instruction[2], instruction[3], word(instruction, 4));
        let operand = if code & 0x08 == 0 { k } else { x };
        counter += 1;
        match code & 0x07 {
            0 | 1 => {
                let value = match code & 0xe0 {
                    0x00 => k,
                    0x20 => word(&data, k as usize),
                    0x60 => memory[k as usize],
                    0x80 => data.len() as u32,
                    mode => panic!("load {mode:#x}"),
                };
                *(if code & 0x07 == 0 { &mut a } else { &mut x }) = value;
            }
            2 => memory[k as usize] = a,
            3 => memory[k as usize] = x,
            4 => match code & 0xf0 {
                0x00 => a = a.wrapping_add(operand),
                0x10 => a = a.wrapping_sub(operand),
                0x40 => a |= operand,
                0x50 => a &= operand,
                0x60 => a <<= operand,
                0x70 => a >>= operand,
                operation => panic!("arithmetic {operation:#x}"),
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
                    jump => panic!("jump {jump:#x}"),
                };
                counter += usize::from(if holds { jump_true } else { jump_false });
            }
            6 => return if code & 0x18 == 0x10 { a } else { k },
            _ if code & 0xf8 == 0 => x = a,
            _ => a = x,
        }
    }
}
