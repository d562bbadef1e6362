/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that another program has made, and what a program finds out about them without starting one itself.
 *
 * With the argument `without-pidfds` this is what valgrind can follow: it knows neither clone3(2) nor pidfds.
 */
#include <poll.h>
#include <signal.h>

#include "test.h"

/* Runs the brig command. */
static void command(const char *verb, const char *id)
{
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && exec brig --root '%s' %s %s < /dev/null > /dev/null", bundle("sleep"),
             setting("TEST_ROOT"), verb, id);
    REQUIRE(system(line) == 0);
}

/* The text that a call gave us, which must have this in it. */
static void holds(char *text, const char *part)
{
    CHECK(text && strstr(text, part));
    brig_string_free(text);
}

static void without_containers(brig_runtime *runtime)
{
    char *text = NULL;
    brig_container *container = NULL;

    EXPECT(BRIG_OK, brig_features(&text, &error));
    holds(text, "\"ociVersionMax\"");
    EXPECT(BRIG_OK, brig_runtime_list(runtime, &text, &error));
    holds(text, "[");
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, unique_id(), &container, &error));
    CHECK(container == NULL);

    /* A spec of many mistakes is read as well as one without. */
    char *spec = NULL;
    EXPECT(BRIG_OK, brig_spec_default(0, &spec, &error));
    EXPECT(BRIG_OK, brig_spec_validate(spec, &text, &error));
    brig_string_free(text);
    for (char *at = spec; (at = strchr(at, '1')) != NULL;)
        *at = '9';
    brig_status status = brig_spec_validate(spec, &text, NULL);
    CHECK(status == BRIG_OK || status == BRIG_ERR_INVALID);
    if (status == BRIG_OK)
        brig_string_free(text);
    brig_string_free(spec);

    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("sleep");
    options.stdio = nowhere;
    EXPECT(BRIG_OK, brig_container_plan(runtime, unique_id(), &options, &text, &error));
    holds(text, "Exec");
}

static void look_at(brig_runtime *runtime, brig_container *container, const char *id)
{
    char *text = NULL;

    CHECK(has_status(container, "created"));
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    CHECK(has_status(container, "running"));
    EXPECT(BRIG_ERR_STATE, brig_container_start(container, &error));
    EXPECT(BRIG_OK, brig_container_processes(container, &text, &error));
    holds(text, "[");
    EXPECT(BRIG_OK, brig_container_stats(container, &text, &error));
    holds(text, "\"memory\"");
    EXPECT(BRIG_OK, brig_runtime_stats(runtime, &id, 1, &text, &error));
    holds(text, id);
    EXPECT(BRIG_OK, brig_container_process_spec(container, &text, &error));
    holds(text, "\"args\"");
    EXPECT(BRIG_OK, brig_container_pause(container, &error));
    CHECK(has_status(container, "paused"));
    EXPECT(BRIG_OK, brig_container_resume(container, &error));
    EXPECT(BRIG_OK, brig_container_update(container, "{\"pids\":{\"limit\":50}}", &error));
    EXPECT(BRIG_ERR_CONFIG, brig_container_update(container, "{\"pids\":{\"limit\":\"many\"}}", &error));
    EXPECT(BRIG_ERR_STATE, brig_container_delete(container, 0, &error));
}

static void end(brig_container *container, brig_monitor *monitor)
{
    brig_process *init = NULL;
    char *text = NULL;
    int pidfd = -1, events = 0;
    brig_exit end = BRIG_INIT(brig_exit);

    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_process_pidfd(init, &pidfd, &error));
    EXPECT(BRIG_OK, brig_container_signal(container, SIGKILL, 0, &error));
    struct pollfd ended = { .fd = pidfd, .events = POLLIN };
    CHECK(poll(&ended, 1, 60000) == 1);
    /* The first to be told is its parent; whether others are is the kernel's choice. */
    brig_status status = brig_process_wait(init, 60000, &end, NULL);
    CHECK(status == BRIG_OK ? end.signal == SIGKILL : status == BRIG_ERR_UNSUPPORTED);
    EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
    while (brig_monitor_next(monitor, &text, NULL) == BRIG_OK && text) {
        brig_string_free(text);
        events++;
    }
    CHECK(events > 1);
    close(pidfd);
    brig_process_unref(init);
}

int main(int argc, char **argv)
{
    int pidfds = argc < 2 || strcmp(argv[1], "without-pidfds") != 0;
    brig_runtime *runtime = open_runtime();

    without_containers(runtime);
    for (int i = 0; i < 3; i++) {
        const char *id = unique_id();
        brig_container *container = NULL;
        brig_monitor *monitor = NULL;

        command("create", id);
        EXPECT(BRIG_OK, brig_container_open(runtime, id, &container, &error));
        if (pidfds)
            EXPECT(BRIG_OK, brig_container_monitor(container, 0, &monitor, &error));
        look_at(runtime, container, id);
        if (pidfds)
            end(container, monitor);
        else
            command("delete --force", id);
        brig_monitor_unref(monitor);
        brig_container_unref(container);
    }
    brig_runtime_unref(runtime);
    return finish();
}
