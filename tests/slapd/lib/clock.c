/*
 * clock.c - preloaded into slapd, b2bd and b2bctl: the time of day, moved by as many seconds as a file
 * says, whenever it says so.
 * In: B2B_TEST_CLOCK, the name of a file of eight bytes.  Out: time(), gettimeofday(), clock_gettime().
 *
 * Nothing but the time of day moves: who waits so many seconds waits them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_gettime_fn(clockid_t, struct timespec *);

static _Atomic int64_t still, *ahead = &still;
static clock_gettime_fn *real;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("B2B_TEST_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(still), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (path && map == MAP_FAILED)
		_exit(99);
	if (map != MAP_FAILED)
		ahead = map;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc;

	if (!real)
		real = (clock_gettime_fn *)dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(id, ts);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += atomic_load(ahead);
	return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *when)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (when)
		*when = ts.tv_sec;
	return ts.tv_sec;
}
