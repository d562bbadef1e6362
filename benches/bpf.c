/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf - compiles benches/seccomp.json with libseccomp, for the floor.
 *
 *     bpf seccomp.json > filter
 *
 * Reads no other JSON than that file: one default action, rules with at most one argument each.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "bpf: %s: %s\n", what, strerror(-result));
        exit(1);
    }
}

/* The number after `key` in the text of a rule, or `otherwise`. */
static uint64_t number(const char *rule, const char *key, uint64_t otherwise)
{
    const char *found = strstr(rule, key);
    return found ? strtoull(found + strlen(key), NULL, 10) : otherwise;
}

static struct scmp_arg_cmp comparison(const char *rule)
{
    struct scmp_arg_cmp arg = {
        .arg = (unsigned)number(rule, "\"index\": ", 0),
        .op = SCMP_CMP_EQ,
        .datum_a = number(rule, "\"value\": ", 0),
        .datum_b = number(rule, "\"valueTwo\": ", 0),
    };
    if (strstr(rule, "SCMP_CMP_NE"))
        arg.op = SCMP_CMP_NE;
    if (strstr(rule, "SCMP_CMP_MASKED_EQ"))
        arg.op = SCMP_CMP_MASKED_EQ;
    return arg;
}

static void add(scmp_filter_ctx filter, char *rule)
{
    struct scmp_arg_cmp arg = comparison(rule);
    unsigned args = strstr(rule, "\"args\"") != NULL;
    uint32_t action = SCMP_ACT_ALLOW;
    if (strstr(rule, "SCMP_ACT_ERRNO"))
        action = SCMP_ACT_ERRNO(number(rule, "\"errnoRet\": ", EPERM));

    char *names = strstr(rule, "\"names\": [");
    char *end = names ? strchr(names, ']') : NULL;
    if (!end)
        return;
    *end = '\0';
    strtok(strchr(names, '['), "\"");
    for (char *name; (name = strtok(NULL, "\"")) != NULL; strtok(NULL, "\"")) {
        int number = seccomp_syscall_resolve_name(name);
        if (number != __NR_SCMP_ERROR)
            check(seccomp_rule_add_array(filter, action, number, args, &arg), name);
    }
}

int main(int argc, char **argv)
{
    static char text[1 << 20];
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!file || !fread(text, 1, sizeof text - 1, file)) {
        fprintf(stderr, "usage: bpf seccomp.json > filter\n");
        return 1;
    }

    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    check(seccomp_arch_add(filter, SCMP_ARCH_X86), "x86");
    check(seccomp_arch_add(filter, SCMP_ARCH_X32), "x32");

    /* A rule is what stands between two braces at this depth. */
    int depth = 0;
    char *rule = NULL;
    for (char *at = strstr(text, "\"syscalls\""); at && *at; at++) {
        if (*at == '{' && depth++ == 0)
            rule = at;
        if (*at == '}' && --depth == 0) {
            *at = '\0';
            add(filter, rule);
        }
    }
    check(seccomp_export_bpf(filter, 1), "export");
    return 0;
}
