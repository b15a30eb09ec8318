#include "suite/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int visitor(const struct inventory_foreign *found, void *arg);

/* ---- files ------------------------------------------------------------------------- */

/* glibc keeps a semaphore "/name" as sem.name beside shared memory. */
static const char SEM[] = "sem.";

/* Returns 0, or what visit returned. */
static int look_at_file(int dir, const char *file, bool is_mqueue,
			visitor *tell, void *arg)
{
	struct inventory_foreign found = {.kind = is_mqueue ? OBJNAME_MQ
							    : OBJNAME_SHM};
	struct stat st;

	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISREG(st.st_mode))
		return 0;
	if (!is_mqueue && strncmp(file, SEM, sizeof(SEM) - 1) == 0) {
		found.kind = OBJNAME_SEM;
		file += sizeof(SEM) - 1;
	}
	snprintf(found.name, sizeof(found.name), "/%s", file);
	found.uid = st.st_uid;
	found.changed = st.st_ctim.tv_sec;
	return tell(&found, arg);
}

static int look_into(const char *folder, bool is_mqueue, visitor *tell,
		     void *arg)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int error = 0;

	if (!dir)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM
			       ? -errno
			       : 0;
	while (!error && (errno = 0, entry = readdir(dir)))
		error = look_at_file(dirfd(dir), entry->d_name, is_mqueue, tell,
				     arg);
	if (!error && errno)
		error = -errno;
	closedir(dir);
	return error;
}

/* ---- tables ------------------------------------------------------------------------ */

enum { COLUMNS = 24 };

/* The table of headings tells in which column what is. */
struct columns {
	int id, uid, ctime;
};

static int split(char *line, char *word[COLUMNS])
{
	char *rest;
	int n = 0;

	for (char *next = strtok_r(line, " \n", &rest); next && n < COLUMNS;
	     next = strtok_r(NULL, " \n", &rest))
		word[n++] = next;
	return n;
}

static struct columns find_columns(char *line, const char *id)
{
	struct columns at = {-1, -1, -1};
	char *word[COLUMNS];
	int n = split(line, word);

	for (int i = 0; i < n; i++) {
		if (strcmp(word[i], id) == 0)
			at.id = i;
		else if (strcmp(word[i], "uid") == 0)
			at.uid = i;
		else if (strcmp(word[i], "ctime") == 0)
			at.ctime = i;
	}
	return at;
}

static int look_at_line(char *line, const struct columns *at,
			enum objname_kind kind, visitor *tell, void *arg)
{
	struct inventory_foreign found = {.kind = kind};
	char *word[COLUMNS];
	int n = split(line, word);

	if (at->id < 0 || at->uid < 0 || at->ctime < 0 || n <= at->id ||
	    n <= at->uid || n <= at->ctime)
		return 0;
	snprintf(found.name, sizeof(found.name), "%s", word[at->id]);
	found.uid = (uid_t)strtoul(word[at->uid], NULL, 10);
	found.changed = strtoll(word[at->ctime], NULL, 10);
	return tell(&found, arg);
}

static int look_at_table(const char *path, const char *id,
			 enum objname_kind kind, visitor *tell, void *arg)
{
	FILE *file = fopen(path, "re");
	struct columns at;
	char line[512];
	int error = 0;

	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		at = find_columns(line, id);
		while (!error && fgets(line, sizeof(line), file))
			error = look_at_line(line, &at, kind, tell, arg);
	}
	fclose(file);
	return error;
}

int inventory_foreign_each(int (*visit)(const struct inventory_foreign *found,
					void *arg),
			   void *arg)
{
	int error = look_into("/dev/shm", false, visit, arg);

	if (!error)
		error = look_into("/dev/mqueue", true, visit, arg);
	if (!error)
		error = look_at_table("/proc/sysvipc/shm", "shmid",
				      OBJNAME_SYSV_SHM, visit, arg);
	if (!error)
		error = look_at_table("/proc/sysvipc/sem", "semid",
				      OBJNAME_SYSV_SEM, visit, arg);
	if (!error)
		error = look_at_table("/proc/sysvipc/msg", "msqid",
				      OBJNAME_SYSV_MSG, visit, arg);
	return error;
}
