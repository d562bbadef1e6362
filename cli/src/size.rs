// SPDX-License-Identifier: Apache-2.0
//! Sizes of memory on a command line: `1073741824`, `512m`, `1.5GiB`, `-1`.

/// Powers of 1024.
const UNITS: &str = "kmgtp";

/// The bytes that a text stands for; -1 for no limit.
pub fn parse(text: &str) -> Result<i64, String> {
    let wrong = || "is not a size such as 512m, 1.5g or -1".to_owned();
    if text == "-1" {
        return Ok(-1);
    }
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let letter = unit.strip_suffix('b').unwrap_or(unit);
    let letter = letter.strip_suffix('i').filter(|letter| !letter.is_empty()).unwrap_or(letter);
    let power = match (letter.len(), UNITS.find(letter)) {
        (0, _) => 0,
        (1, Some(index)) => index + 1,
        _ => return Err(wrong()),
    };
    let factor = 1i64 << (10 * power);
    // Whole numbers exactly; a double would round those of more than 53 bits.
    let bytes = match number.parse::<i64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => {
            let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor as f64;
            (bytes < i64::MAX as f64).then_some(bytes as i64)
        }
    };
    bytes.ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn all_spellings() {
        for (text, bytes) in [
            ("0", 0),
            ("-1", -1),
            ("4096", 4096),
            ("4096b", 4096),
            ("1k", 1 << 10),
            ("64M", 64 << 20),
            ("64 MB", 64 << 20),
            ("64mib", 64 << 20),
            ("1.5g", 3 << 29),
            ("2T", 2 << 40),
            ("1p", 1 << 50),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense() {
        for text in [
            "",
            "-2",
            "-",
            "k",
            "1e",
            "12q",
            "1kk",
            "1.2.3",
            "nan",
            "inf",
            "1 2",
            "0x10",
            "8192p",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
