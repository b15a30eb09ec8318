/* objname_fixture.h - a ledger for each case alone: the calls that name the
 * folder are led elsewhere (--wrap=open,--wrap=mkdir,--wrap=rmdir), and the
 * caller may be taken for another user (--wrap=geteuid). One test program
 * includes it once. */
#ifndef UNIXIPC_TESTS_LIB_OBJNAME_FIXTURE_H
#define UNIXIPC_TESTS_LIB_OBJNAME_FIXTURE_H

#include "lib/objname.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/scratch.h"

static struct scratch scratch;
static char ledger[128], old_ledger[128];

static bool has_no_proc;

static const char *redirected(const char *path)
{
	if (strncmp(path, "/tmp/unixipc.", 13) == 0)
		return old_ledger;
	return strncmp(path, "/dev/shm/unixipc.", 17) == 0 ? ledger : path;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (has_no_proc && strncmp(path, "/proc/", 6) == 0) {
		errno = ENOENT;
		return -1;
	}
	return __real_open(redirected(path), flags, mode);
}

static bool is_another_user;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
	return __real_geteuid() + (is_another_user ? 1 : 0);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	return __real_mkdir(redirected(path), mode);
}

int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
	return __real_rmdir(redirected(path));
}

static int descriptors;

static int set_up(void **state)
{
	(void)state;
	descriptors = support_count_fds();
	scratch_make(&scratch);
	snprintf(ledger, sizeof(ledger), "%s/ledger", scratch.dir);
	snprintf(old_ledger, sizeof(old_ledger), "%s/old", scratch.dir);
	is_another_user = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return support_count_fds() == descriptors ? 0 : -1;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* What a visit has seen. */
struct seen {
	int n;
	struct objname_entry entries[8];
};

static int note(const struct objname_entry *entry, void *arg)
{
	struct seen *seen = arg;

	if (seen->n < 8)
		seen->entries[seen->n] = *entry;
	seen->n++;
	return 0;
}

static struct seen look(void)
{
	struct seen seen = {0};

	assert_int_equal(objname_each(note, &seen), 0);
	return seen;
}

#define IN_SCRATCH(test) \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
