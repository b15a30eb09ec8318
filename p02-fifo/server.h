/* server.h - answer expressions that arrive on a well-known FIFO.
 *
 * One thread, and no wait on any client: reply FIFOs are opened and written
 * without blocking, and what a client does not take is dropped. A client's
 * reply FIFO stays open until the client has gone, so that its second answer
 * comes through the same open file as its first (a new open could meet the
 * end of the old one).
 */
#ifndef UNIXIPC_P02_FIFO_SERVER_H
#define UNIXIPC_P02_FIFO_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "p02-fifo/expr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What happened, in the order in which a log would have it. */
enum server_event_kind {
	SERVER_RECEIVED, /* a request */
	SERVER_ANSWERED, /* its answer is in the client's FIFO */
	SERVER_DROPPED,  /* no answer: error tells why */
	SERVER_GARBAGE,  /* bytes that were no request */
	SERVER_RENEWED,  /* somebody had removed the FIFO, it was made anew */
};

struct server_event {
	enum server_event_kind kind;
	pid_t pid;              /* as the client says */
	const char *expression; /* untrusted text, valid during the call */
	const char *reply_path;
	enum expr_error result_error;
	int64_t value;
	int error;        /* SERVER_DROPPED: -ENXIO nobody reads, -EAGAIN it
			   * is full, -ENOTUNIQ no FIFO of that user, ... */
	uint64_t skipped; /* SERVER_GARBAGE: bytes */
};

struct server_options {
	const char *path;
	mode_t mode; /* of the FIFO; beyond 0700 other users may ask too */
	/* NULL: nobody listens. */
	void (*on_event)(const struct server_event *event, void *arg);
	void *arg;
};

struct server; /* opaque */

/* Take the FIFO (fifo_create() says how that fails). SIGPIPE must be ignored by
 * the caller. It removes the FIFOs of clients that die while it runs; of those that
 * earlier clients left it cannot know that they were theirs. */
int server_create(struct server **out, const struct server_options *options);

/* Whether the FIFO was made, and not taken over from a dead process. */
bool server_is_new(const struct server *server);

/* Serve until stop_fd (-1: none) is readable. Once a second it looks whether the
 * FIFO still has its name; if nothing has, it is made anew. Returns 0 then, or
 * -errno when the FIFO itself fails: -EEXIST when another has the name. */
int server_run(struct server *server, int stop_fd);

/* Close everything, and remove the FIFO or leave it. NULL is allowed. */
void server_remove(struct server *server);
void server_abandon(struct server *server);

#ifdef __cplusplus
}
#endif

#endif
