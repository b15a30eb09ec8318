/* rpc_conn.h - the connections of a server: what each has received and has to
 * send, and how a call of it becomes a reply. What waits for its bytes, a
 * thread of its own or a loop, is rpc_thread.c's or rpc_loop.c's business.
 *
 * For the server's files. The thread that accepts is the only one that opens,
 * evicts, reaps and stops. */
#ifndef UNIXIPC_LIB_RPC_RPC_CONN_H
#define UNIXIPC_LIB_RPC_RPC_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/rpc/rpc_budget.h"
#include "lib/rpc/rpc_record.h"
#include "lib/rpc/rpc_server.h"
#include "lib/rpc/rpc_share.h"
#include "lib/rpc/rpc_timer.h"

enum {
	/* What a connection with small calls costs, apart from the kernel's
	 * share: its buffers' first pages and what a thread touches of its
	 * stack. It is paid when it is opened; the rest of the budget is for
	 * large calls. */
	RPC_CONN_BYTES = 16 * 1024,
	/* Replies are queued up to here before a call more is looked at. */
	RPC_CONN_QUEUE = 64 * 1024,
	RPC_CONN_RETRY_MS = 20, /* where memory is used up */
};

struct rpc_loop;

struct rpc_conn {
	struct rpc_conns *conns;
	struct rpc_conn *next, *previous;
	struct rpc_peer peer;
	struct rpc_layer layer; /* all zero: none */
	bool has_begun;         /* the layer, if there is one */
	uint64_t owner, number; /* rpc_share.h; the how manieth */
	int fd;                 /* -1: closed */
	/* For those that look for one to close, from another thread; nothing is
	 * ordered by them, as one call too early or too late does not matter. */
	atomic_int_least64_t idle_at; /* without a call since; 0: has one */
	atomic_bool is_proved;        /* who is calling, by some call of it */
	atomic_size_t taken;          /* from the budget */
	bool is_evicted;              /* under the lock */
	enum rpc_server_event why_evicted;
	/* For the thread or loop that serves it. */
	struct rpc_record_reader reader;
	bool has_call; /* and here it is, in the reader's memory */
	struct rpc_call call;
	uint8_t *record;
	size_t record_bytes;
	struct rpc_buffer out; /* replies with their marks, */
	size_t sent, queued;   /* from there to there to be sent */
	int64_t hungry_since;  /* waits for memory; 0: does not */
	union {
		pthread_t thread;
		struct {
			struct rpc_loop *loop;
			struct rpc_conn *inbox;   /* next of the same list */
			struct rpc_conn *closing; /* the same */
			struct rpc_timer read, write;
			uint32_t events;         /* that epoll looks for */
			unsigned int in_flight;  /* calls with workers */
			unsigned int n_received; /* times that bytes came */
			size_t unsent_then;      /* as write was set */
			int why;                 /* to end; 0: go on */
			bool is_open;            /* has not ended */
			bool has_more;           /* in its layer, perhaps */
		} l;
	};
};

/* All zero but for options and ended_fd before rpc_conn_init_all(). */
struct rpc_conns {
	const struct rpc_server_options *options; /* no zeroes left in it */
	struct rpc_budget budget;
	size_t max_call_bytes, max_reply_bytes;
	int ended_fd;         /* an eventfd: some connection has ended */
	pthread_mutex_t lock; /* of the lists, and of each fd's closing */
	struct rpc_conn *living, *ended;
	unsigned int n; /* in both lists */
	struct rpc_share share;
	int64_t evicted_at; /* when rpc_conn_evict() last ended one */
	atomic_bool is_stopping;
	atomic_uint_least64_t calls, repeated, accepted, open, closed_by_us;
	/* Starts to serve one that was opened. Returns 0 or -errno. */
	int (*start)(struct rpc_conn *conn);
	struct rpc_loops *loops; /* NULL: threads */
};

/* What the largest call takes until its reply is sent. */
size_t rpc_conn_largest_bytes(const struct rpc_conns *conns);

/* Serve fd, which it takes over also when it fails. Returns 0, -EAGAIN or
 * -ENOMEM. */
int rpc_conn_open(struct rpc_conns *conns, int fd, const struct rpc_peer *peer);

/* End one, so that soon it can be reaped: of the peer with the most
 * connections, that which has been without a call for longest; none while the
 * one before has not gone, for a second. False when all are being served, or
 * were a moment ago. */
bool rpc_conn_evict(struct rpc_conns *conns);

/* Release what has ended. Returns how many. */
unsigned int rpc_conn_reap(struct rpc_conns *conns);

/* Let calls in hand finish, and wait until all have ended; a peer that does
 * not take its reply within grace_ns is cut off. */
void rpc_conn_stop(struct rpc_conns *conns, int64_t grace_ns);

/* ---- for the thread or loop that serves a connection ---- */

/* The next call of what has been received. Returns 1 (again and again, until
 * it is answered), 0 when more bytes are needed, or -errno to close. */
int rpc_conn_take_call(struct rpc_conn *conn);

/* Answer a call of record_bytes into reply behind its first offset bytes,
 * which leave room for the mark. Returns the bytes of the reply and its mark,
 * 0 for none, -ENOBUFS (nothing was done: no memory now), -EPIPE (it is lost
 * on purpose: close) or another -errno to close. */
ssize_t rpc_conn_answer(struct rpc_conn *conn, const struct rpc_call *call,
			size_t record_bytes, struct rpc_scratch *scratch,
			struct rpc_buffer *reply, size_t offset);

/* The same of the call that was taken, into out. 0 or -errno. */
int rpc_conn_answer_taken(struct rpc_conn *conn, struct rpc_scratch *scratch);

/* As recv(2) without waiting, but that it returns -errno; through the layer, if
 * there is one. */
ssize_t rpc_conn_read(struct rpc_conn *conn, uint8_t *to, size_t room);

/* Send what the peer takes without waiting. Returns how much, or -errno. */
ssize_t rpc_conn_write(struct rpc_conn *conn);

/* A step of the layer's beginning: rpc_layer.h. Returns 0 when there is nothing
 * (more) to be done. */
int rpc_conn_begin(struct rpc_conn *conn);

/* Bytes to be sent. */
size_t rpc_conn_unsent(const struct rpc_conn *conn);

/* n of them are gone. */
void rpc_conn_was_sent(struct rpc_conn *conn, size_t n);

/* There was no memory: returns 0 when it is to be asked for again after
 * RPC_CONN_RETRY_MS, having ended another connection if that lasts, or -ENOBUFS
 * to close. */
int rpc_conn_go_hungry(struct rpc_conn *conn);

/* For other threads to know. */
void rpc_conn_note_memory(struct rpc_conn *conn);
void rpc_conn_set_idle(struct rpc_conn *conn, int64_t moment);
bool rpc_conn_is_idle(const struct rpc_conn *conn);

/* It has ended, by why (0: a stop). Closes it; */
void rpc_conn_shut(struct rpc_conn *conn);
/* and hands it over, after which it is not the caller's any more. */
void rpc_conn_end(struct rpc_conn *conn, int why);

/* Tell on_event, if anybody listens. */
void rpc_conn_tell(struct rpc_conns *conns, enum rpc_server_event event,
		   const struct rpc_peer *peer, int error);

/* Show a message to trace, if anybody looks. */
void rpc_conn_trace(const struct rpc_conns *conns, bool is_sent,
		    const uint8_t *message, size_t n);

#endif
