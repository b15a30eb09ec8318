/* service.h - the calculator that asks who is calling.
 *
 * Program SUMS_PROG of sums.x, which flavors of authentication it takes, and
 * who may call what. */
#ifndef UNIXIPC_P17_RPC_AUTH_SERVICE_H
#define UNIXIPC_P17_RPC_AUTH_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/rpc/rpc_dispatch.h"
#include "p17-rpc-auth/authdh/authdh_server.h"
#include "p17-rpc-auth/policy.h"

/* What the server asks for. Weaker ones are answered AUTH_TOOWEAK. */
enum service_auth { SERVICE_NONE, SERVICE_SYS, SERVICE_DES };

/* The names of the procedures, by number, then NULL. */
extern const char *const service_procedures[];

struct service {
	enum service_auth auth;
	struct policy policy;
	struct authdh_server *dh; /* SERVICE_DES */
	const struct rpc_auth_flavor *flavors[3];
	/* Each call to a known procedure, with what is answered; NULL: none.
	 * Threads call it at the same time. */
	void (*on_call)(const struct rpc_request *request, enum auth_stat why);
};

/* service->auth, policy, dh and on_call are the caller's to fill in first.
 * The dispatch points into the service, which outlives it. */
void service_dispatch(struct service *service, struct rpc_dispatch *dispatch);

/* "AUTH_SYS uid=1000 gid=1000 (said)", "AUTH_DH unix.1000@domain uid=1000
 * (proved)". Returns buf. */
const char *service_describe(const struct rpc_identity *who, char *buf,
			     size_t size);

#endif
