/* writes.c - put, del, cas, create, incr; member; request-id. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "p18-rpc-kv/cmd/text.h"
#include "p18-rpc-kv/cmd/verbs.h"

/* What the server has counted, and no more than that. */
static void print_replicas(const kv_write_result *result)
{
	const char *s = result->servers == 1 ? "" : "s";

	if (result->servers == 0)
		printf("OK (on how many nodes cannot be told)\n");
	else if (result->replicas >= result->servers)
		printf("OK (replicated to %u node%s)\n", result->servers, s);
	else
		printf("OK (replicated to %u of %u nodes, quorum)\n",
		       result->replicas, result->servers);
}

static void print_json(const struct client *client,
		       const struct kvclient_report *report,
		       const kv_write_result *result, const kv_key *key)
{
	json_t *json = client_json(client, report);

	if (key)
		client_json_bytes(json, "key", key->kv_key_val,
				  key->kv_key_len);
	if (report->outcome == KVCLIENT_DONE) {
		json_object_set_new(json, "revision",
				    json_integer((json_int_t)result->revision));
		json_object_set_new(json, "number",
				    json_integer(result->number));
	}
	if (report->outcome == KVCLIENT_DONE && result->servers > 0) {
		json_object_set_new(json, "replicas",
				    json_integer(result->replicas));
		json_object_set_new(json, "servers",
				    json_integer(result->servers));
	}
	out_json(json, stdout); /* a failure is said at exit: lib/cmd/out */
}

static int end(struct client *client, const struct kvclient_report *report,
	       kv_write_result *result, const kv_key *key, bool is_number)
{
	int status;

	if (client->is_json)
		print_json(client, report, result, key);
	status = client_end(client, report, key);
	if (status == 0 && !client->is_json) {
		if (is_number)
			printf("%" PRId64 "\n", (int64_t)result->number);
		else
			print_replicas(result);
	}
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)result);
	return status;
}

static int write_change(struct client *client, kv_change *change)
{
	kv_write_result result;
	struct kvclient_report report;

	if (client->token && text_token(client->token, &change->id))
		die_usage("--request-id=%s: wanted is what "
			  "'kv_client request-id' prints",
			  client->token);
	client_open(client);
	kvclient_write(client->kv, change, &result, &report);
	return end(client, &report, &result, &change->key,
		   change->operation == KV_INCR);
}

int verb_put(struct client *client)
{
	kv_change change = {
		.operation = KV_PUT,
		.key = client_key("the key", client->words[0]),
		.value = client_value(client->words[1]),
	};

	return write_change(client, &change);
}

int verb_del(struct client *client)
{
	kv_change change = {
		.operation = KV_DEL,
		.key = client_key("the key", client->words[0]),
	};

	return write_change(client, &change);
}

int verb_cas(struct client *client)
{
	kv_change change = {
		.key = client_key("the key", client->words[0]),
		.value = client_value(client->words[1]),
	};

	if (!client->expected == (client->revision < 0))
		die_usage("cas needs --value=OLD or --revision=N, and not "
			  "both");
	if (client->expected) {
		change.operation = KV_CAS_VALUE;
		change.expected = client_text("--value", client->expected);
	} else {
		change.operation = KV_CAS_REVISION;
		change.number = client->revision;
	}
	return write_change(client, &change);
}

int verb_create(struct client *client)
{
	kv_change change = {
		.operation = KV_CREATE,
		.key = client_key("the key", client->words[0]),
		.value = client_value(client->words[1]),
	};

	return write_change(client, &change);
}

int verb_incr(struct client *client)
{
	kv_change change = {
		.operation = KV_INCR,
		.key = client_key("the key", client->words[0]),
		.number = client->n_words > 1
				  ? cli_integer("the number", client->words[1],
						INT64_MIN, INT64_MAX)
				  : 1,
	};

	return write_change(client, &change);
}

int verb_member(struct client *client)
{
	bool is_add = strcmp(client->words[0], "add") == 0;
	kv_member_args args = {
		.change = is_add ? KV_MEMBER_ADD : KV_MEMBER_REMOVE,
		.address = "",
	};
	struct parse_endpoint endpoint;
	kv_write_result result;
	struct kvclient_report report;

	if (!is_add && strcmp(client->words[0], "remove") != 0)
		die_usage("member add or member remove, and not '%s'",
			  client->words[0]);
	if (client->n_words != (is_add ? 3 : 2))
		die_usage("as in member add 4 localhost:9004, member remove 4");
	args.id = cli_count("the id", client->words[1], 1, UINT64_MAX);
	if (is_add) {
		cli_endpoint("the address", client->words[2], &endpoint);
		args.address = client->words[2];
		if (strlen(args.address) > KV_TEXT_MAX)
			die_usage("the address is too long");
	}
	client_open(client);
	kvclient_member(client->kv, &args, &result, &report);
	return end(client, &report, &result, NULL, false);
}

int verb_request_id(struct client *client)
{
	struct kvclient_report report;
	char token[TEXT_TOKEN_SIZE];
	kv_request_id id;
	json_t *json;

	client_open(client);
	if (kvclient_name(client->kv, &id, &report) == KVCLIENT_DONE)
		report.id = id;
	if (client->is_json) {
		json = client_json(client, &report);
		out_json(json, stdout);
	} else if (report.outcome == KVCLIENT_DONE) {
		text_of_token(&id, token);
		printf("%s\n", token);
	}
	return client_end(client, &report, NULL);
}
