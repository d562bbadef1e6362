// SPDX-License-Identifier: Apache-2.0

/// bpf(2) for device filters.
pub(crate) mod bpf;
