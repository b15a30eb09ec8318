#include "tests/support/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/support.h"

void scratch_make(struct scratch *scratch)
{
	const char *base = getenv("TMPDIR");
	int len = snprintf(scratch->dir, sizeof(scratch->dir),
			   "%s/unixipc-test.XXXXXX", base ? base : "/tmp");

	if (len < 0 || (size_t)len >= sizeof(scratch->dir))
		snprintf(scratch->dir, sizeof(scratch->dir),
			 "/tmp/unixipc-test.XXXXXX");
	assert_non_null(mkdtemp(scratch->dir));
}

const char *scratch_path(struct scratch *scratch, const char *name)
{
	int len = snprintf(scratch->path, sizeof(scratch->path), "%s/%s",
			   scratch->dir, name);

	assert_in_range(len, 0, sizeof(scratch->path) - 1);
	return scratch->path;
}

void scratch_write(struct scratch *scratch, const char *name, const void *bytes,
		   size_t len)
{
	FILE *file = fopen(scratch_path(scratch, name), "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

void scratch_copy(struct scratch *scratch, const char *from, const char *to)
{
	char bytes[65536];
	FILE *source = fopen(scratch_path(scratch, from), "re");
	FILE *target = fopen(scratch_path(scratch, to), "we");
	size_t n;

	assert_non_null(source);
	assert_non_null(target);
	while ((n = fread(bytes, 1, sizeof(bytes), source)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, target), n);
	assert_int_equal(ferror(source), 0);
	assert_int_equal(fclose(source), 0);
	assert_int_equal(fclose(target), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void scratch_remove(struct scratch *scratch)
{
	enum { DESCRIPTORS = 8 };

	assert_int_equal(nftw(scratch->dir, remove_entry, DESCRIPTORS,
			      FTW_DEPTH | FTW_PHYS),
			 0);
}
