/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc and the cgroup file systems say about this program and about what it made.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <dirent.h>

#include "test.h"

struct snapshot {
    long cgroups, mounts, children, files, resident_kib;
};

enum { NO_CHILDREN, LIVING_CHILDREN, ZOMBIES };

static inline long count_lines(const char *command)
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

static inline long count_files(void)
{
    long count = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* 0 with the sanitizers: they keep what is freed for a while, and find themselves what is not. */
static inline long resident_kib(void)
{
#ifdef __SANITIZE_ADDRESS__
    return 0;
#endif
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %ld", &kib);
    fclose(status);
    return kib;
}

static inline long look_for_children(void)
{
    pid_t ended = waitpid(-1, NULL, WNOHANG);
    return ended > 0 ? ZOMBIES : ended == 0 ? LIVING_CHILDREN : NO_CHILDREN;
}

static inline struct snapshot take(void)
{
    char ours[128];
    snprintf(ours, sizeof ours, "find /sys/fs/cgroup -type d -path '*test-%d-*'", (int)getpid());
    return (struct snapshot){
        .cgroups = count_lines(ours),
        .mounts = count_lines("cat /proc/self/mountinfo"),
        .children = look_for_children(),
        .files = count_files(),
        .resident_kib = resident_kib(),
    };
}

#endif
