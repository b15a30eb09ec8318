/* wholefile.c - built in memory, written, synced, and then named (O_TMPFILE,
 * Linux 3.11): who is killed on the way leaves nothing. */
#include "p09-reclock/wholefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

void *wholefile_image(const struct layout *layout)
{
	char *image = calloc(1, layout->file_bytes);

	if (!image)
		return NULL;
	layout_make_header(layout, (struct layout_header *)image);
	for (uint32_t i = 0; i < layout->groups + LAYOUT_REACH; i++) {
		struct layout_group *group = layout_group(layout, image, i);

		for (unsigned int slot = 0; slot < LAYOUT_SLOTS; slot++)
			group->word[slot] = layout_word(0, 0);
		group->reach = layout_word(0, 0);
	}
	return image;
}

static int create(struct wholefile *file, int dir, const char *temporary,
		  mode_t mode)
{
	file->has_name = false;
	file->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		file->has_name = true;
		file->fd = openat(dir, temporary,
				  O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
	}
	if (file->fd < 0)
		return -errno;
	file->fd = fdio_above_std(file->fd);
	return file->fd < 0 ? file->fd : 0;
}

int wholefile_write(struct wholefile *file, int dir, const char *temporary,
		    mode_t mode, const struct layout *layout, const void *image)
{
	int error = create(file, dir, temporary, mode);
	size_t done = 0;

	if (error)
		return error;
	while (!error && done < layout->file_bytes) {
		ssize_t n = pwrite(file->fd, (const char *)image + done,
				   layout->file_bytes - done, (off_t)done);

		if (n > 0)
			done += (size_t)n;
		else
			error = n < 0 ? -errno : -EIO;
	}
	if (!error && fsync(file->fd))
		error = -errno;
	if (error)
		wholefile_discard(file, dir, temporary);
	return error;
}

int wholefile_link(struct wholefile *file, int dir, const char *temporary,
		   const char *name)
{
	char path[32];

	if (!file->has_name) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
		return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW)
			       ? -errno
			       : 0;
	}
	if (strcmp(temporary, name) == 0)
		return 0;
	if (linkat(dir, temporary, dir, name, 0))
		return -errno;
	unlinkat(dir, temporary, 0);
	return 0;
}

void wholefile_discard(struct wholefile *file, int dir, const char *temporary)
{
	if (file->has_name)
		unlinkat(dir, temporary, 0);
	fdio_close(&file->fd);
}

int wholefile_sync_dir(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	fdio_close(&fd);
	return error;
}
