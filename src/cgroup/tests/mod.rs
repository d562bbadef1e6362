// SPDX-License-Identifier: Apache-2.0
//! Tests of the cgroup room. Those in `real_*` need root and say so when they are skipped; all they make on the host
//! is below a cgroup `brig-test-<pid>-<name>` of each hierarchy, and removed at the end.

mod real_v1;
