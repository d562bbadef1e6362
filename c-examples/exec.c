/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec - runs one more program in a container, and captures what it prints.
 *
 *     cc -o exec exec.c $(pkg-config --cflags --libs brig)
 *     ./exec ID PROGRAM [ARGUMENT...]
 *
 * ID is a container that runs, whoever created it. Our stdin is the program's; its stdout comes to us through a
 * pipe, and its exit status becomes ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <brig.h>

/* Whatever fails ends this program; what a longer one would free, the kernel does here. */
static void must(brig_status status, brig_error **error)
{
    if (status == BRIG_OK)
        return;
    fprintf(stderr, "exec: %s\n", brig_error_message(*error));
    exit(status == BRIG_ERR_PROGRAM ? 127 : EXIT_FAILURE);
}

/* Writes a JSON string; a JSON library does that and much more. */
static void quote(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(to, "\\u%04x", *text);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

/* The OCI process object; what it does not have is as the container's own process has it. */
static char *process_object(char **arguments)
{
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    fputs("{\"cwd\":\"/\",\"env\":[\"PATH=/usr/bin:/bin:/usr/sbin:/sbin\"],\"args\":[", to);
    for (char **argument = arguments; *argument; argument++) {
        if (argument != arguments)
            fputc(',', to);
        quote(to, *argument);
    }
    fputs("]}", to);
    fclose(to);
    return text;
}

/* All that comes out of the pipe until nobody has its other end any more. */
static char *read_all(int pipe, size_t *size)
{
    char *text, part[4096];
    FILE *to = open_memstream(&text, size);
    ssize_t count;

    while ((count = read(pipe, part, sizeof part)) > 0)
        fwrite(part, 1, (size_t)count, to);
    fclose(to);
    return text;
}

int main(int argc, char **argv)
{
    brig_error *error = NULL;
    brig_runtime *runtime;
    brig_container *container;
    brig_process *process;
    brig_exec_options options = BRIG_INIT(brig_exec_options);
    brig_exit end = BRIG_INIT(brig_exit);
    int ends[2];
    size_t size;

    if (argc < 3) {
        fprintf(stderr, "usage: exec ID PROGRAM [ARGUMENT...]\n");
        return EXIT_FAILURE;
    }
    must(brig_runtime_open(getenv("BRIG_ROOT"), &runtime, &error), &error);
    must(brig_container_open(runtime, argv[1], &container, &error), &error);

    if (pipe(ends) != 0) {
        perror("exec: pipe");
        return EXIT_FAILURE;
    }
    const int stdio[3] = { STDIN_FILENO, ends[1], STDERR_FILENO };
    options.process = process_object(argv + 2);
    options.stdio = stdio;
    must(brig_container_exec(container, &options, &process, &error), &error);
    close(ends[1]);

    char *output = read_all(ends[0], &size);
    must(brig_process_wait(process, -1, &end, &error), &error);
    printf("%zu bytes:\n%s", size, output);

    brig_process_unref(process);
    brig_container_unref(container);
    brig_runtime_unref(runtime);
    return end.signal ? 128 + end.signal : end.code;
}
