/* client.h - ask the server behind a FIFO, and read the answers from our own.
 *
 * One client belongs to one thread. It makes its reply FIFO when opened and
 * keeps it, with a write end, until it is closed: however many answers it
 * gets, it opens nothing twice and sees no early end of file. Every wait ends
 * at a deadline.
 */
#ifndef UNIXIPC_P02_FIFO_CLIENT_H
#define UNIXIPC_P02_FIFO_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

#include "p02-fifo/expr.h"
#include "p02-fifo/fifo.h"

#ifdef __cplusplus
extern "C" {
#endif

struct client_options {
	const char *path; /* the server's FIFO */
	uid_t owner;      /* of the server's FIFO, or FIFO_ANY_USER */
	mode_t mode;      /* of our reply FIFO for a server of another user,
			   * where it alone cannot be let in: see
			   * fifo_let_write() */
	int stop_fd;      /* readable: give up (-EINTR); -1: none */
};

struct client; /* opaque */

/* Make the reply FIFO, which is ours alone, but for the user of the server that
 * is found; does not wait. A process may have any number of them. Its name has our
 * pid; where another process has that name, in a PID namespace of its own or to
 * keep us from asking, it has a number that is no pid. Returns 0 or what fifo_create()
 * says. SIGPIPE must be ignored by the caller. */
int client_open(struct client **out, const struct client_options *options);

const char *client_reply_path(const struct client *client);

/* Send one expression and wait for its answer: 0 with *error and *value as of
 * expr_evaluate(). Where other processes have written into our FIFO meanwhile,
 * which may have had no room for the answer then, the request is sent again. Or
 *	-ENOENT		there was no server until the deadline
 *	-ETIMEDOUT	there is one, but no answer came
 *	-EPIPE		the server ended before it answered, or a moment
 *			before it was asked; asking again waits for the next
 *			one
 *	-EMSGSIZE	longer than MESSAGE_EXPRESSION_MAX
 *	-ENOTUNIQ	what has the server's name is no FIFO of its owner
 *	-EACCES, -EINTR, ... */
int client_ask(struct client *client, const char *expression, int64_t deadline,
	       enum expr_error *error, int64_t *value);

/* Remove the reply FIFO. NULL is allowed. */
void client_close(struct client *client);

#ifdef __cplusplus
}
#endif

#endif
