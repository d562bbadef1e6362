/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole test framework: CHECK() counts, finish() tells, and what several tests need.
 */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <brig.h>

static int passed, failed;

#define CHECK(condition)                                                             \
    do {                                                                             \
        if (condition) {                                                             \
            __atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED);                        \
        } else {                                                                     \
            __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                            \
    } while (0)

/* For what nothing after it makes sense without. */
#define REQUIRE(condition)                                                                   \
    do {                                                                                     \
        if (!(condition)) {                                                                  \
            fprintf(stderr, "%s:%d: giving up: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                         \
        }                                                                                    \
    } while (0)

/* Says what a call said, if it is not what was expected; frees the error. */
static inline int answered(brig_status expected, brig_status status, brig_error **error)
{
    int right = status == expected && (*error != NULL) == (status != BRIG_OK) &&
                (*error == NULL || brig_error_status(*error) == status);
    if (!right)
        fprintf(stderr, "answered %d, not %d: %s\n", status, expected, brig_error_message(*error));
    brig_error_free(*error);
    *error = NULL;
    return right;
}

/* CHECKs the status of a call that takes `&error` last. */
#define EXPECT(status, call)                           \
    do {                                               \
        brig_error *error = NULL;                      \
        CHECK(answered(status, (call), &error));       \
    } while (0)

/* The last line of every test, and its exit status. */
static inline int finish(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

/* Files that the containers of a test read from and write to: nowhere. */
static const int nowhere[3] = { -1, -1, -1 };

/* The directories that tests/c/run.sh made for us. */
static inline const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "%s is not set: start this with tests/c/run.sh\n", name);
        exit(1);
    }
    return value;
}

/* A bundle below the test's directory, made by tests/lab/bundle.sh. */
static inline const char *bundle(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", setting("TEST_BUNDLES"), name);
    return path;
}

/* An id that no other test has. */
static inline const char *unique_id(void)
{
    static __thread char ids[8][64];
    static __thread int slot;
    static int serial;
    char *id = ids[slot++ % 8];
    snprintf(id, sizeof ids[0], "test-%d-%d", (int)getpid(), __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
    return id;
}

static inline brig_runtime *open_runtime(void)
{
    brig_runtime *runtime = NULL;
    EXPECT(BRIG_OK, brig_runtime_open(setting("TEST_ROOT"), &runtime, &error));
    if (!runtime)
        exit(1);
    return runtime;
}

/* A created container that has no files of ours, or NULL. */
static inline brig_container *create(brig_runtime *runtime, const char *id, const char *bundle_name)
{
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle(bundle_name);
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_create(runtime, id, &options, &container, &error));
    return container;
}

/* Starts a container, waits for it and deletes it; how it ended, as a shell says it, or -1. */
static inline int run_to_end(brig_container *container)
{
    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    int result = -1;

    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    if (init && brig_process_wait(init, 30000, &end, NULL) == BRIG_OK)
        result = end.signal ? 128 + end.signal : end.code;
    brig_process_unref(init);
    EXPECT(BRIG_OK, brig_container_delete(container, result < 0 ? BRIG_DELETE_FORCE : 0, &error));
    brig_container_unref(container);
    return result;
}

/* Whether the state of a container says that it has this status. */
static inline int has_status(brig_container *container, const char *status)
{
    char *state = NULL, pattern[64];
    EXPECT(BRIG_OK, brig_container_state(container, &state, &error));
    const char *at = state ? strstr(state, "\"status\"") : NULL;
    snprintf(pattern, sizeof pattern, "\"%s\"", status);
    int right = at && strstr(at, pattern) && !memchr(at, ',', (size_t)(strstr(at, pattern) - at));
    brig_string_free(state);
    return right;
}

#endif
