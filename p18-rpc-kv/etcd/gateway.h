/* gateway.h - etcd's v3 API as JSON over HTTP, on the client ports of any of its
 * servers.
 *
 * Any number of threads may call at the same time. A call blocks until its
 * deadline at most, and no signal ends it earlier. What comes back is of anybody
 * who listens on that port: it is bounded, and is a JSON object or an error.
 * libcurl does the HTTP; the environment's proxies are not asked.
 */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_GATEWAY_H
#define UNIXIPC_P18_RPC_KV_ETCD_GATEWAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/kv.h"

enum {
	GATEWAY_ENDPOINTS_MAX = 9,
	GATEWAY_ANSWER_MAX = 8 << 20, /* bytes */
	GATEWAY_EXHAUSTED = 8,        /* gRPC's code: no room, or too many
				       * requests */
};

struct gateway;

/* What became of a call. */
enum gateway_outcome {
	GATEWAY_DONE,
	GATEWAY_NOT_DONE, /* it was not sent, or etcd has refused it */
	GATEWAY_UNKNOWN,  /* it was sent, and then nothing that we believe */
};

struct gateway_answer {
	enum gateway_outcome outcome;
	json_t *body; /* GATEWAY_DONE: an object, for json_decref(); or NULL */
	int code;     /* GATEWAY_NOT_DONE: etcd's reason, a code of gRPC's; 0:
		       * no etcd was reached */
	char text[KV_TEXT_MAX + 1]; /* why, where it was not done */
};

/* Endpoints are HOST:PORT, perhaps with http:// or https:// before it. -EINVAL:
 * none, too many, or one is not of that form (*bad is its index); -ENOMEM. */
int gateway_open(struct gateway **gateway, const char *const *endpoints,
		 size_t n, size_t *bad);

/* POST a request, which stays the caller's, to "/v3/kv/put" or the like. A read is
 * asked of each endpoint in turn, with a part of the time each, until one
 * answers. A write that may have been sent is not sent again. */
void gateway_call(struct gateway *gateway, const char *path,
		  const json_t *request, bool is_write, int64_t deadline,
		  struct gateway_answer *answer);

/* Nobody calls any more. NULL: nothing. */
void gateway_close(struct gateway *gateway);

#endif
