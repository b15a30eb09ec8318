/* look.c - status and hash: what each server says of itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cmd/text.h"
#include "p18-rpc-kv/cmd/verbs.h"

static const char *const roles[] = {"follower", "candidate", "leader"};

struct look {
	struct kvclient_report report;
	kv_status_result status;
};

static const char *role_of(const kv_status_result *status)
{
	return (size_t)status->role < sizeof(roles) / sizeof(*roles)
		       ? roles[status->role]
		       : "?";
}

static void name_server(const struct parse_endpoint *at, char *buf, size_t size)
{
	snprintf(buf, size, "%s:%u", at->host[0] ? at->host : "localhost",
		 at->port);
}

/* ---- status ---- */

/* Where one server is given, all those that it knows are asked. */
static void find_members(struct client *client)
{
	struct look look;
	unsigned int n = 0;

	kvclient_status(client->kv, 0, &look.status, &look.report);
	for (u_int i = 0; i < look.status.members.members_len; i++)
		n += parse_endpoint(look.status.members.members_val[i].address,
				    &client->servers[n]) == 0;
	xdr_free((xdrproc_t)xdr_kv_status_result, (char *)&look.status);
	if (n == 0)
		return;
	client->n_servers = n;
	client_close(client);
	client_open(client);
}

static void print_row(const struct client *client, unsigned int i,
		      const struct look *look, struct out_table *table)
{
	const kv_status_result *s = &look->status;
	char text[sizeof(client->servers[i].host) + 8], why[512];

	name_server(&client->servers[i], text, sizeof(text));
	out_table_row(table);
	out_table_cell(table, "%s", text);
	if (look->report.outcome != KVCLIENT_DONE) {
		out_table_cell(table, "-");
		out_table_cell(table, "unreachable");
		out_table_note(table, "%s",
			       kvclient_text(client->kv, &look->report, why,
					     sizeof(why)));
		return;
	}
	out_table_cell(table, "%" PRIu64, (uint64_t)s->id);
	out_table_cell(table, "%s", role_of(s));
	out_table_cell(table, "%" PRIu64, (uint64_t)s->term);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->leader);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->last);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->commit);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->applied);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->keys);
	out_table_cell(table, "%" PRIu64, (uint64_t)s->bytes);
}

static void print_table(const struct client *client, const struct look *looks)
{
	static const struct out_column columns[] = {
		{"Server", OUT_LEFT},  {"Id", OUT_RIGHT},
		{"Role", OUT_LEFT},    {"Term", OUT_RIGHT},
		{"Leader", OUT_RIGHT}, {"Last", OUT_RIGHT},
		{"Commit", OUT_RIGHT}, {"Applied", OUT_RIGHT},
		{"Keys", OUT_RIGHT},   {"Bytes", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(*columns));

	if (!table)
		die("no memory");
	for (unsigned int i = 0; i < client->n_servers; i++)
		print_row(client, i, &looks[i], table);
	out_table_print(table, stdout); /* a failure is said at exit */
	out_table_free(table);
}

static json_t *json_of_member(const kv_member *member)
{
	json_t *json =
		json_pack("{s:I, s:I, s:b}", "id", (json_int_t)member->id,
			  "match", (json_int_t)member->match, "is_reachable",
			  (int)member->is_reachable);

	client_json_bytes(json, "address", member->address,
			  strlen(member->address));
	return json;
}

static json_t *json_of_status(const kv_status_result *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"id", s->id},
		{"term", s->term},
		{"leader", s->leader},
		{"last", s->last},
		{"commit", s->commit},
		{"applied", s->applied},
		{"snapshot", s->snapshot},
		{"keys", s->keys},
		{"bytes", s->bytes},
		{"writes", s->writes},
		{"reads", s->reads},
		{"elections", s->elections},
		{"syncs", s->syncs},
		{"slow_syncs", s->slow_syncs},
		{"age_ms", s->age_ms},
	};
	json_t *json = json_object(), *members = json_array();

	client_json_bytes(json, "engine", s->engine, strlen(s->engine));
	json_object_set_new(json, "role", json_string(role_of(s)));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		json_object_set_new(json, numbers[i].name,
				    json_integer((json_int_t)numbers[i].value));
	for (u_int i = 0; i < s->members.members_len; i++)
		json_array_append_new(
			members, json_of_member(&s->members.members_val[i]));
	json_object_set_new(json, "members", members);
	return json;
}

static void print_json(const struct client *client, const struct look *looks)
{
	json_t *servers = json_array(), *json;
	char text[512];

	for (unsigned int i = 0; i < client->n_servers; i++) {
		if (looks[i].report.outcome == KVCLIENT_DONE) {
			json = json_of_status(&looks[i].status);
		} else {
			json = json_object();
			kvclient_text(client->kv, &looks[i].report, text,
				      sizeof(text));
			client_json_bytes(json, "error", text, strlen(text));
		}
		name_server(&client->servers[i], text, sizeof(text));
		client_json_bytes(json, "server", text, strlen(text));
		json_array_append_new(servers, json);
	}
	out_json(json_pack("{s:s, s:o}", "schema", "unixipc-kv-status/1",
			   "servers", servers),
		 stdout);
}

int verb_status(struct client *client)
{
	struct look looks[KVCLIENT_SERVERS_MAX];
	unsigned int reached = 0;

	client_open(client);
	if (client->n_servers == 1)
		find_members(client);
	for (unsigned int i = 0; i < client->n_servers; i++)
		reached += kvclient_status(client->kv, i, &looks[i].status,
					   &looks[i].report) == KVCLIENT_DONE;
	if (client->is_json)
		print_json(client, looks);
	else
		print_table(client, looks);
	for (unsigned int i = 0; i < client->n_servers; i++)
		xdr_free((xdrproc_t)xdr_kv_status_result,
			 (char *)&looks[i].status);
	if (reached == 0)
		return CLIENT_NOT_DONE;
	return reached == client->n_servers ? EXIT_SUCCESS : DIE_FAILURE;
}

/* ---- hash ---- */

struct hashes {
	struct kvclient_report reports[KVCLIENT_SERVERS_MAX];
	kv_hash_result results[KVCLIENT_SERVERS_MAX];
	bool is_answered;   /* by all */
	bool is_comparable; /* all at the same revision */
	bool is_equal;
};

static void ask_hashes(struct client *client, struct hashes *hashes)
{
	const kv_hash_result *first = &hashes->results[0], *result;

	hashes->is_answered = hashes->is_comparable = hashes->is_equal = true;
	for (unsigned int i = 0; i < client->n_servers; i++) {
		result = &hashes->results[i];
		kvclient_hash(client->kv, i, &hashes->results[i],
			      &hashes->reports[i]);
		hashes->is_answered &=
			hashes->reports[i].outcome == KVCLIENT_DONE;
		hashes->is_comparable &= result->applied == first->applied;
		hashes->is_equal &= result->hash == first->hash;
	}
}

static void print_hashes(const struct client *client,
			 const struct hashes *hashes)
{
	char text[512];
	json_t *servers = json_array(), *json;

	for (unsigned int i = 0; i < client->n_servers; i++) {
		const kv_hash_result *result = &hashes->results[i];
		char hash[17];

		name_server(&client->servers[i], text, sizeof(text));
		snprintf(hash, sizeof(hash), "%016" PRIx64,
			 (uint64_t)result->hash);
		json = json_object();
		client_json_bytes(json, "server", text, strlen(text));
		if (hashes->reports[i].outcome == KVCLIENT_DONE) {
			json_object_set_new(
				json, "applied",
				json_integer((json_int_t)result->applied));
			json_object_set_new(json, "hash", json_string(hash));
			if (!client->is_json)
				printf("%s at %s, applied %" PRIu64 "\n", hash,
				       text, (uint64_t)result->applied);
		} else {
			kvclient_text(client->kv, &hashes->reports[i], text,
				      sizeof(text));
			client_json_bytes(json, "error", text, strlen(text));
			if (!client->is_json)
				die_warn("%s", text);
		}
		json_array_append_new(servers, json);
	}
	json = json_pack("{s:s, s:b, s:o}", "schema", "unixipc-kv-hash/1",
			 "is_equal",
			 hashes->is_answered && hashes->is_comparable &&
				 hashes->is_equal,
			 "servers", servers);
	if (client->is_json)
		out_json(json, stdout);
	else
		json_decref(json);
}

/* Servers that are written to, or have just come back, are asked until they have
 * come to the same revision. */
int verb_hash(struct client *client)
{
	enum { AGAIN_MS = 20 };
	int64_t deadline = tick_after(client->timeout_ns);
	struct hashes hashes;

	client_open(client);
	for (;;) {
		ask_hashes(client, &hashes);
		if ((hashes.is_answered && hashes.is_comparable) ||
		    tick_left(deadline) <= AGAIN_MS * TICK_MS)
			break;
		tick_sleep_until(tick_after(AGAIN_MS * TICK_MS));
	}
	print_hashes(client, &hashes);
	if (!hashes.is_answered)
		return CLIENT_NOT_DONE;
	if (!hashes.is_comparable) {
		die_warn("they have not come to the same revision in time");
		return CLIENT_NOT_DONE;
	}
	if (!hashes.is_equal)
		die_warn("the servers differ");
	return hashes.is_equal ? EXIT_SUCCESS : DIE_FAILURE;
}
