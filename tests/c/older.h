/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of how the exit code is learnt: a kernel before Linux 6.15, which does not remember it.
 */
#ifndef OLDER_H
#define OLDER_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "test.h"

/* From here on this process and its children have no PIDFD_GET_INFO. */
static inline void use_older_kernel(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xc040ff0b, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof steps / sizeof *steps, .filter = steps };
    REQUIRE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

/* A created container with a supervisor, or NULL. `spec` may be NULL: the bundle's. */
static inline brig_container *create_supervised(brig_runtime *runtime, const char *id, const char *bundle_name,
                                                const char *spec)
{
    brig_container *container = NULL;
    brig_create_options options = BRIG_INIT(brig_create_options);
    options.bundle = bundle(bundle_name);
    options.spec = spec;
    options.stdio = nowhere;
    options.flags = BRIG_CREATE_SUPERVISED;
    EXPECT(BRIG_OK, brig_container_create(runtime, id, &options, &container, &error));
    REQUIRE(container != NULL);
    return container;
}

#endif
