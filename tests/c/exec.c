/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec [N]: programs in a running container. From many threads at once, their ends learnt by poll(2); N of them one
 * after the other (10,000); with SIGCHLD ignored; with a terminal; and what is refused. Nothing is left.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "snapshot.h"

#define THREADS 8
#define EACH    200

static brig_container *container;

/* An exec of a shell that ends with this code. */
static brig_process *start(int code)
{
    char json[256];
    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    snprintf(json, sizeof json, "{ \"cwd\": \"/\", \"args\": [\"/bin/sh\", \"-c\", \"exit %d\"] }", code);
    options.process = json;
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_exec(container, &options, &process, &error));
    REQUIRE(process != NULL);
    return process;
}

/* How it ended, which it has. */
static int code_of(brig_process *process)
{
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_process_wait(process, 0, &end, &error));
    brig_process_unref(process);
    return end.signal ? 128 + end.signal : end.code;
}

static void ends_with(int code)
{
    struct pollfd end = { .fd = -1, .events = POLLIN };
    brig_process *process = start(code);
    EXPECT(BRIG_OK, brig_process_pidfd(process, &end.fd, &error));
    CHECK(poll(&end, 1, 30000) == 1);
    CHECK(code_of(process) == code);
    close(end.fd);
}

static void *many(void *argument)
{
    int first = *(int *)argument;
    for (int i = 0; i < EACH && !failed; i++)
        ends_with((first + i) % 256);
    return NULL;
}

static void from_many_threads(void)
{
    pthread_t threads[THREADS];
    int firsts[THREADS];
    for (int i = 0; i < THREADS; i++) {
        firsts[i] = i * 31;
        REQUIRE(pthread_create(&threads[i], NULL, many, &firsts[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* One loop over all of them, in the order in which they end. */
static void in_one_loop(void)
{
    enum { COUNT = 16 };
    brig_process *processes[COUNT];
    struct pollfd ends[COUNT];
    for (int i = 0; i < COUNT; i++) {
        processes[i] = start(i);
        ends[i].events = POLLIN;
        EXPECT(BRIG_OK, brig_process_pidfd(processes[i], &ends[i].fd, &error));
    }
    for (int left = COUNT; left > 0 && !failed;) {
        CHECK(poll(ends, COUNT, 30000) > 0);
        for (int i = 0; i < COUNT; i++) {
            if (!(ends[i].revents & POLLIN))
                continue;
            CHECK(code_of(processes[i]) == i);
            close(ends[i].fd);
            ends[i].fd = -1;
            left--;
        }
    }
}

/* The kernel reaps the children of such a host at once. */
static void without_sigchld(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int code = 0; code < 20; code++)
        ends_with(code);
    signal(SIGCHLD, SIG_DFL);
}

static void with_a_terminal(void)
{
    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    brig_exit end = BRIG_INIT(brig_exit);
    char text[256] = "";
    int console = -1, again = -7;
    options.process = "{ \"cwd\": \"/\", \"terminal\": true, \"consoleSize\": { \"height\": 24, \"width\": 99 },"
                      "  \"args\": [\"/bin/sh\", \"-c\", \"tty; stty size\"], \"env\": [\"PATH=/bin\"] }";
    EXPECT(BRIG_OK, brig_container_exec(container, &options, &process, &error));
    EXPECT(BRIG_OK, brig_process_console(process, &console, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_console(process, &again, &error));
    CHECK(again == -7 && fcntl(console, F_GETFD) == FD_CLOEXEC);
    size_t length = 0;
    /* It ends with EIO. */
    for (ssize_t count; (count = read(console, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)count;
    CHECK(strcmp(text, "/dev/pts/0\r\n24 99\r\n") == 0);
    EXPECT(BRIG_OK, brig_process_wait(process, 30000, &end, &error));
    CHECK(end.code == 0);
    close(console);
    brig_process_unref(process);
}

static void refuses(brig_status status, const char *json, const char *pointer)
{
    brig_error *error = NULL;
    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    options.process = json;
    options.stdio = nowhere;
    brig_container_exec(container, &options, &process, &error);
    const char *at = brig_error_pointer(error);
    CHECK((at == NULL) == (pointer == NULL) && (!at || strcmp(at, pointer) == 0));
    CHECK(answered(status, brig_error_status(error), &error));
    CHECK(process == NULL);
}

static void what_is_refused(void)
{
    refuses(BRIG_ERR_CONFIG, "[]", "");
    refuses(BRIG_ERR_CONFIG, "{ \"cwd\": \"/\", \"args\": [] }", "/args");
    refuses(BRIG_ERR_CONFIG, "{ \"cwd\": \"/\", \"args\": [\"a\"], \"env\": [\"A\"] }", "/env/0");
    refuses(BRIG_ERR_PROGRAM, "{ \"cwd\": \"/\", \"args\": [\"/no/such\"] }", "/args/0");
    refuses(BRIG_ERR_FAILED, "{ \"cwd\": \"/no/such\", \"args\": [\"/bin/true\"] }", "/cwd");

    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    int closed[3] = { -1, 977, -1 }, ends[2];
    options.process = "{ \"cwd\": \"/\", \"args\": [\"/bin/true\"] }";
    options.stdio = closed;
    EXPECT(BRIG_ERR_INVALID, brig_container_exec(container, &options, &process, &error));
    options.stdio = nowhere;
    options.flags = 1 << 20;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_exec(container, &options, &process, &error));
    options.flags = 0;
    options.reserved = 1;
    EXPECT(BRIG_ERR_INVALID, brig_container_exec(container, &options, &process, &error));
    options.reserved = 0;
    options.cgroup = "../x";
    EXPECT(BRIG_ERR_INVALID, brig_container_exec(container, &options, &process, &error));
    options.cgroup = NULL;
    REQUIRE(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    options.cancel_fd = ends[0];
    EXPECT(BRIG_ERR_CANCELED, brig_container_exec(container, &options, &process, &error));
    close(ends[0]);
    close(ends[1]);
    CHECK(process == NULL);
}

static void paused(void)
{
    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    char *pids = NULL;
    EXPECT(BRIG_ERR_STATE, brig_container_resume(container, &error));
    EXPECT(BRIG_OK, brig_container_pause(container, &error));
    CHECK(has_status(container, "paused"));
    options.process = "{ \"cwd\": \"/\", \"args\": [\"/bin/true\"] }";
    EXPECT(BRIG_ERR_STATE, brig_container_exec(container, &options, &process, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_pause(container, &error));
    EXPECT(BRIG_OK, brig_container_resume(container, &error));
    CHECK(has_status(container, "running"));
    EXPECT(BRIG_OK, brig_container_processes(container, &pids, &error));
    CHECK(pids && pids[0] == '[' && !strchr(pids, ','));
    brig_string_free(pids);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 10000;
    brig_runtime *runtime = open_runtime();
    container = create(runtime, unique_id(), "sleep");
    REQUIRE(container != NULL);
    EXPECT(BRIG_OK, brig_container_start(container, &error));

    /* What is there to stay: caches, and the memory of so many threads. */
    from_many_threads();
    struct snapshot before = take();
    from_many_threads();
    in_one_loop();
    without_sigchld();
    with_a_terminal();
    what_is_refused();
    paused();
    for (int i = 0; i < rounds && !failed; i++)
        ends_with(i % 256);
    struct snapshot after = take();

    CHECK(before.children == LIVING_CHILDREN && after.children == LIVING_CHILDREN);
    CHECK(after.cgroups == before.cgroups);
    CHECK(after.mounts == before.mounts);
    CHECK(after.files == before.files);
    CHECK(after.resident_kib <= before.resident_kib + 512);
    fprintf(stderr, "%d and %d executions: %ld KiB resident before, %ld after\n", THREADS * EACH, rounds,
            before.resident_kib, after.resident_kib);

    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, 0, &error));
    brig_process *process = NULL, *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_process_wait(init, 30000, &end, &error));
    brig_process_unref(init);
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    options.process = "{ \"cwd\": \"/\", \"args\": [\"/bin/true\"] }";
    EXPECT(BRIG_ERR_STATE, brig_container_exec(container, &options, &process, &error));
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_exec(container, &options, &process, &error));
    CHECK(process == NULL && look_for_children() == NO_CHILDREN);

    brig_container_unref(container);
    brig_runtime_unref(runtime);
    return finish();
}
