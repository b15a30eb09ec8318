/* ends.h - a channel made of descriptors that carry bytes: what pipes, FIFOs
 * and stream sockets have in common once they are open.
 *
 * A mechanism's create() starts from ends_new() and fills in the descriptors
 * of both sides; the functions below then are its attach, send, receive and
 * destroy.
 */
#ifndef UNIXIPC_P06_BENCH_ENDS_H
#define UNIXIPC_P06_BENCH_ENDS_H

#include <stddef.h>

#include "lib/measure/mechanism.h"

struct ends {
	size_t message_bytes;
	int in[2], out[2]; /* of each side; -1: none. A socket may be both */
	int rx, tx;        /* of this side, after ends_attach() */
};

/* No descriptors yet; NULL when memory is short. */
struct ends *ends_new(size_t message_bytes);

/* Keep this side's two descriptors, close the other's. */
int ends_attach(void *ends, enum mechanism_side side);

/* A whole message, over short counts and EINTR. -EPIPE: the other is gone. */
int ends_send(void *ends, const void *message);
int ends_receive(void *ends, void *message);

/* Close what is open and free it; NULL is allowed. */
void ends_destroy(void *ends);

#endif
