/* Two FIFOs. Their names live for microseconds: both ends are opened here,
 * and from then on a FIFO is a pipe. */
#include "p06-bench/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "p06-bench/ends.h"

static int open_end(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

/* A reader that does not wait for a writer opens first; then the writer finds
 * it and does not wait either. */
static int open_ends(const char *path, int *reader, int *writer)
{
	struct stat st;

	*reader = open_end(path, O_RDONLY | O_NONBLOCK);
	if (*reader < 0)
		return *reader;
	if (fstat(*reader, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	*writer = open_end(path, O_WRONLY | O_NONBLOCK);
	if (*writer < 0)
		return *writer;
	int r = fdio_set_nonblock(*writer, false);

	return r < 0 ? r : fdio_set_nonblock(*reader, false);
}

static int open_fifo(const char *word, int *reader, int *writer)
{
	char name[OBJNAME_MAX - 4], path[OBJNAME_MAX];
	int r = objname_make(name, sizeof(name), word);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/tmp%s", name);
	objname_claim(OBJNAME_FIFO, path);
	r = mkfifo(path, 0600) < 0 ? -errno : 0;
	if (r == 0) {
		r = open_ends(path, reader, writer);
		unlink(path);
	}
	objname_release(OBJNAME_FIFO, path);
	return r;
}

static int create(void **channel, size_t message_bytes)
{
	struct ends *e = ends_new(message_bytes);
	int r;

	if (!e)
		return -ENOMEM;
	r = open_fifo("a-to-b", &e->in[MECHANISM_B], &e->out[MECHANISM_A]);
	if (r == 0)
		r = open_fifo("b-to-a", &e->in[MECHANISM_A],
			      &e->out[MECHANISM_B]);
	if (r < 0) {
		ends_destroy(e);
		return r;
	}
	*channel = e;
	return 0;
}

const struct mechanism mech_fifo = {
	.name = "fifo",
	.title = "FIFO",
	.summary = "two pipes with names in a file system",
	.cost = {.calls = 6, /* mkfifo open unlink write read close */
		 .names = 2,
		 .can_poll = true},
	.create = create,
	.attach = ends_attach,
	.send = ends_send,
	.receive = ends_receive,
	.destroy = ends_destroy,
};
