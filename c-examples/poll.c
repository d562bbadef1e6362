/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll - one container with a terminal, and one poll(2) loop for all that can happen.
 *
 *     cc -o poll poll.c $(pkg-config --cflags --libs brig)
 *     ./poll BUNDLE [ID]
 *
 * The bundle's config.json has "terminal": true. What is typed goes in, what is printed comes out, and the end
 * is heard of through the pidfd: three files, no thread and no signal handler. Any event loop can take them.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <brig.h>

/* Whatever fails ends this program; what a longer one would free, the kernel does here. */
static void must(brig_status status, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "poll: %s\n", brig_error_message(*error));
    exit(EXIT_FAILURE);
}

/* Copies what is there; 0 at the end. A master's end is EIO: nobody has the terminal open any more. */
static int copy(int from, int to)
{
    char bytes[4096];
    ssize_t count = read(from, bytes, sizeof bytes);

    for (ssize_t done = 0, n; done < count; done += n)
        if ((n = write(to, bytes + done, (size_t)(count - done))) < 0)
            return 0;
    return count > 0;
}

static void loop(int console, int pidfd)
{
    enum { KEYS, SCREEN, END };
    struct pollfd files[] = {
        [KEYS] = { .fd = STDIN_FILENO, .events = POLLIN },
        [SCREEN] = { .fd = console, .events = POLLIN },
        [END] = { .fd = pidfd, .events = POLLIN },
    };

    for (;;) {
        if (poll(files, 3, -1) < 0 && errno != EINTR)
            return;
        /* poll(2) passes over a file that is negative. */
        if (files[KEYS].revents && !copy(STDIN_FILENO, console))
            files[KEYS].fd = -1;
        if (files[SCREEN].revents && !copy(console, STDOUT_FILENO))
            files[SCREEN].fd = -1;
        /* The end may be told before the last words have been read. */
        if (files[END].revents) {
            while (poll(&files[SCREEN], 1, 0) > 0 && copy(console, STDOUT_FILENO)) {
            }
            return;
        }
    }
}

int main(int argc, char **argv)
{
    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_container *container;
    brig_process *init;
    brig_create_options options = BRIG_INIT(brig_create_options);
    brig_exit end = BRIG_INIT(brig_exit);
    int console, pidfd;
    char id[32];

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: poll BUNDLE [ID]\n");
        return EXIT_FAILURE;
    }
    options.bundle = argv[1];
    snprintf(id, sizeof id, "poll-%d", (int)getpid());
    must(brig_runtime_open(NULL, &runtime, &error), &error);
    must(brig_container_create(runtime, argc == 3 ? argv[2] : id, &options, &container, &error), &error);
    must(brig_container_init(container, &init, &error), &error);
    must(brig_process_pidfd(init, &pidfd, &error), &error);
    if (brig_process_console(init, &console, &error) != BRIG_OK) {
        brig_container_delete(container, BRIG_DELETE_FORCE, NULL);
        must(BRIG_ERR_NOT_FOUND, &error);
    }

    /* Our own terminal, if it is one, only shows the container's: the same size, and no interpretation of its own. */
    struct termios before, raw;
    struct winsize size;
    int is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (is_terminal) {
        raw = before;
        cfmakeraw(&raw);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
            ioctl(console, TIOCSWINSZ, &size);
    }
    brig_status started = brig_container_start(container, &error);
    if (started == BRIG_OK)
        loop(console, pidfd);
    if (is_terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);

    /* What we created, we delete; the answer of wait is there already. */
    brig_status waited = started == BRIG_OK ? brig_process_wait(init, -1, &end, &error) : started;
    brig_container_delete(container, BRIG_DELETE_FORCE, NULL);
    must(waited, &error);
    return end.signal ? 128 + end.signal : end.code;
}
