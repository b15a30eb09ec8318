/* Two pipes, one for each direction. */
#include "p06-bench/table.h"

#include <errno.h>

#include "lib/fdio.h"
#include "p06-bench/ends.h"

/* fds[0] is read, fds[1] written. */
static int open_pipe(int *reader, int *writer)
{
	int fds[2];
	int r = fdio_pipe(fds);

	if (r == 0) {
		*reader = fds[0];
		*writer = fds[1];
	}
	return r;
}

static int create(void **channel, size_t message_bytes)
{
	struct ends *e = ends_new(message_bytes);
	int r;

	if (!e)
		return -ENOMEM;
	r = open_pipe(&e->in[MECHANISM_B], &e->out[MECHANISM_A]);
	if (r == 0)
		r = open_pipe(&e->in[MECHANISM_A], &e->out[MECHANISM_B]);
	if (r < 0) {
		ends_destroy(e);
		return r;
	}
	*channel = e;
	return 0;
}

const struct mechanism mech_pipe = {
	.name = "pipe",
	.title = "Pipe",
	.summary = "two pipes, one for each direction",
	.cost = {.calls = 4, /* pipe2 write read close */
		 .can_poll = true},
	.create = create,
	.attach = ends_attach,
	.send = ends_send,
	.receive = ends_receive,
	.destroy = ends_destroy,
};
