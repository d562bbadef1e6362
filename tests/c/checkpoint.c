/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brig_container_checkpoint() and brig_container_restore(): a program that reads from a pipe goes on with another pipe, as
 * the caller's own child; images by descriptor; what is refused, by value and by state.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include "test.h"

static char images[512];

static brig_checkpoint_options to(const char *directory)
{
    brig_checkpoint_options options = BRIG_INIT(brig_checkpoint_options);
    options.image_dir = directory;
    return options;
}

static brig_restore_options from(const char *directory)
{
    brig_restore_options options = BRIG_INIT(brig_restore_options);
    options.bundle = bundle("read-7");
    options.image_dir = directory;
    options.stdio = nowhere;
    return options;
}

static int descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static brig_container *reader(brig_runtime *runtime, int pipe)
{
    const int stdio[3] = { pipe, -1, -1 };
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("read-7");
    options.stdio = stdio;
    EXPECT(BRIG_OK, brig_container_create(runtime, unique_id(), &options, &container, &error));
    REQUIRE(container != NULL);
    return container;
}

static void refusals(brig_runtime *runtime, brig_container *container)
{
    brig_container *none = NULL;
    brig_checkpoint_options options = to(images);
    brig_restore_options restore = from(images);

    options.flags = BRIG_RESTORE_TCP_CLOSE;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_checkpoint(container, &options, &error));
    options.flags = BRIG_CHECKPOINT_LAZY_PAGES;
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options = to(images);
    options.page_server = "127.0.0.1";
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options.page_server_port = 0x10000;
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options = to(images);
    options.manage_cgroups = 9;
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options = to(images);
    options.empty_namespaces = CLONE_NEWUTS;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_checkpoint(container, &options, &error));
    options = to(images);
    options.reserved = 1;
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options = to(images);
    options.image_fd = -1;
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    options = to(NULL);
    EXPECT(BRIG_ERR_INVALID, brig_container_checkpoint(container, &options, &error));
    /* It is created, and was not started. */
    options = to(images);
    EXPECT(BRIG_ERR_STATE, brig_container_checkpoint(container, &options, &error));
    CHECK(access(images, F_OK) != 0);

    restore.flags = BRIG_CHECKPOINT_PRE_DUMP;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_restore(runtime, "none", &restore, &none, &error));
    restore = from(images);
    EXPECT(BRIG_ERR_INVALID, brig_container_restore(runtime, "none", &restore, &none, &error));
    restore.bundle = "/no/such";
    EXPECT(BRIG_ERR_CONFIG, brig_container_restore(runtime, "none", &restore, &none, &error));
    CHECK(none == NULL);
}

int main(void)
{
    brig_runtime *runtime = open_runtime();
    brig_container *container, *restored = NULL;
    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    int first[2], second[2], pidfd = -1, open_before;
    pid_t pid = 0;

    signal(SIGPIPE, SIG_IGN);
    snprintf(images, sizeof images, "%s-images", setting("TEST_ROOT"));
    REQUIRE(pipe2(first, O_CLOEXEC) == 0 && pipe2(second, O_CLOEXEC) == 0);
    container = reader(runtime, first[0]);
    refusals(runtime, container);

    EXPECT(BRIG_OK, brig_container_start(container, &error));
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    brig_checkpoint_options options = to(NULL);
    REQUIRE(mkdir(images, 0700) == 0);
    options.image_fd = open(images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(options.image_fd > 0);
    open_before = descriptors();

    /* Somebody who gives up: the container does not notice. */
    int cancel[2];
    REQUIRE(pipe2(cancel, O_CLOEXEC) == 0);
    close(cancel[1]);
    options.cancel_fd = cancel[0];
    EXPECT(BRIG_ERR_CANCELED, brig_container_checkpoint(container, &options, &error));
    CHECK(has_status(container, "running"));
    close(cancel[0]);
    options.cancel_fd = 0;
    CHECK(descriptors() == open_before);

    options.flags = BRIG_CHECKPOINT_LEAVE_RUNNING;
    EXPECT(BRIG_OK, brig_container_checkpoint(container, &options, &error));
    CHECK(has_status(container, "running"));
    options.flags = 0;
    EXPECT(BRIG_OK, brig_container_checkpoint(container, &options, &error));
    CHECK(has_status(container, "stopped"));
    EXPECT(BRIG_OK, brig_process_wait(init, 0, &end, &error));
    CHECK(end.signal == SIGKILL);
    brig_process_unref(init);
    EXPECT(BRIG_ERR_STATE, brig_container_checkpoint(container, &options, &error));
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    brig_container_unref(container);
    CHECK(descriptors() == open_before - 1); /* the pidfd */

    /* Another pipe takes the place of the first. */
    const int stdio[3] = { second[0], -1, -1 };
    brig_restore_options restore = from(NULL);
    restore.image_fd = options.image_fd;
    restore.stdio = stdio;
    EXPECT(BRIG_OK, brig_container_restore(runtime, unique_id(), &restore, &restored, &error));
    REQUIRE(restored != NULL);
    CHECK(has_status(restored, "running"));
    EXPECT(BRIG_OK, brig_container_init(restored, &init, &error));
    EXPECT(BRIG_OK, brig_process_pid(init, &pid, &error));
    EXPECT(BRIG_OK, brig_process_pidfd(init, &pidfd, &error));
    CHECK(waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOHANG | WNOWAIT) == 0); /* it is our child */
    EXPECT(BRIG_OK, brig_container_pause(restored, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_checkpoint(restored, &options, &error));
    CHECK(has_status(restored, "paused"));
    EXPECT(BRIG_OK, brig_container_resume(restored, &error));
    CHECK(write(first[1], "no\n", 3) == 3);
    CHECK(write(second[1], "yes\n", 4) == 4);
    struct pollfd ready = { .fd = pidfd, .events = POLLIN };
    CHECK(poll(&ready, 1, 30000) == 1);
    EXPECT(BRIG_OK, brig_process_wait(init, 30000, &end, &error));
    CHECK(end.code == 7 && end.signal == 0);
    close(pidfd);
    brig_process_unref(init);
    EXPECT(BRIG_OK, brig_container_delete(restored, 0, &error));
    brig_container_unref(restored);
    CHECK(descriptors() == open_before - 1);

    brig_runtime_unref(runtime);
    return finish();
}
