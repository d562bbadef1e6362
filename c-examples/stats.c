/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what all containers use, live, and what happens to them, with one poll(2) loop.
 *
 *     cc -o stats stats.c $(pkg-config --cflags --libs brig)
 *     ./stats [SECONDS [ROOT]]
 *
 * Once a second a line for each container: the processor time that it has used, its memory and processes. In
 * between a line for each event, at the moment when it happens. No thread, no signal handler.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <brig.h>

/* Whatever fails ends this program; what a longer one would free, the kernel does here. */
static void must(brig_status status, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "stats: %s\n", brig_error_message(*error));
    exit(EXIT_FAILURE);
}

/* The number after these words, one after the other, between `at` and `end`; a JSON library is the better way. */
static unsigned long long number(const char *at, const char *end, const char *const *words)
{
    for (; *words; words++) {
        at = strstr(at, *words);
        if (!at || at >= end)
            return 0;
        at += strlen(*words);
    }
    return strtoull(at, NULL, 10);
}

static void print_all(brig_runtime *runtime)
{
    static const char *const cpu[] = { "\"cpu\":{", "\"usage\":{\"total\":", NULL };
    static const char *const memory[] = { "\"memory\":{", "\"usage\":{", "\"usage\":", NULL };
    static const char *const pids[] = { "\"pids\":{\"current\":", NULL };
    static const char start[] = "{\"type\":\"stats\",\"id\":\"";
    brig_error *error = NULL;
    char *json;

    must(brig_runtime_stats(runtime, NULL, 0, &json, &error), &error);
    for (const char *at = strstr(json, start), *end; at; at = *end ? end : NULL) {
        const char *next = strstr(at + 1, start);
        end = next ? next : json + strlen(json);
        int length = (int)strcspn(at + strlen(start), "\"");
        printf("%-24.*s %10.3f s %8.1f MiB %6llu\n", length, at + strlen(start), (double)number(at, end, cpu) / 1e9,
               (double)number(at, end, memory) / (1 << 20), number(at, end, pids));
    }
    brig_string_free(json);
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_monitor *monitor;
    struct pollfd file = { .events = POLLIN };
    long long next = now_ms(), end = argc > 1 ? next + 1000LL * atoi(argv[1]) : -1;

    must(brig_runtime_open(argc > 2 ? argv[2] : NULL, &runtime, &error), &error);
    must(brig_runtime_monitor(runtime, NULL, 0, 0, &monitor, &error), &error);
    must(brig_monitor_fd(monitor, &file.fd, &error), &error);
    for (;;) {
        char *event;
        for (;;) {
            must(brig_monitor_next(monitor, &event, &error), &error);
            if (!event)
                break;
            printf("%s\n", event);
            brig_string_free(event);
        }
        if (now_ms() >= next) {
            print_all(runtime);
            next += 1000;
        }
        fflush(stdout);
        if (end >= 0 && now_ms() >= end)
            break;
        long long left = next - now_ms();
        poll(&file, 1, left > 0 ? (int)left : 0);
    }
    close(file.fd);
    brig_monitor_unref(monitor);
    brig_runtime_unref(runtime);
    return EXIT_SUCCESS;
}
