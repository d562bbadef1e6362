/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is checkpointed: programs that count in /log/count, a number a line, each one more than the one before.
 *
 *     worker threads      four threads in turns, each with the count of its own turns
 *     worker connection   a child, over a TCP connection on loopback that stays open
 *     worker mounts       a file on a tmpfs, read again for each number
 *     worker memory MB    one of MB megabytes that were touched, of which a few pages change each time
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 4
#define PAUSE_US 2000

static void must(int good, const char *what)
{
    if (!good) {
        dprintf(2, "worker: %s: %s\n", what, strerror(errno));
        _exit(1);
    }
}

static int output;

static void say(unsigned long number)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%lu\n", number);
    must(write(output, line, (size_t)length) == length, "write");
    usleep(PAUSE_US);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned long turn, turns[THREADS];

_Noreturn static void turn_by_turn(unsigned long own)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (turn % THREADS != own)
            pthread_cond_wait(&turned, &lock);
        turn++;
        turns[own]++;
        unsigned long sum = 0;
        for (int i = 0; i < THREADS; i++)
            sum += turns[i];
        must(sum == turn, "a turn is lost");
        say(turn);
        pthread_cond_broadcast(&turned);
    }
}

static void *thread(void *own)
{
    turn_by_turn((unsigned long)own);
}

static void threads(void)
{
    pthread_t id;
    for (unsigned long i = 1; i < THREADS; i++)
        must(pthread_create(&id, NULL, thread, (void *)i) == 0, "pthread_create");
    turn_by_turn(0);
}

static void whole(int socket, int sends, unsigned long *number)
{
    char *at = (char *)number;
    for (size_t left = sizeof *number; left;) {
        ssize_t done = sends ? write(socket, at, left) : read(socket, at, left);
        must(done > 0, "the connection broke");
        at += done;
        left -= (size_t)done;
    }
}

static void connection(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), peer;
    must(bind(listener, (struct sockaddr *)&address, length) == 0, "bind");
    must(listen(listener, 1) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    unsigned long number = 0;
    if (fork() == 0) {
        peer = accept(listener, NULL, NULL);
        must(peer >= 0, "accept");
        for (;;) {
            whole(peer, 0, &number);
            number++;
            whole(peer, 1, &number);
        }
    }
    peer = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(peer, (struct sockaddr *)&address, length) == 0, "connect");
    for (;;) {
        whole(peer, 1, &number);
        whole(peer, 0, &number);
        say(number);
    }
}

static void mounts(void)
{
    unsigned long number = 0;
    int file = open("/scratch/count", O_RDWR | O_CREAT, 0600);
    must(file >= 0, "open");
    for (;;) {
        unsigned long read_back = 0;
        number++;
        must(pwrite(file, &number, sizeof number, 0) == sizeof number, "pwrite");
        int again = open("/scratch/count", O_RDONLY);
        must(again >= 0 && read(again, &read_back, sizeof read_back) == sizeof read_back, "read");
        close(again);
        must(read_back == number, "what is on the tmpfs is lost");
        say(number);
    }
}

static void memory(unsigned long megabytes)
{
    size_t size = megabytes << 20, pages = size / 4096;
    unsigned long *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(area != MAP_FAILED, "mmap");
    /* A huge page that is written to at one place has changed as a whole. */
    must(madvise(area, size, MADV_NOHUGEPAGE) == 0 || errno == EINVAL, "madvise");
    for (size_t page = 0; page < pages; page++)
        area[page * 512] = page + 1;
    for (unsigned long number = 1;; number++) {
        size_t page = number * 7919 % pages;
        must(area[page * 512] != 0, "a page is lost");
        area[page * 512 + 1] = number;
        say(number);
        usleep(8 * PAUSE_US);
    }
}

int main(int argc, char **argv)
{
    output = open("/log/count", O_WRONLY | O_CREAT | O_APPEND, 0644);
    must(output >= 0 && argc > 1, "worker KIND");
    if (strcmp(argv[1], "threads") == 0)
        threads();
    else if (strcmp(argv[1], "connection") == 0)
        connection();
    else if (strcmp(argv[1], "mounts") == 0)
        mounts();
    else if (strcmp(argv[1], "memory") == 0 && argc > 2)
        memory(strtoul(argv[2], NULL, 10));
    return 2;
}
