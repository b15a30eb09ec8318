/* service.c - what a call may hold is in kv.x, and has been looked at by the
 * XDR routines; the rest is looked at here, so that an engine meets only
 * requests that it could carry out. */
#include "p18-rpc-kv/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"
#include "p18-rpc-kv/cluster.h"
#include "p18-rpc-kv/forward.h"
#include "p18-rpc-kv/kv.h"

uint16_t service_peer_port(uint16_t port)
{
	return (uint16_t)(port + SERVICE_PEER_PORT);
}

struct rpc_dispatch service_clients(struct service *service)
{
	return (struct rpc_dispatch){
		.programs = &kv_programs[0],
		.n_programs = 1,
		.arg = service,
	};
}

struct rpc_dispatch service_peers(struct service *service)
{
	return (struct rpc_dispatch){
		.programs = kv_programs,
		.n_programs = KV_PROGRAMS,
		.arg = service,
	};
}

/* Of each server two for itself (peer.h) and those for clients; and room for who
 * comes again before the old ones are known to be gone. */
unsigned int service_peer_connections(void)
{
	return 2 * KV_SERVERS_MAX * (2 + FORWARD_MAX);
}

static struct engine *engine_of(const struct rpc_request *request)
{
	const struct service *service = request->arg;

	return service->engine;
}

static struct cluster *cluster_of(const struct rpc_request *request)
{
	const struct service *service = request->arg;

	return service->cluster;
}

static void clip(u_int *timeout_ms)
{
	if (*timeout_ms > SERVICE_TIMEOUT_MAX_MS)
		*timeout_ms = SERVICE_TIMEOUT_MAX_MS;
}

/* Texts are optional for engines, and not on the wire. */
static int finish(kv_text *text, const char *why)
{
	if (!*text)
		*text = strdup(why ? why : "");
	return *text ? 0 : -ENOMEM;
}

/* ---- writes ---- */

static const char *refuse_change(const kv_change *change)
{
	if (change->operation < KV_PUT || change->operation > KV_INCR)
		return "no such operation";
	if (change->key.kv_key_len == 0)
		return "a key has at least one byte";
	if (change->operation == KV_CAS_REVISION && change->number < 0)
		return "a revision is not negative";
	return NULL;
}

int kv_write_1_svc(const struct rpc_request *request, kv_write_args *args,
		   kv_write_result *result)
{
	struct engine *engine = engine_of(request);
	const char *why = refuse_change(&args->change);

	clip(&args->timeout_ms);
	clip(&args->replicas_ms);
	if (why)
		result->status = KV_INVALID;
	else
		engine->calls->write(engine, args, result);
	return finish(&result->text, why);
}

/* Every member keeps the address for good, so that one at which no server can be
 * must not come into the list. */
static bool is_address(const char *text)
{
	struct parse_endpoint endpoint;

	return parse_endpoint(text, &endpoint) == 0 && endpoint.host[0] &&
	       endpoint.port > 0 && endpoint.port <= SERVICE_PORT_MAX;
}

static const char *refuse_member(const kv_member_args *args)
{
	if (args->change != KV_MEMBER_ADD && args->change != KV_MEMBER_REMOVE)
		return "no such change";
	if (args->id == 0)
		return "a server's id is 1 or more";
	if (args->change == KV_MEMBER_ADD && !is_address(args->address))
		return "a server to be added has an address, HOST:PORT, "
		       "and a port up to 55535";
	return NULL;
}

int kv_member_1_svc(const struct rpc_request *request, kv_member_args *args,
		    kv_write_result *result)
{
	struct engine *engine = engine_of(request);
	const char *why = refuse_member(args);

	clip(&args->timeout_ms);
	if (why)
		result->status = KV_INVALID;
	else
		engine->calls->member(engine, args, result);
	return finish(&result->text, why);
}

/* ---- reads ---- */

static const char *refuse_freshness(const kv_freshness *freshness)
{
	if (freshness->consistency < KV_LINEARIZABLE ||
	    freshness->consistency > KV_SESSION)
		return "no such consistency";
	return NULL;
}

int kv_get_1_svc(const struct rpc_request *request, kv_get_args *args,
		 kv_get_result *result)
{
	struct engine *engine = engine_of(request);
	const char *why = refuse_freshness(&args->freshness);

	if (!why && args->key.kv_key_len == 0)
		why = "a key has at least one byte";
	clip(&args->freshness.timeout_ms);
	if (why)
		result->status = KV_INVALID;
	else
		engine->calls->get(engine, args, result);
	return finish(&result->text, why);
}

int kv_list_1_svc(const struct rpc_request *request, kv_list_args *args,
		  kv_list_result *result)
{
	struct engine *engine = engine_of(request);
	const char *why = refuse_freshness(&args->freshness);

	if (args->limit == 0 || args->limit > KV_LIST_MAX)
		args->limit = KV_LIST_MAX;
	clip(&args->freshness.timeout_ms);
	if (why)
		result->status = KV_INVALID;
	else
		engine->calls->list(engine, args, result);
	return finish(&result->text, why);
}

/* ---- about the server ---- */

int kv_hello_1_svc(const struct rpc_request *request, kv_hello_result *result)
{
	struct engine *engine = engine_of(request);

	engine->calls->hello(engine, result);
	return 0;
}

int kv_status_1_svc(const struct rpc_request *request, kv_status_result *result)
{
	struct engine *engine = engine_of(request);
	int error;

	engine->calls->status(engine, result);
	error = finish(&result->engine, engine->calls->name);
	for (u_int i = 0; !error && i < result->members.members_len; i++)
		error = finish(&result->members.members_val[i].address, NULL);
	return error;
}

int kv_hash_1_svc(const struct rpc_request *request, kv_hash_result *result)
{
	struct engine *engine = engine_of(request);

	engine->calls->hash(engine, result);
	return 0;
}

/* ---- servers to each other ---- */

int kv_request_vote_1_svc(const struct rpc_request *request, kv_vote_args *args,
			  kv_vote_result *result)
{
	return cluster_vote(cluster_of(request), args, result);
}

int kv_append_entries_1_svc(const struct rpc_request *request,
			    kv_append_args *args, kv_append_result *result)
{
	return cluster_append(cluster_of(request), args, result);
}

int kv_install_snapshot_1_svc(const struct rpc_request *request,
			      kv_snapshot_args *args,
			      kv_snapshot_result *result)
{
	return cluster_snapshot(cluster_of(request), args, result);
}
