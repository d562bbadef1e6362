/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as data, versions that agree, options of other versions of the header, and fork(2). */
#include <errno.h>
#include <fcntl.h>

#include "test.h"

/* The header that we were compiled with, pkg-config and the library that we run with are of one version. */
static void versions(void)
{
    char header[32];
    snprintf(header, sizeof header, "%d.%d.%d", BRIG_VERSION_MAJOR, BRIG_VERSION_MINOR, BRIG_VERSION_PATCH);
    CHECK(strcmp(header, brig_version()) == 0);
    CHECK(strcmp(header, setting("TEST_VERSION")) == 0);
    CHECK(brig_version_number() ==
          BRIG_VERSION_MAJOR * 1000000 + BRIG_VERSION_MINOR * 1000 + BRIG_VERSION_PATCH);
}

static void library(void)
{
    char *json = NULL;
    EXPECT(BRIG_OK, brig_features(&json, &error));
    CHECK(json && strstr(json, "\"ociVersionMax\"") && strstr(json, "\"namespaces\""));
    brig_string_free(json);
    json = NULL;
    EXPECT(BRIG_OK, brig_spec_default(0, &json, &error));
    CHECK(json && strstr(json, "\"ociVersion\"") && !strstr(json, "\"uidMappings\""));
    char *mistakes = NULL;
    EXPECT(BRIG_OK, brig_spec_validate(json, &mistakes, &error));
    CHECK(mistakes && strcmp(mistakes, "[]") == 0);
    brig_string_free(mistakes);
    brig_string_free(json);
    json = NULL;
    EXPECT(BRIG_OK, brig_spec_default(BRIG_SPEC_ROOTLESS, &json, &error));
    CHECK(json && strstr(json, "\"uidMappings\""));
    brig_string_free(json);
    json = NULL;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_spec_default(1ull << 63, &json, &error));
    CHECK(json == NULL);

    EXPECT(BRIG_ERR_INVALID, brig_log_to_fd(2, 0, BRIG_LOG_TEXT, &error));
    EXPECT(BRIG_ERR_INVALID, brig_log_to_fd(2, BRIG_LOG_ERROR, 7, &error));
    EXPECT(BRIG_OK, brig_log_to_fd(-1, BRIG_LOG_ERROR, BRIG_LOG_TEXT, &error));
}

/* All mistakes, whether of type, of value or of sense, and what is not built yet with a status of its own. */
static void mistakes(void)
{
    static const struct {
        const char *spec, *mistakes;
    } wrong[] = {
        { "nonsense",
          "[{\"pointer\":\"\",\"message\":\"config.json: line 1, column 2: is not JSON: expected ident\",\"status\":-10}]" },
        { "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": 1}, \"process\": {\"cwd\": \"x\", \"args\": [\"a\", 5]}, "
          "\"hostname\": \"h\", \"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"uts\"}]}}",
          "[{\"pointer\":\"/root/path\",\"message\":\"/root/path: must be a string, not 1\",\"status\":-10},"
          "{\"pointer\":\"/process/args/1\",\"message\":\"/process/args/1: must be a string, not 5\",\"status\":-10},"
          "{\"pointer\":\"/process/cwd\",\"message\":\"/process/cwd: \\\"x\\\" is not an absolute path\",\"status\":-10}]" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *found = NULL;
        EXPECT(BRIG_OK, brig_spec_validate(wrong[i].spec, &found, &error));
        CHECK(found && strcmp(found, wrong[i].mistakes) == 0);
        brig_string_free(found);
    }
}

/* A refusal names the field, and leaves the output alone. */
static void config(brig_runtime *runtime)
{
    static const struct {
        const char *spec, *pointer;
    } wrong[] = {
        { "{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"}, \"process\": {\"cwd\": \"not/absolute\", "
          "\"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"/bin/true\"]}, \"linux\": {\"namespaces\": "
          "[{\"type\": \"mount\"}]}}",
          "/process/cwd" },
        { "{\"ociVersion\": 1}", "/ociVersion" },
        { "{\"ociVersion\": ", "" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        brig_container *container = (brig_container *)&wrong;
        brig_error *error = NULL;
        brig_create_options options = BRIG_INIT(brig_create_options);
        options.bundle = bundle("true");
        options.spec = wrong[i].spec;
        CHECK(brig_container_create(runtime, unique_id(), &options, &container, &error) == BRIG_ERR_CONFIG);
        CHECK(container == (brig_container *)&wrong);
        CHECK(brig_error_status(error) == BRIG_ERR_CONFIG);
        const char *pointer = brig_error_pointer(error);
        CHECK(pointer && strcmp(pointer, wrong[i].pointer) == 0);
        if (failed)
            fprintf(stderr, "said %s: %s\n", pointer ? pointer : "nothing", brig_error_message(error));
        CHECK(strlen(brig_error_message(error)) > 0 && !strchr(brig_error_message(error), '\n'));
        brig_error_free(error);
    }
}

static void refusals(brig_runtime *runtime)
{
    static const char *const bad_ids[] = { "", ".", "..", "a/b", "a b", "ä" };
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");
    for (size_t i = 0; i < sizeof bad_ids / sizeof bad_ids[0]; i++)
        EXPECT(BRIG_ERR_INVALID, brig_container_create(runtime, bad_ids[i], &options, &container, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, "no-such", &container, &error));

    options.bundle = "/nonexistent/bundle";
    brig_error *error = NULL;
    CHECK(brig_container_create(runtime, unique_id(), &options, &container, &error) != BRIG_OK);
    CHECK(brig_error_errno(error) == ENOENT && strstr(brig_error_message(error), "/nonexistent/bundle"));
    brig_error_free(error);

    /* Without a place for the error, the status is the same. */
    CHECK(brig_container_create(runtime, unique_id(), &options, &container, NULL) != BRIG_OK);

    /* A program that is missing is seen before anything is done. One that cannot be executed is seen by the
       start, and what is left can be cleared away. */
    options.bundle = bundle("no-program");
    EXPECT(BRIG_ERR_PROGRAM, brig_container_create(runtime, unique_id(), &options, &container, &error));
    container = create(runtime, unique_id(), "bad-program");
    if (container) {
        EXPECT(BRIG_ERR_PROGRAM, brig_container_start(container, &error));
        EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
        brig_container_unref(container);
    }
}

/* As a program would pass them that was compiled with a later or an earlier header. */
static void other_headers(brig_runtime *runtime)
{
    struct {
        brig_create_options known;
        uint64_t later;
    } longer = { .known = { .size = sizeof longer, .bundle = bundle("true") } };
    char *plan = NULL;

    EXPECT(BRIG_OK, brig_container_plan(runtime, "later", &longer.known, &plan, &error));
    brig_string_free(plan);
    plan = NULL;
    longer.later = 1;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_plan(runtime, "later", &longer.known, &plan, &error));

    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");
    options.size = offsetof(brig_create_options, spec);
    options.flags = ~0ull; /* beyond its size, so not there */
    EXPECT(BRIG_OK, brig_container_plan(runtime, "earlier", &options, &plan, &error));
    brig_string_free(plan);
    plan = NULL;

    options.size = sizeof options;
    EXPECT(BRIG_ERR_UNSUPPORTED, brig_container_plan(runtime, "flags", &options, &plan, &error));
    options.flags = BRIG_CREATE_ROOTLESS | BRIG_CREATE_NOT_ROOTLESS;
    EXPECT(BRIG_ERR_INVALID, brig_container_plan(runtime, "flags", &options, &plan, &error));
    options.flags = 0;
    options.size = 0;
    EXPECT(BRIG_ERR_INVALID, brig_container_plan(runtime, "size", &options, &plan, &error));
    options.size = sizeof options;
    options.cancel_fd = -1;
    EXPECT(BRIG_ERR_INVALID, brig_container_plan(runtime, "negative", &options, &plan, &error));
    options.cancel_fd = 0;
    options.fd_count = 1;
    EXPECT(BRIG_ERR_INVALID, brig_container_plan(runtime, "count", &options, &plan, &error));
    CHECK(plan == NULL);
}

/* Cancelled before it begins: nothing is left. */
static void canceled(brig_runtime *runtime)
{
    int now = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const char *id = unique_id();
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");
    options.cancel_fd = now;
    EXPECT(BRIG_ERR_CANCELED, brig_container_create(runtime, id, &options, &container, &error));
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, id, &container, &error));
    close(now);
}

/* What was made before a fork(2) is the parent's; what the child makes is its own. */
static void forked(brig_runtime *runtime)
{
    brig_container *container = create(runtime, unique_id(), "true");
    brig_process *init = NULL;
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));

    pid_t child = fork();
    if (child == 0) {
        char *json = NULL;
        brig_exit end = BRIG_INIT(brig_exit);
        passed = failed = 0;
        EXPECT(BRIG_ERR_FORKED, brig_runtime_list(runtime, &json, &error));
        EXPECT(BRIG_ERR_FORKED, brig_container_start(container, &error));
        EXPECT(BRIG_ERR_FORKED, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
        EXPECT(BRIG_ERR_FORKED, brig_process_wait(init, 0, &end, &error));
        CHECK(json == NULL);
        brig_process_unref(init);
        brig_container_unref(container);
        brig_runtime_unref(runtime);
        brig_runtime_unref(open_runtime());
        _exit(failed != 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    brig_process_unref(init);
    CHECK(run_to_end(container) == 0);
}

/* A scope of systemd's, or where there is none to make it a clear refusal that leaves nothing. */
static void systemd(brig_runtime *runtime)
{
    const char *id = unique_id();
    brig_container *container = NULL;
    brig_error *error = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle("true");
    options.flags = BRIG_CREATE_SYSTEMD_CGROUP;
    brig_status status = brig_container_create(runtime, id, &options, &container, &error);
    if (access("/run/systemd/system", F_OK) == 0 && status == BRIG_OK) {
        EXPECT(BRIG_OK, brig_container_delete(container, BRIG_DELETE_FORCE, &error));
        brig_container_unref(container);
    } else {
        CHECK(status == BRIG_ERR_UNSUPPORTED && container == NULL);
        CHECK(strstr(brig_error_message(error), "the systemd driver: ") != NULL);
        brig_error_free(error);
    }
    EXPECT(BRIG_ERR_NOT_FOUND, brig_container_open(runtime, id, &container, &error));
}

int main(void)
{
    versions();
    library();
    mistakes();
    brig_runtime *runtime = open_runtime();
    config(runtime);
    refusals(runtime);
    systemd(runtime);
    other_headers(runtime);
    canceled(runtime);
    forked(runtime);
    brig_runtime_unref(runtime);
    return finish();
}
