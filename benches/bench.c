/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench - measures commands side by side.
 *
 *     bench ROUNDS GAP_MS NAME=COMMAND...
 *
 * Every round runs each command once, so that a slow moment of the machine hits all alike; with a gap,
 * it sleeps that long before each. Prints "NAME milliseconds" a line: the median of each.
 *
 * A COMMAND is split at spaces, and @N@ in it becomes a fresh number. It may start with
 *   pure-v1:   to run where /sys/fs/cgroup/unified is not mounted, for a runtime that refuses hybrid;
 *   inside:    to be started once and to measure itself: for each line that it reads it does one round
 *              and prints how many nanoseconds that took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMPETITORS 16
#define MAX_WORDS 32

struct competitor {
    char *name;
    char *words[MAX_WORDS];
    int pure_v1;
    FILE *ask, *answer; /* of an inside: competitor */
    double *times;
};

extern char **environ;
static int host_mounts, pure_v1_mounts;

static void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int enter(int mounts)
{
    return setns(mounts, CLONE_NEWNS);
}

/* Makes a second mount namespace, without the unified hierarchy, and comes back. */
static void make_mount_namespaces(void)
{
    host_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (host_mounts < 0 || unshare(CLONE_NEWNS) < 0)
        die("new mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die("private mounts");
    umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    pure_v1_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (pure_v1_mounts < 0 || enter(host_mounts) < 0)
        die("back to the host's mount namespace");
}

static int take_prefix(char **text, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(*text, prefix, length))
        return 0;
    *text += length;
    return 1;
}

static void start_inside(struct competitor *it)
{
    int ask[2], answer[2];
    if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
        die("pipe");
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ask[0], 0);
    posix_spawn_file_actions_adddup2(&files, answer[1], 1);
    pid_t child;
    errno = posix_spawnp(&child, it->words[0], &files, NULL, it->words, environ);
    if (errno)
        die(it->words[0]);
    posix_spawn_file_actions_destroy(&files);
    close(ask[0]);
    close(answer[1]);
    it->ask = fdopen(ask[1], "w");
    it->answer = fdopen(answer[0], "r");
}

static void prepare(struct competitor *it, char *text, int rounds)
{
    it->name = strsep(&text, "=");
    if (!text)
        die("a competitor is NAME=COMMAND");
    it->pure_v1 = take_prefix(&text, "pure-v1:");
    int inside = take_prefix(&text, "inside:");
    for (int i = 0; i < MAX_WORDS - 1 && text; i++)
        it->words[i] = strsep(&text, " ");
    it->times = calloc((size_t)rounds, sizeof it->times[0]);
    if (!it->times)
        die("memory");
    if (inside)
        start_inside(it);
}

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double ask_inside(struct competitor *it)
{
    double nanoseconds;
    fputs("\n", it->ask);
    fflush(it->ask);
    if (fscanf(it->answer, "%lf", &nanoseconds) != 1) {
        fprintf(stderr, "bench: %s gave no answer\n", it->name);
        exit(1);
    }
    return nanoseconds / 1e6;
}

static double run_command(struct competitor *it)
{
    static int serial;
    char *words[MAX_WORDS] = { NULL }, numbered[MAX_WORDS][256];

    serial++;
    for (int i = 0; it->words[i]; i++) {
        char *at = strstr(it->words[i], "@N@");
        words[i] = it->words[i];
        if (!at)
            continue;
        snprintf(numbered[i], sizeof numbered[i], "%.*s%d%s", (int)(at - words[i]), words[i], serial, at + 3);
        words[i] = numbered[i];
    }

    pid_t child;
    int status;
    if (it->pure_v1 && enter(pure_v1_mounts) < 0)
        die("enter");
    double start = now_ms();
    errno = posix_spawn(&child, words[0], NULL, NULL, words, environ);
    if (errno)
        die(words[0]);
    if (waitpid(child, &status, 0) < 0)
        die("wait");
    double time = now_ms() - start;
    if (it->pure_v1 && enter(host_mounts) < 0)
        die("enter");
    if (status != 0) {
        fprintf(stderr, "bench: %s failed (wait status %#x)\n", it->name, (unsigned)status);
        exit(1);
    }
    return time;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct competitor competitors[MAX_COMPETITORS];
    int count = argc - 3, rounds = argc > 1 ? atoi(argv[1]) : 0;
    if (count < 1 || count > MAX_COMPETITORS || rounds < 1) {
        fprintf(stderr, "usage: bench ROUNDS GAP_MS NAME=COMMAND...\n");
        return 1;
    }
    struct timespec gap = { .tv_nsec = atol(argv[2]) * 1000000 };

    make_mount_namespaces();
    for (int i = 0; i < count; i++)
        prepare(&competitors[i], argv[i + 3], rounds);

    /* The first round warms caches and does not count. */
    for (int round = -1; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            struct competitor *it = &competitors[i];
            nanosleep(&gap, NULL);
            double time = it->ask ? ask_inside(it) : run_command(it);
            if (round >= 0)
                it->times[round] = time;
        }

    for (int i = 0; i < count; i++) {
        struct competitor *it = &competitors[i];
        qsort(it->times, (size_t)rounds, sizeof it->times[0], by_size);
        printf("%s %.3f\n", it->name, it->times[rounds / 2]);
    }
    return 0;
}
