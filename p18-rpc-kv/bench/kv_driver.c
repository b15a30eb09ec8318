/* kv_driver.c - drives our cluster: so many clients, each with a connection of its
 * own, each one request at a time.
 *
 *	kv_driver JOB CLIENTS SECONDS HOST:PORT,…
 *
 * It does what etcd_driver does, and prints the same line, so that both are
 * measured alike: operations, nanoseconds, p50 and p99 in nanoseconds. Jobs are
 * put (each with a name, so that it is done once), get, stale, local (the cache
 * in shared memory) and gaps.
 *
 * Whoever is acknowledged by etcd is by a majority, so a put here waits for no
 * more servers than that. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/measure/rig.h"
#include "lib/parse.h"
#include "lib/rng.h"
#include "lib/rpc/rpc_client.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/kv.h"
#include "p18-rpc-kv/kvclient.h"

enum {
	KEYS = 64,
	SIZE = 256,
	KEY_BYTES = 16,
	TIMEOUT_MS = 10000,
	LOCAL_BATCH = 1000
};

#define GAP (100 * TICK_MS)

/* One client: its keys are its own, so that it knows what they hold. */
struct client {
	unsigned int number;
	struct rpc_client *rpc;
	struct cache_reader *cache;
	kv_request_id id;
	uint64_t written[KEYS]; /* the number of the last value of each */
	struct stats_histogram *took;
	struct rng rng;
};

static struct parse_endpoint servers[KV_SERVERS_MAX];
static unsigned int n_servers;
static const char *job;
static uint32_t over; /* of the rig */

/* ---- keys and values ---- */

static void make_key(const struct client *client, size_t i,
		     char key[KEY_BYTES + 1])
{
	snprintf(key, KEY_BYTES + 1, "%06u-%09zu", client->number, i);
}

/* A value that says whose it is, and which. */
static void make_value(const char *key, uint64_t n, char value[SIZE])
{
	memcpy(value, key, KEY_BYTES);
	for (int i = 0; i < 8; i++)
		value[KEY_BYTES + i] = (char)(n >> (56 - 8 * i));
	for (int i = KEY_BYTES + 8; i < SIZE; i++)
		value[i] = (char)(n + (uint64_t)i);
}

static void check(const struct client *client, size_t i, const void *value,
		  size_t len)
{
	char key[KEY_BYTES + 1], wanted[SIZE];

	make_key(client, i, key);
	make_value(key, client->written[i], wanted);
	if (len != SIZE || memcmp(value, wanted, SIZE) != 0)
		die("%s is not what was put there", key);
}

/* ---- requests ---- */

static void die_fault(const struct rpc_fault *fault)
{
	char text[256];

	rpc_fault_text(fault, text, sizeof(text));
	die("%s", text);
}

static void put(struct client *client, size_t i, uint64_t n)
{
	char key[KEY_BYTES + 1], value[SIZE];
	kv_write_args args = {.change = {.operation = KV_PUT,
					 .key = {KEY_BYTES, key},
					 .value = {SIZE, value}},
			      .timeout_ms = TIMEOUT_MS};
	kv_write_result result;
	struct rpc_fault fault;

	make_key(client, i, key);
	make_value(key, n, value);
	client->id.sequence++;
	args.change.id = client->id;
	if (kv_write_1(client->rpc, &args, &result, &fault))
		die_fault(&fault);
	if (result.status != KV_DONE)
		die("put %s: status %d: %s", key, (int)result.status,
		    result.text);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	client->written[i] = n;
}

static void get(struct client *client, size_t i, kv_consistency consistency)
{
	char key[KEY_BYTES + 1];
	kv_get_args args = {.freshness = {.consistency = consistency,
					  .timeout_ms = TIMEOUT_MS},
			    .key = {KEY_BYTES, key}};
	kv_get_result result;
	struct rpc_fault fault;

	make_key(client, i, key);
	if (kv_get_1(client->rpc, &args, &result, &fault))
		die_fault(&fault);
	if (result.status != KV_DONE)
		die("get %s: status %d: %s", key, (int)result.status,
		    result.text);
	check(client, i, result.value.kv_value_val, result.value.kv_value_len);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
}

static void do_one(struct client *client, size_t i, uint64_t n)
{
	if (strcmp(job, "put") == 0)
		put(client, i, n);
	else if (strcmp(job, "get") == 0)
		get(client, i, KV_LINEARIZABLE);
	else
		get(client, i, KV_STALE);
}

/* ---- clients ---- */

static void open_client(struct client *client, unsigned int number)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = servers[0].host,
		.port = servers[0].port,
		.program = KV_PROG,
		.version = KV_VERS,
		.timeout_ns = TIMEOUT_MS * TICK_MS,
	};
	kv_hello_result hello;
	struct rpc_fault fault;

	client->number = number;
	client->took = calloc(1, sizeof(*client->took));
	rng_seed(&client->rng, number);
	if (!client->took)
		die_errno(ENOMEM, "a histogram");
	if (rpc_client_open(&client->rpc, &options, &fault) ||
	    kv_hello_1(client->rpc, &hello, &fault))
		die_fault(&fault);
	client->id.since = hello.revision;
	if (getrandom(client->id.client, KV_CLIENT_BYTES, 0) != KV_CLIENT_BYTES)
		die_errno(errno, "getrandom");
}

/* Puts every key, so that there is something to get. */
static int fill(void *arg, struct rig_gate *gate)
{
	struct client *client = arg;

	(void)gate;
	for (size_t i = 0; i < KEYS; i++)
		put(client, i, 1);
	return 0;
}

static bool is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static int run(void *arg, struct rig_gate *gate)
{
	struct client *client = arg;
	int error = rig_meet(gate);
	int64_t begun = tick_now(), now;

	for (uint64_t n = 2; !error && !is_over(); n++, begun = now) {
		do_one(client, rng_below(&client->rng, KEYS), n);
		now = tick_now();
		stats_record(client->took, (uint64_t)(now - begun));
	}
	return error;
}

/* A key so many times, as once takes not much longer than a look at the clock;
 * the last value is looked at. */
static int run_local(void *arg, struct rig_gate *gate)
{
	const struct cache_promise stale = {-1, 0};
	struct client *client = arg;
	struct cache_value value;
	char key[KEY_BYTES + 1];
	int64_t begun;
	int error = rig_meet(gate);

	while (!error && !is_over()) {
		size_t i = rng_below(&client->rng, KEYS);

		make_key(client, i, key);
		begun = tick_now();
		for (int n = 0; n < LOCAL_BATCH && !error; n++)
			error = cache_get(client->cache, key, KEY_BYTES, &stale,
					  &value);
		stats_record(client->took,
			     (uint64_t)(tick_now() - begun) / LOCAL_BATCH);
		if (error)
			die_errno(error, "%s in the cache", key);
		check(client, i, value.bytes, value.len);
	}
	return error;
}

/* Gets every key once more: whether all that was done was done. */
static int verify(void *arg, struct rig_gate *gate)
{
	struct client *client = arg;

	(void)gate;
	for (size_t i = 0; i < KEYS; i++)
		get(client, i, KV_LINEARIZABLE);
	return 0;
}

/* Nanoseconds; span_ns: for so long (0: until all have ended). */
static int64_t each(struct client *clients, size_t n, rig_body *body,
		    int64_t span_ns)
{
	struct rig_side *side = calloc(n, sizeof(*side));
	struct rig_result *result = calloc(n, sizeof(*result));
	const struct rig rig = {.side = side,
				.sides = n,
				.has_threads = true,
				.over = &over,
				.run_ns = span_ns,
				.deadline = TICK_NEVER};
	int64_t elapsed;
	int error;

	if (!side || !result)
		die_errno(ENOMEM, "%zu clients", n);
	for (size_t i = 0; i < n; i++)
		side[i] = (struct rig_side){.body = body, .arg = &clients[i]};
	error = rig_run(&rig, result);
	if (error)
		die_errno(error, "a client");
	elapsed = rig_elapsed_ns(&rig, result);
	free(side);
	free(result);
	return elapsed;
}

static void open_cache(struct client *client)
{
	int error = cache_open(&client->cache, geteuid(), servers[0].port,
			       tick_after(TICK_S));

	if (error)
		die_errno(error, "the cache of the server");
}

static void measure(unsigned int n, int64_t span_ns)
{
	struct client *clients = calloc(n, sizeof(*clients));
	bool is_local = strcmp(job, "local") == 0;
	int64_t elapsed;

	if (!clients)
		die_errno(ENOMEM, "%u clients", n);
	for (unsigned int i = 0; i < n; i++)
		open_client(&clients[i], i);
	each(clients, n, fill, 0);
	for (unsigned int i = 0; is_local && i < n; i++)
		open_cache(&clients[i]);
	elapsed = each(clients, n, is_local ? run_local : run, span_ns);
	each(clients, n, verify, 0);
	for (unsigned int i = 1; i < n; i++)
		stats_merge(clients[0].took, clients[i].took);
	if (clients[0].took->count == 0)
		die("nothing was done in time");
	printf("%" PRIu64 " %" PRId64 " %" PRIu64 " %" PRIu64 "\n",
	       clients[0].took->count * (is_local ? LOCAL_BATCH : 1), elapsed,
	       stats_percentile(clients[0].took, 50),
	       stats_percentile(clients[0].took, 99));
}

/* Puts until it is killed, in attempts of 200 ms, and prints each time between
 * two that were done that is longer than GAP. */
static void measure_gaps(void)
{
	const struct kvclient_options options = {.servers = servers,
						 .n_servers = n_servers,
						 .timeout_ns = 200 * TICK_MS,
						 .replicas_ms = 1};
	char value[SIZE];
	const kv_change change = {
		.operation = KV_PUT,
		.key = {KEY_BYTES, (char *)"000000-000000000"},
		.value = {SIZE, value}};
	struct kvclient *kv;
	int64_t last = tick_now();

	if (kvclient_open(&kv, &options))
		die("cannot begin");
	memset(value, 'v', sizeof(value));
	for (int n = 1;; n++) {
		struct kvclient_report report;
		kv_write_result result;
		bool is_done = kvclient_write(kv, &change, &result, &report) ==
			       KVCLIENT_DONE;
		int64_t now = tick_now();

		xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
		if (!is_done)
			continue;
		if (now - last > GAP)
			printf("gap %" PRId64 "\n", now - last);
		else if (n == 10)
			printf("ready\n");
		fflush(stdout);
		last = now;
	}
}

static void parse_servers(char *list)
{
	char *at = NULL;

	for (char *word = strtok_r(list, ",", &at); word;
	     word = strtok_r(NULL, ",", &at))
		if (n_servers == KV_SERVERS_MAX ||
		    parse_endpoint(word, &servers[n_servers++]))
			die("'%s': HOST:PORT,…", word);
}

int main(int argc, char **argv)
{
	uint64_t clients;
	int64_t span_ns;

	if (argc != 5 || parse_count(argv[2], &clients) || !clients ||
	    clients > 300 || parse_duration(argv[3], &span_ns))
		die("JOB CLIENTS SECONDS HOST:PORT,…");
	job = argv[1];
	parse_servers(argv[4]);
	if (strcmp(job, "gaps") == 0)
		measure_gaps();
	measure((unsigned int)clients, span_ns);
	return EXIT_SUCCESS;
}
