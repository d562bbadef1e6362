/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps one perf event of a process for as long as the guest is up. The kernel patches its scheduler for the first such
 * event, as a hardware breakpoint is, which CRIU sets, and back after the last one. Under emulation another processor may
 * trip over that while it runs the same code.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof event,
        .config = PERF_COUNT_SW_DUMMY,
    };
    if (syscall(SYS_perf_event_open, &event, 0, -1, -1, 0) < 0) {
        perror("hold: cannot have a perf event");
        return 1;
    }
    for (;;)
        pause();
}
