/* history --servers=LIST [--until=FILE] …: eight clients ask a store while others
 * do it harm, and write down what they asked and what they were told; then the
 * history of each key is judged (linear.h). The exit status is 0 only if each
 * could have been so, and something was done.
 *
 * When FILE exists the harm is over: each key is read once more, by all of the
 * rules, so that a write that was acknowledged and lost is noticed, and so is one
 * that was done twice. A key gets a limited number of requests, as the search
 * takes long else, and then another takes its place. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p18-rpc-kv/kvclient.h"
#include "tests/p18/linear.h"

enum {
	CLIENTS = 8,
	PLACES = 4,       /* keys in use at a time; the last one is a counter */
	REQUESTS = 280,   /* of a key */
	UNKNOWN_MOST = 8, /* of a key */
	KEYS_MOST = 20000,
	STATES_MOST = 1 << 21,
	KEY_BYTES = 24,
};

struct key {
	pthread_mutex_t lock;
	unsigned int number;
	bool is_counter;
	unsigned int n, n_unknown;
	int64_t done, unknown; /* of a counter: increments */
	int64_t last;          /* value that somebody saw, for cas */
	struct linear_request requests[LINEAR_MAX];
};

struct arguments {
	struct parse_endpoint servers[KVCLIENT_SERVERS_MAX];
	unsigned int n_servers;
	const char *until;
	int64_t most_ns, timeout_ns, pause_ns;
	uint64_t seed;
};

struct work {
	const struct arguments *arguments;
	pthread_mutex_t lock; /* of the keys and the places */
	struct key *keys[KEYS_MOST];
	unsigned int n_keys;
	struct key *places[PLACES];
	_Atomic bool is_over;
	_Atomic int64_t next_value;
	_Atomic uint64_t done, not_done, unknown, attempts;
};

struct client {
	struct work *work;
	struct kvclient *kv;
	struct rng rng;
	pthread_t thread;
};

/* ---- keys ------------------------------------------------------------------------ */

static struct key *new_key(struct work *work, unsigned int place)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key || pthread_mutex_init(&key->lock, NULL) != 0)
		die("no memory");
	if (work->n_keys == KEYS_MOST)
		die("more than %d keys", KEYS_MOST);
	key->number = work->n_keys;
	key->is_counter = place == PLACES - 1;
	work->keys[work->n_keys++] = key;
	work->places[place] = key;
	return key;
}

static bool is_full(struct key *key)
{
	bool full;

	pthread_mutex_lock(&key->lock);
	full = key->n >= REQUESTS || key->n_unknown >= UNKNOWN_MOST;
	pthread_mutex_unlock(&key->lock);
	return full;
}

static struct key *choose_key(struct client *client)
{
	struct work *work = client->work;
	unsigned int place = (unsigned int)rng_below(&client->rng, PLACES);
	struct key *key;

	pthread_mutex_lock(&work->lock);
	key = work->places[place];
	if (is_full(key))
		key = new_key(work, place);
	pthread_mutex_unlock(&work->lock);
	return key;
}

/* ---- requests ---------------------------------------------------------------------- */

/* A request has its place in the history before it is sent. NULL: there is none
 * left, as others were faster. */
static struct linear_request *begin_request(struct client *client,
					    struct key *key, bool is_last)
{
	struct linear_request *request = NULL;
	uint64_t dice = rng_below(&client->rng, 100);
	enum linear_kind kind = LINEAR_GET;

	if (key->is_counter && dice >= 30)
		kind = LINEAR_INCR;
	else if (!key->is_counter)
		kind = dice < 40   ? LINEAR_GET
		       : dice < 65 ? LINEAR_PUT
		       : dice < 85 ? LINEAR_CAS
		       : dice < 93 ? LINEAR_DEL
				   : LINEAR_CREATE;
	if (is_last)
		kind = LINEAR_GET;
	pthread_mutex_lock(&key->lock);
	if (key->n < (is_last ? LINEAR_MAX : LINEAR_MAX - 1)) {
		request = &key->requests[key->n++];
		request->kind = kind;
		request->expected = key->last;
		request->value =
			kind == LINEAR_INCR
				? 1
				: atomic_fetch_add(&client->work->next_value,
						   1);
		/* Until it has an answer; not even that it was not done. */
		request->outcome = LINEAR_UNKNOWN;
		key->n_unknown++;
	}
	pthread_mutex_unlock(&key->lock);
	return request;
}

static void name_key(const struct key *key, char name[KEY_BYTES])
{
	snprintf(name, KEY_BYTES, "%s-%u", key->is_counter ? "counter" : "key",
		 key->number);
}

/* -1 for what no client has ever written. */
static int64_t number_of(const kv_value *value)
{
	char text[24] = "", *end;
	int64_t number;

	if (value->kv_value_len == 0 || value->kv_value_len >= sizeof(text))
		return -1;
	memcpy(text, value->kv_value_val, value->kv_value_len);
	number = strtoll(text, &end, 10);
	return *end ? -1 : number;
}

static enum kvclient_outcome get(struct client *client, char *name,
				 struct linear_request *request,
				 struct kvclient_report *report)
{
	const kv_get_args args = {.key = {(u_int)strlen(name), name}};
	kv_get_result result;
	enum kvclient_outcome outcome =
		kvclient_get(client->kv, &args, &result, report);

	request->result = number_of(&result.value);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return outcome;
}

static enum kvclient_outcome write_change(struct client *client, char *name,
					  struct linear_request *request,
					  struct kvclient_report *report)
{
	static const kv_operation operations[] = {
		[LINEAR_PUT] = KV_PUT,       [LINEAR_DEL] = KV_DEL,
		[LINEAR_CAS] = KV_CAS_VALUE, [LINEAR_CREATE] = KV_CREATE,
		[LINEAR_INCR] = KV_INCR,
	};
	char value[24], expected[24];
	kv_change change = {
		.operation = operations[request->kind],
		.key = {(u_int)strlen(name), name},
		.number = request->value,
	};
	kv_write_result result;
	enum kvclient_outcome outcome;

	if (request->kind != LINEAR_INCR && request->kind != LINEAR_DEL) {
		snprintf(value, sizeof(value), "%" PRId64, request->value);
		change.value = (kv_value){(u_int)strlen(value), value};
	}
	if (request->kind == LINEAR_CAS) {
		snprintf(expected, sizeof(expected), "%" PRId64,
			 request->expected);
		change.expected = (kv_value){(u_int)strlen(expected), expected};
	}
	outcome = kvclient_write(client->kv, &change, &result, report);
	request->result = result.number;
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return outcome;
}

/* Note the answer; what was surely not done leaves the history, at its end. */
static void end_request(struct client *client, struct key *key,
			struct linear_request *request,
			const struct kvclient_report *report)
{
	struct work *work = client->work;

	pthread_mutex_lock(&key->lock);
	work->attempts += report->attempts;
	switch (report->outcome) {
	case KVCLIENT_DONE:
		work->done++;
		key->n_unknown--;
		request->outcome =
			report->status == KV_DONE ? LINEAR_DONE : LINEAR_NO;
		key->done += request->kind == LINEAR_INCR;
		if (request->outcome == LINEAR_NO)
			break;
		if (request->kind == LINEAR_GET)
			key->last = request->result;
		else if (request->kind != LINEAR_DEL)
			key->last = request->value;
		break;
	case KVCLIENT_NOT_DONE:
		work->not_done++;
		key->n_unknown--;
		request->kind = LINEAR_GET; /* of unknown outcome: nothing */
		break;
	case KVCLIENT_UNKNOWN:
		work->unknown++;
		key->unknown += request->kind == LINEAR_INCR;
	}
	pthread_mutex_unlock(&key->lock);
}

/* Returns the outcome, or KVCLIENT_NOT_DONE: there was no room for it. */
static enum kvclient_outcome ask(struct client *client, struct key *key,
				 bool is_last, struct kvclient_report *report)
{
	struct linear_request *request = begin_request(client, key, is_last);
	struct linear_request r;
	char name[KEY_BYTES];

	if (!request)
		return KVCLIENT_NOT_DONE;
	r = *request; /* ours, and nobody else's until it is back */
	name_key(key, name);
	r.call_ns = tick_now();
	if (r.kind == LINEAR_GET)
		get(client, name, &r, report);
	else
		write_change(client, name, &r, report);
	r.return_ns = tick_now();
	pthread_mutex_lock(&key->lock);
	*request = r;
	pthread_mutex_unlock(&key->lock);
	end_request(client, key, request, report);
	return report->outcome;
}

static void *run(void *arg)
{
	struct client *client = arg;
	struct kvclient_report report;

	while (!client->work->is_over) {
		ask(client, choose_key(client), false, &report);
		tick_sleep_until(tick_after(client->work->arguments->pause_ns));
	}
	return NULL;
}

/* ---- the end ------------------------------------------------------------------------- */

static void say_history(const struct key *key, size_t stuck)
{
	char text[160];

	for (size_t i = 0; i < key->n; i++)
		fprintf(stderr, "%c %s\n", i == stuck ? '>' : ' ',
			linear_text(&key->requests[i], text, sizeof(text)));
}

/* Increments that were acknowledged are there, and no other than those that may
 * have been done. */
static bool is_counted(const struct key *key)
{
	const struct linear_request *last = &key->requests[key->n - 1];
	int64_t sum = last->outcome == LINEAR_DONE ? last->result : 0;

	if (!key->is_counter ||
	    (sum >= key->done && sum <= key->done + key->unknown))
		return true;
	die_warn("counter-%u is %" PRId64 ", after %" PRId64
		 " increments done and %" PRId64 " unknown",
		 key->number, sum, key->done, key->unknown);
	return false;
}

/* Read each key once more, and judge it. */
static bool judge(struct client *client, struct key *key)
{
	struct linear_report linear;
	struct kvclient_report report;
	char text[512];
	int error;

	if (ask(client, key, true, &report) != KVCLIENT_DONE) {
		die_warn(
			"key %u cannot be read after the harm: %s", key->number,
			kvclient_text(client->kv, &report, text, sizeof(text)));
		return false;
	}
	error = linear_check(key->requests, key->n, STATES_MOST, &linear);
	if (error) {
		die_warn("the history of key %u, of %u requests, %s",
			 key->number, key->n,
			 error == -EILSEQ ? "could not have been"
					  : "cannot be judged");
		say_history(key, linear.stuck);
	}
	return error == 0 && is_counted(key);
}

static int end(struct work *work, struct client *client)
{
	unsigned int bad = 0;
	int64_t begin = tick_now();

	kvclient_set_timeout(client->kv, 30 * TICK_S);
	for (unsigned int i = 0; i < work->n_keys; i++)
		bad += !judge(client, work->keys[i]);
	printf("%" PRIu64 " requests of %d clients on %u keys, in %" PRIu64
	       " attempts: %" PRIu64 " done, %" PRIu64 " not done, %" PRIu64
	       " unknown; %u histories are not linearizable (%.1f s)\n",
	       work->done + work->not_done + work->unknown, CLIENTS,
	       work->n_keys, work->attempts, work->done, work->not_done,
	       work->unknown, bad, (double)(tick_now() - begin) / 1e9);
	return bad > 0 || work->done == 0 ? DIE_FAILURE : EXIT_SUCCESS;
}

static void begin_client(struct client *client, struct work *work,
			 unsigned int i)
{
	const struct arguments *a = work->arguments;
	struct parse_endpoint servers[KVCLIENT_SERVERS_MAX];
	const struct kvclient_options options = {
		.servers = servers,
		.n_servers = a->n_servers,
		.timeout_ns = a->timeout_ns,
		/* Two of eight may not send anything again. */
		.is_unnamed = i % 4 == 3,
	};
	int error;

	/* Each begins with another server. */
	for (unsigned int j = 0; j < a->n_servers; j++)
		servers[j] = a->servers[(i + j) % a->n_servers];
	*client = (struct client){.work = work};
	rng_seed(&client->rng, a->seed * CLIENTS + i);
	error = kvclient_open(&client->kv, &options);
	if (error)
		die_errno(error, "cannot begin");
}

/* ---- the command line ------------------------------------------------------------------ */

static void add_servers(const char *text, void *where)
{
	struct arguments *a = where;
	char *words = strdup(text), *rest = words, *word;

	while (words && (word = strsep(&rest, ",")) != NULL) {
		if (a->n_servers == KVCLIENT_SERVERS_MAX)
			die_usage("too many servers");
		cli_endpoint("--servers", word, &a->servers[a->n_servers++]);
	}
	free(words);
}

static void parse(struct arguments *a, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_CALL("servers", 0, "LIST", add_servers, a, "Whom to ask"),
		CLI_TEXT("until", 0, "FILE", &a->until,
			 "Go on until there is such a file"),
		CLI_DURATION("most", 0, "DUR", &a->most_ns, TICK_MS,
			     24 * 3600 * TICK_S,
			     "And no longer than this (default 10s)"),
		CLI_DURATION("timeout", 0, "DUR", &a->timeout_ns, TICK_MS,
			     60 * TICK_S, "Of a request (default 3s)"),
		CLI_DURATION("pause", 0, "DUR", &a->pause_ns, 0, TICK_S,
			     "Of a client after each (default 2ms)"),
		CLI_COUNT("seed", 0, "N", &a->seed, 0, UINT32_MAX,
			  "Of what is asked"),
		{0},
	};
	const struct cli_command command = {
		.doc = "Ask a store, and judge its answers.",
		.options = options,
	};

	cli_parse(&command, argc, argv);
	if (a->n_servers == 0)
		die_usage("no servers");
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.most_ns = 10 * TICK_S,
				      .timeout_ns = 3 * TICK_S,
				      .pause_ns = 2 * TICK_MS};
	struct work *work = calloc(1, sizeof(*work));
	struct client clients[CLIENTS];
	int64_t deadline;
	int status;

	parse(&arguments, argc, argv);
	if (!work || pthread_mutex_init(&work->lock, NULL) != 0)
		die("no memory");
	work->arguments = &arguments;
	work->next_value = 1;
	for (unsigned int i = 0; i < PLACES; i++)
		new_key(work, i);
	deadline = tick_after(arguments.most_ns);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		begin_client(&clients[i], work, i);
		if (pthread_create(&clients[i].thread, NULL, run, &clients[i]))
			die("cannot start a thread");
	}
	while (!tick_is_over(deadline) &&
	       (!arguments.until || access(arguments.until, F_OK) != 0))
		tick_sleep_until(tick_after(20 * TICK_MS));
	work->is_over = true;
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	status = end(work, &clients[0]);
	for (unsigned int i = 0; i < CLIENTS; i++)
		kvclient_close(clients[i].kv);
	for (unsigned int i = 0; i < work->n_keys; i++)
		free(work->keys[i]);
	free(work);
	return status;
}
