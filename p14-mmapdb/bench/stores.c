#include "p14-mmapdb/bench/stores.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/progress.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"

enum { ROOM = STORES_PATH / 4 }; /* for what stands behind the folder */

static struct stores {
	const struct records *records;
	char folder[STORES_PATH - 2 * ROOM];
	pid_t owner; /* of the folder: not the children */
	uint64_t trials;
	struct progress progress;
} the_stores;

static void remove_folder(const char *path)
{
	char *argv[] = {"rm", "-rf", "--", (char *)path, NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	int status;
	pid_t pid;

	spec.argv = argv;
	if (!child_spawn(&spec, &pid))
		child_wait(pid, tick_after(60 * TICK_S), &status);
}

static void clean_up(void)
{
	if (getpid() == the_stores.owner)
		remove_folder(the_stores.folder);
}

struct stores *stores_open(const char *dir, const struct records *records)
{
	struct stores *stores = &the_stores;
	int len = snprintf(stores->folder, sizeof(stores->folder),
			   "%s/mmapdb-bench.XXXXXX", dir);

	if (len < 0 || (size_t)len >= sizeof(stores->folder))
		die_usage("--dir=%s: too long", dir);
	if (!mkdtemp(stores->folder))
		die_errno(errno, "cannot make a folder in %s", dir);
	stores->records = records;
	stores->owner = getpid();
	atexit(clean_up);
	progress_start(&stores->progress, 0);
	return stores;
}

const char *stores_volatile(const struct stores *stores)
{
	struct statfs fs;

	if (statfs(stores->folder, &fs))
		die_errno(errno, "cannot look at %s", stores->folder);
	return fs.f_type == TMPFS_MAGIC ? "tmpfs" : NULL;
}

static void folder_of(const struct stores *stores, const struct peer *peer,
		      char path[STORES_PATH])
{
	snprintf(path, STORES_PATH, "%s/%.*s", stores->folder, ROOM,
		 peer->file);
}

void stores_file(const struct stores *stores, const struct peer *peer,
		 char path[STORES_PATH])
{
	snprintf(path, STORES_PATH, "%s/%.*s/%.*s", stores->folder, ROOM / 2,
		 peer->file, ROOM / 2, peer->file);
}

static bool is_load(const struct trial *trial)
{
	return trial->work == TRIAL_LOAD_RANDOM ||
	       trial->work == TRIAL_LOAD_SORTED;
}

void stores_run(struct stores *stores, const char *title,
		const struct peer *peer, struct trial trial,
		struct trial_result *result)
{
	char dir[STORES_PATH], what[80];
	int error;

	if (stop_signal())
		exit(stop_exit_code());
	snprintf(what, sizeof(what), "%s by %u: %s", title, trial.processes,
		 peer->name);
	progress_update(&stores->progress, 0, what);
	folder_of(stores, peer, dir);
	trial.peer = peer;
	trial.dir = dir;
	trial.records = stores->records;
	trial.number = ++stores->trials;
	if (is_load(&trial)) {
		remove_folder(dir);
		if (mkdir(dir, 0700))
			die_errno(errno, "cannot make %s", dir);
	}
	sync();
	error = trial_run(&trial, result);
	if (stop_signal())
		exit(stop_exit_code());
	if (error)
		die_errno(error, "%s: cannot measure %s", title, peer->name);
}

void stores_load_once(struct stores *stores, const struct peer *peer)
{
	struct trial_result result;
	char dir[STORES_PATH];
	struct stat st;

	folder_of(stores, peer, dir);
	if (stat(dir, &st))
		stores_run(stores, "load", peer,
			   (struct trial){.work = TRIAL_LOAD_RANDOM,
					  .processes = 1},
			   &result);
}

void stores_clear_progress(struct stores *stores)
{
	progress_clear(&stores->progress);
}
