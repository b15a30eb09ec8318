/* load.c - bench: so many threads, each a client of its own that waits for each
 * answer. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/rng.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cmd/verbs.h"

enum { KEYS = 1000, KEY_BYTES = 16 };

struct loader {
	const struct client *client;
	enum client_load load;
	unsigned int number;
	int64_t end;
	struct kvclient *kv;
	struct cache_reader *reader;
	struct rng rng;
	char key[KEY_BYTES + 1];
	char *value;
	struct stats_histogram *latencies;
	uint64_t not_done, unknown;
	struct kvclient_report failure; /* the last that there was */
	pthread_t thread;
};

static const char *const load_words[] = {"put", "get", "stale", "local", NULL};

static enum kvclient_outcome put(struct loader *loader)
{
	const kv_change change = {
		.operation = KV_PUT,
		.key = {KEY_BYTES, loader->key},
		.value = {loader->client->value_bytes, loader->value},
	};
	struct kvclient_report report;
	kv_write_result result;
	enum kvclient_outcome outcome =
		kvclient_write(loader->kv, &change, &result, &report);

	if (outcome != KVCLIENT_DONE)
		loader->failure = report;
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return outcome;
}

/* Of a value that was put before. */
static enum kvclient_outcome get(struct loader *loader)
{
	const kv_get_args args = {
		.freshness.consistency =
			loader->load == CLIENT_GET ? KV_LINEARIZABLE : KV_STALE,
		.key = {KEY_BYTES, loader->key},
	};
	struct kvclient_report report;
	kv_get_result result;
	enum kvclient_outcome outcome =
		kvclient_get(loader->kv, &args, &result, &report);

	if (outcome == KVCLIENT_DONE &&
	    (result.status != KV_DONE ||
	     result.value.kv_value_len != loader->client->value_bytes))
		outcome = KVCLIENT_NOT_DONE;
	if (outcome != KVCLIENT_DONE)
		loader->failure = report;
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return outcome;
}

static enum kvclient_outcome get_local(struct loader *loader)
{
	const struct cache_promise promise = {.bound_ms = -1};
	struct cache_value value;

	return cache_get(loader->reader, loader->key, KEY_BYTES, &promise,
			 &value) == 0 &&
			       value.len == loader->client->value_bytes
		       ? KVCLIENT_DONE
		       : KVCLIENT_NOT_DONE;
}

static void name_key(struct loader *loader, unsigned int i)
{
	snprintf(loader->key, sizeof(loader->key), "bench-%010u", i);
}

static void *run(void *arg)
{
	struct loader *loader = arg;
	enum kvclient_outcome outcome;
	int64_t begin, end;

	for (begin = tick_now(); begin < loader->end; begin = end) {
		name_key(loader, (unsigned int)rng_below(&loader->rng, KEYS));
		outcome = loader->load == CLIENT_PUT     ? put(loader)
			  : loader->load == CLIENT_LOCAL ? get_local(loader)
							 : get(loader);
		end = tick_now();
		loader->not_done += outcome == KVCLIENT_NOT_DONE;
		loader->unknown += outcome == KVCLIENT_UNKNOWN;
		if (outcome == KVCLIENT_DONE)
			stats_record(loader->latencies,
				     (uint64_t)(end - begin));
	}
	return NULL;
}

/* What is read has to be there. */
static void put_all(struct loader *loader)
{
	char text[512];

	for (unsigned int i = 0; i < KEYS; i++) {
		name_key(loader, i);
		if (put(loader) != KVCLIENT_DONE)
			die_status(CLIENT_NOT_DONE, "cannot put '%s': %s",
				   loader->key,
				   kvclient_text(loader->kv, &loader->failure,
						 text, sizeof(text)));
	}
}

static void begin(struct loader *loader, const struct client *client,
		  enum client_load load, unsigned int number)
{
	const struct kvclient_options options = {
		.servers = client->servers,
		.n_servers = client->n_servers,
		.timeout_ns = client->timeout_ns,
	};
	int error;

	*loader = (struct loader){
		.client = client, .load = load, .number = number};
	rng_seed(&loader->rng, number);
	loader->latencies = calloc(1, sizeof(*loader->latencies));
	loader->value = malloc(client->value_bytes);
	if (!loader->latencies || !loader->value)
		die("no memory");
	memset(loader->value, 'v', client->value_bytes);
	error = kvclient_open(&loader->kv, &options);
	if (error)
		die_errno(error, "cannot begin");
}

static void open_cache(struct loader *loader)
{
	int error =
		cache_open(&loader->reader, geteuid(),
			   loader->client->servers[0].port, tick_after(TICK_S));

	if (error)
		die_errno(error, "no cache of the server at port %u",
			  loader->client->servers[0].port);
}

static void print(const struct client *client, const struct loader *sum,
		  int64_t ns)
{
	const struct stats_histogram *h = sum->latencies;
	double per_s = (double)h->count * 1e9 / (double)ns;
	char rate[16], p50[16], p99[16];

	if (client->is_json) {
		out_json(
			json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:f, "
				  "s:I, s:I, s:I}",
				  "schema", "unixipc-kv-bench/1", "job",
				  load_words[sum->load], "clients",
				  (int)client->threads, "value_bytes",
				  (int)client->value_bytes, "done",
				  (json_int_t)h->count, "not_done",
				  (json_int_t)sum->not_done, "unknown",
				  (json_int_t)sum->unknown, "per_s", per_s,
				  "p50_ns", (json_int_t)stats_percentile(h, 50),
				  "p99_ns", (json_int_t)stats_percentile(h, 99),
				  "max_ns", (json_int_t)h->max),
			stdout);
		return;
	}
	printf("%s, %u clients, %u bytes: %s/s, p50 %s, p99 %s, not done "
	       "%" PRIu64 ", unknown %" PRIu64 "\n",
	       load_words[sum->load], client->threads, client->value_bytes,
	       out_number(per_s, rate, sizeof(rate)),
	       out_duration((double)stats_percentile(h, 50), p50, sizeof(p50)),
	       out_duration((double)stats_percentile(h, 99), p99, sizeof(p99)),
	       sum->not_done, sum->unknown);
}

int verb_bench(struct client *client)
{
	enum client_load load = (enum client_load)cli_word(
		"bench", client->words[0], load_words);
	struct loader *loaders = calloc(client->threads, sizeof(*loaders));
	int64_t from;
	int error;

	if (!loaders)
		die("no memory");
	for (unsigned int i = 0; i < client->threads; i++)
		begin(&loaders[i], client, load, i);
	put_all(&loaders[0]);
	from = tick_now();
	for (unsigned int i = 0; i < client->threads; i++) {
		if (load == CLIENT_LOCAL)
			open_cache(&loaders[i]);
		loaders[i].end = from + client->duration_ns;
		error = pthread_create(&loaders[i].thread, NULL, run,
				       &loaders[i]);
		if (error)
			die_errno(error, "cannot start a thread");
	}
	for (unsigned int i = 0; i < client->threads; i++)
		pthread_join(loaders[i].thread, NULL);
	from = tick_now() - from;
	for (unsigned int i = 0; i < client->threads; i++) {
		if (i > 0) {
			stats_merge(loaders[0].latencies, loaders[i].latencies);
			loaders[0].not_done += loaders[i].not_done;
			loaders[0].unknown += loaders[i].unknown;
		}
		kvclient_close(loaders[i].kv);
		cache_close(loaders[i].reader);
		free(loaders[i].value);
	}
	print(client, &loaders[0], from);
	for (unsigned int i = 0; i < client->threads; i++)
		free(loaders[i].latencies);
	free(loaders);
	return EXIT_SUCCESS;
}
