/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BRIG_CREATE_SUPERVISED: whoever comes later learns how the container ended, on any kernel; and what
 * stays for that is small, holds nothing of its creator, and goes with the container.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "older.h"

static brig_process *init_of(brig_container *container)
{
    brig_process *init = NULL;
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    REQUIRE(init != NULL);
    return init;
}

static pid_t pid_of(brig_process *process)
{
    pid_t pid = -1;
    EXPECT(BRIG_OK, brig_process_pid(process, &pid, &error));
    return pid;
}

/* A line of /proc/PID/status, as a number; -1 if there is none. */
static long status_of(pid_t pid, const char *key)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = atol(line + strlen(key) + 1);
    if (file)
        fclose(file);
    return value;
}

static int is_alive(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    const char *end = length ? strrchr(text, ')') : NULL;
    return end && end[2] != 'Z' && end[2] != 'X';
}

static void read_whole(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* The target of a link in /proc/PID. */
static const char *link_of(pid_t pid, const char *name)
{
    static char targets[4][512];
    static int next;
    char path[512], *target = targets[next++ % 4];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    ssize_t length = readlink(path, target, sizeof targets[0] - 1);
    target[length < 0 ? 0 : length] = '\0';
    return target;
}

/* Waits; 128 and the signal, the code, or the negative status. */
static int ending(brig_process *process, int timeout_ms)
{
    brig_exit end = BRIG_INIT(brig_exit);
    brig_status status = brig_process_wait(process, timeout_ms, &end, NULL);
    return status != BRIG_OK ? (int)status : end.signal ? 128 + end.signal : end.code;
}

/* A process that creates and starts a container, and is gone. */
static void let_another_create(const char *id, const char *bundle_name, const char *spec)
{
    int status = -1;
    pid_t creator = fork();
    if (creator == 0) {
        brig_runtime *runtime = open_runtime();
        brig_container *container = create_supervised(runtime, id, bundle_name, spec);
        EXPECT(BRIG_OK, brig_container_start(container, &error));
        _exit(failed);
    }
    REQUIRE(waitpid(creator, &status, 0) == creator);
    CHECK(status == 0);
}

static void learn_from_another(brig_runtime *runtime, const char *bundle_name, const char *spec, int signal, int expected)
{
    const char *id = unique_id();
    brig_container *container = NULL;
    let_another_create(id, bundle_name, spec);

    /* While it runs, or when it has ended just now. */
    EXPECT(BRIG_OK, brig_container_open(runtime, id, &container, &error));
    brig_process *init = init_of(container);
    pid_t pid = pid_of(init), supervisor = (pid_t)status_of(pid, "PPid");
    if (signal) {
        CHECK(ending(init, 0) == BRIG_ERR_CANCELED);
        EXPECT(BRIG_OK, brig_container_signal(container, signal, 0, &error));
    }
    CHECK(ending(init, 30000) == expected);
    CHECK(ending(init, 0) == expected);
    brig_process_unref(init);
    brig_container_unref(container);

    /* Long after. */
    EXPECT(BRIG_OK, brig_container_open(runtime, id, &container, &error));
    CHECK(has_status(container, "stopped"));
    init = init_of(container);
    int fd = -7;
    CHECK(pid_of(init) == pid);
    CHECK(ending(init, 0) == expected);
    EXPECT(BRIG_ERR_STATE, brig_process_signal(init, SIGKILL, &error));
    /* A zombie, if nobody reaps it, has a pidfd still. */
    brig_status status = brig_process_pidfd(init, &fd, NULL);
    CHECK(status == BRIG_ERR_STATE ? fd == -7 : status == BRIG_OK && close(fd) == 0);
    EXPECT(BRIG_ERR_STATE, brig_container_signal(container, SIGKILL, 0, &error));
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    CHECK(!is_alive(pid) && (supervisor <= 1 || !is_alive(supervisor)));

    /* A handle outlives the container. */
    CHECK(ending(init, 0) == expected);
    brig_process_unref(init);
    brig_container_unref(container);
}

/* The text of a bundle's config.json with one namespace more, which takes two inits. */
static const char *with_time_namespace(const char *bundle_name)
{
    static char text[1 << 16], edited[1 << 16];
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", bundle(bundle_name));
    read_whole(path, text, sizeof text);
    char *list = strstr(text, "\"namespaces\"");
    REQUIRE(list && (list = strchr(list, '[')));
    snprintf(edited, sizeof edited, "%.*s{\"type\":\"time\"},%s", (int)(list + 1 - text), text, list + 1);
    return edited;
}

/* It holds nothing of us, and is not in the container. */
static void look_at_the_supervisor(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = create_supervised(runtime, id, "sleep", NULL);
    brig_process *init = init_of(container);
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    pid_t pid = pid_of(init), supervisor = (pid_t)status_of(pid, "PPid");
    CHECK(status_of(supervisor, "PPid") == getpid());

    char path[600], exit_file[600];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)supervisor);
    snprintf(exit_file, sizeof exit_file, "%s/%s/exit", setting("TEST_ROOT"), id);
    int files = 0;
    DIR *directory = opendir(path);
    REQUIRE(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "fd/%s", entry->d_name);
            CHECK(strcmp(link_of(supervisor, path), exit_file) == 0);
            files++;
        }
    closedir(directory);
    CHECK(files == 1);

    char own[4096], its[4096], inner[4096];
    read_whole("/proc/self/cgroup", own, sizeof own);
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)supervisor);
    read_whole(path, its, sizeof its);
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    read_whole(path, inner, sizeof inner);
    CHECK(strcmp(own, its) == 0 && strcmp(its, inner) != 0 && !strstr(its, id));

    static const char *const namespaces[] = { "ns/pid", "ns/mnt", "ns/net", "ns/uts", "ns/ipc", "ns/cgroup" };
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        CHECK(strcmp(link_of(supervisor, namespaces[i]), link_of(getpid(), namespaces[i])) == 0);
    CHECK(strcmp(link_of(supervisor, "ns/pid"), link_of(pid, "ns/pid")) != 0);
    CHECK(strcmp(link_of(supervisor, "cwd"), "/") == 0);
    CHECK(getsid(supervisor) == supervisor && getsid(pid) != supervisor);
    CHECK(status_of(supervisor, "SigIgn") == 0 && status_of(supervisor, "SigBlk") == 0);

    long resident = status_of(supervisor, "VmRSS");
    fprintf(stderr, "the supervisor has %ld KiB resident\n", resident);
    CHECK(resident > 0 && resident < 300);

    /* All that is in the container's cgroup dies, and so it learns of it. */
    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, BRIG_SIGNAL_ALL, &error));
    CHECK(ending(init, 30000) == 128 + SIGKILL);
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    brig_process_unref(init);
    brig_container_unref(container);
}

/* Without it the container goes on, and only its code is lost. */
static void lose_the_supervisor(brig_runtime *runtime)
{
    brig_container *container = create_supervised(runtime, unique_id(), "sleep", NULL);
    brig_process *init = init_of(container);
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    pid_t pid = pid_of(init), supervisor = (pid_t)status_of(pid, "PPid");
    CHECK(kill(supervisor, SIGKILL) == 0);
    CHECK(waitpid(supervisor, NULL, __WALL) == supervisor);
    CHECK(is_alive(pid) && has_status(container, "running"));
    CHECK(ending(init, 10) == BRIG_ERR_CANCELED);
    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, 0, &error));
    CHECK(ending(init, 30000) == BRIG_ERR_UNSUPPORTED);
    CHECK(has_status(container, "stopped"));
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    CHECK(!is_alive(pid));
    brig_process_unref(init);
    brig_container_unref(container);
}

/* One that hangs goes with the container. */
static void stop_the_supervisor(brig_runtime *runtime)
{
    brig_container *container = create_supervised(runtime, unique_id(), "sleep", NULL);
    brig_process *init = init_of(container);
    pid_t supervisor = (pid_t)status_of(pid_of(init), "PPid");
    CHECK(kill(supervisor, SIGSTOP) == 0);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    CHECK(!is_alive(supervisor) && waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    brig_process_unref(init);
    brig_container_unref(container);
}

/* cancel_fd, which the end of the process comes before. */
static void cancel_a_wait(brig_runtime *runtime)
{
    brig_container *container = create_supervised(runtime, unique_id(), "sleep", NULL);
    brig_process *init = init_of(container);
    brig_exit end = BRIG_INIT(brig_exit);
    struct pollfd ready = { .events = POLLIN };
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait_cancelable(init, 10, ends[0], &end, &error));
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait_cancelable(init, 10, -1, &end, &error));
    REQUIRE(write(ends[1], "!", 1) == 1);
    EXPECT(BRIG_ERR_CANCELED, brig_process_wait_cancelable(init, -1, ends[0], &end, &error));
    CHECK(end.code == 0 && end.signal == 0);
    EXPECT(BRIG_OK, brig_process_signal(init, SIGKILL, &error));
    EXPECT(BRIG_OK, brig_process_pidfd(init, &ready.fd, &error));
    CHECK(poll(&ready, 1, 30000) == 1);
    EXPECT(BRIG_OK, brig_process_wait_cancelable(init, 0, ends[0], &end, &error));
    CHECK(end.code == -1 && end.signal == SIGKILL);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(ready.fd) == 0);
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    brig_process_unref(init);
    brig_container_unref(container);
}

/* Without a supervisor nothing is left to say. */
static void ask_in_vain(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = create(runtime, id, "true"), *again = NULL;
    brig_process *init = init_of(container), *none = NULL;
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    CHECK(ending(init, 30000) == 0);
    EXPECT(BRIG_OK, brig_container_open(runtime, id, &again, &error));
    EXPECT(BRIG_ERR_STATE, brig_container_init(again, &none, &error));
    CHECK(none == NULL);
    EXPECT(BRIG_OK, brig_container_delete(again, 0, &error));
    brig_process_unref(init);
    brig_container_unref(container);
    brig_container_unref(again);
}

int main(void)
{
    use_older_kernel();
    brig_runtime *runtime = open_runtime();
    learn_from_another(runtime, "exit-7", NULL, 0, 7);
    learn_from_another(runtime, "exit-7", with_time_namespace("exit-7"), 0, 7);
    learn_from_another(runtime, "sleep", NULL, SIGKILL, 128 + SIGKILL);
    look_at_the_supervisor(runtime);
    lose_the_supervisor(runtime);
    stop_the_supervisor(runtime);
    cancel_a_wait(runtime);
    ask_in_vain(runtime);
    brig_runtime_unref(runtime);
    return finish();
}
