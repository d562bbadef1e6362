/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run - runs one container, from its bundle to its end.
 *
 *     cc -o run run.c $(pkg-config --cflags --libs brig)
 *     ./run BUNDLE [ID]
 *
 * BUNDLE is a directory with a config.json and the root filesystem that it names. The container
 * gets our stdin, stdout and stderr, and its exit status becomes ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <brig.h>

/* Says what could not be done and why, and frees the error. */
static int failed(const char *what, brig_error *error)
{
    fprintf(stderr, "run: cannot %s: %s\n", what, brig_error_message(error));
    brig_error_free(error);
    return EXIT_FAILURE;
}

/* Starts a created container and waits until its init has ended. Returns its exit status. */
static int start_and_wait(brig_container *container)
{
    brig_error *error = NULL;
    brig_process *init;
    brig_exit end = BRIG_INIT(brig_exit);

    if (brig_container_init(container, &init, &error) != BRIG_OK)
        return failed("find its init process", error);

    if (brig_container_start(container, &error) != BRIG_OK) {
        brig_process_unref(init);
        return failed("start", error);
    }

    brig_status status = brig_process_wait(init, -1, &end, &error);
    brig_process_unref(init);
    if (status != BRIG_OK)
        return failed("wait", error);

    if (end.signal != 0) {
        fprintf(stderr, "run: ended by signal %d (%s)\n", end.signal, strsignal(end.signal));
        return 128 + end.signal;
    }
    fprintf(stderr, "run: ended with exit code %d\n", end.code);
    return end.code;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: run BUNDLE [ID]\n");
        return EXIT_FAILURE;
    }

    char id[32];
    snprintf(id, sizeof id, "run-%d", (int)getpid());

    brig_error *error = NULL;
    brig_runtime *runtime;
    if (brig_runtime_open(NULL, &runtime, &error) != BRIG_OK)
        return failed("open the state directory", error);

    /* All else stays at its default. */
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = argv[1];

    brig_container *container;
    if (brig_container_create(runtime, argc == 3 ? argv[2] : id, &options, &container, &error) != BRIG_OK) {
        brig_runtime_unref(runtime);
        return failed("create", error);
    }

    int status = start_and_wait(container);

    /* A handle is not the container: what we created, we delete. */
    if (brig_container_delete(container, BRIG_DELETE_FORCE, &error) != BRIG_OK)
        status = failed("delete", error);

    brig_container_unref(container);
    brig_runtime_unref(runtime);
    return status;
}
