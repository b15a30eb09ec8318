/* disk.c - a disk that is slow, or fails, when it is told to: preloaded into a
 * server, whose fdatasync(2) and fsync(2) first look into the file that $DISK
 * names: "delay MS", or "fail ERRNO". */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int obey(void)
{
	const char *path = getenv("DISK");
	FILE *file = path ? fopen(path, "re") : NULL;
	int saved = errno, ms = 0, error = 0;

	if (!file)
		return 0;
	if (fscanf(file, "delay %d", &ms) == 1 && ms > 0) {
		struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

		nanosleep(&time, NULL);
	} else {
		rewind(file);
		if (fscanf(file, "fail %d", &error) != 1)
			error = 0;
	}
	fclose(file);
	errno = error ? error : saved;
	return error ? -1 : 0;
}

static int next(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	return obey() || !real ? -1 : real(fd);
}

int fdatasync(int fd)
{
	return next("fdatasync", fd);
}

int fsync(int fd)
{
	return next("fsync", fd);
}
