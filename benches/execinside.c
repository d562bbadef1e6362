/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execinside - what an exec costs a program that links libbrig.
 *
 *     execinside ROOT ID PROGRAM
 *
 * For each line that it reads it executes PROGRAM in the container ID and waits for its end, and prints
 * how many nanoseconds that took.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <brig.h>

static void check(brig_status status, const char *what, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "execinside: %s: %s\n", what, brig_error_message(*error));
    exit(1);
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: execinside ROOT ID PROGRAM\n");
        return 1;
    }
    const int nowhere[3] = { -1, -1, -1 };
    char json[1024];
    snprintf(json, sizeof json, "{ \"args\": [\"%s\"], \"cwd\": \"/\", \"noNewPrivileges\": true }", argv[3]);

    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_container *container;
    check(brig_runtime_open(argv[1], &runtime, &error), "open", &error);
    check(brig_container_open(runtime, argv[2], &container, &error), "container", &error);
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    options.process = json;
    options.stdio = nowhere;

    while (getchar() != EOF) {
        brig_process *process;
        brig_exit end = BRIG_INIT(brig_exit);

        long long start = now();
        check(brig_container_exec(container, &options, &process, &error), "exec", &error);
        check(brig_process_wait(process, -1, &end, &error), "wait", &error);
        brig_process_unref(process);
        printf("%lld\n", now() - start);
        fflush(stdout);
    }
    brig_container_unref(container);
    brig_runtime_unref(runtime);
    return 0;
}
