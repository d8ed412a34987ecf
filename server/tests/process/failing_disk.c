/* A disk that fails on request. Preloaded into the server, this looks before every read, write
 * and sync of the journal into the file that TEST_DISK names:
 *
 *   hang   no write or sync returns until the file says something else
 *   write  writes fail with EIO
 *   sync   syncs fail with EIO
 *   read   reads fail with EIO
 *   block  no read returns until the file says something else
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_journal(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, "/madang.db") != NULL;
}

static char order(void)
{
    char first = 0;
    int fd = open(getenv("TEST_DISK"), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, &first, 1) < 1)
            first = 0;
        close(fd);
    }
    return first;
}

/* Whether the call is to fail. */
static int obey(int fd, char failing, char hanging)
{
    struct timespec moment = {0, 5000000};
    if (!is_journal(fd))
        return 0;
    while (order() == hanging)
        nanosleep(&moment, NULL);
    if (order() != failing)
        return 0;
    errno = EIO;
    return 1;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset)
{
    ssize_t (*real)(int, void *, size_t, off64_t) = next("pread64");
    return obey(fd, 'r', 'b') ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = next("pwrite64");
    return obey(fd, 'w', 'h') ? -1 : real(fd, bytes, count, offset);
}

int fdatasync(int fd)
{
    int (*real)(int) = next("fdatasync");
    return obey(fd, 's', 'h') ? -1 : real(fd);
}

int fsync(int fd)
{
    int (*real)(int) = next("fsync");
    return obey(fd, 's', 'h') ? -1 : real(fd);
}
