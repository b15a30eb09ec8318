/* Runs a fuzz target on files instead of on inputs of libFuzzer's making, so
 * that seeds and old crashes are tried in every MODE and by every compiler:
 *
 *	build/asan/tests/fuzz/p02_frame_fuzz tests/fuzz/p02_frame_fuzz
 *
 * Operands are files or directories (with all below them). Each input lies in
 * a heap block of its very size, so that the address sanitizer sees a read
 * beyond it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cmd/die.h"
#include "lib/fdio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(int fd, const char *path, size_t size)
{
	uint8_t *data = malloc(size);
	ssize_t got;

	if (!data && size)
		die_errno(ENOMEM, "%s", path);
	got = fdio_read_full(fd, data, size);
	if (got < 0)
		die_errno((int)got, "cannot read %s", path);
	/* What crashes is named by the last line. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)got);
	free(data);
}

static size_t replay(const char *path);

static size_t replay_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	char below[PATH_MAX];
	size_t count = 0;

	if (n < 0)
		die_errno(errno, "cannot read directory %s", path);
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(below, sizeof(below), "%s/%s", path,
				 entries[i]->d_name);
			count += replay(below);
		}
		free(entries[i]);
	}
	free(entries);
	return count;
}

/* The number of inputs run. */
static size_t replay(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t count = 1;

	if (fd < 0 || fstat(fd, &st))
		die_errno(errno, "cannot open %s", path);
	if (S_ISDIR(st.st_mode))
		count = replay_directory(path);
	else if (S_ISREG(st.st_mode))
		replay_file(fd, path, (size_t)st.st_size);
	else
		die("%s is neither a file nor a directory", path);
	fdio_close(&fd);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	if (argc < 2)
		die_usage("give files or directories of inputs");
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	if (!count)
		die("no inputs in %s", argv[1]);
	printf("%zu inputs replayed\n", count);
	return 0;
}
