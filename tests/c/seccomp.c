/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of a seccomp filter in the hands of the caller, who answers for the kernel: of a container and of an
 * exec. Who may take it, and when.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test.h"

static const char filter[] = "\"linux\": { \"seccomp\": { \"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\":"
                             " [{ \"names\": [\"mkdir\", \"mkdirat\"%s], \"action\": \"SCMP_ACT_NOTIFY\" }] },";

/* The bundle's config.json with such a filter, that perhaps notifies of more. */
static char *spec_with_filter(const char *name, const char *more)
{
    char path[600], text[16384], rule[512], *spec = NULL;
    snprintf(path, sizeof path, "%s/config.json", bundle(name));
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char *linux_ = strstr(text, "\"linux\": {");
    REQUIRE(linux_ != NULL);
    *linux_ = '\0';
    snprintf(rule, sizeof rule, filter, more);
    REQUIRE(asprintf(&spec, "%s%s%s", text, rule, linux_ + strlen("\"linux\": {")) > 0);
    return spec;
}

static brig_status create_notifying(brig_runtime *runtime, const char *id, const char *name, const char *more,
                                    uint64_t flags, brig_container **container, brig_error **error)
{
    brig_create_options options = BRIG_INIT(brig_create_options);
    char *spec = spec_with_filter(name, more);
    options.bundle = bundle(name);
    options.spec = spec;
    options.stdio = nowhere;
    options.flags = flags;
    brig_status status = brig_container_create(runtime, id, &options, container, error);
    free(spec);
    return status;
}

/* Waits for a notification of mkdir, and lets it fail. */
static void answer(int listener, int errno_)
{
    struct seccomp_notif request = { 0 };
    struct seccomp_notif_resp response = { 0 };
    struct pollfd ready = { .fd = listener, .events = POLLIN };
    CHECK(fcntl(listener, F_GETFD) == FD_CLOEXEC);
    REQUIRE(poll(&ready, 1, 30000) == 1 && ready.revents & POLLIN);
    REQUIRE(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0);
#ifdef SYS_mkdir
    CHECK(request.data.nr == SYS_mkdir || request.data.nr == SYS_mkdirat);
#else
    CHECK(request.data.nr == SYS_mkdirat);
#endif
    response.id = request.id;
    response.error = -errno_;
    CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0);
}

static int code_of(brig_process *process)
{
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_process_wait(process, 30000, &end, &error));
    return end.signal ? 128 + end.signal : end.code;
}

/* The program says in its exit code what mkdir said. */
static void of_a_container(brig_runtime *runtime)
{
    brig_container *container = NULL, *other = NULL;
    brig_process *init = NULL;
    const char *id = unique_id();
    int listener = -1;
    EXPECT(BRIG_OK, create_notifying(runtime, id, "mkdir", "", BRIG_CREATE_SECCOMP_FD, &container, &error));
    REQUIRE(container != NULL);
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_seccomp_fd(container, &listener, &error));

    /* Who would answer? */
    EXPECT(BRIG_OK, brig_container_open(runtime, id, &other, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_start(other, &error));
    CHECK(has_status(container, "created"));

    EXPECT(BRIG_OK, brig_container_start(container, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_seccomp_fd(other, &listener, &error));
    EXPECT(BRIG_OK, brig_container_seccomp_fd(container, &listener, &error));
    int again = -7;
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_seccomp_fd(container, &again, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_seccomp_fd(init, &again, &error));
    CHECK(again == -7);

    /* mkdir(1) says so, and the shell passes it on. */
    answer(listener, EDOM);
    CHECK(code_of(init) == 33);
    close(listener);
    brig_process_unref(init);
    brig_container_unref(other);
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    brig_container_unref(container);
}

static void of_an_exec(brig_runtime *runtime)
{
    brig_container *container = NULL;
    brig_process *process = NULL;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    int listener = -1;
    EXPECT(BRIG_OK, create_notifying(runtime, unique_id(), "sleep", "", BRIG_CREATE_SECCOMP_FD, &container, &error));
    REQUIRE(container != NULL);
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    options.process = "{ \"cwd\": \"/\", \"args\": [\"/bin/sh\", \"-c\", \"/bin/mkdir /tmp/x || exit 33\"] }";
    options.stdio = nowhere;
    EXPECT(BRIG_ERR_STATE, brig_container_exec(container, &options, &process, &error));
    CHECK(process == NULL);
    options.flags = BRIG_EXEC_SECCOMP_FD;
    EXPECT(BRIG_OK, brig_container_exec(container, &options, &process, &error));
    EXPECT(BRIG_OK, brig_process_seccomp_fd(process, &listener, &error));
    answer(listener, EDOM);
    CHECK(code_of(process) == 33);
    close(listener);
    brig_process_unref(process);

    /* Nobody takes it: there is no such call any more. */
    EXPECT(BRIG_OK, brig_container_exec(container, &options, &process, &error));
    EXPECT(BRIG_OK, brig_process_seccomp_fd(process, &listener, &error));
    close(listener);
    CHECK(code_of(process) == 33);
    brig_process_unref(process);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    brig_container_unref(container);
}

static void refuses(brig_runtime *runtime, const char *more, uint64_t flags, const char *pointer)
{
    brig_container *container = NULL;
    brig_error *error = NULL;
    create_notifying(runtime, unique_id(), "true", more, flags, &container, &error);
    CHECK(error && brig_error_pointer(error) && strcmp(brig_error_pointer(error), pointer) == 0);
    CHECK(answered(BRIG_ERR_CONFIG, brig_error_status(error), &error));
    CHECK(container == NULL);
}

int main(void)
{
    brig_runtime *runtime = open_runtime();
    of_a_container(runtime);
    of_an_exec(runtime);
    /* Nobody asked for it; and what nobody could answer in time. */
    refuses(runtime, "", 0, "/linux/seccomp/syscalls/0/action");
    refuses(runtime, ", \"execve\"", BRIG_CREATE_SECCOMP_FD, "/linux/seccomp/syscalls/0/names/2");
    brig_runtime_unref(runtime);
    return finish();
}
