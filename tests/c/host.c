/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a library owes the program that calls it: nothing of the host is changed, and nothing of the host
 * is reachable from a container that waits for its start.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "test.h"

#define THREADS 8
/* What docs/threads.md says is enough; musl gives its threads so much. */
#define STACK (128 * 1024)
#define EACH 50

extern char **environ;
static brig_runtime *runtime;

/* --- the host as it is ------------------------------------------------------------------------ */

struct host {
    int threads, files, dumpable, subreaper, no_new_privs;
    mode_t umask;
    char directory[4096], environment[16384], credentials[1024], oom[32], links[1024];
    struct sigaction actions[65];
    sigset_t mask;
};

static int count_entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    REQUIRE(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    if (file >= 0)
        close(file);
}

/* The lines of /proc/self/status that start with one of these. */
static void read_credentials(char *text, size_t size)
{
    static const char *const names[] = { "Uid:", "Gid:", "Groups:", "Cap", "Seccomp:", "SigBlk:", "SigIgn:", "SigCgt:" };
    char line[512];
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    text[0] = '\0';
    while (fgets(line, sizeof line, status))
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (!strncmp(line, names[i], strlen(names[i])))
                strncat(text, line, size - strlen(text) - 1);
    fclose(status);
}

static void read_links(char *text, size_t size)
{
    static const char *const names[] = { "root", "exe", "ns/mnt", "ns/pid", "ns/pid_for_children", "ns/net",
                                         "ns/ipc", "ns/uts", "ns/user", "ns/cgroup", "ns/time" };
    size_t used = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64], target[256] = "";
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        if (readlink(path, target, sizeof target - 1) < 0)
            target[0] = '\0';
        used += (size_t)snprintf(text + used, size - used, "%s ", target);
    }
}

static void look(struct host *host)
{
    memset(host, 0, sizeof *host);
    host->threads = count_entries("/proc/self/task");
    host->files = count_entries("/proc/self/fd");
    host->dumpable = prctl(PR_GET_DUMPABLE);
    host->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    prctl(PR_GET_CHILD_SUBREAPER, &host->subreaper);
    host->umask = umask(0);
    umask(host->umask);
    CHECK(getcwd(host->directory, sizeof host->directory) != NULL);
    size_t used = 0;
    for (char **variable = environ; *variable && used < sizeof host->environment; variable++)
        used += (size_t)snprintf(host->environment + used, sizeof host->environment - used, "%s\n", *variable);
    read_credentials(host->credentials, sizeof host->credentials);
    read_text("/proc/self/oom_score_adj", host->oom, sizeof host->oom);
    read_links(host->links, sizeof host->links);
    for (int number = 1; number <= 64; number++)
        sigaction(number, NULL, &host->actions[number]);
    pthread_sigmask(SIG_SETMASK, NULL, &host->mask);
}

static int same_text(const char *before, const char *after)
{
    if (strcmp(before, after) == 0)
        return 1;
    fprintf(stderr, "before:\n%s\nafter:\n%s\n", before, after);
    return 0;
}

static void compare(const struct host *before, const struct host *after)
{
    CHECK(after->threads == before->threads);
    CHECK(after->files == before->files);
    CHECK(after->dumpable == before->dumpable);
    CHECK(after->subreaper == before->subreaper);
    CHECK(after->no_new_privs == before->no_new_privs);
    CHECK(after->umask == before->umask);
    CHECK(same_text(before->directory, after->directory));
    CHECK(same_text(before->environment, after->environment));
    CHECK(same_text(before->credentials, after->credentials));
    CHECK(same_text(before->oom, after->oom));
    CHECK(same_text(before->links, after->links));
    CHECK(memcmp(&after->mask, &before->mask, sizeof after->mask) == 0);
    for (int number = 1; number <= 64; number++)
        CHECK(after->actions[number].sa_handler == before->actions[number].sa_handler &&
              after->actions[number].sa_flags == before->actions[number].sa_flags);
}

/* --- the waiting container -------------------------------------------------------------------- */

static void waiting_init(void)
{
    brig_container *container = create(runtime, unique_id(), "true");
    brig_process *init = NULL;
    pid_t pid = 0;
    REQUIRE(container != NULL);
    EXPECT(BRIG_OK, brig_container_init(container, &init, &error));
    EXPECT(BRIG_OK, brig_process_pid(init, &pid, &error));
    brig_process_unref(init);

    char path[300], target[4096] = "", line[4096], ours[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK(strncmp(target, "/memfd:", 7) == 0);

    /* Sealed: the file cannot be changed by whoever opens it through /proc. */
    int exe = open(path, O_RDONLY | O_CLOEXEC);
    int seals = fcntl(exe, F_GET_SEALS);
    CHECK(seals > 0 && (seals & F_SEAL_WRITE) && (seals & F_SEAL_SEAL));
    close(exe);

    /* All that it maps is that file or no file at all. */
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    REQUIRE(maps != NULL);
    int mapped = 0;
    while (fgets(line, sizeof line, maps)) {
        const char *file = strchr(line, '/');
        mapped++;
        if (file && strncmp(file, "/memfd:", 7) != 0) {
            fprintf(stderr, "init maps %s", file);
            CHECK(!"a file that is not its own");
        }
    }
    fclose(maps);
    CHECK(mapped > 0);
    CHECK(readlink("/proc/self/exe", ours, sizeof ours - 1) > 0);
    snprintf(path, sizeof path, "/proc/%d/map_files", (int)pid);
    DIR *files = opendir(path);
    REQUIRE(files != NULL);
    for (struct dirent *entry; (entry = readdir(files));) {
        char link[600], file[4096] = "";
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && readlink(link, file, sizeof file - 1) > 0)
            CHECK(strcmp(file, ours) != 0 && !strstr(file, "libbrig") && !strstr(file, "libc.so"));
    }
    closedir(files);

    /* Nor does it hold a file of the host: not a directory, not a cgroup, nothing but /dev/null and its socket. */
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    files = opendir(path);
    REQUIRE(files != NULL);
    for (struct dirent *entry; (entry = readdir(files));) {
        char link[600], file[4096] = "";
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || readlink(link, file, sizeof file - 1) < 0)
            continue;
        if (strncmp(file, "/sys/fs/cgroup", 14) == 0 || strncmp(file, "/tmp/", 5) == 0) {
            fprintf(stderr, "init holds %s\n", file);
            CHECK(!"a file of the host");
        }
    }
    closedir(files);

    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %ld", &kib);
    fclose(status);
    CHECK(kib < 300);
    fprintf(stderr, "the waiting init: %ld KiB resident, %s\n", kib, target);

    CHECK(run_to_end(container) == 0);
}

/* --- many at a time --------------------------------------------------------------------------- */

static void *many(void *unused)
{
    (void)unused;
    for (int i = 0; i < EACH && !failed; i++) {
        brig_container *container = create(runtime, unique_id(), i % 2 ? "true" : "exit-7");
        if (container)
            CHECK(run_to_end(container) == (i % 2 ? 0 : 7));
    }
    return NULL;
}

/* stdout and stderr go to a file meanwhile: the library must not print. */
static long printed_by(void *(*work)(void *), int threads)
{
    pthread_t workers[THREADS];
    int saved[2] = { fcntl(1, F_DUPFD_CLOEXEC, 3), fcntl(2, F_DUPFD_CLOEXEC, 3) };
    char name[] = "/tmp/brig-host-XXXXXX";
    int file = mkstemp(name);
    struct stat status;
    REQUIRE(file >= 0);
    unlink(name);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    pthread_attr_t small;
    REQUIRE(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, STACK) == 0);
    for (int i = 0; i < threads; i++)
        REQUIRE(pthread_create(&workers[i], &small, work, NULL) == 0);
    pthread_attr_destroy(&small);
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i], NULL);
    fflush(NULL);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    CHECK(fstat(file, &status) == 0);

    char text[4096];
    ssize_t length = pread(file, text, sizeof text, 0);
    if (length > 0)
        fwrite(text, 1, (size_t)length, stderr);
    close(file);
    close(saved[0]);
    close(saved[1]);
    return (long)status.st_size;
}

static void *nothing(void *unused)
{
    return unused;
}

int main(void)
{
    static struct host before, after;
    pthread_t first;

    /* A host that could hardly be less helpful. */
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    setenv("BRIG_TEST_HOST", "untouched", 1);
    umask(027);

    /* The C library sets up a signal handler of its own with the first thread. */
    REQUIRE(pthread_create(&first, NULL, nothing, NULL) == 0);
    pthread_join(first, NULL);

    look(&before);
    runtime = open_runtime();
    waiting_init();
    CHECK(printed_by(many, THREADS) == 0);
    brig_runtime_unref(runtime);
    look(&after);
    compare(&before, &after);
    return finish();
}
