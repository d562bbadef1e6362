/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NULL for each pointer of each function: BRIG_ERR_INVALID or what the header says, and never a
 * signal. tests/c/run.sh checks that every function of the header is named here.
 */
#include "test.h"

#define INVALID(call) EXPECT(BRIG_ERR_INVALID, call)

int main(void)
{
    brig_runtime *runtime = open_runtime(), *runtime_out = NULL;
    brig_container *container = create(runtime, unique_id(), "true"), *container_out = NULL;
    brig_process *init = NULL, *process_out = NULL;
    brig_monitor *monitor = NULL, *monitor_out = NULL;
    const char *no_id = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    brig_exec_options execution = BRIG_INIT(brig_exec_options);
    brig_checkpoint_options checkpoint = BRIG_INIT(brig_checkpoint_options);
    brig_restore_options restore = BRIG_INIT(brig_restore_options);
    brig_exit end = BRIG_INIT(brig_exit);
    brig_exit sizeless = { .size = 0 };
    char *text = NULL;
    pid_t pid = -7;
    int fd = -7;
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));

    /* Errors */
    CHECK(brig_error_status(NULL) == BRIG_ERR_INVALID);
    CHECK(brig_error_errno(NULL) == 0);
    CHECK(brig_error_message(NULL)[0] == '\0');
    CHECK(brig_error_pointer(NULL) == NULL);
    brig_error_free(NULL);

    /* The library */
    CHECK(brig_version_number() > 0 && brig_version() != NULL);
    INVALID(brig_features(NULL, &error));
    INVALID(brig_spec_default(0, NULL, &error));
    INVALID(brig_spec_validate(NULL, &text, &error));
    INVALID(brig_spec_validate("{}", NULL, &error));
    brig_string_free(NULL);
    CHECK(brig_log_to_fd(-1, BRIG_LOG_ERROR, BRIG_LOG_TEXT, NULL) == BRIG_OK);

    /* Runtimes */
    INVALID(brig_runtime_open(setting("TEST_ROOT"), NULL, &error));
    EXPECT(BRIG_OK, brig_runtime_open(NULL, &runtime_out, &error));
    brig_runtime_unref(runtime_out);
    CHECK(brig_runtime_ref(NULL) == NULL);
    brig_runtime_unref(NULL);
    INVALID(brig_runtime_root(NULL, &text, &error));
    INVALID(brig_runtime_root(runtime, NULL, &error));
    INVALID(brig_runtime_list(NULL, &text, &error));
    INVALID(brig_runtime_list(runtime, NULL, &error));
    INVALID(brig_runtime_stats(NULL, NULL, 0, &text, &error));
    INVALID(brig_runtime_stats(runtime, NULL, 0, NULL, &error));
    INVALID(brig_runtime_stats(runtime, NULL, 1, &text, &error));
    INVALID(brig_runtime_stats(runtime, &no_id, 1, &text, &error));
    INVALID(brig_runtime_monitor(NULL, NULL, 0, 0, &monitor_out, &error));
    INVALID(brig_runtime_monitor(runtime, NULL, 0, 0, NULL, &error));
    INVALID(brig_runtime_monitor(runtime, NULL, 1, 0, &monitor_out, &error));
    INVALID(brig_runtime_monitor(runtime, &no_id, 1, 0, &monitor_out, &error));

    /* Containers */
    options.bundle = bundle("true");
    INVALID(brig_container_create(NULL, "null", &options, &container_out, &error));
    INVALID(brig_container_create(runtime, NULL, &options, &container_out, &error));
    INVALID(brig_container_create(runtime, "null", &options, NULL, &error));
    INVALID(brig_container_plan(NULL, "null", &options, &text, &error));
    INVALID(brig_container_plan(runtime, NULL, &options, &text, &error));
    INVALID(brig_container_plan(runtime, "null", &options, NULL, &error));
    options.bundle = NULL;
    INVALID(brig_container_create(runtime, "null", &options, &container_out, &error));
    INVALID(brig_container_create(runtime, "null", NULL, &container_out, &error));
    INVALID(brig_container_plan(runtime, "null", NULL, &text, &error));
    INVALID(brig_container_open(NULL, "null", &container_out, &error));
    INVALID(brig_container_open(runtime, NULL, &container_out, &error));
    INVALID(brig_container_open(runtime, "null", NULL, &error));
    CHECK(brig_container_ref(NULL) == NULL);
    brig_container_unref(NULL);
    INVALID(brig_container_start(NULL, &error));
    INVALID(brig_container_state(NULL, &text, &error));
    INVALID(brig_container_state(container, NULL, &error));
    INVALID(brig_container_signal(NULL, 9, 0, &error));
    INVALID(brig_container_pause(NULL, &error));
    INVALID(brig_container_resume(NULL, &error));
    INVALID(brig_container_update(NULL, "{}", &error));
    INVALID(brig_container_update(container, NULL, &error));
    INVALID(brig_container_cgroup_fd(NULL, NULL, &fd, &error));
    INVALID(brig_container_cgroup_fd(container, NULL, NULL, &error));
    INVALID(brig_container_processes(NULL, &text, &error));
    INVALID(brig_container_processes(container, NULL, &error));
    INVALID(brig_container_stats(NULL, &text, &error));
    INVALID(brig_container_stats(container, NULL, &error));
    INVALID(brig_container_monitor(NULL, 0, &monitor_out, &error));
    INVALID(brig_container_monitor(container, 0, NULL, &error));
    INVALID(brig_container_delete(NULL, 0, &error));
    INVALID(brig_container_init(NULL, &process_out, &error));
    INVALID(brig_container_init(container, NULL, &error));
    INVALID(brig_container_console(NULL, &fd, &error));
    INVALID(brig_container_console(container, NULL, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_console(container, &fd, &error));
    INVALID(brig_container_seccomp_fd(NULL, &fd, &error));
    INVALID(brig_container_seccomp_fd(container, NULL, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_seccomp_fd(container, &fd, &error));

    /* More programs in a container */
    execution.process = "{}";
    INVALID(brig_container_exec(NULL, &execution, &process_out, &error));
    INVALID(brig_container_exec(container, NULL, &process_out, &error));
    INVALID(brig_container_exec(container, &execution, NULL, &error));
    execution.process = NULL;
    INVALID(brig_container_exec(container, &execution, &process_out, &error));
    INVALID(brig_container_process_spec(NULL, &text, &error));
    INVALID(brig_container_process_spec(container, NULL, &error));

    /* Checkpoint and restore */
    checkpoint.image_dir = restore.image_dir = "/no/such";
    restore.bundle = bundle("true");
    INVALID(brig_container_checkpoint(NULL, &checkpoint, &error));
    INVALID(brig_container_checkpoint(container, NULL, &error));
    INVALID(brig_container_restore(NULL, "null", &restore, &container_out, &error));
    INVALID(brig_container_restore(runtime, NULL, &restore, &container_out, &error));
    INVALID(brig_container_restore(runtime, "null", NULL, &container_out, &error));
    INVALID(brig_container_restore(runtime, "null", &restore, NULL, &error));

    /* Processes */
    CHECK(brig_process_ref(NULL) == NULL);
    brig_process_unref(NULL);
    INVALID(brig_process_pid(NULL, &pid, &error));
    INVALID(brig_process_pid(init, NULL, &error));
    INVALID(brig_process_pidfd(NULL, &fd, &error));
    INVALID(brig_process_pidfd(init, NULL, &error));
    INVALID(brig_process_console(NULL, &fd, &error));
    INVALID(brig_process_console(init, NULL, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_console(init, &fd, &error));
    INVALID(brig_process_seccomp_fd(NULL, &fd, &error));
    INVALID(brig_process_seccomp_fd(init, NULL, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_process_seccomp_fd(init, &fd, &error));
    INVALID(brig_process_wait(NULL, 0, &end, &error));
    INVALID(brig_process_wait(init, 0, NULL, &error));
    INVALID(brig_process_wait(init, 0, &sizeless, &error));
    INVALID(brig_process_wait_cancelable(NULL, 0, -1, &end, &error));
    INVALID(brig_process_wait_cancelable(init, 0, -1, NULL, &error));
    INVALID(brig_process_wait_cancelable(init, 0, -2, &end, &error));
    INVALID(brig_process_signal(NULL, 9, &error));

    /* Monitors */
    EXPECT(BRIG_OK, brig_container_monitor(container, 0, &monitor, &error));
    CHECK(brig_monitor_ref(NULL) == NULL);
    brig_monitor_unref(NULL);
    INVALID(brig_monitor_fd(NULL, &fd, &error));
    INVALID(brig_monitor_fd(monitor, NULL, &error));
    INVALID(brig_monitor_next(NULL, &text, &error));
    INVALID(brig_monitor_next(monitor, NULL, &error));
    brig_monitor_unref(monitor);

    /* The same without a place for the error. */
    CHECK(brig_container_start(NULL, NULL) == BRIG_ERR_INVALID);
    CHECK(brig_process_wait(NULL, 0, NULL, NULL) == BRIG_ERR_INVALID);

    /* An object of another kind is no such object. */
    INVALID(brig_container_start((brig_container *)runtime, &error));
    INVALID(brig_runtime_list((brig_runtime *)init, &text, &error));

    /* No output was touched. */
    CHECK(!container_out && !process_out && !monitor_out && !text && pid == -7 && fd == -7);

    brig_process_unref(init);
    CHECK(run_to_end(container) == 0);
    brig_runtime_unref(runtime);
    return finish();
}
