/* cluster_form.c - a new folder finds its cluster.
 *
 * It has a random share, and so have those of the others; all of them make the
 * cluster's id (folder.h). They tell them by HELLO. Nothing is promised to anybody
 * before all are known, so until then everything may begin anew. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/cluster_parts.h"
#include "p18-rpc-kv/durable/hardstate.h"
#include "p18-rpc-kv/durable/wal.h"

enum { AGAIN_MS = 100 };

static const uint8_t none[FOLDER_CLUSTER_BYTES];

/* What the others have told. */
struct met {
	uint8_t shares[FOLDER_MEMBERS_MAX][FOLDER_CLUSTER_BYTES];
	bool is_met[FOLDER_MEMBERS_MAX];
	/* Who is of a cluster already, and of which. */
	const struct folder_member *formed;
	uint8_t cluster[FOLDER_CLUSTER_BYTES];
};

static _Noreturn void fail(const struct cluster *cluster, const char *format,
			   ...) __attribute__((format(printf, 2, 3)));

static _Noreturn void fail(const struct cluster *cluster, const char *format,
			   ...)
{
	char why[CLUSTER_WHY];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	cluster->options.fail(why, cluster->options.arg);
	abort(); /* it must not return */
}

/* Whether it has answered. */
static bool ask_hello(struct cluster *cluster, const char *address,
		      kv_hello_result *hello)
{
	const struct forward_call call = {
		.procedure = HELLO,
		.xdr_result = (xdrproc_t)xdr_kv_hello_result,
		.result = hello,
	};
	struct rpc_fault fault;

	memset(hello, 0, sizeof(*hello));
	return forward_make(cluster->forward, address, &call,
			    tick_after(TICK_S), &fault) == RPC_FAULT_NONE;
}

/* ---- a cluster that begins ---- */

static void meet(struct cluster *cluster, struct met *met, uint32_t at)
{
	const struct folder_identity *we = &cluster->folder.identity;
	const struct folder_member *other = &we->members[at];
	kv_hello_result hello;

	if (!ask_hello(cluster, other->address, &hello))
		return;
	if (hello.server != other->id)
		fail(cluster,
		     "%s says it is server %llu, and should be server %llu: "
		     "each server needs an id of its own, and the same list "
		     "of servers",
		     other->address, (unsigned long long)hello.server,
		     (unsigned long long)other->id);
	memcpy(met->shares[at], hello.share, FOLDER_CLUSTER_BYTES);
	met->is_met[at] = true;
	if (memcmp(hello.cluster, none, sizeof(none)) != 0) {
		met->formed = other;
		memcpy(met->cluster, hello.cluster, FOLDER_CLUSTER_BYTES);
	}
}

static unsigned int meet_all(struct cluster *cluster, struct met *met)
{
	const struct folder_identity *we = &cluster->folder.identity;
	unsigned int n = 0;

	met->formed = NULL;
	for (uint32_t i = 0; i < we->n_members; i++) {
		/* Each may be silent for a second. */
		if (cluster_pause(cluster, 0))
			return 0;
		if (we->members[i].id == we->server) {
			memcpy(met->shares[i], we->share, FOLDER_CLUSTER_BYTES);
			met->is_met[i] = true;
		} else {
			meet(cluster, met, i);
		}
		n += met->is_met[i];
	}
	return n;
}

/* Who was wiped has another share, and so has who was told another list. */
static void check_cluster(const struct cluster *cluster, const struct met *met)
{
	const struct folder_identity *we = &cluster->folder.identity;
	uint8_t id[FOLDER_CLUSTER_BYTES] = {0};

	if (!met->formed)
		return;
	for (uint32_t i = 0; i < we->n_members; i++)
		for (int b = 0; b < FOLDER_CLUSTER_BYTES; b++)
			id[b] ^= met->shares[i][b];
	if (memcmp(id, met->cluster, sizeof(id)) != 0)
		fail(cluster,
		     "'%s' is new, and %s is of a cluster that was made "
		     "without it: if it was wiped, remove server %llu from the "
		     "cluster, and add it again (--join)",
		     cluster->options.data, met->formed->address,
		     (unsigned long long)we->server);
}

static void create(struct cluster *cluster,
		   const uint8_t (*shares)[FOLDER_CLUSTER_BYTES])
{
	char why[CLUSTER_WHY];
	int error =
		wal_create(cluster->folder.fd, cluster->options.segment_bytes);

	if (!error)
		error = hardstate_create(cluster->folder.fd);
	if (!error)
		error = folder_form(&cluster->folder, shares);
	if (error)
		fail(cluster, "cannot make a log in '%s': %s",
		     cluster->options.data, strerror(-error));
	if (cluster_begin(cluster, why))
		fail(cluster, "%s", why);
}

static bool form_once(struct cluster *cluster, struct met *met)
{
	unsigned int n = meet_all(cluster, met);

	pthread_mutex_lock(&cluster->lock);
	cluster->n_met = n;
	pthread_mutex_unlock(&cluster->lock);
	if (n < cluster->folder.identity.n_members)
		return false;
	check_cluster(cluster, met);
	create(cluster, (const uint8_t(*)[FOLDER_CLUSTER_BYTES])met->shares);
	return true;
}

/* ---- a cluster that is there ---- */

static bool ask_status(struct cluster *cluster, const char *address,
		       kv_status_result *status)
{
	const struct forward_call call = {
		.procedure = STATUS,
		.xdr_result = (xdrproc_t)xdr_kv_status_result,
		.result = status,
	};
	struct rpc_fault fault;

	memset(status, 0, sizeof(*status));
	return forward_make(cluster->forward, address, &call,
			    tick_after(TICK_S), &fault) == RPC_FAULT_NONE;
}

/* Whether it is the leader: it answers this only when a majority says so. */
static bool is_leader(struct cluster *cluster, const char *address)
{
	char key[] = "";
	const kv_get_args args = {
		.freshness = {.consistency = KV_LINEARIZABLE,
			      .timeout_ms = 1000,
			      .is_forwarded = true},
		.key = {1, key},
	};
	kv_get_result result = {0};
	const struct forward_call call = {
		.procedure = GET,
		.xdr_args = (xdrproc_t)xdr_kv_get_args,
		.args = &args,
		.xdr_result = (xdrproc_t)xdr_kv_get_result,
		.result = &result,
	};
	struct rpc_fault fault;
	bool is_one;

	is_one = forward_make(cluster->forward, address, &call,
			      tick_after(2 * TICK_S),
			      &fault) == RPC_FAULT_NONE &&
		 (result.status == KV_DONE || result.status == KV_NOT_FOUND);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return is_one;
}

/* Where that server says that the leader is; "": nobody knows. */
static void find_leader(struct cluster *cluster, const char *address,
			char leader[FOLDER_ADDRESS_MAX])
{
	kv_status_result status;

	leader[0] = '\0';
	if (ask_status(cluster, address, &status))
		for (u_int i = 0; i < status.members.members_len; i++)
			if (status.members.members_val[i].id == status.leader)
				snprintf(leader, FOLDER_ADDRESS_MAX, "%s",
					 status.members.members_val[i].address);
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
}

static void check_members(const struct cluster *cluster,
			  const kv_status_result *status)
{
	for (u_int i = 0; i < status->members.members_len; i++)
		if (status->members.members_val[i].id == cluster->options.id)
			fail(cluster,
			     "server %llu is a member of that cluster, and "
			     "'%s' is new: remove it first (kv_client member "
			     "remove)",
			     (unsigned long long)cluster->options.id,
			     cluster->options.data);
}

/* Whether it led in that term before and after it was asked to prove it. */
static bool ask_leader(struct cluster *cluster, const char *address,
		       kv_status_result *status)
{
	kv_status_result again = {0};
	bool is_one = ask_status(cluster, address, status) &&
		      is_leader(cluster, address) &&
		      ask_status(cluster, address, &again) &&
		      again.role == KV_LEADER && again.term == status->term;

	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&again);
	return is_one && status->role == KV_LEADER;
}

/* As of the leader's last entry this server is no member: what lists there are of
 * its id up to there mean another. */
static bool join_by(struct cluster *cluster, const char *address)
{
	struct folder_identity identity = {.server = cluster->options.id};
	char leader[FOLDER_ADDRESS_MAX];
	kv_status_result status = {0};
	bool is_told;
	int error;

	find_leader(cluster, address, leader);
	is_told = leader[0] && ask_leader(cluster, leader, &status);
	if (is_told) {
		check_members(cluster, &status);
		identity.since = status.last;
		memcpy(identity.cluster, status.cluster,
		       sizeof(identity.cluster));
	}
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&status);
	if (!is_told)
		return false;
	error = folder_claim(&cluster->folder, &identity);
	if (error)
		fail(cluster, "cannot use '%s': %s", cluster->options.data,
		     strerror(-error));
	create(cluster, NULL);
	return true;
}

static bool join_once(struct cluster *cluster)
{
	/* A crash came between the two steps. */
	if (!cluster->folder.is_new) {
		create(cluster, NULL);
		return true;
	}
	for (uint32_t i = 0;
	     i < cluster->options.n && !cluster_pause(cluster, 0); i++)
		if (cluster->members[i].id != cluster->options.id &&
		    join_by(cluster, cluster->members[i].address))
			return true;
	return false;
}

void cluster_form(struct cluster *cluster)
{
	const bool joins = cluster->folder.is_new ||
			   cluster->folder.identity.n_members == 0;
	struct met *met = calloc(1, sizeof(*met));

	if (!met)
		fail(cluster, "no memory");
	while (!(joins ? join_once(cluster) : form_once(cluster, met)))
		if (cluster_pause(cluster, tick_after(AGAIN_MS * TICK_MS)))
			break;
	free(met);
}
