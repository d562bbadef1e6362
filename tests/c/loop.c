/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop [N]: N containers one after the other leave nothing: no cgroup, mount, child, file or memory.
 */
#include "snapshot.h"

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    brig_runtime *runtime = open_runtime();

    /* The first few fill caches that are meant to stay. */
    for (int i = 0; i < 20; i++)
        CHECK(run_to_end(create(runtime, unique_id(), "true")) == 0);

    struct snapshot before = take();
    for (int i = 0; i < rounds && !failed; i++)
        CHECK(run_to_end(create(runtime, unique_id(), "true")) == 0);
    struct snapshot after = take();

    CHECK(before.cgroups == 0 && after.cgroups == 0);
    CHECK(after.mounts == before.mounts);
    CHECK(before.children == NO_CHILDREN && after.children == NO_CHILDREN);
    CHECK(after.files == before.files);
    CHECK(after.resident_kib <= before.resident_kib + 512);
    fprintf(stderr, "%d containers: %ld KiB resident before, %ld after\n", rounds, before.resident_kib,
            after.resident_kib);

    brig_runtime_unref(runtime);
    return finish();
}
