/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a container over time, and what each call says when it is not the time for it. */
#include <poll.h>
#include <signal.h>

#include "test.h"

static void exit_codes(brig_runtime *runtime)
{
    CHECK(run_to_end(create(runtime, unique_id(), "true")) == 0);
    CHECK(run_to_end(create(runtime, unique_id(), "exit-7")) == 7);
}

static void one_life(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = create(runtime, id, "sleep"), *second = NULL, *again = NULL;
    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    pid_t pid = 0;
    int pidfd = -1;
    REQUIRE(container != NULL);

    /* What an exec may start from; and there is no terminal. */
    char *process = NULL;
    EXPECT(BRIG_OK, brig_container_process_spec(container, &process, &error));
    CHECK(process && strstr(process, "\"args\"") && strstr(process, "/bin/sleep"));
    brig_string_free(process);
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_console(container, &pidfd, &error));
    CHECK(pidfd == -1);

    /* Created: it has a process that waits, and nobody else can have its id. */
    CHECK(has_status(container, "created"));
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_process_pid(init, &pid, &error));
    CHECK(pid > 0 && kill(pid, 0) == 0);
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("sleep");
    EXPECT(BRIG_ERR_EXISTS, brig_container_create(runtime, id, &options, &again, &error));
    CHECK(again == NULL);
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait(init, 0, &end, &error));

    /* Running: seen so by a handle that was opened by id, and not to be deleted as it is. */
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    EXPECT(BRIG_OK, brig_container_open(runtime, id, &second, &error));
    CHECK(has_status(second, "running"));
    EXPECT(BRIG_ERR_STATE, brig_container_start(container, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_delete(container, 0, &error));
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait(init, 20, &end, &error));

    /* Stopped: by a signal through the other handle; the pidfd tells. */
    EXPECT(BRIG_OK, brig_process_pidfd(init, &pidfd, &error));
    struct pollfd poll_end = { .fd = pidfd, .events = POLLIN };
    CHECK(poll(&poll_end, 1, 0) == 0);
    EXPECT(BRIG_OK, brig_container_signal(second, SIGKILL, 0, &error));
    CHECK(poll(&poll_end, 1, 10000) == 1);
    EXPECT(BRIG_OK, brig_process_wait(init, 10000, &end, &error));
    CHECK(end.code == -1 && end.signal == SIGKILL);
    end.signal = 0;
    EXPECT(BRIG_OK, brig_process_wait(init, -1, &end, &error));
    CHECK(end.signal == SIGKILL);
    CHECK(has_status(second, "stopped"));
    EXPECT(BRIG_ERR_STATE, brig_container_signal(second, SIGTERM, 0, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_start(second, &error));

    /* Deleted: gone for everybody. */
    EXPECT(BRIG_OK, brig_container_delete(second, 0, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_delete(container, 0, &error));
    brig_container *gone = NULL;
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, id, &gone, &error));
    CHECK(gone == NULL);

    close(pidfd);
    brig_container_unref(container);
    brig_container_unref(second);
    CHECK(brig_process_ref(init) == init);
    brig_process_unref(init);
    brig_process_unref(init);
}

static void deleted_before_its_start(brig_runtime *runtime)
{
    brig_container *container = create(runtime, unique_id(), "sleep");
    REQUIRE(container != NULL);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    brig_container_unref(container);
}

static void list_and_plan(brig_runtime *runtime)
{
    char *list = NULL, *plan = NULL, *quoted = NULL, *root = NULL;
    const char *id = unique_id();
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");

    EXPECT(BRIG_OK, brig_runtime_root(runtime, &root, &error));
    CHECK(root && strcmp(root, setting("TEST_ROOT")) == 0);
    EXPECT(BRIG_OK, brig_container_plan(runtime, id, &options, &plan, &error));
    CHECK(plan && strstr(plan, "mount") && strstr(plan, "/bin/true"));
    brig_container *container = NULL;
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, id, &container, &error));

    container = create(runtime, id, "true");
    EXPECT(BRIG_OK, brig_runtime_list(runtime, &list, &error));
    quoted = malloc(strlen(id) + 3);
    sprintf(quoted, "\"%s\"", id);
    CHECK(list && list[0] == '[' && strstr(list, quoted));
    CHECK(run_to_end(container) == 0);
    brig_string_free(list);
    list = NULL;
    EXPECT(BRIG_OK, brig_runtime_list(runtime, &list, &error));
    CHECK(list && !strstr(list, quoted));

    free(quoted);
    brig_string_free(root);
    brig_string_free(list);
    brig_string_free(plan);
}

/* The files that we pass are the container's: three for stdio, and one that it sees as 3. */
static void files(brig_runtime *runtime)
{
    int output[2], extra[2];
    char text[64] = "";
    REQUIRE(pipe(output) == 0 && pipe(extra) == 0);
    const int stdio[3] = { -1, output[1], -1 };
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("write-1-3");
    options.stdio = stdio;
    options.fds = &extra[1];
    options.fd_count = 1;
    EXPECT(BRIG_OK, brig_container_create(runtime, unique_id(), &options, &container, &error));
    REQUIRE(container != NULL);
    CHECK(run_to_end(container) == 0);

    CHECK(read(output[0], text, sizeof text) == 4 && memcmp(text, "one\n", 4) == 0);
    CHECK(read(extra[0], text, sizeof text) == 6 && memcmp(text, "three\n", 6) == 0);
    CHECK(close(output[0]) == 0 && close(output[1]) == 0 && close(extra[0]) == 0 && close(extra[1]) == 0);
}

/* A spec need not be on disk. */
static void spec_in_memory(brig_runtime *runtime)
{
    char *spec = calloc(1, 1 << 16);
    FILE *config = fopen(bundle("exit-7/config.json"), "r");
    REQUIRE(config && fread(spec, 1, (1 << 16) - 1, config) > 0);
    fclose(config);
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.spec = spec;
    options.rootfs = bundle("true/rootfs");
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_create(runtime, unique_id(), &options, &container, &error));
    free(spec);
    REQUIRE(container != NULL);
    CHECK(run_to_end(container) == 7);
}

int main(void)
{
    brig_runtime *runtime = open_runtime();
    exit_codes(runtime);
    one_life(runtime);
    deleted_before_its_start(runtime);
    list_and_plan(runtime);
    files(runtime);
    spec_in_memory(runtime);

    /* Handles may be given back in any order, and more than one reference taken. */
    brig_container *container = create(runtime, unique_id(), "true");
    CHECK(brig_runtime_ref(runtime) == runtime && brig_container_ref(container) == container);
    brig_runtime_unref(runtime);
    brig_runtime_unref(runtime);
    brig_container_unref(container);
    CHECK(run_to_end(container) == 0);
    return finish();
}
