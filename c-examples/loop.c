/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - some containers at once, in one event loop: pidfds tell of their ends, a monitor of everything else.
 *
 *     cc -o loop loop.c $(pkg-config --cflags --libs brig)
 *     ./loop BUNDLE [COUNT]
 *
 * Each container is deleted as soon as it has ended. There is no thread and no SIGCHLD; instead of poll(2) it could
 * be epoll, io_uring, libuv or GLib.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <brig.h>

enum { MOST = 64 };

/* Whatever fails ends this program; what a longer one would free, the kernel does here. */
static void must(brig_status status, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "loop: %s\n", brig_error_message(*error));
    exit(EXIT_FAILURE);
}

static brig_container *containers[MOST];
static brig_process *inits[MOST];
static char names[MOST][32];

static void start(brig_runtime *runtime, const char *bundle, int i, struct pollfd *file)
{
    static const int nowhere[3] = { -1, -1, -1 };
    brig_error *error = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);

    options.bundle = bundle;
    options.stdio = nowhere;
    must(brig_container_create(runtime, names[i], &options, &containers[i], &error), &error);
    must(brig_container_init(containers[i], &inits[i], &error), &error);
    must(brig_process_pidfd(inits[i], &file->fd, &error), &error);
    file->events = POLLIN;
    must(brig_container_start(containers[i], &error), &error);
}

/* Its pidfd is readable: the answer of wait is there. */
static void end(int i, struct pollfd *file)
{
    brig_error *error = NULL;
    brig_exit end = BRIG_INIT(brig_exit);

    must(brig_process_wait(inits[i], 0, &end, &error), &error);
    printf("%s ended with %d\n", names[i], end.signal ? 128 + end.signal : end.code);
    must(brig_container_delete(containers[i], 0, &error), &error);
    brig_process_unref(inits[i]);
    brig_container_unref(containers[i]);
    close(file->fd);
    /* poll(2) passes over a file that is negative. */
    file->fd = -1;
}

int main(int argc, char **argv)
{
    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_monitor *monitor;
    const char *ids[MOST];
    int count = argc > 2 ? atoi(argv[2]) : 4, left;
    /* The last one is the monitor's. */
    struct pollfd files[MOST + 1];

    if (argc < 2 || count < 1 || count > MOST) {
        fprintf(stderr, "usage: loop BUNDLE [COUNT, at most %d]\n", MOST);
        return EXIT_FAILURE;
    }
    must(brig_runtime_open(NULL, &runtime, &error), &error);
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "loop-%d-%d", (int)getpid(), i);
        ids[i] = names[i];
    }
    /* They need not be there yet. */
    must(brig_runtime_monitor(runtime, ids, (size_t)count, 0, &monitor, &error), &error);
    must(brig_monitor_fd(monitor, &files[count].fd, &error), &error);
    files[count].events = POLLIN;
    for (int i = 0; i < count; i++)
        start(runtime, argv[1], i, &files[i]);

    for (left = count; left > 0;) {
        if (poll(files, (nfds_t)count + 1, -1) < 0)
            continue;
        for (char *event = ""; files[count].revents && event;) {
            must(brig_monitor_next(monitor, &event, &error), &error);
            if (event)
                printf("%s\n", event);
            brig_string_free(event);
        }
        for (int i = 0; i < count; i++)
            if (files[i].fd >= 0 && files[i].revents) {
                end(i, &files[i]);
                left--;
            }
    }
    close(files[count].fd);
    brig_monitor_unref(monitor);
    brig_runtime_unref(runtime);
    return EXIT_SUCCESS;
}
