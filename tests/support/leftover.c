#include "tests/support/leftover.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

static int count_files(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	struct stat st;
	int n = 0;

	if (!dir)
		return 0;
	/* The ledger (lib/objname) has notes, and no objects. */
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    strncmp(entry->d_name, "unixipc.", 8) != 0 &&
		    fstatat(dirfd(dir), entry->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_uid == geteuid())
			n++;
	closedir(dir);
	return n;
}

/* The kernel's table: a line of headings, then one line an object, with the
 * owner in the column called "uid". */
static int count_sysv(const char *path)
{
	char line[512], *word, *rest;
	int uid_column = -1, column, n = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		column = 0;
		for (word = strtok_r(line, " \n", &rest); word;
		     word = strtok_r(NULL, " \n", &rest), column++) {
			if (strcmp(word, "uid") == 0)
				uid_column = column;
			else if (column == uid_column &&
				 strtoul(word, NULL, 10) == geteuid())
				n++;
		}
	}
	fclose(file);
	return n;
}

struct leftover leftover_count(void)
{
	return (struct leftover){
		.sysv_shm = count_sysv("/proc/sysvipc/shm"),
		.sysv_sem = count_sysv("/proc/sysvipc/sem"),
		.sysv_msg = count_sysv("/proc/sysvipc/msg"),
		.dev_shm = count_files("/dev/shm"),
		.dev_mqueue = count_files("/dev/mqueue"),
	};
}

void leftover_assert_same(const struct leftover *before)
{
	struct leftover now = leftover_count();

	if (memcmp(before, &now, sizeof(now)) == 0)
		return;
	fail_msg("objects before -> now: System V shm %d -> %d, sem %d -> %d, "
		 "msg %d -> %d; /dev/shm %d -> %d; /dev/mqueue %d -> %d",
		 before->sysv_shm, now.sysv_shm, before->sysv_sem, now.sysv_sem,
		 before->sysv_msg, now.sysv_msg, before->dev_shm, now.dev_shm,
		 before->dev_mqueue, now.dev_mqueue);
}

static struct leftover objects_before;
static int fds_before;

int leftover_setup(void **state)
{
	(void)state;
	objects_before = leftover_count();
	fds_before = support_count_fds();
	return 0;
}

int leftover_teardown(void **state)
{
	(void)state;
	leftover_assert_same(&objects_before);
	return support_count_fds() == fds_before ? 0 : 1;
}
