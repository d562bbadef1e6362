/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - the least that a container of the default spec costs.
 *
 *     floor CGROUP ROOTFS FILTER|- LIMITS|- PROGRAM [ARG...]
 *
 * Makes the system calls that brig makes for tests/lab/config.json, in the same order, and nothing
 * else: no JSON, no state, no checks, no undo. CGROUP is a new directory's path below each hierarchy.
 * FILTER is a file with a compiled seccomp program, LIMITS one with a line "HIERARCHY FILE VALUE" for each limit.
 *
 * The child shares this program's memory until its exec, which is the cheapest start that there is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const hierarchies[] = {
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd",
};
#define UNIFIED "/sys/fs/cgroup/unified"

static const char *cgroup;
static const char *rootfs;
static char **program;
static struct sock_fprog filter;
static FILE *limits;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(125);
}

#define TRY(call)          \
    do {                   \
        if ((call) < 0)    \
            die(#call);    \
    } while (0)

/* --- cgroups ---------------------------------------------------------------------------------- */

static const char *path_in(const char *hierarchy, const char *file)
{
    static char path[4096];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s%s%s", hierarchy, cgroup, file ? "/" : "", file ? file : "");
    return path;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        die(path);
    TRY(write(fd, text, strlen(text)));
    close(fd);
}

/* A new cpuset is empty, and takes no process before it has what its parent has. */
static void inherit(const char *file)
{
    char text[256], above[64];
    snprintf(above, sizeof above, "../%s", file);
    int fd = open(path_in("cpuset", above), O_RDONLY | O_CLOEXEC);
    TRY(fd);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    TRY(length);
    text[length] = '\0';
    put(path_in("cpuset", file), text);
}

static void make_cgroups(void)
{
    static const char *const devices[] = {
        "c *:* m",    "b *:* m",    "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
        "c 1:8 rwm",  "c 1:9 rwm",  "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
    };
    for (size_t i = 0; i < COUNT(hierarchies); i++)
        TRY(mkdir(path_in(hierarchies[i], NULL), 0755));
    TRY(mkdir(path_in("unified", NULL), 0755));
    inherit("cpuset.cpus");
    inherit("cpuset.mems");

    put(path_in("devices", "devices.deny"), "a");
    int fd = open(path_in("devices", "devices.allow"), O_WRONLY | O_CLOEXEC);
    TRY(fd);
    for (size_t i = 0; i < COUNT(devices); i++)
        TRY(write(fd, devices[i], strlen(devices[i])));
    close(fd);
}

static void write_limits(void)
{
    char hierarchy[32], file[64], value[64];
    while (fscanf(limits, "%31s %63s %63s", hierarchy, file, value) == 3)
        put(path_in(hierarchy, file), value);
}

static void remove_cgroups(void)
{
    for (size_t i = 0; i < COUNT(hierarchies); i++)
        TRY(rmdir(path_in(hierarchies[i], NULL)));
    TRY(rmdir(path_in("unified", NULL)));
}

/* --- the container's side --------------------------------------------------------------------- */

static void loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    TRY(fd);
    TRY(ioctl(fd, SIOCGIFFLAGS, &request));
    request.ifr_flags |= IFF_UP;
    TRY(ioctl(fd, SIOCSIFFLAGS, &request));
    close(fd);
}

/* All paths are relative to the root filesystem, which is the working directory. */
static void mount_all(void)
{
    const unsigned long safe = MS_NOSUID | MS_NOEXEC | MS_NODEV;

    TRY(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
    TRY(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
    TRY(chdir(rootfs));
    TRY(mount("proc", "proc", "proc", 0, NULL));
    TRY(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
    TRY(mkdir("dev/pts", 0755));
    TRY(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    TRY(mkdir("dev/shm", 0755));
    TRY(mount("shm", "dev/shm", "tmpfs", safe, "mode=1777,size=65536k"));
    TRY(mkdir("dev/mqueue", 0755));
    TRY(mount("mqueue", "dev/mqueue", "mqueue", safe, NULL));
    TRY(mount("sysfs", "sys", "sysfs", safe | MS_RDONLY, NULL));

    TRY(mount("tmpfs", "sys/fs/cgroup", "tmpfs", safe, "mode=755"));
    for (size_t i = 0; i < COUNT(hierarchies); i++) {
        char path[64];
        const char *options = strcmp(hierarchies[i], "systemd") ? hierarchies[i] : "none,name=systemd";
        snprintf(path, sizeof path, "sys/fs/cgroup/%s", hierarchies[i]);
        TRY(mkdir(path, 0755));
        TRY(mount("cgroup", path, "cgroup", safe | MS_RELATIME | MS_RDONLY, options));
    }
    TRY(mkdir("sys/fs/cgroup/unified", 0755));
    TRY(mount("cgroup", "sys/fs/cgroup/unified", "cgroup2", safe | MS_RELATIME | MS_RDONLY, NULL));
    TRY(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | safe | MS_RDONLY, NULL));
}

static void fill_dev(void)
{
    static const struct {
        const char *path;
        unsigned major, minor;
    } nodes[] = {
        { "dev/null", 1, 3 },   { "dev/zero", 1, 5 },    { "dev/full", 1, 7 },
        { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
    };
    static const char *const links[][2] = {
        { "/proc/self/fd", "dev/fd" },      { "/proc/self/fd/0", "dev/stdin" },
        { "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" },
        { "/proc/kcore", "dev/core" },      { "pts/ptmx", "dev/ptmx" },
    };
    for (size_t i = 0; i < COUNT(nodes); i++)
        TRY(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < COUNT(links); i++)
        TRY(symlink(links[i][0], links[i][1]));
}

static void enter_root(void)
{
    TRY(syscall(SYS_pivot_root, ".", "."));
    TRY(umount2(".", MNT_DETACH));
    TRY(chdir("/"));
    TRY(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
}

static void hide_paths(void)
{
    static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
    static const char *const masked[] = {
        "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    };
    const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

    for (size_t i = 0; i < COUNT(readonly); i++)
        if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
            TRY(mount(NULL, readonly[i], NULL, flags, NULL));
    for (size_t i = 0; i < COUNT(masked); i++)
        if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
            TRY(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1"));
}

static void drop_privileges(void)
{
    const uint32_t kept = 1u << CAP_AUDIT_WRITE | 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE;
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { .effective = kept, .permitted = kept } };
    struct rlimit files = { 1024, 1024 };

    TRY(setrlimit(RLIMIT_NOFILE, &files));
    for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (cap >= 32 || !(kept >> cap & 1))
            TRY(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
    TRY(setgroups(0, NULL));
    TRY(syscall(SYS_setresgid, 0, 0, 0));
    TRY(syscall(SYS_setresuid, 0, 0, 0));
    TRY(syscall(SYS_capset, &header, data));
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    if (filter.len)
        TRY(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static _Noreturn void contained(void)
{
    static char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                         "TERM=xterm", NULL };

    for (size_t i = 0; i < COUNT(hierarchies); i++)
        put(path_in(hierarchies[i], "tasks"), "0");
    TRY(unshare(CLONE_NEWCGROUP));
    TRY(setsid());
    TRY(sethostname("brig", 4));
    loopback_up();
    mount_all();
    fill_dev();
    enter_root();
    hide_paths();
    drop_privileges();
    TRY(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC));
    execve(program[0], program, environment);
    die(program[0]);
}

/* --- the host's side -------------------------------------------------------------------------- */

/*
 * As vfork(2): the child borrows this memory and this stack, so it must not return from here, and
 * system call and branch must be in one frame.
 */
static pid_t spawn(void)
{
    int unified = open(path_in("unified", NULL), O_PATH | O_DIRECTORY | O_CLOEXEC);
    TRY(unified);
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                 CLONE_NEWUTS | CLONE_NEWNS,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)unified,
    };
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_clone3), "D"(&args), "S"(sizeof args)
                     : "rcx", "r11", "memory");
#else
    args.flags &= ~(uint64_t)CLONE_VM;
    result = syscall(SYS_clone3, &args, sizeof args);
#endif
    if (result == 0)
        contained();
    close(unified);
    return result < 0 ? (errno = (int)-result, -1) : (pid_t)result;
}

static void read_filter(const char *path)
{
    static struct sock_filter code[BPF_MAXINSNS];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    TRY(fd);
    ssize_t length = read(fd, code, sizeof code);
    TRY(length);
    close(fd);
    filter = (struct sock_fprog){ .len = (unsigned short)((size_t)length / sizeof code[0]), .filter = code };
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: floor CGROUP ROOTFS FILTER|- LIMITS|- PROGRAM [ARG...]\n");
        return 125;
    }
    cgroup = argv[1];
    rootfs = argv[2];
    program = argv + 5;
    if (strcmp(argv[3], "-"))
        read_filter(argv[3]);
    if (strcmp(argv[4], "-") && !(limits = fopen(argv[4], "re")))
        die(argv[4]);

    int status;
    umask(0);
    make_cgroups();
    if (limits)
        write_limits();
    pid_t child = spawn();
    TRY(child);
    TRY(waitpid(child, &status, 0));
    remove_cgroups();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
