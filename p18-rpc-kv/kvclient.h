/* kvclient.h - a client of the store, on several servers.
 *
 * What a client of kv.x has to know. A request goes to one server after the
 * other, under one deadline, until it has an answer or it must not be sent
 * again; none of them need be the leader, as servers forward. What became of it is
 * one of three (kvclient_outcome), and they are never mixed up: who was told "not
 * done" may do it again, who was told "unknown" may not.
 *
 * A write is sent again after a fault that leaves that open only under a name
 * (kv_request_id): each gets one, of a client that begins with the first. So it
 * is done once, however often it was sent. All servers must be of the cluster
 * that answered first; a name means nothing to another. An engine that knows no
 * names (HELLO says so) gets none, and each write once.
 *
 * A handle is for one thread at a time, and after fork(2) for one of the two
 * processes. A call blocks until its deadline at most, and a signal handler that
 * runs ends it (RPC_FAULT_INTERRUPTED). Raises no signal. */
#ifndef UNIXIPC_P18_RPC_KV_KVCLIENT_H
#define UNIXIPC_P18_RPC_KV_KVCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/parse.h"
#include "p18-rpc-kv/kv.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvclient; /* opaque */

enum { KVCLIENT_SERVERS_MAX = KV_SERVERS_MAX };

struct kvclient_options {
	/* Copied; one to KVCLIENT_SERVERS_MAX. An empty host is localhost. */
	const struct parse_endpoint *servers;
	unsigned int n_servers;
	/* Zero takes the default in brackets. */
	int64_t timeout_ns;   /* [5 s] for a request with all its attempts */
	uint32_t replicas_ms; /* [50] how long a write may wait, once it is
			       * done, to count further servers that have it */
	bool is_unnamed;      /* writes get no name, and are not sent again
			       * unless they were surely not done */
};

enum kvclient_outcome {
	KVCLIENT_DONE,     /* carried out; the result's status says with what
			  * success: KV_DONE, KV_NOT_FOUND, KV_CONFLICT */
	KVCLIENT_NOT_DONE, /* not now and not later */
	KVCLIENT_UNKNOWN,  /* perhaps, or perhaps later */
};

/* How it came to that. */
struct kvclient_report {
	enum kvclient_outcome outcome;
	kv_status status;       /* what the server said, if fault.kind is
				 * RPC_FAULT_NONE */
	struct rpc_fault fault; /* else why it said nothing */
	unsigned int server;    /* which was asked last, of options.servers */
	unsigned int attempts;  /* how often one was asked */
	bool is_stranger;       /* it is of another cluster than the first */
	kv_request_id
		id; /* of a write: the name that it was sent under; whoever
			   * gives it to the same change again learns what became
			   * of it. Sequence 0: none */
	char text[KV_TEXT_MAX + 1]; /* the server's words, or empty */
};

/* Nobody is called yet. Returns 0 and *kv, -EINVAL (no server, or too many),
 * -ENOMEM or what getrandom(2) failed with. */
int kvclient_open(struct kvclient **kv, const struct kvclient_options *options);
void kvclient_close(struct kvclient *kv); /* NULL is allowed */

/* ---- requests ---- */

/* Each fills in *report, and *result where its status is the server's; the
 * caller frees that with xdr_free() in any case. What change->id or
 * args->freshness.timeout_ms have to say is filled in here; a change that has an
 * id (sequence not 0) keeps it: whoever had no answer to it earlier learns what
 * became of it, or has it done now. */
enum kvclient_outcome kvclient_write(struct kvclient *kv,
				     const kv_change *change,
				     kv_write_result *result,
				     struct kvclient_report *report);

/* KV_SESSION: of kvclient_revision() at least, and of freshness.revision. A server
 * that is not fresh enough is left for another. A get is never KVCLIENT_UNKNOWN. */
enum kvclient_outcome kvclient_get(struct kvclient *kv, const kv_get_args *args,
				   kv_get_result *result,
				   struct kvclient_report *report);

/* As many pairs as one answer holds: result->more says whether to go on. */
enum kvclient_outcome kvclient_list(struct kvclient *kv,
				    const kv_list_args *args,
				    kv_list_result *result,
				    struct kvclient_report *report);

/* Add or remove a server of the cluster. It has no name: not sent again unless it
 * was surely not done. */
enum kvclient_outcome kvclient_member(struct kvclient *kv,
				      const kv_member_args *args,
				      kv_write_result *result,
				      struct kvclient_report *report);

/* Of this server alone, which is asked once. */
enum kvclient_outcome kvclient_status(struct kvclient *kv, unsigned int server,
				      kv_status_result *result,
				      struct kvclient_report *report);
enum kvclient_outcome kvclient_hash(struct kvclient *kv, unsigned int server,
				    kv_hash_result *result,
				    struct kvclient_report *report);

/* A name for a request that the caller keeps, in order to send it again as often
 * as it takes, even from another process. KVCLIENT_NOT_DONE with KV_UNSUPPORTED:
 * the engine knows no names. */
enum kvclient_outcome kvclient_name(struct kvclient *kv, kv_request_id *id,
				    struct kvclient_report *report);

/* ---- what is known ---- */

/* The newest revision that was read or written: KV_SESSION reads nothing older.
 * To be set to what another handle has known; it never goes back. */
uint64_t kvclient_revision(const struct kvclient *kv);
void kvclient_see(struct kvclient *kv, uint64_t revision);

/* How long a request may take from now on. */
void kvclient_set_timeout(struct kvclient *kv, int64_t timeout_ns);

/* One sentence without a dot at its end, for what is not KVCLIENT_DONE: the
 * server's words or what the status means, or "localhost:9001: Server
 * unreachable: Connection refused". Says so where the outcome is unknown.
 * Returns buf. */
const char *kvclient_text(const struct kvclient *kv,
			  const struct kvclient_report *report, char *buf,
			  size_t size);

#ifdef __cplusplus
}
#endif

#endif
