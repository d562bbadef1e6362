/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit - changes the limits of a container while it runs, and shows what that does.
 *
 *     cc -o limit limit.c $(pkg-config --cflags --libs brig)
 *     ./limit BUNDLE 'RESOURCES' [SECONDS]
 *     ./limit BUNDLE '{"cpu":{"quota":20000,"period":100000}}'
 *
 * RESOURCES is the OCI linux.resources object. It is set in the middle of the time; then the container is deleted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <brig.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Says what could not be done and why, and frees the error. */
static int failed(const char *what, brig_error *error)
{
    fprintf(stderr, "limit: cannot %s: %s\n", what, brig_error_message(error));
    brig_error_free(error);
    return EXIT_FAILURE;
}

/* The number after these words, one after the other; a JSON library is the better way. */
static double number(const char *json, const char *const *words)
{
    for (; json && *words; words++) {
        json = strstr(json, *words);
        json = json ? json + strlen(*words) : NULL;
    }
    return json ? (double)strtoull(json, NULL, 10) : 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Prints what was used since the last time: a line about every half second, until `end`. */
static int show(brig_container *container, double end)
{
    static const char *const cpu[] = { "\"cpu\":{", "\"usage\":{\"total\":", NULL };
    static const char *const memory[] = { "\"memory\":{", "\"usage\":{", "\"usage\":", NULL };
    static const char *const pids[] = { "\"pids\":{\"current\":", NULL };
    double time = 0, used = 0;

    while (!interrupted && seconds() < end) {
        brig_error *error = NULL;
        char *json;
        double last_time = time, last_used = used;

        if (brig_container_stats(container, &json, &error) != BRIG_OK)
            return failed("read what it uses", error);
        time = seconds();
        used = number(json, cpu) / 1e9;
        if (last_time > 0)
            printf("%6.1f %% of a processor, %7.1f MiB, %3.0f processes\n",
                   100 * (used - last_used) / (time - last_time), number(json, memory) / (1 << 20), number(json, pids));
        fflush(stdout);
        brig_string_free(json);
        usleep(500000);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_container *container;
    brig_create_options options = BRIG_INIT(brig_create_options);
    double half = argc > 3 ? atof(argv[3]) / 2 : 2;
    char id[32];

    if (argc < 3) {
        fprintf(stderr, "usage: limit BUNDLE RESOURCES [SECONDS]\n");
        return EXIT_FAILURE;
    }
    snprintf(id, sizeof id, "limit-%d", (int)getpid());
    signal(SIGINT, interrupt);
    options.bundle = argv[1];
    if (brig_runtime_open(NULL, &runtime, &error) != BRIG_OK)
        return failed("open the state directory", error);
    if (brig_container_create(runtime, id, &options, &container, &error) != BRIG_OK)
        return failed("create", error);

    int status = EXIT_SUCCESS;
    if (brig_container_start(container, &error) != BRIG_OK)
        status = failed("start", error);
    if (status == EXIT_SUCCESS)
        status = show(container, seconds() + half);
    if (status == EXIT_SUCCESS && brig_container_update(container, argv[2], &error) != BRIG_OK)
        status = failed("set the limits", error);
    if (status == EXIT_SUCCESS) {
        printf("now %s\n", argv[2]);
        status = show(container, seconds() + half);
    }
    if (brig_container_delete(container, BRIG_DELETE_FORCE, &error) != BRIG_OK)
        status = failed("delete", error);
    brig_container_unref(container);
    brig_runtime_unref(runtime);
    return status;
}
