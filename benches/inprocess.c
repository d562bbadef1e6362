/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inprocess - what a container costs a program that links libbrig.
 *
 *     inprocess ROOT BUNDLE MIB all|create
 *
 * Holds MIB MiB of touched memory, as a large host does. For each line that it reads it creates, starts,
 * waits for and deletes a container, and prints how many nanoseconds that took; with `create`, how many
 * the create alone took.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <brig.h>

static void check(brig_status status, const char *what, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "inprocess: %s: %s\n", what, brig_error_message(*error));
    exit(1);
}

/* In small pages, which is the worst case for whoever copies page tables. */
static void touch(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("inprocess: memory");
        exit(1);
    }
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < bytes; at += 4096)
        memory[at] = 1;
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: inprocess ROOT BUNDLE MIB all|create\n");
        return 1;
    }
    int create_only = strcmp(argv[4], "create") == 0;
    const int nowhere[3] = { -1, -1, -1 };

    brig_error *error = NULL;
    brig_runtime *runtime;
    check(brig_runtime_open(argv[1], &runtime, &error), "open", &error);
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = argv[2];
    options.stdio = nowhere;

    touch((size_t)atol(argv[3]) << 20);

    for (int serial = 0; getchar() != EOF; serial++) {
        char id[64];
        snprintf(id, sizeof id, "inside-%d-%d", (int)getpid(), serial);
        brig_container *container;
        brig_process *init;
        brig_exit end = BRIG_INIT(brig_exit);

        long long start = now();
        check(brig_container_create(runtime, id, &options, &container, &error), "create", &error);
        long long created = now();
        check(brig_container_init(container, &init, &error), "init", &error);
        check(brig_container_start(container, &error), "start", &error);
        check(brig_process_wait(init, -1, &end, &error), "wait", &error);
        check(brig_container_delete(container, 0, &error), "delete", &error);
        brig_process_unref(init);
        brig_container_unref(container);

        printf("%lld\n", (create_only ? created : now()) - start);
        fflush(stdout);
    }
    brig_runtime_unref(runtime);
    return 0;
}
