/* kv_client - the command: a table of options, and one of verbs. */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cmd/verbs.h"

static const struct verb {
	const char *name;
	int least, most; /* operands behind it */
	const char *operands;
	int (*run)(struct client *client);
} verbs[] = {
	{"put", 2, 2, "KEY VALUE", verb_put},
	{"get", 1, 1, "KEY", verb_get},
	{"del", 1, 1, "KEY", verb_del},
	{"list", 0, 0, "", verb_list},
	{"cas", 2, 2, "KEY VALUE", verb_cas},
	{"create", 2, 2, "KEY VALUE", verb_create},
	{"incr", 1, 2, "KEY [NUMBER]", verb_incr},
	{"status", 0, 0, "", verb_status},
	{"hash", 0, 0, "", verb_hash},
	{"bench", 1, 1, "put|get|stale|local", verb_bench},
	{"member", 2, 3, "add ID HOST:PORT, remove ID", verb_member},
	{"request-id", 0, 0, "", verb_request_id},
};

#define VERBS                                                           \
	"put, get, del, list, cas, create, incr, status, hash, bench, " \
	"member and request-id"

static const char doc[] =
	"Ask a replicated store.\v"
	"Verbs:\n"
	"  put KEY VALUE     set a value; of standard input, if it is -\n"
	"  get KEY           print a value\n"
	"  del KEY           remove a key\n"
	"  list              keys and values, in the order of the keys\n"
	"  cas KEY VALUE     set it if it is --value=OLD, or of --revision=N\n"
	"  create KEY VALUE  set it if there is no such key\n"
	"  incr KEY [N]      add N, or 1, and print the sum\n"
	"  status, hash      what each server says of itself\n"
	"  bench JOB         put, get, stale or local: how many a second\n"
	"  member add ID HOST:PORT, member remove ID\n"
	"  request-id        a name, for a request that is to be done once\n\n"
	"Exit status: 0 done, 1 no (not found, it is another value) or failed "
	"here, 2 usage, 3 whether it was done is unknown, 4 not done and may "
	"be tried again (no server, no quorum), 6 not such a server, 8 refused "
	"by the server.\n\n"
	"Example:\n"
	"  ./kv_client --server=localhost:9001 put mykey 'Hello World'";

static void add_server(const char *text, void *where)
{
	struct client *client = where;

	if (client->n_servers == KVCLIENT_SERVERS_MAX)
		die_usage("more than %d servers", KVCLIENT_SERVERS_MAX);
	cli_endpoint("--server", text, &client->servers[client->n_servers++]);
}

static void add_servers(const char *text, void *where)
{
	char *words = strdup(text), *rest = words, *word;

	if (!words)
		die("no memory");
	while ((word = strsep(&rest, ",")) != NULL)
		add_server(word, where);
	free(words);
}

static void set_consistency(const char *text, void *where)
{
	static const char bounded[] = "bounded=";
	kv_freshness *freshness = where;

	if (strcmp(text, "linearizable") == 0) {
		freshness->consistency = KV_LINEARIZABLE;
	} else if (strcmp(text, "stale") == 0) {
		freshness->consistency = KV_STALE;
	} else if (strcmp(text, "session") == 0) {
		freshness->consistency = KV_SESSION;
	} else if (strncmp(text, bounded, strlen(bounded)) == 0) {
		freshness->consistency = KV_BOUNDED;
		freshness->bound_ms =
			(u_int)(cli_duration("--consistency=bounded",
					     text + strlen(bounded), TICK_MS,
					     3600 * TICK_S) /
				TICK_MS);
	} else {
		die_usage("--consistency='%s': linearizable, stale, "
			  "bounded=DUR or session is accepted",
			  text);
	}
}

static bool is_here(const char *host)
{
	return !*host || strcmp(host, "localhost") == 0 ||
	       strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* What does not go together. */
static void check(const struct client *client)
{
	const char *verb = client->verb;
	bool is_list = strcmp(verb, "list") == 0;

	if (client->n_servers == 0)
		die_usage("no server: as in --server=localhost:9001");
	if (!is_list && (client->prefix || client->from || client->to ||
			 client->limit || client->keys_only))
		die_usage("--prefix, --from, --to, --limit and --keys-only are "
			  "for list");
	if (strcmp(verb, "cas") != 0 &&
	    (client->expected || client->revision >= 0))
		die_usage("--value and --revision are for cas");
	if (client->is_local && strcmp(verb, "get") != 0)
		die_usage("--local is for get");
	if (client->is_local &&
	    client->freshness.consistency == KV_LINEARIZABLE)
		die_usage("--local reads what others may have changed by now: "
			  "say --consistency=stale, bounded=DUR or session");
	if (client->is_local && !is_here(client->servers[0].host))
		die_usage("--local is for a server of this machine, and not "
			  "'%s'",
			  client->servers[0].host);
	if (client->freshness.consistency == KV_SESSION && !client->session)
		die_usage("--consistency=session needs --session=FILE, which "
			  "says what was seen");
}

static const struct verb *find_verb(int n, char **words)
{
	if (n == 0)
		die_usage("give a verb: " VERBS);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		const struct verb *verb = &verbs[i];

		if (strcmp(words[0], verb->name) != 0)
			continue;
		if (n - 1 < verb->least || n - 1 > verb->most)
			die_usage("%s takes %s", verb->name,
				  verb->operands[0] ? verb->operands
						    : "no operands");
		return verb;
	}
	die_usage("no verb '%.40s'; the verbs are " VERBS, words[0]);
}

static const struct verb *parse(struct client *client, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_CALL("server", 's', "HOST:PORT", add_server, client,
			 "A server; given more than once, each may answer"),
		CLI_CALL("servers", 'S', "LIST", add_servers, client,
			 "The same, with commas between them"),
		CLI_DURATION("timeout", 'T', "DUR", &client->timeout_ns,
			     TICK_MS, 3600 * TICK_S,
			     "For a request with all its attempts (default "
			     "5s)"),
		CLI_ON("json", 'j', &client->is_json, "Print one JSON object"),
		CLI_CALL("consistency", 'c', "PROMISE", set_consistency,
			 &client->freshness,
			 "Of get and list: linearizable (the default), stale, "
			 "bounded=DUR or session"),
		CLI_TEXT("session", 'f', "FILE", &client->session,
			 "Where the newest revision that was seen is kept"),
		CLI_ON("local", 'l', &client->is_local,
		       "get: from the server's shared memory, if it is there"),
		CLI_TEXT("request-id", 'i', "NAME", &client->token,
			 "The name of a write, which is then done once however "
			 "often it is sent"),
		CLI_ON("raw", 'r', &client->is_raw,
		       "get: print the value alone, without a newline"),
		CLI_TEXT("prefix", 0, "TEXT", &client->prefix,
			 "list: keys that begin so"),
		CLI_TEXT("from", 0, "KEY", &client->from,
			 "list: this key and those behind it"),
		CLI_TEXT("to", 0, "KEY", &client->to,
			 "list: keys in front of this one"),
		CLI_COUNT("limit", 'n', "N", &client->limit, 1, INT32_MAX,
			  "list: no more than so many"),
		CLI_ON("keys-only", 'k', &client->keys_only,
		       "list: without their values"),
		CLI_TEXT("value", 0, "OLD", &client->expected,
			 "cas: if this is the value"),
		CLI_COUNT("revision", 0, "N", &client->revision, 0, INT64_MAX,
			  "cas: if the key has not been changed since"),
		CLI_COUNT("clients", 0, "N", &client->threads, 1, 1000,
			  "bench: so many at once (default 1)"),
		CLI_DURATION("for", 0, "DUR", &client->duration_ns,
			     10 * TICK_MS, 3600 * TICK_S,
			     "bench: for so long (default 1s)"),
		CLI_SIZE("value-size", 0, "SIZE", &client->value_bytes, 1,
			 KV_VALUE_MAX, "bench: bytes of a value (default 256)"),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "VERB [OPERAND...]",
		.most = INT_MAX,
		.options = options,
	};
	int n = cli_parse(&command, argc, argv);
	const struct verb *verb = find_verb(n, argv + 1);

	client->verb = verb->name;
	client->words = argv + 2;
	client->n_words = n - 1;
	check(client);
	return verb;
}

int main(int argc, char **argv)
{
	struct client client = {
		.timeout_ns = 5 * TICK_S,
		.revision = -1,
		.threads = 1,
		.duration_ns = TICK_S,
		.value_bytes = 256,
	};
	const struct verb *verb = parse(&client, argc, argv);
	int status = verb->run(&client);

	if (client.kv && !client_close(&client) && status == EXIT_SUCCESS)
		status = DIE_FAILURE;
	return status;
}
