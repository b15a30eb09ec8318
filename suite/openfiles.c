/* A process has a file open by a descriptor (/proc/PID/fd, where stat(2) follows
 * the link to the file itself), or mapped with its descriptor closed, as shared
 * memory is mostly used (/proc/PID/maps). */
#include "suite/openfiles.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { LINE_SIZE = 4096 };

/* Where word n (from 0) of a line begins, or its end. */
static char *word(char *line, int n)
{
	while (n-- > 0) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

/* Marks for one process, so that it counts once for each file. */
static void mark(const struct openfile *files, size_t n, bool *is_open,
		 dev_t dev, ino_t inode)
{
	for (size_t i = 0; i < n; i++)
		if (files[i].inode == inode && files[i].dev == dev)
			is_open[i] = true;
}

static void look_at_fds(const char *pid, const struct openfile *files, size_t n,
			bool *is_open)
{
	char path[64];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return; /* gone, or not ours to look at */
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
			mark(files, n, is_open, st.st_dev, st.st_ino);
	closedir(dir);
}

static void look_at_maps(const char *pid, const struct openfile *files,
			 size_t n, bool *is_open)
{
	char path[64], line[LINE_SIZE];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return;
	/* 7f31…-7f32… rw-s 00000000 00:1a 17      /dev/shm/name */
	while (fgets(line, sizeof(line), maps)) {
		char *end, *dev = word(line, 3);
		unsigned long major_nr = strtoul(dev, &end, 16);
		unsigned long minor_nr = strtoul(end + (*end == ':'), NULL, 16);

		mark(files, n, is_open,
		     makedev((unsigned)major_nr, (unsigned)minor_nr),
		     strtoul(word(line, 4), NULL, 10));
	}
	fclose(maps);
}

int openfiles_count(struct openfile *files, size_t n)
{
	struct dirent *entry;
	bool *is_open;
	DIR *proc;
	int error;

	for (size_t i = 0; i < n; i++)
		files[i].count = 0;
	if (n == 0)
		return 0;
	is_open = calloc(n, sizeof(*is_open));
	if (!is_open)
		return -ENOMEM;
	proc = opendir("/proc");
	if (!proc) {
		error = -errno;
		free(is_open);
		return error;
	}
	while ((errno = 0, entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    strtol(entry->d_name, NULL, 10) == getpid())
			continue;
		memset(is_open, 0, n * sizeof(*is_open));
		look_at_fds(entry->d_name, files, n, is_open);
		look_at_maps(entry->d_name, files, n, is_open);
		for (size_t i = 0; i < n; i++)
			files[i].count += is_open[i] && files[i].inode;
	}
	error = -errno;
	closedir(proc);
	free(is_open);
	return error;
}

/* All sockets lie on one device, which any of them shows. */
static int socket_device(dev_t *dev)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		int error = -errno;

		if (fd >= 0)
			close(fd);
		return error;
	}
	close(fd);
	*dev = st.st_dev;
	return 0;
}

int openfiles_socket(const char *path, struct openfile *file)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	char line[LINE_SIZE];
	int error = -ENOENT;

	if (!sockets)
		return -ENOENT;
	/* Num RefCount Protocol Flags Type St Inode Path */
	while (error == -ENOENT && fgets(line, sizeof(line), sockets)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(word(line, 7), path) != 0)
			continue;
		file->inode = strtoul(word(line, 6), NULL, 10);
		error = socket_device(&file->dev);
	}
	fclose(sockets);
	return error;
}
