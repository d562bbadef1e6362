/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from include/brig.h by `make header`. The good arguments are variables of null.c, named as their types. */

/* brig_error_status */
SURVIVES(brig_error_status(NULL));

/* brig_error_errno */
SURVIVES(brig_error_errno(NULL));

/* brig_error_message */
SURVIVES(brig_error_message(NULL));

/* brig_error_pointer */
SURVIVES(brig_error_pointer(NULL));

/* brig_error_free */
SURVIVES(brig_error_free(NULL));

/* brig_features */
INVALID(brig_features(NULL, NULL));
INVALID(brig_features(NULL, &error));

/* brig_spec_default */
INVALID(brig_spec_default(0, NULL, NULL));
INVALID(brig_spec_default(0, NULL, &error));

/* brig_spec_validate */
INVALID(brig_spec_validate(NULL, NULL, NULL));
INVALID(brig_spec_validate(NULL, &text, &error));
INVALID(brig_spec_validate("{}", NULL, &error));

/* brig_string_free */
SURVIVES(brig_string_free(NULL));

/* brig_log_to_fd */
SURVIVES(brig_log_to_fd(0, 0, 0, NULL));

/* brig_runtime_open */
INVALID(brig_runtime_open(NULL, NULL, NULL));
SURVIVES(brig_runtime_open(NULL, &brig_runtime_out, &error));
INVALID(brig_runtime_open("{}", NULL, &error));

/* brig_runtime_ref */
SURVIVES(brig_runtime_ref(NULL));

/* brig_runtime_unref */
SURVIVES(brig_runtime_unref(NULL));

/* brig_runtime_root */
INVALID(brig_runtime_root(NULL, NULL, NULL));
INVALID(brig_runtime_root(NULL, &text, &error));
INVALID(brig_runtime_root(a_brig_runtime, NULL, &error));

/* brig_runtime_list */
INVALID(brig_runtime_list(NULL, NULL, NULL));
INVALID(brig_runtime_list(NULL, &text, &error));
INVALID(brig_runtime_list(a_brig_runtime, NULL, &error));

/* brig_runtime_stats */
INVALID(brig_runtime_stats(NULL, NULL, 0, NULL, NULL));
INVALID(brig_runtime_stats(NULL, NULL, 0, &text, &error));
SURVIVES(brig_runtime_stats(a_brig_runtime, NULL, 0, &text, &error));
INVALID(brig_runtime_stats(a_brig_runtime, NULL, 0, NULL, &error));

/* brig_container_create */
INVALID(brig_container_create(NULL, NULL, NULL, NULL, NULL));
INVALID(brig_container_create(NULL, "null", &a_brig_create_options, &brig_container_out, &error));
INVALID(brig_container_create(a_brig_runtime, NULL, &a_brig_create_options, &brig_container_out, &error));
SURVIVES(brig_container_create(a_brig_runtime, "null", NULL, &brig_container_out, &error));
INVALID(brig_container_create(a_brig_runtime, "null", &a_brig_create_options, NULL, &error));

/* brig_container_plan */
INVALID(brig_container_plan(NULL, NULL, NULL, NULL, NULL));
INVALID(brig_container_plan(NULL, "null", &a_brig_create_options, &text, &error));
INVALID(brig_container_plan(a_brig_runtime, NULL, &a_brig_create_options, &text, &error));
SURVIVES(brig_container_plan(a_brig_runtime, "null", NULL, &text, &error));
INVALID(brig_container_plan(a_brig_runtime, "null", &a_brig_create_options, NULL, &error));

/* brig_container_open */
INVALID(brig_container_open(NULL, NULL, NULL, NULL));
INVALID(brig_container_open(NULL, "null", &brig_container_out, &error));
INVALID(brig_container_open(a_brig_runtime, NULL, &brig_container_out, &error));
INVALID(brig_container_open(a_brig_runtime, "null", NULL, &error));

/* brig_container_ref */
SURVIVES(brig_container_ref(NULL));

/* brig_container_unref */
SURVIVES(brig_container_unref(NULL));

/* brig_container_start */
INVALID(brig_container_start(NULL, NULL));
INVALID(brig_container_start(NULL, &error));

/* brig_container_state */
INVALID(brig_container_state(NULL, NULL, NULL));
INVALID(brig_container_state(NULL, &text, &error));
INVALID(brig_container_state(a_brig_container, NULL, &error));

/* brig_container_signal */
INVALID(brig_container_signal(NULL, 0, 0, NULL));
INVALID(brig_container_signal(NULL, 0, 0, &error));

/* brig_container_pause */
INVALID(brig_container_pause(NULL, NULL));
INVALID(brig_container_pause(NULL, &error));

/* brig_container_resume */
INVALID(brig_container_resume(NULL, NULL));
INVALID(brig_container_resume(NULL, &error));

/* brig_container_update */
INVALID(brig_container_update(NULL, NULL, NULL));
INVALID(brig_container_update(NULL, "{}", &error));
INVALID(brig_container_update(a_brig_container, NULL, &error));

/* brig_container_update_rdt */
INVALID(brig_container_update_rdt(NULL, NULL, NULL, NULL));
INVALID(brig_container_update_rdt(NULL, "{}", "{}", &error));
SURVIVES(brig_container_update_rdt(a_brig_container, NULL, "{}", &error));
INVALID(brig_container_update_rdt(a_brig_container, "{}", NULL, &error));

/* brig_container_cgroup_fd */
INVALID(brig_container_cgroup_fd(NULL, NULL, NULL, NULL));
INVALID(brig_container_cgroup_fd(NULL, "{}", &fd, &error));
SURVIVES(brig_container_cgroup_fd(a_brig_container, NULL, &fd, &error));
INVALID(brig_container_cgroup_fd(a_brig_container, "{}", NULL, &error));

/* brig_container_processes */
INVALID(brig_container_processes(NULL, NULL, NULL));
INVALID(brig_container_processes(NULL, &text, &error));
INVALID(brig_container_processes(a_brig_container, NULL, &error));

/* brig_container_stats */
INVALID(brig_container_stats(NULL, NULL, NULL));
INVALID(brig_container_stats(NULL, &text, &error));
INVALID(brig_container_stats(a_brig_container, NULL, &error));

/* brig_container_delete */
INVALID(brig_container_delete(NULL, 0, NULL));
INVALID(brig_container_delete(NULL, 0, &error));

/* brig_container_init */
INVALID(brig_container_init(NULL, NULL, NULL));
INVALID(brig_container_init(NULL, &brig_process_out, &error));
INVALID(brig_container_init(a_brig_container, NULL, &error));

/* brig_container_console */
INVALID(brig_container_console(NULL, NULL, NULL));
INVALID(brig_container_console(NULL, &fd, &error));
INVALID(brig_container_console(a_brig_container, NULL, &error));

/* brig_container_seccomp_fd */
INVALID(brig_container_seccomp_fd(NULL, NULL, NULL));
INVALID(brig_container_seccomp_fd(NULL, &fd, &error));
INVALID(brig_container_seccomp_fd(a_brig_container, NULL, &error));

/* brig_process_ref */
SURVIVES(brig_process_ref(NULL));

/* brig_process_unref */
SURVIVES(brig_process_unref(NULL));

/* brig_process_pid */
INVALID(brig_process_pid(NULL, NULL, NULL));
INVALID(brig_process_pid(NULL, &pid, &error));
INVALID(brig_process_pid(a_brig_process, NULL, &error));

/* brig_process_pidfd */
INVALID(brig_process_pidfd(NULL, NULL, NULL));
INVALID(brig_process_pidfd(NULL, &fd, &error));
INVALID(brig_process_pidfd(a_brig_process, NULL, &error));

/* brig_process_console */
INVALID(brig_process_console(NULL, NULL, NULL));
INVALID(brig_process_console(NULL, &fd, &error));
INVALID(brig_process_console(a_brig_process, NULL, &error));

/* brig_process_seccomp_fd */
INVALID(brig_process_seccomp_fd(NULL, NULL, NULL));
INVALID(brig_process_seccomp_fd(NULL, &fd, &error));
INVALID(brig_process_seccomp_fd(a_brig_process, NULL, &error));

/* brig_process_wait */
INVALID(brig_process_wait(NULL, 0, NULL, NULL));
INVALID(brig_process_wait(NULL, 0, &a_brig_exit, &error));
INVALID(brig_process_wait(a_brig_process, 0, NULL, &error));

/* brig_process_wait_cancelable */
INVALID(brig_process_wait_cancelable(NULL, 0, 0, NULL, NULL));
INVALID(brig_process_wait_cancelable(NULL, 0, 0, &a_brig_exit, &error));
INVALID(brig_process_wait_cancelable(a_brig_process, 0, 0, NULL, &error));

/* brig_process_signal */
INVALID(brig_process_signal(NULL, 0, NULL));
INVALID(brig_process_signal(NULL, 0, &error));

/* brig_container_exec */
INVALID(brig_container_exec(NULL, NULL, NULL, NULL));
INVALID(brig_container_exec(NULL, &a_brig_exec_options, &brig_process_out, &error));
SURVIVES(brig_container_exec(a_brig_container, NULL, &brig_process_out, &error));
INVALID(brig_container_exec(a_brig_container, &a_brig_exec_options, NULL, &error));

/* brig_container_process_spec */
INVALID(brig_container_process_spec(NULL, NULL, NULL));
INVALID(brig_container_process_spec(NULL, &text, &error));
INVALID(brig_container_process_spec(a_brig_container, NULL, &error));

/* brig_container_checkpoint */
INVALID(brig_container_checkpoint(NULL, NULL, NULL));
INVALID(brig_container_checkpoint(NULL, &a_brig_checkpoint_options, &error));
SURVIVES(brig_container_checkpoint(a_brig_container, NULL, &error));

/* brig_container_restore */
INVALID(brig_container_restore(NULL, NULL, NULL, NULL, NULL));
INVALID(brig_container_restore(NULL, "null", &a_brig_restore_options, &brig_container_out, &error));
INVALID(brig_container_restore(a_brig_runtime, NULL, &a_brig_restore_options, &brig_container_out, &error));
SURVIVES(brig_container_restore(a_brig_runtime, "null", NULL, &brig_container_out, &error));
INVALID(brig_container_restore(a_brig_runtime, "null", &a_brig_restore_options, NULL, &error));

/* brig_container_monitor */
INVALID(brig_container_monitor(NULL, 0, NULL, NULL));
INVALID(brig_container_monitor(NULL, 0, &brig_monitor_out, &error));
INVALID(brig_container_monitor(a_brig_container, 0, NULL, &error));

/* brig_runtime_monitor */
INVALID(brig_runtime_monitor(NULL, NULL, 0, 0, NULL, NULL));
INVALID(brig_runtime_monitor(NULL, NULL, 0, 0, &brig_monitor_out, &error));
SURVIVES(brig_runtime_monitor(a_brig_runtime, NULL, 0, 0, &brig_monitor_out, &error));
INVALID(brig_runtime_monitor(a_brig_runtime, NULL, 0, 0, NULL, &error));

/* brig_monitor_ref */
SURVIVES(brig_monitor_ref(NULL));

/* brig_monitor_unref */
SURVIVES(brig_monitor_unref(NULL));

/* brig_monitor_fd */
INVALID(brig_monitor_fd(NULL, NULL, NULL));
INVALID(brig_monitor_fd(NULL, &fd, &error));
INVALID(brig_monitor_fd(a_brig_monitor, NULL, &error));

/* brig_monitor_next */
INVALID(brig_monitor_next(NULL, NULL, NULL));
INVALID(brig_monitor_next(NULL, &text, &error));
INVALID(brig_monitor_next(a_brig_monitor, NULL, &error));
