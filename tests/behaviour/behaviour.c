/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenarios of scenarios.txt from C. See run.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "test.h"

static brig_runtime *runtime;

/* A container, and what most scenarios need of it. */
struct one {
    brig_container *container;
    brig_process *init;
    char id[64];
};

static struct one created_with(const char *name, brig_create_options *options)
{
    struct one one = { 0 };
    options->bundle = bundle(name);
    if (!options->stdio)
        options->stdio = nowhere;
    snprintf(one.id, sizeof one.id, "%s", unique_id());
    EXPECT(BRIG_OK, brig_container_create(runtime, one.id, options, &one.container, &error));
    REQUIRE(one.container != NULL);
    EXPECT(BRIG_OK, brig_container_init(one.container, &one.init, &error));
    return one;
}

static struct one created(const char *name)
{
    brig_create_options options = BRIG_INIT(brig_create_options);
    return created_with(name, &options);
}

static struct one running(const char *name)
{
    struct one one = created(name);
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    return one;
}

/* The exit code, or minus the signal. */
static int end_of(brig_process *process)
{
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_process_wait(process, 30000, &end, &error));
    return end.signal ? -end.signal : end.code;
}

static void gone(struct one one)
{
    brig_error *error = NULL;
    brig_status status = brig_container_delete(one.container, BRIG_DELETE_FORCE, &error);
    CHECK(status == BRIG_OK || status == BRIG_ERR_NOT_FOUND);
    brig_error_free(error);
    brig_process_unref(one.init);
    brig_container_unref(one.container);
}

static void is_not_there(const char *id)
{
    brig_container *container = NULL;
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, id, &container, &error));
    CHECK(container == NULL);
}

/* Whether a string that is ours has this in it. */
static int has(char *text, const char *part)
{
    int found = text && strstr(text, part) != NULL;
    if (!found)
        fprintf(stderr, "no %s in %s\n", part, text ? text : "NULL");
    brig_string_free(text);
    return found;
}

/* All that comes out of a file, up to `size`. */
static size_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t count;
    while (length < size - 1 && (count = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)count;
    text[length] = '\0';
    return length;
}

/* One more program like the container's own, with other arguments: a JSON array. */
static brig_status execute(brig_container *container, const char *arguments, const int *stdio, brig_process **process,
                           brig_error **error)
{
    char spec[512];
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    snprintf(spec, sizeof spec, "{\"cwd\":\"/\",\"args\":%s,\"env\":[\"PATH=/bin\",\"WORD=error\"]}", arguments);
    options.process = spec;
    options.stdio = stdio;
    return brig_container_exec(container, &options, process, error);
}

static void version(void)
{
    char text[32];
    uint32_t number = brig_version_number();
    snprintf(text, sizeof text, "%u.%u.%u", number / 1000000, number / 1000 % 1000, number % 1000);
    CHECK(strcmp(text, brig_version()) == 0 && strcmp(text, setting("TEST_VERSION")) == 0);
    CHECK(number == BRIG_VERSION_MAJOR * 1000000 + BRIG_VERSION_MINOR * 1000 + BRIG_VERSION_PATCH);
}

static void features(void)
{
    char *json = NULL;
    EXPECT(BRIG_OK, brig_features(&json, &error));
    CHECK(has(json, "\"mount\""));
}

static void default_spec(void)
{
    char *json = NULL, *mistakes = NULL;
    EXPECT(BRIG_OK, brig_spec_default(0, &json, &error));
    EXPECT(BRIG_OK, brig_spec_validate(json, &mistakes, &error));
    CHECK(strcmp(mistakes, "[]") == 0);
    brig_string_free(mistakes);
    brig_string_free(json);
    EXPECT(BRIG_OK, brig_spec_default(BRIG_SPEC_ROOTLESS, &json, &error));
    CHECK(has(json, "\"user\""));
}

static void validate(void)
{
    char *mistakes = NULL;
    EXPECT(BRIG_OK, brig_spec_validate("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"hostname\":7,"
                                       "\"process\":{\"cwd\":\"relative\",\"args\":[\"sh\"]}}",
                                       &mistakes, &error));
    CHECK(mistakes && strstr(mistakes, "\"/hostname\""));
    CHECK(has(mistakes, "\"/process/cwd\""));
}

static void exit_code(void)
{
    struct one one = running("exit-7");
    CHECK(end_of(one.init) == 7);
    gone(one);
}

static void exit_signal(void)
{
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_container_signal(one.container, SIGKILL, 0, &error));
    CHECK(end_of(one.init) == -SIGKILL);
    gone(one);
}

static void stdio(void)
{
    int in[2], out[2];
    char text[64];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    const int files[3] = { in[0], out[1], -1 };
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.stdio = files;
    struct one one = created_with("echo", &options);
    close(in[0]);
    close(out[1]);
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    CHECK(write(in[1], "word\n", 5) == 5);
    read_all(out[0], text, sizeof text);
    CHECK(strcmp(text, "got word\n") == 0);
    CHECK(end_of(one.init) == 7);
    close(in[1]);
    close(out[0]);
    gone(one);
}

static void extra_files(void)
{
    int out[2];
    char text[64];
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.fds = &out[1];
    options.fd_count = 1;
    struct one one = created_with("write-3", &options);
    close(out[1]);
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    end_of(one.init);
    read_all(out[0], text, sizeof text);
    CHECK(strcmp(text, "three\n") == 0);
    close(out[0]);
    gone(one);
}

static char config[1 << 16];

static void read_config(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", bundle(name));
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0 && read_all(file, config, sizeof config) > 0);
    close(file);
}

static void spec_in_memory(void)
{
    char rootfs[600];
    struct one one = { 0 };
    brig_create_options options = BRIG_INIT(brig_create_options);
    read_config("exit-7");
    snprintf(rootfs, sizeof rootfs, "%s/rootfs", bundle("true"));
    options.spec = config;
    options.rootfs = rootfs;
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_create(runtime, unique_id(), &options, &one.container, &error));
    REQUIRE(one.container != NULL);
    CHECK(run_to_end(one.container) == 7);
}

static void state(void)
{
    char *text = NULL;
    struct one one = created("sleep");
    EXPECT(BRIG_OK, brig_container_state(one.container, &text, &error));
    CHECK(text && strstr(text, one.id) && strstr(text, bundle("sleep")));
    brig_string_free(text);
    CHECK(has_status(one.container, "created"));
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    CHECK(has_status(one.container, "running"));
    EXPECT(BRIG_OK, brig_container_signal(one.container, SIGKILL, 0, &error));
    end_of(one.init);
    CHECK(has_status(one.container, "stopped"));
    gone(one);
}

static void list(void)
{
    char *text = NULL;
    struct one first = created("sleep"), second = created("sleep");
    EXPECT(BRIG_OK, brig_runtime_list(runtime, &text, &error));
    CHECK(text && strstr(text, first.id) && strstr(text, second.id) && strstr(text, first.id) < strstr(text, second.id));
    brig_string_free(text);
    gone(first);
    EXPECT(BRIG_OK, brig_runtime_list(runtime, &text, &error));
    CHECK(text && !strstr(text, first.id));
    brig_string_free(text);
    gone(second);
}

static void open_again(void)
{
    struct one one = running("sleep");
    brig_container *other = NULL;
    EXPECT(BRIG_OK, brig_container_open(runtime, one.id, &other, &error));
    CHECK(has_status(other, "running"));
    brig_container_unref(other);
    CHECK(has_status(one.container, "running"));
    gone(one);
    is_not_there(one.id);
}

static void exec_output(void)
{
    static char text[400000];
    int in[2], out[2], problems[2];
    size_t written = 0, length = 0;
    brig_process *process = NULL;
    struct one one = running("sleep");
    REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(problems, O_CLOEXEC) == 0);
    const int files[3] = { in[0], out[1], problems[1] };
    EXPECT(BRIG_OK, execute(one.container, "[\"sh\",\"-c\",\"cat; echo $WORD >&2; exit 3\"]", files, &process, &error));
    close(in[0]);
    close(out[1]);
    close(problems[1]);
    /* More than a pipe holds, both ways. */
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    for (ssize_t count = 1; count > 0;) {
        struct pollfd wait[2] = { { .fd = in[1], .events = POLLOUT }, { .fd = out[0], .events = POLLIN } };
        REQUIRE(poll(wait, 2, 30000) > 0);
        if (wait[0].revents & POLLOUT) {
            ssize_t now = write(in[1], text, 300000 - written);
            written += now > 0 ? (size_t)now : 0;
            if (written == 300000) {
                close(in[1]);
                in[1] = -1;
            }
        }
        if (wait[1].revents) {
            count = read(out[0], text, sizeof text);
            length += count > 0 ? (size_t)count : 0;
        }
    }
    CHECK(length == 300000);
    read_all(problems[0], text, sizeof text);
    CHECK(strcmp(text, "error\n") == 0);
    CHECK(end_of(process) == 3);
    close(out[0]);
    close(problems[0]);
    brig_process_unref(process);
    gone(one);
}

static void exec_no_program(void)
{
    struct one one = running("sleep");
    brig_process *process = NULL;
    EXPECT(BRIG_ERR_PROGRAM, execute(one.container, "[\"/no/such/program\"]", nowhere, &process, &error));
    CHECK(process == NULL);
    gone(one);
}

static void processes(void)
{
    char *text = NULL, expected[32];
    pid_t pid = 0;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_process_pid(one.init, &pid, &error));
    EXPECT(BRIG_OK, brig_container_processes(one.container, &text, &error));
    snprintf(expected, sizeof expected, "[%d]", (int)pid);
    CHECK(text && strcmp(text, expected) == 0);
    brig_string_free(text);
    gone(one);
}

static void signals(void)
{
    brig_process *process = NULL;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, execute(one.container, "[\"sleep\",\"1000\"]", nowhere, &process, &error));
    EXPECT(BRIG_OK, brig_process_signal(process, SIGKILL, &error));
    CHECK(end_of(process) == -SIGKILL);
    brig_process_unref(process);
    EXPECT(BRIG_OK, execute(one.container, "[\"sleep\",\"1000\"]", nowhere, &process, &error));
    EXPECT(BRIG_OK, brig_container_signal(one.container, SIGKILL, BRIG_SIGNAL_ALL, &error));
    CHECK(end_of(process) == -SIGKILL && end_of(one.init) == -SIGKILL);
    EXPECT(BRIG_ERR_STATE, brig_container_signal(one.container, SIGTERM, 0, &error));
    brig_process_unref(process);
    gone(one);
}

static void pause_resume(void)
{
    brig_process *process = NULL;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_container_pause(one.container, &error));
    CHECK(has_status(one.container, "paused"));
    EXPECT(BRIG_ERR_STATE, execute(one.container, "[\"true\"]", nowhere, &process, &error));
    EXPECT(BRIG_OK, brig_container_resume(one.container, &error));
    CHECK(has_status(one.container, "running"));
    EXPECT(BRIG_ERR_STATE, brig_container_resume(one.container, &error));
    gone(one);
}

static void update(void)
{
    char *stats = NULL;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_container_update(one.container, "{\"pids\":{\"limit\":37}}", &error));
    EXPECT(BRIG_OK, brig_container_stats(one.container, &stats, &error));
    CHECK(has(stats, "\"limit\":37"));
    gone(one);
}

static void update_refused(void)
{
    brig_error *error = NULL;
    struct one one = running("sleep");
    CHECK(brig_container_update(one.container, "{\"memory\":{\"limit\":\"much\"}}", &error) == BRIG_ERR_CONFIG);
    CHECK(error && strcmp(brig_error_pointer(error), "/memory/limit") == 0);
    brig_error_free(error);
    gone(one);
}

static void stats(void)
{
    char *text = NULL;
    struct one first = running("sleep"), second = running("sleep");
    const char *const ids[3] = { second.id, "nobody", first.id };
    EXPECT(BRIG_OK, brig_container_stats(first.container, &text, &error));
    CHECK(has(text, "\"pids\":{\"current\":1"));
    EXPECT(BRIG_OK, brig_runtime_stats(runtime, ids, 3, &text, &error));
    CHECK(text && strstr(text, second.id) < strstr(text, "nobody") && strstr(text, "nobody") < strstr(text, first.id));
    CHECK(has(text, "\"status\":-3"));
    gone(first);
    gone(second);
}

static void cgroup_file(void)
{
    char text[64], expected[32];
    pid_t pid = 0;
    int directory = -1;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_container_cgroup_fd(one.container, "pids", &directory, &error));
    EXPECT(BRIG_OK, brig_process_pid(one.init, &pid, &error));
    int file = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    read_all(file, text, sizeof text);
    snprintf(expected, sizeof expected, "%d\n", (int)pid);
    CHECK(strcmp(text, expected) == 0);
    close(file);
    close(directory);
    gone(one);
}

static void console(void)
{
    char text[256];
    int terminal = -1, again = -1;
    struct one one = created("terminal");
    const struct winsize size = { .ws_row = 33, .ws_col = 99 };
    EXPECT(BRIG_OK, brig_container_console(one.container, &terminal, &error));
    CHECK(ioctl(terminal, TIOCSWINSZ, &size) == 0);
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    CHECK(write(terminal, "word\n", 5) == 5);
    read_all(terminal, text, sizeof text);
    CHECK(strstr(text, "33 99\r\n") && strstr(text, "got word\r\n"));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_console(one.container, &again, &error));
    CHECK(again == -1);
    CHECK(end_of(one.init) == 7);
    close(terminal);
    gone(one);
}

static void pidfd(void)
{
    struct pollfd file = { .fd = -1, .events = POLLIN };
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_process_pidfd(one.init, &file.fd, &error));
    CHECK(poll(&file, 1, 0) == 0);
    EXPECT(BRIG_OK, brig_container_signal(one.container, SIGKILL, 0, &error));
    CHECK(poll(&file, 1, 30000) == 1);
    close(file.fd);
    gone(one);
}

static void wait_timeout(void)
{
    brig_exit end = BRIG_INIT(brig_exit);
    struct one one = running("sleep");
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait(one.init, 50, &end, &error));
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait(one.init, 0, &end, &error));
    gone(one);
}

static void *hang_up(void *file)
{
    usleep(50000);
    close(*(int *)file);
    return NULL;
}

static void wait_cancel(void)
{
    int ends[2];
    pthread_t thread;
    brig_exit end = BRIG_INIT(brig_exit);
    struct one one = running("sleep");
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0 && pthread_create(&thread, NULL, hang_up, &ends[1]) == 0);
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait_cancelable(one.init, -1, ends[0], &end, &error));
    pthread_join(thread, NULL);
    CHECK(has_status(one.container, "running"));
    close(ends[0]);
    gone(one);
}

static void create_cancel(void)
{
    int ends[2];
    const char *id = unique_id();
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[1]);
    options.bundle = bundle("sleep");
    options.cancel_fd = ends[0];
    EXPECT(BRIG_ERR_CANCELED, brig_container_create(runtime, id, &options, &container, &error));
    CHECK(container == NULL);
    is_not_there(id);
    close(ends[0]);
}

/* The next event; NULL if there is none for a long time. */
static char *next(brig_monitor *monitor)
{
    struct pollfd file = { .fd = -1, .events = POLLIN };
    char *event = NULL;
    EXPECT(BRIG_OK, brig_monitor_fd(monitor, &file.fd, &error));
    do
        EXPECT(BRIG_OK, brig_monitor_next(monitor, &event, &error));
    while (!event && poll(&file, 1, 30000) == 1);
    close(file.fd);
    return event;
}

static void monitor(void)
{
    struct one one = created("nap-7");
    brig_monitor *monitor = NULL;
    EXPECT(BRIG_OK, brig_container_monitor(one.container, 0, &monitor, &error));
    CHECK(has(next(monitor), "\"created\""));
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    CHECK(has(next(monitor), "\"running\""));
    CHECK(has(next(monitor), "\"stopped\""));
    CHECK(end_of(one.init) == 7);
    CHECK(has(next(monitor), "\"code\":7"));
    EXPECT(BRIG_OK, brig_container_delete(one.container, 0, &error));
    CHECK(has(next(monitor), "\"deleted\""));
    brig_monitor_unref(monitor);
    gone(one);
}

static void monitor_all(void)
{
    char *event = NULL;
    brig_monitor *monitor = NULL;
    EXPECT(BRIG_OK, brig_runtime_monitor(runtime, NULL, 0, BRIG_MONITOR_EXIT, &monitor, &error));
    struct one one = running("exit-7");
    while ((event = next(monitor)) != NULL && !strstr(event, one.id))
        brig_string_free(event);
    CHECK(has(event, "\"code\":7"));
    EXPECT(BRIG_OK, brig_monitor_next(monitor, &event, &error));
    CHECK(event == NULL);
    brig_monitor_unref(monitor);
    CHECK(end_of(one.init) == 7);
    gone(one);
}

static void supervised(void)
{
    brig_container *later = NULL;
    brig_process *init = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.flags = BRIG_CREATE_SUPERVISED;
    struct one one = created_with("exit-7", &options);
    EXPECT(BRIG_OK, brig_container_start(one.container, &error));
    CHECK(end_of(one.init) == 7);
    EXPECT(BRIG_OK, brig_container_open(runtime, one.id, &later, &error));
    EXPECT(BRIG_OK, brig_container_init(later, &init, &error));
    CHECK(end_of(init) == 7);
    brig_process_unref(init);
    brig_container_unref(later);
    gone(one);
}

static void plan(void)
{
    char *text = NULL;
    const char *id = unique_id();
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");
    EXPECT(BRIG_OK, brig_container_plan(runtime, id, &options, &text, &error));
    CHECK(text && strstr(text, "mount"));
    CHECK(has(text, "/bin/true"));
    is_not_there(id);
}

static void bad_config(void)
{
    static const char right[] = "{ \"type\": \"ipc\" }";
    const char *id = unique_id();
    brig_container *container = NULL;
    brig_error *error = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    read_config("true");
    char *at = strstr(config, right);
    REQUIRE(at != NULL);
    memcpy(at, "{ \"type\": \"bad\" }", sizeof right - 1);
    options.bundle = bundle("true");
    options.spec = config;
    CHECK(brig_container_create(runtime, id, &options, &container, &error) == BRIG_ERR_CONFIG);
    CHECK(container == NULL && error && strcmp(brig_error_pointer(error), "/linux/namespaces/2/type") == 0);
    CHECK(strstr(brig_error_message(error), "bad") != NULL);
    brig_error_free(error);
    is_not_there(id);
}

static void no_program(void)
{
    brig_container *container = NULL;
    brig_error *error = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("no-program");
    options.stdio = nowhere;
    CHECK(brig_container_create(runtime, unique_id(), &options, &container, &error) == BRIG_ERR_PROGRAM);
    CHECK(container == NULL && brig_error_errno(error) == ENOENT);
    brig_error_free(error);
}

static void not_found(void)
{
    is_not_there("nobody");
}

static void exists(void)
{
    brig_container *container = NULL;
    struct one one = created("sleep");
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("sleep");
    EXPECT(BRIG_ERR_EXISTS, brig_container_create(runtime, one.id, &options, &container, &error));
    CHECK(has_status(one.container, "created"));
    gone(one);
}

static void wrong_state(void)
{
    struct one one = running("sleep");
    EXPECT(BRIG_ERR_STATE, brig_container_start(one.container, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_delete(one.container, 0, &error));
    gone(one);
}

static void invalid_id(void)
{
    char too_long[257];
    memset(too_long, 'a', 256);
    too_long[256] = '\0';
    const char *const ids[] = { "a/b", "", "..", too_long };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        brig_container *container = NULL;
        brig_create_options options = BRIG_INIT(brig_create_options);
        options.bundle = bundle("true");
        EXPECT(BRIG_ERR_INVALID, brig_container_create(runtime, ids[i], &options, &container, &error));
    }
}

static void delete_force(void)
{
    char *text = NULL;
    struct one one = running("sleep");
    EXPECT(BRIG_OK, brig_container_delete(one.container, BRIG_DELETE_FORCE, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_state(one.container, &text, &error));
    gone(one);
}

static void *eight(void *_)
{
    (void)_;
    for (int i = 0; i < 8; i++)
        CHECK(run_to_end(create(runtime, unique_id(), "exit-7")) == 7);
    return NULL;
}

static void many(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        REQUIRE(pthread_create(&threads[i], NULL, eight, NULL) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "version", version },
    { "features", features },
    { "default_spec", default_spec },
    { "validate", validate },
    { "exit_code", exit_code },
    { "exit_signal", exit_signal },
    { "stdio", stdio },
    { "extra_files", extra_files },
    { "spec_in_memory", spec_in_memory },
    { "state", state },
    { "list", list },
    { "open", open_again },
    { "exec_output", exec_output },
    { "exec_no_program", exec_no_program },
    { "processes", processes },
    { "signal", signals },
    { "pause_resume", pause_resume },
    { "update", update },
    { "update_refused", update_refused },
    { "stats", stats },
    { "cgroup_file", cgroup_file },
    { "console", console },
    { "pidfd", pidfd },
    { "wait_timeout", wait_timeout },
    { "wait_cancel", wait_cancel },
    { "create_cancel", create_cancel },
    { "monitor", monitor },
    { "monitor_all", monitor_all },
    { "supervised", supervised },
    { "plan", plan },
    { "bad_config", bad_config },
    { "no_program", no_program },
    { "not_found", not_found },
    { "exists", exists },
    { "wrong_state", wrong_state },
    { "invalid_id", invalid_id },
    { "delete_force", delete_force },
    { "many", many },
};

int main(void)
{
    int good = 0, bad = 0;
    runtime = open_runtime();
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        int before = failed;
        scenarios[i].run();
        printf("%s %s\n", failed == before ? "ok" : "FAILED", scenarios[i].name);
        fflush(stdout);
        failed == before ? good++ : bad++;
    }
    brig_runtime_unref(runtime);
    printf("%d passed, %d failed\n", good, bad);
    return bad != 0;
}
