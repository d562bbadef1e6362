/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NULL for each pointer of each function: BRIG_ERR_INVALID or what the header says, and never a
 * signal. null_calls.h is made from the header, so that no function can be forgotten; what comes
 * before it is what those calls need, and after it what they cannot know.
 */
#include "test.h"

#define INVALID(call) REFUSED(#call, call)
#define REFUSED(text, call)                                                       \
    do {                                                                          \
        brig_status answer = call;                                                \
        CHECK(answer == BRIG_ERR_INVALID);                                        \
        if (answer != BRIG_ERR_INVALID)                                           \
            fprintf(stderr, "  it was %s, and answered %d\n", text, answer);      \
        brig_error_free(error);                                                   \
        error = NULL;                                                             \
    } while (0)
#define SURVIVES(call)              \
    do {                            \
        (void)call;                 \
        brig_error_free(error);     \
        error = NULL;               \
        CHECK(1);                   \
    } while (0)

static brig_runtime *a_brig_runtime;
static brig_container *a_brig_container;
static brig_process *a_brig_process;
static brig_monitor *a_brig_monitor;
static brig_create_options a_brig_create_options = BRIG_INIT(brig_create_options);
static brig_exec_options a_brig_exec_options = BRIG_INIT(brig_exec_options);
static brig_checkpoint_options a_brig_checkpoint_options = BRIG_INIT(brig_checkpoint_options);
static brig_restore_options a_brig_restore_options = BRIG_INIT(brig_restore_options);
static brig_exit a_brig_exit = BRIG_INIT(brig_exit);

static void each_pointer(void)
{
    brig_error *error = NULL;
    brig_runtime *brig_runtime_out = NULL;
    brig_container *brig_container_out = NULL;
    brig_process *brig_process_out = NULL;
    brig_monitor *brig_monitor_out = NULL;
    char *text = NULL;
    pid_t pid = -7;
    int fd = -7;
#include "null_calls.h"
    /* Only where NULL is allowed may something have been stored. */
    CHECK(brig_container_out == NULL && brig_process_out == NULL && pid == -7);
    brig_runtime_unref(brig_runtime_out);
    brig_monitor_unref(brig_monitor_out);
    brig_string_free(text);
}

int main(void)
{
    const char *no_id = NULL;
    brig_exit sizeless = { .size = 0 };
    brig_container *container_out = NULL;
    brig_process *process_out = NULL;
    brig_monitor *monitor_out = NULL;
    brig_error *error = NULL;
    char *text = NULL;
    int fd = -7;

    a_brig_runtime = open_runtime();
    a_brig_container = create(a_brig_runtime, unique_id(), "true");
    a_brig_create_options.bundle = bundle("true");
    a_brig_create_options.stdio = nowhere;
    a_brig_exec_options.process = "{}";
    a_brig_checkpoint_options.image_dir = a_brig_restore_options.image_dir = "/no/such";
    a_brig_restore_options.bundle = bundle("true");
    EXPECT(BRIG_OK, brig_container_init(a_brig_container, &a_brig_process, &error));
    EXPECT(BRIG_OK, brig_container_monitor(a_brig_container, 0, &a_brig_monitor, &error));
    each_pointer();

    /* What NULL means where it is allowed. */
    CHECK(brig_error_status(NULL) == BRIG_ERR_INVALID);
    CHECK(brig_error_errno(NULL) == 0);
    CHECK(brig_error_message(NULL)[0] == '\0');
    CHECK(brig_error_pointer(NULL) == NULL);
    CHECK(brig_runtime_ref(NULL) == NULL && brig_container_ref(NULL) == NULL);
    CHECK(brig_process_ref(NULL) == NULL && brig_monitor_ref(NULL) == NULL);
    CHECK(brig_version_number() > 0 && brig_version() != NULL);
    CHECK(brig_log_to_fd(-1, BRIG_LOG_ERROR, BRIG_LOG_TEXT, NULL) == BRIG_OK);

    /* A NULL behind a pointer, and a count that a NULL has not. */
    INVALID(brig_runtime_stats(a_brig_runtime, NULL, 1, &text, &error));
    INVALID(brig_runtime_stats(a_brig_runtime, &no_id, 1, &text, &error));
    INVALID(brig_runtime_monitor(a_brig_runtime, NULL, 1, 0, &monitor_out, &error));
    INVALID(brig_runtime_monitor(a_brig_runtime, &no_id, 1, 0, &monitor_out, &error));
    INVALID(brig_container_create(a_brig_runtime, "null", NULL, &container_out, &error));
    INVALID(brig_container_plan(a_brig_runtime, "null", NULL, &text, &error));
    INVALID(brig_container_exec(a_brig_container, NULL, &process_out, &error));
    INVALID(brig_container_checkpoint(a_brig_container, NULL, &error));
    INVALID(brig_container_restore(a_brig_runtime, "null", NULL, &container_out, &error));
    a_brig_create_options.bundle = NULL;
    INVALID(brig_container_create(a_brig_runtime, "null", &a_brig_create_options, &container_out, &error));
    a_brig_exec_options.process = NULL;
    INVALID(brig_container_exec(a_brig_container, &a_brig_exec_options, &process_out, &error));

    /* Structs without a size, files that are none, and what is not there. */
    INVALID(brig_process_wait(a_brig_process, 0, &sizeless, &error));
    INVALID(brig_process_wait_cancelable(a_brig_process, 0, -2, &a_brig_exit, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_console(a_brig_container, &fd, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_seccomp_fd(a_brig_container, &fd, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_console(a_brig_process, &fd, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_seccomp_fd(a_brig_process, &fd, &error));

    /* Nothing was written anywhere, and nothing started. */
    CHECK(container_out == NULL && process_out == NULL && monitor_out == NULL && text == NULL && fd == -7);

    /* An object of another kind is no such object. */
    INVALID(brig_container_start((brig_container *)a_brig_runtime, &error));
    INVALID(brig_runtime_list((brig_runtime *)a_brig_process, &text, &error));

    brig_monitor_unref(a_brig_monitor);
    brig_process_unref(a_brig_process);
    CHECK(run_to_end(a_brig_container) == 0);
    brig_runtime_unref(a_brig_runtime);
    return finish();
}
