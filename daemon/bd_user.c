/*
 * bd_user.c - the daemon is nobody's root.
 * In: the user that the configuration names.
 * Out: the process runs as that user, for good.
 */
#include "bd.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static bool change(const struct passwd *entry, struct b2b_error *error)
{
	const char *failed = initgroups(entry->pw_name, entry->pw_gid) != 0 ? "initgroups"
			     : setgid(entry->pw_gid) != 0                   ? "setgid"
			     : setuid(entry->pw_uid) != 0                   ? "setuid"
									    : NULL;

	if (failed) {
		b2b_error_set(error, "user: cannot become \"%s\": %s: %s", entry->pw_name, failed,
			      strerror(errno));
		return false;
	}
	if (setuid(0) == 0 || geteuid() == 0) {
		b2b_error_set(error, "user: root's rights did not go away");
		return false;
	}
	return true;
}

bool bd_user_become(const char *name, struct b2b_error *error)
{
	const struct passwd *entry;

	if (geteuid() != 0 && getuid() != 0) {
		entry = name ? getpwnam(name) : NULL;
		if (!name || (entry && entry->pw_uid == geteuid()))
			return true;
		b2b_error_set(error, "user: cannot become \"%s\": not started as root", name);
		return false;
	}
	if (!name) {
		b2b_error_set(error, "this does not run as root: configure \"user\", or start it "
				     "as another user");
		return false;
	}
	entry = getpwnam(name);
	if (!entry || entry->pw_uid == 0) {
		b2b_error_set(error, "user: \"%s\" is %s", name, entry ? "root" : "nobody here");
		return false;
	}
	return change(entry, error);
}
