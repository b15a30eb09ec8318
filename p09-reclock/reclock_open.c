/* reclock_open.c - find the file, or make it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p09-reclock/store.h"
#include "p09-reclock/wholefile.h"
#include "p09-reclock/waitfor.h"

/* ---- where it is ---- */

/* A path of two parts: the folder, opened, and the name in it. */
static int split_path(struct reclock *store, const char *path)
{
	char *for_dir = strdup(path), *for_name = strdup(path);
	int error = -ENOMEM;

	if (for_dir && for_name) {
		store->name = strdup(basename(for_name));
		store->dir = open(dirname(for_dir),
				  O_PATH | O_DIRECTORY | O_CLOEXEC);
		error = store->dir < 0 ? -errno : store->name ? 0 : -ENOMEM;
	}
	if (!error) {
		store->dir = fdio_above_std(store->dir);
		error = store->dir < 0 ? store->dir : 0;
	}
	free(for_dir);
	free(for_name);
	return error;
}

static void forget_path(struct reclock *store)
{
	free(store->name);
	store->name = NULL;
	fdio_close(&store->dir);
}

/* ---- making ---- */

static int plan(const struct reclock_options *options, struct layout *layout)
{
	const uint32_t record_bytes = options->record_bytes
					      ? options->record_bytes
					      : RECLOCK_RECORD_DEFAULT;
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	return layout_plan(layout, record_bytes,
			   layout_groups_for(options->records), id);
}

/* Returns 0 also when somebody else has made it meanwhile. */
static int make(struct reclock *store, const struct reclock_options *options)
{
	char temporary[NAME_MAX + 1];
	struct wholefile file;
	struct layout layout;
	void *image;
	int error = plan(options, &layout);

	if (error)
		return error;
	image = wholefile_image(&layout);
	if (!image)
		return -ENOMEM;
	snprintf(temporary, sizeof(temporary), "%.200s.%016llx", store->name,
		 (unsigned long long)layout.id);
	error = wholefile_write(&file, store->dir, temporary, 0666, &layout,
				image);
	free(image);
	if (error)
		return error;
	error = wholefile_link(&file, store->dir, temporary, store->name);
	if (error == -EEXIST)
		error = 0;
	else if (!error)
		error = wholefile_sync_dir(store->dir);
	wholefile_discard(&file, store->dir, temporary);
	return error;
}

/* ---- opening ---- */

static int open_or_make(struct reclock *store,
			const struct reclock_options *options, const char **why)
{
	int error = store_open(store, why);

	if (error != -ENOENT || !(store->flags & RECLOCK_CREATE))
		return error;
	error = make(store, options);
	return error ? error : store_open(store, why);
}

static int open_path(struct reclock *store, const char *path,
		     const struct reclock_options *options, const char **why)
{
	char *resolved;
	int error = split_path(store, path);

	if (!error)
		error = open_or_make(store, options, why);
	if (error != -ELOOP)
		return error;
	/* A symbolic link: what it leads to is opened, and no other later. */
	resolved = realpath(path, NULL);
	if (!resolved)
		return -errno;
	forget_path(store);
	error = split_path(store, resolved);
	free(resolved);
	return error ? error : open_or_make(store, options, why);
}

int reclock_open(struct reclock **store, const char *path,
		 const struct reclock_options *options, const char **why)
{
	static const struct reclock_options none;
	struct reclock *made = calloc(1, sizeof(*made));
	const char *unused;
	int error;

	if (!why)
		why = &unused;
	*why = NULL;
	if (!made)
		return -ENOMEM;
	if (!options)
		options = &none;
	made->dir = -1;
	made->flags = options->flags;
	made->pid = getpid();
	made->entry = -1;
	error = open_path(made, path, options, why);
	if (error) {
		forget_path(made);
		free(made);
		return error;
	}
	*store = made;
	return 0;
}

void reclock_close(struct reclock *store)
{
	if (!store)
		return;
	store_close(store);
	forget_path(store);
	free(store);
}

const struct reclock_trouble *reclock_trouble(const struct reclock *store)
{
	return &store->trouble;
}
