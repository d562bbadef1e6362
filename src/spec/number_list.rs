// SPDX-License-Identifier: Apache-2.0
//! Lists of CPUs and of memory nodes: `0-3,7`.

/// More CPUs than a kernel can be built for have no number.
pub const CPUS_MAX: usize = 8192;
/// The same for memory nodes.
pub const NODES_MAX: usize = 1024;

/// The list as a bitmask, its lowest number first, in words of 64 bits as the kernel takes them; or what is wrong with it.
pub fn mask(list: &str, most: usize) -> Result<Vec<u8>, String> {
    let mut mask = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            true => Ok(text.parse().unwrap_or(usize::MAX)),
            false => Err(format!("{list:?} is not a list of numbers and ranges such as \"0-3,7\"")),
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("{list:?}: the range {range} ends before it begins"));
        }
        if last >= most {
            return Err(format!("{list:?}: there is no number above {}", most - 1));
        }
        if last / 8 >= mask.len() {
            mask.resize((last / 64 + 1) * 8, 0);
        }
        for bit in first..=last {
            mask[bit / 8] |= 1 << (bit % 8);
        }
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn lists_become_masks() {
        for (list, words) in [
            ("0", &[1][..]),
            ("1,0", &[3]),
            ("0-3,7,7", &[0x8f]),
            ("63-64", &[1 << 63, 1]),
            ("01", &[2]),
            ("255", &[0, 0, 0, 1 << 63]),
        ] {
            let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
            assert_eq!(mask(list, 256), Ok(bytes), "{list}");
        }
        for list in [
            "",
            ",",
            "0,",
            ",0",
            "-",
            "1-",
            "-1",
            "1--2",
            "1-2-3",
            "a",
            "0 ",
            "+1",
            "3-1",
            "256",
            "99999999999999999999",
        ] {
            let text = mask(list, 256).unwrap_err();
            assert!(text.starts_with(&format!("{list:?}")), "{text}");
        }
    }
}
