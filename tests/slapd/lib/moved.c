/*
 * moved.c - preloaded into a program whose paths are built in: what it would keep below /etc/nslcd.conf
 * and /run/nslcd stands in $B2B_MOVED instead.
 * In: calls with such paths.  Out: the same calls, path changed; every other path is left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static const char *to;

/* nslcd empties its environment. */
__attribute__((constructor)) static void remember(void)
{
	const char *value = getenv("B2B_MOVED");

	to = value ? strdup(value) : NULL;
}

static const char *moved(const char *path, char room[108])
{
	static const char *const own[] = { "/etc/nslcd.conf", "/var/run/nslcd", "/run/nslcd" };

	for (size_t i = 0; to && i < sizeof(own) / sizeof(own[0]); i++) {
		size_t length = strlen(own[i]);

		if (strncmp(path, own[i], length) || (path[length] && path[length] != '/'))
			continue;
		snprintf(room, 108, "%s/%s%s", to, i ? "run" : "nslcd.conf", path + length);
		return room;
	}
	return path;
}

FILE *fopen(const char *path, const char *mode)
{
	char room[108];

	return REAL(fopen)(moved(path, room), mode);
}

int open(const char *path, int flags, ...)
{
	char room[108];
	va_list rest;

	va_start(rest, flags);
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return REAL(open)(moved(path, room), flags, mode);
}

int stat(const char *path, struct stat *st)
{
	char room[108];

	return REAL(stat)(moved(path, room), st);
}

int access(const char *path, int mode)
{
	char room[108];

	return REAL(access)(moved(path, room), mode);
}

int mkdir(const char *path, mode_t mode)
{
	char room[108];

	return REAL(mkdir)(moved(path, room), mode);
}

int chmod(const char *path, mode_t mode)
{
	char room[108];

	return REAL(chmod)(moved(path, room), mode);
}

int lchown(const char *path, uid_t uid, gid_t gid)
{
	char room[108];

	return REAL(lchown)(moved(path, room), uid, gid);
}

int unlink(const char *path)
{
	char room[108];

	return REAL(unlink)(moved(path, room));
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_un local;
	char room[108];

	if (address->sa_family != AF_UNIX)
		return REAL(bind)(fd, address, length);
	memset(&local, 0, sizeof(local));
	local.sun_family = AF_UNIX;
	snprintf(local.sun_path, sizeof(local.sun_path), "%s",
		 moved(((const struct sockaddr_un *)(const void *)address)->sun_path, room));
	return REAL(bind)(fd, (struct sockaddr *)&local, sizeof(local));
}
