#include "p04-posix-mq/cmd/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/objname.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/jobqueue.h"

void target_check(const struct target *target)
{
	const char *name = target->queue;
	int error = objname_check(name);

	if (error == -ENAMETOOLONG)
		die_usage("--queue=%.40s...: the name is too long, accepted "
			  "are 250 bytes",
			  name);
	if (error)
		die_usage("--queue=%s: accepted is a slash and a name without "
			  "one, like %s",
			  name, TARGET_QUEUE);
	if (target->state && !*target->state)
		die_usage("--state= is empty: give a directory");
}

/* ---- the journal's place ------------------------------------------------------ */

static const char *home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *entry;

	if (dir && *dir == '/')
		return dir;
	entry = getpwuid(geteuid());
	if (!entry || entry->pw_dir[0] != '/')
		die("cannot tell where your home is: give --state=DIR");
	return entry->pw_dir;
}

void target_locate(struct target *target)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	char *path = target->journal;
	const size_t size = sizeof(target->journal);
	int n;

	if (target->state)
		n = snprintf(path, size, "%s%s", target->state, target->queue);
	else if (xdg && *xdg == '/')
		n = snprintf(path, size, "%s/unixipc%s", xdg, target->queue);
	else
		n = snprintf(path, size, "%s/.local/state/unixipc%s", home(),
			     target->queue);
	if (n < 0 || (size_t)n >= size)
		die_usage("the path of the journal is too long");
}

/* And have its name on the disk. */
static void make_dir(const char *path)
{
	int fd, parent;

	if (mkdir(path, 0700) < 0) {
		if (errno != EEXIST)
			die_errno(errno, "cannot make directory '%s'", path);
		return;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0 && fsync(parent) < 0)
		die_errno(errno, "cannot sync directory '%s'", path);
	close(parent);
	close(fd);
}

/* A journal inside is checked when it is opened; these need no more than to
 * exist. */
void target_make_state(const struct target *target)
{
	char path[PATH_MAX];

	memcpy(path, target->journal, sizeof(path));
	for (char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		make_dir(path);
		*slash = '/';
	}
}

/* ---- last words ------------------------------------------------------------------ */

/* Who has no journal may have been looking for another user's queue. */
static void die_if_not_ours(const struct target *target)
{
	struct jobqueue queue;
	int error = jobqueue_join(&queue, target->queue);

	if (error == -EACCES || error == -EPERM)
		target_die_queue(target, error);
	if (!error)
		jobqueue_close(&queue);
}

void target_die_journal(const struct target *target, int error)
{
	const char *path = target->journal;

	switch (-error) {
	case ENOENT:
		die_if_not_ours(target);
		die("no journal in '%s': start job_dispatcher first, with the "
		    "same --queue and --state",
		    path);
	case EPERM:
		die("cannot trust journal '%s': it must belong to you alone "
		    "(mode 700)",
		    path);
	case EPROTONOSUPPORT:
		die("cannot read journal '%s': it is of another version than "
		    "%d, or jobs in it are: finish its jobs with the release that made it, or "
		    "take another --state",
		    path, JOURNAL_VERSION);
	case EBADMSG:
		die("cannot read journal '%s': its head is damaged: remove "
		    "'%s/head', and the jobs that are there will run at the "
		    "next start",
		    path, path);
	default:
		die_errno(error, "cannot open journal '%s'", path);
	}
}

void target_die_queue(const struct target *target, int error)
{
	const char *name = target->queue;

	switch (-error) {
	case ENOENT:
		die("no queue '%s': start job_dispatcher first", name);
	case EACCES:
		die("cannot open queue '%s': it belongs to another user: take "
		    "another name with --queue",
		    name);
	case EMSGSIZE:
		die("queue '%s' is no queue of jobs: its messages have no room "
		    "for one: take another name with --queue",
		    name);
	case EPERM:
		die("cannot trust queue '%s': it must belong to you alone "
		    "(mode 600): take another name with --queue",
		    name);
	default:
		die_errno(error, "cannot open queue '%s'", name);
	}
}
