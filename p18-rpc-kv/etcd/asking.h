/* asking.h - questions to etcd that change nothing, and what all requests are
 * made of. */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_ASKING_H
#define UNIXIPC_P18_RPC_KV_ETCD_ASKING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/kv.h"

#define ASKING_NOT_ETCD "the answer is not one of etcd's"

/* Bytes as etcd's JSON has them; NULL: no memory. */
json_t *asking_bytes(const void *bytes, size_t len);

int64_t asking_deadline(u_int timeout_ms);

/* A question, and what became of it. */
struct asking {
	json_t *request; /* NULL: there was no memory for it */
	json_t *body;    /* the answer to it, an object; or NULL */
	kv_status status;
	uint64_t applied; /* the revision of the store that answered */
	const char *text; /* NULL: none */
	struct gateway_answer answer;
};

/* Ask it (again). KV_DONE: there is a body, and applied; else KV_NO_QUORUM, and a
 * text. Whether it was KV_DONE. */
bool asking_ask(struct asking *asking, struct gateway *gateway,
		const char *path, int64_t deadline);

/* Frees what asking has; its texts too. */
void asking_end(struct asking *asking);

#endif
