/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop [N]: N containers one after the other leave nothing: no cgroup, mount, child, file or memory.
 */
#include <dirent.h>
#include <errno.h>

#include "test.h"

/* What /proc and the cgroup file systems say about us and about what we made. */
struct snapshot {
    long cgroups, mounts, children, files, resident_kib;
};

static long count_lines(const char *command)
{
    char line[4096];
    long lines = 0;
    FILE *output = popen(command, "r");
    REQUIRE(output != NULL);
    while (fgets(line, sizeof line, output))
        lines++;
    pclose(output);
    return lines;
}

static long count_files(void)
{
    long count = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %ld", &kib);
    fclose(status);
    return kib;
}

static struct snapshot take(void)
{
    char ours[128];
    snprintf(ours, sizeof ours, "find /sys/fs/cgroup -type d -path '*test-%d-*'", (int)getpid());
    return (struct snapshot){
        .cgroups = count_lines(ours),
        .mounts = count_lines("cat /proc/self/mountinfo"),
        .children = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 1,
        .files = count_files(),
        .resident_kib = resident_kib(),
    };
}

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
    CHECK(before.children == 0 && after.children == 0);
    CHECK(after.files == before.files);
    CHECK(after.resident_kib <= before.resident_kib + 512);
    fprintf(stderr, "%d containers: %ld KiB resident before, %ld after\n", rounds, before.resident_kib,
            after.resident_kib);

    brig_runtime_unref(runtime);
    return finish();
}
