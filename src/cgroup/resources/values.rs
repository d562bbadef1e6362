// SPDX-License-Identifier: Apache-2.0
//! Numbers of config.json → texts of cgroupfs.
//!
/// A text to write, `None` if there is nothing to write, or what is wrong with the value.
pub(super) type Converted = Result<Option<String>, String>;

/// A conversion.
pub(super) type Convert = fn(i128) -> Converted;

/// The number as it is.
pub(super) fn plain(value: i128) -> Converted {
    Ok(Some(value.to_string()))
}

/// 0 or 1.
pub(super) fn flag(value: i128) -> Converted {
    match value {
        0 | 1 => plain(value),
        _ => Err(format!("{value} is neither 0 nor 1")),
    }
}

/// A limit of bytes; -1 is none.
pub(super) fn bytes_v1(value: i128) -> Converted {
    match value {
        ..-1 => Err(below_minus_one(value)),
        _ => plain(value),
    }
}

/// A limit of bytes; -1 is "max".
pub(super) fn bytes_v2(value: i128) -> Converted {
    match value {
        -1 => Ok(Some("max".to_owned())),
        _ => bytes_v1(value),
    }
}

/// A number of processes; -1 is "max".
pub(super) fn count(value: i128) -> Converted {
    bytes_v2(value)
}

/// 0 to 100; up to 200 since Linux 5.8, for swap that is faster than the filesystem.
pub(super) fn swappiness(value: i128) -> Converted {
    match value {
        0..=200 => plain(value),
        _ => Err(format!("{value} is not between 0 and 200")),
    }
}

/// The kernel brings shares into its own bounds silently, 2 to 262144; so that a reader finds the same everywhere, we
/// do.
pub(super) fn shares_v1(value: i128) -> Converted {
    plain(value.clamp(SHARES_MIN, SHARES_MAX))
}

const SHARES_MIN: i128 = 2;
const SHARES_MAX: i128 = 1 << 18;

/// Shares (2…262144, default 1024) as a weight (1…10000, default 100).
///
/// Linear conversion, as runtimes did at first, makes a weight of 39 out of the default. This one, which all took over
/// (runc 1.3.2, crun 1.24), is a parabola on logarithmic scales through the three pairs of minimum, default and maximum:
/// with l = log2(shares), log10(weight) = (l² + 125 l − 126) / 612.
pub(super) fn weight(shares: i128) -> Converted {
    let l = (shares.clamp(SHARES_MIN, SHARES_MAX) as f64).log2();
    let weight = 10f64.powf((l * l + 125.0 * l - 126.0) / 612.0);
    // Rounded up, but not for the last bit of a double.
    Ok(Some(format!("{}", (weight - 1e-9).ceil().clamp(1.0, 10_000.0) as u32)))
}

/// Microseconds of each period; -1 is no limit.
pub(super) fn quota(value: i128) -> Converted {
    match value {
        -1 => plain(value),
        ..0 => Err(below_minus_one(value)),
        0..1000 => Err(format!("{value} is less than the 1000 µs that the kernel takes")),
        _ => plain(value),
    }
}

/// Microseconds.
pub(super) fn period(value: i128) -> Converted {
    match value {
        1000..=1_000_000 => plain(value),
        _ => Err(format!("{value} is not between 1000 and 1000000 µs")),
    }
}

/// Microseconds of each real-time period; -1 is no limit.
pub(super) fn realtime(value: i128) -> Converted {
    bytes_v1(value)
}

/// 10 to 1000, as config.json has it; the BFQ scheduler also takes 1 to 9.
pub(super) fn io_weight(value: i128) -> Converted {
    match value {
        1..=1000 => plain(value),
        _ => Err(format!("{value} is not between 10 and 1000")),
    }
}

/// 10…1000 on the scale of `io.weight`, 1…10000.
pub(super) fn io_weight_v2(value: i128) -> Converted {
    io_weight(value)?;
    plain(1 + (value.max(10) - 10) * 9999 / 990)
}

fn below_minus_one(value: i128) -> String {
    format!("{value} is negative (only -1, for no limit, may be)")
}
