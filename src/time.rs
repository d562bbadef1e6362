// SPDX-License-Identifier: Apache-2.0
//! Time as text.

use std::time::SystemTime;

use jiff::Timestamp;

/// As RFC 3339 has it, in UTC, with as many digits after the second as it takes: `2026-09-11T10:02:03.5Z`.
pub fn rfc3339(time: SystemTime) -> String {
    // Only a clock beyond the year 9999 does not fit.
    Timestamp::try_from(time).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_times() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_827_696, 123_456_789, "2000-02-29T12:34:56.123456789Z"),
            (1_789_120_923, 500_000_000, "2026-09-11T10:02:03.5Z"),
            (4_107_542_399, 1, "2100-02-28T23:59:59.000000001Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)), text);
        }
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1969-12-31T23:59:59Z");
    }
}
