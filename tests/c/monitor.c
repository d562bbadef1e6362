/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One poll(2) loop over the file of a monitor: what happens to one container and to many, what they have used,
 * and that a monitor costs nothing once it is given back.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "older.h"

enum { CAPACITY = 256 };

/* What a monitor has told. */
struct news {
    brig_monitor *monitor;
    int fd;
    int count;
    char *events[CAPACITY];
};

static struct news listen_to(brig_monitor *monitor)
{
    struct news news = { .monitor = monitor, .fd = -1 };
    REQUIRE(monitor != NULL);
    EXPECT(BRIG_OK, brig_monitor_fd(monitor, &news.fd, &error));
    CHECK(fcntl(news.fd, F_GETFD) == FD_CLOEXEC);
    return news;
}

static void forget(struct news *news)
{
    while (news->count > 0)
        brig_string_free(news->events[--news->count]);
    close(news->fd);
    brig_monitor_unref(news->monitor);
}

/* The place of an event of this type and container with `text` in it, from `from` on; -1 if there is none. */
static int find(const struct news *news, int from, const char *type, const char *id, const char *text)
{
    char head[128];
    snprintf(head, sizeof head, "{\"type\":\"%s\",\"id\":\"%s\"", type, id);
    for (int i = from; i < news->count; i++)
        if (strncmp(news->events[i], head, strlen(head)) == 0 && strstr(news->events[i], text))
            return i;
    return -1;
}

/* Polls until there is such an event, or for so long. */
static int hear(struct news *news, int from, const char *type, const char *id, const char *text, int timeout_ms)
{
    struct timespec now, start;
    int at;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while ((at = find(news, from, type, id, text)) < 0) {
        struct pollfd file = { .fd = news->fd, .events = POLLIN };
        clock_gettime(CLOCK_MONOTONIC, &now);
        int left = timeout_ms - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
        if (left <= 0 || poll(&file, 1, left) <= 0)
            return -1;
        for (char *event = NULL;; event = NULL) {
            EXPECT(BRIG_OK, brig_monitor_next(news->monitor, &event, &error));
            if (!event)
                break;
            REQUIRE(news->count < CAPACITY);
            news->events[news->count++] = event;
        }
    }
    return at;
}

#define HEAR(news, from, type, id, text)                                                   \
    ({                                                                                     \
        int at_ = hear(news, from, type, id, text, 10000);                                 \
        CHECK(at_ >= 0);                                                                   \
        if (at_ < 0) {                                                                     \
            fprintf(stderr, "nothing of %s of %s with %s in:\n", type, id, text);          \
            for (int i_ = 0; i_ < (news)->count; i_++)                                     \
                fprintf(stderr, "    %s\n", (news)->events[i_]);                           \
        }                                                                                  \
        at_;                                                                               \
    })

static int is_quiet(const struct news *news)
{
    struct pollfd file = { .fd = news->fd, .events = POLLIN };
    char *event = NULL;
    int ready = poll(&file, 1, 0);
    EXPECT(BRIG_OK, brig_monitor_next(news->monitor, &event, &error));
    return ready == 0 && event == NULL;
}

/* A created container of this bundle that may have no more than `limit` bytes, and can write. */
static brig_container *create_limited(brig_runtime *runtime, const char *id, const char *bundle_name, int limit)
{
    static char text[16384], spec[16384];
    char path[600];
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);

    snprintf(path, sizeof path, "%s/config.json", bundle(bundle_name));
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    char *writable = strstr(text, "\"readonly\": true"), *resources = strstr(text, "\"resources\": {");
    REQUIRE(writable != NULL && resources != NULL);
    memcpy(writable, "\"readonly\":false", strlen("\"readonly\":false"));
    resources += strlen("\"resources\": {");
    snprintf(spec, sizeof spec, "%.*s\"memory\": {\"limit\": %d}, %s", (int)(resources - text), text, limit, resources);
    options.bundle = bundle(bundle_name);
    options.spec = spec;
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_create(runtime, id, &options, &container, &error));
    return container;
}

static void one_life(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = create(runtime, id, "sleep");
    brig_monitor *monitor = NULL;
    EXPECT(BRIG_OK, brig_container_monitor(container, 0, &monitor, &error));
    struct news news = listen_to(monitor);

    CHECK(HEAR(&news, 0, "state", id, "\"status\":\"created\"") == 0);
    CHECK(is_quiet(&news));
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    CHECK(HEAR(&news, 1, "state", id, "\"status\":\"running\"") == 1);
    EXPECT(BRIG_OK, brig_container_pause(container, &error));
    CHECK(HEAR(&news, 2, "state", id, "\"status\":\"paused\"") == 2);
    EXPECT(BRIG_OK, brig_container_resume(container, &error));
    CHECK(HEAR(&news, 3, "state", id, "\"status\":\"running\"") == 3);
    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, 0, &error));
    CHECK(HEAR(&news, 4, "exit", id, "\"code\":-1,\"signal\":9") == 5);
    CHECK(find(&news, 4, "state", id, "\"status\":\"stopped\",\"pid\":0") == 4);
    CHECK(is_quiet(&news));

    /* Who comes later hears of the end as well. */
    EXPECT(BRIG_OK, brig_container_monitor(container, BRIG_MONITOR_EXIT, &monitor, &error));
    struct news late = listen_to(monitor);
    CHECK(HEAR(&late, 0, "exit", id, "\"signal\":9") == 0);
    forget(&late);

    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    CHECK(HEAR(&news, 6, "state", id, "\"status\":\"deleted\"") == 6);
    CHECK(is_quiet(&news));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_monitor(container, 0, &monitor, &error));
    brig_container_unref(container);
    forget(&news);
}

static void many(brig_runtime *runtime)
{
    const char *names[] = { "true", "exit-7", "sleep", "hog" };
    const char *ends[] = { "\"code\":0,\"signal\":0", "\"code\":7,\"signal\":0", "\"code\":-1,\"signal\":9",
                           "\"code\":-1,\"signal\":9" };
    enum { COUNT = sizeof names / sizeof *names };
    const char *ids[COUNT];
    brig_container *containers[COUNT];
    brig_process *inits[COUNT];
    brig_monitor *monitor = NULL;

    for (int i = 0; i < COUNT; i++)
        ids[i] = unique_id();
    EXPECT(BRIG_OK, brig_runtime_monitor(runtime, NULL, 0, 0, &monitor, &error));
    struct news all = listen_to(monitor);
    EXPECT(BRIG_OK, brig_runtime_monitor(runtime, ids, 2, BRIG_MONITOR_EXIT, &monitor, &error));
    struct news some = listen_to(monitor);

    for (int i = 0; i < COUNT; i++) {
        containers[i] = create_limited(runtime, ids[i], names[i], 20 << 20);
        EXPECT(BRIG_OK, brig_container_init(containers[i], &inits[i], &error));
    }
    for (int i = 0; i < COUNT; i++) {
        HEAR(&all, 0, "state", ids[i], "\"status\":\"created\"");
        EXPECT(BRIG_OK, brig_container_start(containers[i], &error));
    }
    HEAR(&all, 0, "state", ids[2], "\"status\":\"running\"");
    EXPECT(BRIG_OK, brig_process_signal(inits[2], SIGKILL, &error));
    for (int i = 0; i < COUNT; i++)
        HEAR(&all, 0, "exit", ids[i], ends[i]);

    /* What was killed for its memory was told before its end. */
    int killed = HEAR(&all, 0, "oom_kill", ids[3], "\"count\":1");
    CHECK(find(&all, 0, "oom", ids[3], "\"count\":") >= 0 && killed < find(&all, 0, "exit", ids[3], ""));
    for (int i = 0; i < 3; i++)
        CHECK(find(&all, 0, "oom", ids[i], "") < 0 && find(&all, 0, "oom_kill", ids[i], "") < 0);

    /* The other monitor has heard of two of them, and of their ends alone. */
    HEAR(&some, 0, "exit", ids[0], ends[0]);
    HEAR(&some, 0, "exit", ids[1], ends[1]);
    CHECK(some.count == 2);

    /* To have told of it takes it from nobody. */
    for (int i = 0; i < COUNT; i++) {
        brig_exit end = BRIG_INIT(brig_exit);
        EXPECT(BRIG_OK, brig_process_wait(inits[i], 0, &end, &error));
        CHECK(i == 1 ? end.code == 7 : i == 0 ? end.code == 0 : end.signal == SIGKILL);
        brig_process_unref(inits[i]);
        EXPECT(BRIG_OK, brig_container_delete(containers[i], 0, &error));
        brig_container_unref(containers[i]);
        HEAR(&all, 0, "state", ids[i], "\"status\":\"deleted\"");
    }

    /* An id may be used again. */
    int before = all.count, before_some = some.count;
    brig_container *again = create(runtime, ids[0], "exit-7");
    HEAR(&all, before, "state", ids[0], "\"status\":\"created\"");
    CHECK(hear(&some, before_some, "exit", ids[0], "", 50) < 0);
    CHECK(run_to_end(again) == 7);
    HEAR(&all, before, "state", ids[0], "\"status\":\"deleted\"");
    HEAR(&some, before_some, "exit", ids[0], "");
    forget(&all);
    forget(&some);
}

static void pressure(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = create_limited(runtime, id, "thrash", 6 << 20);
    brig_monitor *monitor = NULL;
    brig_error *error = NULL;

    brig_status status = brig_container_monitor(container, BRIG_MONITOR_MEMORY_PRESSURE, &monitor, &error);
    if (status == BRIG_ERR_UNSUPPORTED) {
        fprintf(stderr, "skipped: memory pressure: %s\n", brig_error_message(error));
        brig_error_free(error);
    } else {
        CHECK(status == BRIG_OK);
        struct news news = listen_to(monitor);
        EXPECT(BRIG_OK, brig_container_start(container, &error));
        /* With and without a poll of the file before: the kernel tells such a thing only once. */
        CHECK(hear(&news, 0, "memory-pressure", id, "\"level\":", 30000) >= 0);
        char *event = NULL;
        for (int i = 0; i < 300 && !event; i++) {
            usleep(100000);
            EXPECT(BRIG_OK, brig_monitor_next(monitor, &event, &error));
        }
        CHECK(event && strstr(event, "memory-pressure"));
        brig_string_free(event);
        forget(&news);
    }
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    brig_container_unref(container);
}

static void stats(brig_runtime *runtime)
{
    const char *ids[] = { unique_id(), unique_id(), "nobody" };
    brig_container *one = create_limited(runtime, ids[0], "sleep", 20 << 20), *two = create(runtime, ids[1], "sleep");
    char *json = NULL, text[128];

    EXPECT(BRIG_OK, brig_container_start(one, &error));
    EXPECT(BRIG_OK, brig_container_stats(one, &json, &error));
    CHECK(json && strncmp(json, "{\"cpu\":{\"usage\":{\"total\":", 25) == 0);
    CHECK(json && strstr(json, "\"memory\":{") && strstr(json, "\"limit\":20971520,"));
    CHECK(json && strstr(json, "\"network_interfaces\":[{\"Name\":\"lo\",\"RxBytes\":0,"));
    brig_string_free(json);
    json = NULL;

    /* Many at once, in the order that was asked for. */
    EXPECT(BRIG_OK, brig_runtime_stats(runtime, ids, 3, &json, &error));
    snprintf(text, sizeof text, "[{\"type\":\"stats\",\"id\":\"%s\",\"data\":{\"cpu\":", ids[0]);
    CHECK(json && strncmp(json, text, strlen(text)) == 0);
    snprintf(text, sizeof text, "{\"type\":\"stats\",\"id\":\"%s\",\"data\":{", ids[1]);
    CHECK(json && strstr(json, text));
    CHECK(json && strstr(json, "{\"type\":\"error\",\"id\":\"nobody\",\"status\":-3,\"message\":\"container does not exist\"}]"));
    brig_string_free(json);
    json = NULL;

    EXPECT(BRIG_OK, brig_runtime_stats(runtime, NULL, 0, &json, &error));
    CHECK(json && strstr(json, ids[0]) && strstr(json, ids[1]) && !strstr(json, "\"error\""));
    brig_string_free(json);
    json = NULL;

    /* Also after its end, and not of one that is gone. */
    EXPECT(BRIG_OK, brig_container_signal(one, SIGKILL, 0, &error));
    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_container_init(one, &init, &error));
    EXPECT(BRIG_OK, brig_process_wait(init, 10000, &end, &error));
    brig_process_unref(init);
    EXPECT(BRIG_OK, brig_container_stats(one, &json, &error));
    CHECK(json && strstr(json, "\"network_interfaces\":null"));
    CHECK(json && strncmp(json, "{\"cpu\":{\"usage\":{\"total\":", 25) == 0);
    brig_string_free(json);
    json = NULL;
    EXPECT(BRIG_OK, brig_container_delete(one, 0, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_stats(one, &json, &error));
    EXPECT(BRIG_OK, brig_container_delete(two, BRIG_DELETE_FORCE, &error));
    CHECK(json == NULL);
    brig_container_unref(one);
    brig_container_unref(two);
}

/* How many files are open. Those of the library are to be close-on-exec, which what is inherited is not. */
static int open_files(void)
{
    static char inherited[1024], known;
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory));) {
        int fd = atoi(entry->d_name);
        if (fd == dirfd(directory) || fd >= (int)sizeof inherited)
            continue;
        int closes = fcntl(fd, F_GETFD) & FD_CLOEXEC;
        if (!known)
            inherited[fd] = !closes;
        CHECK(closes || inherited[fd]);
        count++;
    }
    known = 1;
    closedir(directory);
    return count;
}

static void a_thousand(brig_runtime *runtime)
{
    const uint64_t kinds[] = { 0, BRIG_MONITOR_STATE | BRIG_MONITOR_EXIT | BRIG_MONITOR_OOM | BRIG_MONITOR_MEMORY_PRESSURE };
    brig_container *container = create(runtime, unique_id(), "sleep");
    brig_monitor *monitor = NULL;

    /* Pressure only where the kernel has it. */
    brig_status status = brig_container_monitor(container, BRIG_MONITOR_MEMORY_PRESSURE, &monitor, NULL);
    brig_monitor_unref(monitor);
    int before = open_files();
    for (int i = 0; i < 1000; i++) {
        char *event = NULL;
        uint64_t flags = kinds[status == BRIG_OK && i % 16 == 15];
        if (i % 4 < 2)
            EXPECT(BRIG_OK, brig_container_monitor(container, flags, &monitor, &error));
        else
            EXPECT(BRIG_OK, brig_runtime_monitor(runtime, NULL, 0, flags, &monitor, &error));
        EXPECT(BRIG_OK, brig_monitor_next(monitor, &event, &error));
        CHECK(event && strstr(event, "\"status\":\"created\""));
        brig_string_free(event);
        if (i == 0)
            CHECK(open_files() > before);
        brig_monitor_unref(monitor);
    }
    CHECK(open_files() == before);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    brig_container_unref(container);
}

static void misuse(brig_runtime *runtime)
{
    const char *bad[] = { "a/b" };
    brig_container *container = create(runtime, unique_id(), "sleep");
    brig_monitor *monitor = NULL;
    char *event = NULL;

    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_monitor(container, 1u << 30, &monitor, &error));
    EXPECT(BRIG_ERR_INVALID, brig_runtime_monitor(runtime, bad, 1, 0, &monitor, &error));
    CHECK(monitor == NULL);

    EXPECT(BRIG_OK, brig_container_monitor(container, 0, &monitor, &error));
    pid_t pid = fork();
    if (pid == 0) {
        brig_status status = brig_monitor_next(monitor, &event, NULL);
        brig_monitor_unref(monitor);
        _exit(status == BRIG_ERR_FORKED ? 0 : 1);
    }
    int end = -1;
    CHECK(waitpid(pid, &end, 0) == pid && end == 0);
    EXPECT(BRIG_OK, brig_monitor_next(monitor, &event, &error));
    CHECK(event && strstr(event, "created"));
    brig_string_free(event);
    CHECK(brig_monitor_ref(monitor) == monitor);
    brig_monitor_unref(monitor);
    brig_monitor_unref(monitor);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    brig_container_unref(container);
}

/* The exit code, where the kernel does not remember it: by the parent, and by a supervisor's record. */
static void on_an_older_kernel(brig_runtime *runtime)
{
    use_older_kernel();
    for (int supervised = 0; supervised < 2; supervised++) {
        const char *id = unique_id();
        brig_monitor *monitor = NULL;
        EXPECT(BRIG_OK, brig_runtime_monitor(runtime, &id, 1, 0, &monitor, &error));
        struct news news = listen_to(monitor);
        brig_container *container = supervised ? create_supervised(runtime, id, "exit-7", NULL) : create(runtime, id, "exit-7");
        EXPECT(BRIG_OK, brig_container_start(container, &error));
        HEAR(&news, 0, "exit", id, "\"code\":7,\"signal\":0");
        EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
        brig_container_unref(container);
        forget(&news);
    }
}

int main(void)
{
    open_files();
    brig_runtime *runtime = open_runtime();
    one_life(runtime);
    many(runtime);
    pressure(runtime);
    stats(runtime);
    a_thousand(runtime);
    misuse(runtime);
    on_an_older_kernel(runtime);
    brig_runtime_unref(runtime);
    return finish();
}
