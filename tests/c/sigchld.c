/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a program does with SIGCHLD, it creates containers, and learns how they end: with a supervisor
 * on any kernel, without one where the kernel remembers it, or where it reaps its children itself.
 */
#include <signal.h>
#include <sys/utsname.h>

#include "older.h"

static void reap_all(int signal)
{
    int saved = errno;
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = saved;
}

static void set_default(void)
{
    signal(SIGCHLD, SIG_DFL);
}

static void set_ignored(void)
{
    signal(SIGCHLD, SIG_IGN);
}

static void set_no_zombies(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
    sigaction(SIGCHLD, &action, NULL);
}

static void set_reaping(void)
{
    struct sigaction action = { .sa_handler = reap_all };
    sigaction(SIGCHLD, &action, NULL);
}

static void set_blocked(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static const struct way {
    const char *name;
    void (*set)(void);
    /* Whether zombies are left for the library. */
    int keeps;
} ways[] = {
    { "default", set_default, 1 },  { "ignored", set_ignored, 0 }, { "no zombies", set_no_zombies, 0 },
    { "reaping", set_reaping, 0 },  { "blocked", set_blocked, 1 },
};

/* Whether the kernel remembers how a process ended. */
static int remembers(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    REQUIRE(uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2);
    return major > 6 || (major == 6 && minor >= 15);
}

/* How a container with the exit code 7 ended, or a negative status. */
static int outcome(brig_container *container)
{
    brig_process *init = NULL;
    brig_exit end = BRIG_INIT(brig_exit);
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_container_start(container, &error));
    brig_status status = brig_process_wait(init, 30000, &end, NULL);
    brig_process_unref(init);
    EXPECT(BRIG_OK, brig_container_delete(container, 0, &error));
    brig_container_unref(container);
    return status != BRIG_OK ? (int)status : end.signal ? 128 + end.signal : end.code;
}

static void try_all(brig_runtime *runtime, int remembered)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fprintf(stderr, "SIGCHLD is %s\n", ways[i].name);
        ways[i].set();
        for (int round = 0; round < 5; round++) {
            CHECK(outcome(create_supervised(runtime, unique_id(), "exit-7", NULL)) == 7);
            /* Who comes first, the handler or the library, is open. */
            int alone = outcome(create(runtime, unique_id(), "exit-7"));
            CHECK(alone == 7 || (alone == BRIG_ERR_UNSUPPORTED && !remembered && !ways[i].keeps));
        }
        CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    }
}

int main(void)
{
    brig_runtime *runtime = open_runtime();
    try_all(runtime, remembers());
    use_older_kernel();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    try_all(runtime, 0);
    brig_runtime_unref(runtime);
    return finish();
}
