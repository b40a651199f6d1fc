/* Preloaded into a program, this adds a pause to each sync of a file, as a slower disk would. The pause comes
 * from the environment, in microseconds. A program that does not call the C library (Go) does not notice it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static struct timespec pause_length;

__attribute__((constructor)) static void prepare(void)
{
    const char *given = getenv("VEXTIR_SYNC_DELAY_US");
    long microseconds = given ? atol(given) : 0;
    pause_length.tv_sec = microseconds / 1000000;
    pause_length.tv_nsec = microseconds % 1000000 * 1000;
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

static int after_a_pause(int answer)
{
    int error = errno;
    struct timespec left = pause_length;
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
    errno = error;
    return answer;
}

int fsync(int file) { return after_a_pause(real_fsync(file)); }

int fdatasync(int file) { return after_a_pause(real_fdatasync(file)); }
