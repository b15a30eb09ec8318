#include "p06-bench/ends.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/fdio.h"

struct ends *ends_new(size_t message_bytes)
{
	struct ends *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct ends){.message_bytes = message_bytes,
			   .in = {-1, -1},
			   .out = {-1, -1},
			   .rx = -1,
			   .tx = -1};
	return e;
}

static void close_side(struct ends *e, enum mechanism_side side)
{
	if (e->in[side] == e->out[side])
		e->in[side] = -1;
	fdio_close(&e->in[side]);
	fdio_close(&e->out[side]);
}

int ends_attach(void *ends, enum mechanism_side side)
{
	struct ends *e = ends;

	e->rx = e->in[side];
	e->tx = e->out[side];
	close_side(e, side == MECHANISM_A ? MECHANISM_B : MECHANISM_A);
	return 0;
}

int ends_send(void *ends, const void *message)
{
	struct ends *e = ends;

	return fdio_write_full(e->tx, message, e->message_bytes);
}

int ends_receive(void *ends, void *message)
{
	struct ends *e = ends;
	ssize_t got = fdio_read_full(e->rx, message, e->message_bytes);

	if (got < 0)
		return got == -ECONNRESET ? -EPIPE : (int)got;
	return (size_t)got == e->message_bytes ? 0 : -EPIPE;
}

void ends_destroy(void *ends)
{
	struct ends *e = ends;

	if (!e)
		return;
	close_side(e, MECHANISM_A);
	close_side(e, MECHANISM_B);
	free(e);
}
