/* engine_etcd.c - the calls of an engine. What is sent and believed is in
 * changes.c and ranges.c; here is what is asked about the cluster. */
#include "p18-rpc-kv/etcd/engine_etcd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/etcd/asking.h"
#include "p18-rpc-kv/etcd/changes.h"
#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/etcd/ranges.h"
#include "p18-rpc-kv/etcd/reading.h"

enum { OWN_TIMEOUT_MS = 2000 }; /* of calls that have none */

struct engine_etcd {
	struct engine engine;
	struct gateway *gateway;
};

static struct gateway *gateway_of(struct engine *engine)
{
	return ((struct engine_etcd *)engine)->gateway;
}

/* ---- keys ---- */

static void write_etcd(struct engine *engine, const kv_write_args *args,
		       kv_write_result *result)
{
	changes_write(gateway_of(engine), args, result);
}

static void get_etcd(struct engine *engine, const kv_get_args *args,
		     kv_get_result *result)
{
	ranges_get(gateway_of(engine), args, result);
}

static void list_etcd(struct engine *engine, const kv_list_args *args,
		      kv_list_result *result)
{
	ranges_list(gateway_of(engine), args, result);
}

/* ---- about the cluster ---- */

static bool ask_about(struct engine *engine, const char *path,
		      struct asking *about)
{
	*about = (struct asking){.request = json_object()};
	return asking_ask(about, gateway_of(engine), path,
			  asking_deadline(OWN_TIMEOUT_MS));
}

/* Whose answer it is. */
static void read_header(const struct asking *about, char *cluster,
			uint64_t *member)
{
	const json_t *header = json_object_get(about->body, "header");
	uint64_t id = 0;

	memset(cluster, 0, KV_CLUSTER_BYTES);
	if (reading_number(header, "cluster_id", &id) == 0)
		memcpy(cluster, &id, sizeof(id));
	if (reading_number(header, "member_id", member))
		*member = 0;
}

static void hello_etcd(struct engine *engine, kv_hello_result *result)
{
	struct asking about;

	result->has_no_names = true;
	if (ask_about(engine, "/v3/maintenance/status", &about)) {
		read_header(&about, result->cluster, &result->server);
		result->revision = about.applied;
	}
	asking_end(&about);
}

/* Members with the first address that they serve clients at; who answered is
 * reachable, and a leader that it has. */
static void read_members(const json_t *body, kv_status_result *result)
{
	const json_t *members = json_object_get(body, "members");
	size_t n = json_array_size(members);

	if (n > KV_SERVERS_MAX)
		n = KV_SERVERS_MAX;
	result->members.members_val = calloc(n ? n : 1, sizeof(kv_member));
	if (!result->members.members_val)
		return;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(members, i);
		kv_member *member = &result->members.members_val[i];
		const char *url = json_string_value(
			json_array_get(json_object_get(one, "clientURLs"), 0));

		if (reading_number(one, "ID", &member->id) || !member->id)
			break;
		member->address = strndup(url ? url : "", KV_TEXT_MAX);
		member->is_reachable = member->id == result->id ||
				       member->id == result->leader;
		result->members.members_len = (u_int)i + 1;
	}
}

static void status_etcd(struct engine *engine, kv_status_result *result)
{
	struct asking about;
	bool is_there = ask_about(engine, "/v3/maintenance/status", &about);
	const char *version =
		json_string_value(json_object_get(about.body, "version"));
	char name[64] = "etcd";

	if (is_there) {
		read_header(&about, result->cluster, &result->id);
		reading_number(about.body, "leader", &result->leader);
		reading_number(about.body, "raftTerm", &result->term);
		reading_number(about.body, "raftIndex", &result->last);
		reading_number(about.body, "raftAppliedIndex",
			       &result->applied);
		if (result->leader && result->leader == result->id)
			result->role = KV_LEADER;
		snprintf(name, sizeof(name), "etcd %s", version ? version : "");
	}
	result->engine = strdup(name);
	result->age_ms = UINT32_MAX;
	asking_end(&about);
	if (is_there) {
		ask_about(engine, "/v3/cluster/member/list", &about);
		read_members(about.body, result);
		asking_end(&about);
	}
}

/* etcd's HashKV: of one member's keys, values and revisions. */
static void hash_etcd(struct engine *engine, kv_hash_result *result)
{
	struct asking about;

	result->status = KV_NO_QUORUM;
	if (ask_about(engine, "/v3/maintenance/hash", &about) &&
	    reading_number(about.body, "hash", &result->hash) == 0) {
		result->status = KV_DONE;
		result->applied = about.applied;
	}
	asking_end(&about);
}

static void member_etcd(struct engine *engine, const kv_member_args *args,
			kv_write_result *result)
{
	(void)engine;
	(void)args;
	result->status = KV_UNSUPPORTED;
	result->text = strdup("members of etcd are changed by etcdctl");
}

/* ---- life ---- */

static void close_etcd(struct engine *engine)
{
	gateway_close(gateway_of(engine));
	free(engine);
}

static const struct engine_calls calls = {
	.name = "etcd",
	.hello = hello_etcd,
	.write = write_etcd,
	.get = get_etcd,
	.list = list_etcd,
	.status = status_etcd,
	.hash = hash_etcd,
	.member = member_etcd,
	.close = close_etcd,
};

int engine_etcd_open(struct engine **engine, const char *const *endpoints,
		     size_t n, size_t *bad)
{
	struct engine_etcd *new = calloc(1, sizeof(*new));
	int error;

	if (!new)
		return -ENOMEM;
	new->engine.calls = &calls;
	error = gateway_open(&new->gateway, endpoints, n, bad);
	if (error) {
		free(new);
		return error;
	}
	*engine = &new->engine;
	return 0;
}
