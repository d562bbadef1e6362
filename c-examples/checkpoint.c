/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint - moves a running container to another id, as one would to another machine: two dumps of its memory
 * beforehand, if this kernel can, then the rest. It says what each took.
 *
 *     cc -o checkpoint checkpoint.c $(pkg-config --cflags --libs brig)
 *     ./checkpoint BUNDLE DIRECTORY
 *
 * DIRECTORY is made, and has the images afterwards. As root, with criu in $PATH.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <brig.h>

static brig_runtime *runtime;
static char first[32], second[32];

/* Whatever fails ends this program, and its container. The error by its address: arguments are evaluated in any order. */
static void must(brig_status status, brig_error **error, const char *what)
{
    brig_container *container;
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "checkpoint: cannot %s: %s\n", what, brig_error_message(*error));
    if (runtime && brig_container_open(runtime, first, &container, NULL) == BRIG_OK)
        brig_container_delete(container, BRIG_DELETE_FORCE, NULL);
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double megabytes(const char *directory)
{
    DIR *files = opendir(directory);
    struct dirent *file;
    struct stat stat;
    double sum = 0;
    while (files && (file = readdir(files)))
        if (fstatat(dirfd(files), file->d_name, &stat, 0) == 0 && S_ISREG(stat.st_mode))
            sum += (double)stat.st_size / (1 << 20);
    if (files)
        closedir(files);
    return sum;
}

/* Dumps into the current directory's NAME what has changed since PARENT; whether this kernel can do that. */
static int dump(brig_container *container, const char *name, const char *parent, uint64_t flags)
{
    brig_error *error = NULL;
    brig_checkpoint_options options = BRIG_INIT(brig_checkpoint_options);
    options.image_dir = name;
    options.parent_path = parent;
    options.flags = flags;
    double start = now();
    brig_status status = brig_container_checkpoint(container, &options, &error);
    if (status == BRIG_ERR_UNSUPPORTED && (flags & BRIG_CHECKPOINT_PRE_DUMP)) {
        printf("%-8s not here: %s\n", name, brig_error_message(error));
        brig_error_free(error);
        return 0;
    }
    must(status, &error, "checkpoint");
    printf("%-8s %7.3f s %8.2f MiB\n", name, now() - start, megabytes(name));
    return 1;
}

int main(int argc, char **argv)
{
    const int nowhere[3] = { -1, -1, -1 };
    brig_error *error = NULL;
    brig_container *container, *restored;
    brig_create_options options = BRIG_INIT(brig_create_options);
    brig_restore_options back = BRIG_INIT(brig_restore_options);

    if (argc != 3 || !(options.bundle = back.bundle = realpath(argv[1], NULL)) ||
        (mkdir(argv[2], 0700), chdir(argv[2])) != 0) {
        fprintf(stderr, "usage: checkpoint BUNDLE DIRECTORY\n");
        return EXIT_FAILURE;
    }
    snprintf(first, sizeof first, "first-%d", (int)getpid());
    snprintf(second, sizeof second, "second-%d", (int)getpid());

    must(brig_runtime_open(NULL, &runtime, &error), &error, "open the state directory");
    options.stdio = back.stdio = nowhere;
    must(brig_container_create(runtime, first, &options, &container, &error), &error, "create");
    must(brig_container_start(container, &error), &error, "start");
    sleep(1); /* It shall have something to lose. */

    int known = dump(container, "one", NULL, BRIG_CHECKPOINT_PRE_DUMP) &&
                dump(container, "two", "../one", BRIG_CHECKPOINT_PRE_DUMP);
    dump(container, "last", known ? "../two" : NULL, 0);
    must(brig_container_delete(container, 0, &error), &error, "delete");

    double start = now();
    back.image_dir = "last";
    must(brig_container_restore(runtime, second, &back, &restored, &error), &error, "restore");
    printf("%-8s %7.3f s\n", "restore", now() - start);
    char *state;
    must(brig_container_state(restored, &state, &error), &error, "ask for the state");
    printf("%s\n", state);
    brig_string_free(state);
    must(brig_container_delete(restored, BRIG_DELETE_FORCE, &error), &error, "delete");
    return EXIT_SUCCESS;
}
