/*
 * death.c - preloaded into slapd: it dies, as by kill -9, when it is about to make a certain change of
 * its database durable.
 * In: B2B_TEST_DEATH, the name of a file of eight bytes: how many changes from now; 0: none.
 * Out: fdatasync(), which back-mdb calls once in each transaction, before it counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef int fdatasync_fn(int);

static _Atomic int64_t never, *left = &never;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("B2B_TEST_DEATH");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof(never), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (path && map == MAP_FAILED)
		_exit(99);
	if (map != MAP_FAILED)
		left = map;
}

int fdatasync(int fd)
{
	static fdatasync_fn *real;

	if (atomic_load(left) > 0 && atomic_fetch_sub(left, 1) == 1)
		kill(getpid(), SIGKILL);
	if (!real)
		real = (fdatasync_fn *)dlsym(RTLD_NEXT, "fdatasync");
	return real(fd);
}
