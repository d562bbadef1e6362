/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brig_container_update() and brig_container_cgroup_fd(): limits that are changed, read back by the directory's
 * descriptor, and refused with a pointer; all or nothing; a container that has ended.
 */
#include <fcntl.h>
#include <signal.h>

#include "test.h"

static brig_container *container;

/* The cgroup with this controller, or -1 on a host without. */
static int cgroup(const char *controller)
{
    int fd = -1;
    brig_error *error = NULL;
    brig_status status = brig_container_cgroup_fd(container, controller, &fd, &error);
    CHECK(status == BRIG_OK || (status == BRIG_ERR_UNSUPPORTED && fd == -1));
    if (status != BRIG_OK)
        fprintf(stderr, "skipped: %s\n", brig_error_message(error));
    else
        CHECK((fcntl(fd, F_GETFL) & O_PATH) && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    brig_error_free(error);
    return fd;
}

static int says(int directory, const char *file, const char *expected)
{
    char text[64] = "";
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 && strncmp(text, expected, strlen(expected)) == 0 && text[strlen(expected)] == '\n';
}

static void refused(const char *resources, brig_status status, const char *pointer)
{
    brig_error *error = NULL;
    CHECK(brig_container_update(container, resources, &error) == status);
    const char *found = error ? brig_error_pointer(error) : NULL;
    if (!found || strcmp(found, pointer) != 0) {
        fprintf(stderr, "%s: not %s but %s: %s\n", resources, pointer, found ? found : "nothing",
                brig_error_message(error));
        CHECK(0);
    }
    brig_error_free(error);
}

int main(void)
{
    brig_runtime *runtime = open_runtime();
    container = create(runtime, unique_id(), "sleep");
    REQUIRE(container != NULL);

    int pids = cgroup("pids"), unified = cgroup(NULL);
    if (pids >= 0) {
        EXPECT(BRIG_OK, brig_container_update(container, "{ \"pids\": { \"limit\": 23 } }", &error));
        CHECK(says(pids, "pids.max", "23"));
        /* The second is refused by the kernel, so the first is put back. */
        refused("{ \"pids\": { \"limit\": 5 }, \"cpu\": { \"cpus\": \"4000\" } }", BRIG_ERR_CONFIG, "/cpu/cpus");
        CHECK(says(pids, "pids.max", "23"));
        EXPECT(BRIG_OK, brig_container_start(container, &error));
        EXPECT(BRIG_OK, brig_container_update(container, "{ \"pids\": { \"limit\": -1 } }", &error));
        CHECK(says(pids, "pids.max", "max"));
    } else {
        EXPECT(BRIG_OK, brig_container_start(container, &error));
    }
    if (unified >= 0) {
        const char *resources = "{ \"unified\": { \"cgroup.max.descendants\": \"7\" } }";
        EXPECT(BRIG_OK, brig_container_update(container, resources, &error));
        CHECK(says(unified, "cgroup.max.descendants", "7"));
    }
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_cgroup_fd(container, "nosuch", &(int){ 0 }, &error));

    /* Devices, which only change if they are there. */
    EXPECT(BRIG_OK, brig_container_update(container, "{}", &error));
    EXPECT(BRIG_OK, brig_container_update(container, "{ \"devices\": [{ \"allow\": false }] }", &error));

    refused("", BRIG_ERR_CONFIG, "");
    refused("[]", BRIG_ERR_CONFIG, "");
    refused("{ \"memory\": { \"limit\": \"much\" } }", BRIG_ERR_CONFIG, "/memory/limit");
    refused("{ \"memory\": { \"limit\": -2 } }", BRIG_ERR_CONFIG, "/memory/limit");
    refused("{ \"devices\": [{ \"allow\": true, \"access\": \"x\" }] }", BRIG_ERR_CONFIG, "/devices/0/access");
    refused("{ \"unified\": { \"cgroup.kill\": \"1\" } }", BRIG_ERR_CONFIG, "/unified/cgroup.kill");

    /* It was created without a class of service, which is looked for after both objects were checked. */
    brig_error *error = NULL;
    CHECK(brig_container_update_rdt(container, NULL, "{ \"memBwSchema\": \"x\" }", &error) == BRIG_ERR_CONFIG);
    CHECK(strcmp(brig_error_pointer(error), "/memBwSchema") == 0);
    brig_error_free(error);
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_update_rdt(container, "{}", "{ \"schemata\": [] }", &error));

    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, 0, &error));
    EXPECT(BRIG_OK, brig_process_wait(init, -1, &end, &error));
    brig_process_unref(init);
    EXPECT(BRIG_ERR_STATE, brig_container_update(container, "{}", &error));

    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_update(container, "{}", &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_cgroup_fd(container, NULL, &(int){ 0 }, &error));
    brig_container_unref(container);
    if (pids >= 0)
        close(pids);
    if (unified >= 0)
        close(unified);
    brig_runtime_unref(runtime);
    return finish();
}
