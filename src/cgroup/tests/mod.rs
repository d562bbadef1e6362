// SPDX-License-Identifier: Apache-2.0
//! Tests of the cgroup room. Those in `real_*` need root and say so when they are skipped; all they make on the host
//! is below a cgroup `brig-test-<pid>-<name>` of each hierarchy, and removed at the end.

mod devices;
mod fixture;
mod host;
mod path;
mod real_v1;
mod real_v2;
mod resources;
mod timing;

use super::Host;

/// Each controller alone, and the unified hierarchy beside them with one of its own.
const HYBRID: (&str, &str) = (
    "22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:10 master:1 - cgroup cgroup rw,cpuset,clone_children
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
",
    "9:name=systemd:/
8:pids:/
7:blkio:/
6:freezer:/
5:devices:/
4:memory:/jobs/a:b c
3:cpuset:/
1:cpu,cpuacct:/
0::/jobs/me
",
);

/// The unified hierarchy alone.
const UNIFIED: (&str, &str) = (
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:20 / /sys rw shared:2 - sysfs sysfs rw
23 22 0:21 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
",
    "0::/user.slice/session-1.scope\n",
);

const ALL_CONTROLLERS: &[&str] = &["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"];

fn host(texts: (&str, &str)) -> Host {
    Host::from_texts(texts.0, texts.1)
}
