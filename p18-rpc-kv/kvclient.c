/* kvclient.c - one request, and whom to ask next.
 *
 * carry_out() is all of it: an attempt at one server, what that came to, and
 * whether another may follow. Each attempt has a part of the time that is left,
 * so that a server that is silent does not use up what the others would need.
 * What counts for the outcome is every attempt, not the last one: a write of which
 * one attempt may have been done is unknown, whatever is said of it later, unless
 * that is its answer. */
#include "p18-rpc-kv/kvclient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/rng.h"
#include "lib/tick.h"

enum {
	TIMEOUT_S = 5,
	REPLICAS_MS = 50,
	ATTEMPT_LEAST_MS = 250, /* where there are others to ask */
	MARGIN_MAX_MS = 100,    /* for a server's "no" to arrive in time */
	BACK_OFF_MS = 10,       /* after all were asked; doubled each time */
	BACK_OFF_MAX_MS = 320,
};

struct server {
	struct parse_endpoint at;
	struct rpc_client *client; /* NULL: not connected */
	bool is_met;               /* has told its cluster here */
};

struct kvclient {
	struct server servers[KVCLIENT_SERVERS_MAX];
	unsigned int n_servers, current;
	int64_t timeout_ns;
	uint32_t replicas_ms;
	bool is_unnamed;
	bool has_no_names; /* its engine; is_unnamed is what the caller wants */
	bool has_cluster;
	unsigned int first; /* the server that told the cluster */
	char cluster[KV_CLUSTER_BYTES];
	kv_request_id id; /* of the last request; sequence 0: no name yet */
	uint64_t since;   /* what the newest HELLO told */
	uint64_t revision;
	struct rng rng;
};

/* One request, whatever it asks. */
struct request {
	uint32_t procedure; /* 0: none, to be greeted is all */
	xdrproc_t xdr_args, xdr_result;
	void *args, *result;
	size_t result_bytes;
	/* In the arguments and the result, where they have it. */
	u_int *timeout_ms; /* the server's part of the time */
	const kv_status *status_at;
	const kv_text *text_at;
	bool is_read;     /* may be sent as often as one likes */
	bool is_named;    /* so may this write: args is a kv_write_args */
	bool is_ours;     /* the name is made here */
	bool is_once;     /* at one server, and no more */
	kv_status status; /* what the server said */
	const char *text;
};

int kvclient_open(struct kvclient **kv, const struct kvclient_options *options)
{
	struct kvclient *new;
	uint64_t seed;

	if (options->n_servers == 0 ||
	    options->n_servers > KVCLIENT_SERVERS_MAX)
		return -EINVAL;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	for (unsigned int i = 0; i < options->n_servers; i++)
		new->servers[i].at = options->servers[i];
	new->n_servers = options->n_servers;
	new->timeout_ns =
		options->timeout_ns ? options->timeout_ns : TIMEOUT_S *TICK_S;
	new->replicas_ms =
		options->replicas_ms ? options->replicas_ms : REPLICAS_MS;
	new->is_unnamed = options->is_unnamed;
	rng_seed(&new->rng, seed);
	*kv = new;
	return 0;
}

static void disconnect(struct server *server)
{
	rpc_client_close(server->client);
	server->client = NULL;
	server->is_met = false;
}

void kvclient_close(struct kvclient *kv)
{
	if (!kv)
		return;
	for (unsigned int i = 0; i < kv->n_servers; i++)
		disconnect(&kv->servers[i]);
	free(kv);
}

uint64_t kvclient_revision(const struct kvclient *kv)
{
	return kv->revision;
}

void kvclient_see(struct kvclient *kv, uint64_t revision)
{
	if (kv->revision < revision)
		kv->revision = revision;
}

void kvclient_set_timeout(struct kvclient *kv, int64_t timeout_ns)
{
	kv->timeout_ns = timeout_ns;
}

/* ---- one attempt ---- */

static int connect_to(struct server *server, int64_t deadline,
		      struct rpc_fault *fault)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = server->at.host[0] ? server->at.host : NULL,
		.port = server->at.port,
		.program = KV_PROG,
		.version = KV_VERS,
		.connect_ns = tick_left(deadline),
		.timeout_ns = tick_left(deadline),
	};

	if (server->client)
		return 0;
	return rpc_client_open(&server->client, &options, fault) ? -1 : 0;
}

/* Whether the server is of the cluster that answered first. It may have none
 * yet, and is asked again then. */
static bool is_of_cluster(struct kvclient *kv, const kv_hello_result *hello)
{
	static const char none[KV_CLUSTER_BYTES];

	if (memcmp(hello->cluster, none, sizeof(none)) == 0)
		return true;
	if (!kv->has_cluster) {
		memcpy(kv->cluster, hello->cluster, sizeof(none));
		kv->has_cluster = true;
		kv->first = kv->current;
	}
	kv->servers[kv->current].is_met = true;
	return memcmp(kv->cluster, hello->cluster, sizeof(none)) == 0;
}

/* Connect and say hello, as far as that is not done yet. What goes wrong here
 * leaves the request unsent. */
static int meet(struct kvclient *kv, struct server *server, int64_t deadline,
		struct kvclient_report *report)
{
	kv_hello_result hello;

	if (connect_to(server, deadline, &report->fault))
		return -1;
	rpc_client_set_timeout(server->client, tick_left(deadline));
	if (server->is_met)
		return 0;
	if (kv_hello_1(server->client, &hello, &report->fault)) {
		report->fault.was_sent = false;
		return -1;
	}
	report->is_stranger = !is_of_cluster(kv, &hello);
	kv->since = hello.revision;
	kv->has_no_names = hello.has_no_names;
	xdr_free((xdrproc_t)xdr_kv_hello_result, (char *)&hello);
	if (report->is_stranger)
		return -1;
	rpc_client_set_timeout(server->client, tick_left(deadline));
	return 0;
}

static int make_name(struct kvclient *kv)
{
	kv_request_id *id = &kv->id;

	if (id->sequence > 0)
		return 0;
	if (getrandom(id->client, sizeof(id->client), 0) != sizeof(id->client))
		return -errno;
	id->since = kv->since;
	return 0;
}

/* The name is the same for all attempts, once it is there. An engine without names
 * gets none, and the change only once. */
static int name_change(struct kvclient *kv, struct request *request,
		       struct rpc_fault *fault)
{
	kv_write_args *args = request->args;

	if (!request->is_ours || args->change.id.sequence > 0)
		return 0;
	if (kv->has_no_names) {
		request->is_named = request->is_ours = false;
		return 0;
	}
	if (make_name(kv)) {
		rpc_fault_set(fault, RPC_FAULT_LOCAL, EIO, false);
		return -1;
	}
	kv->id.sequence++;
	args->change.id = kv->id;
	return 0;
}

/* The server's part of it ends a little earlier. */
static uint32_t server_ms(int64_t deadline)
{
	int64_t ms = tick_left(deadline) / TICK_MS, margin = ms / 8;

	if (margin > MARGIN_MAX_MS)
		margin = MARGIN_MAX_MS;
	return ms - margin > 0 ? (uint32_t)(ms - margin) : 1;
}

static void call(struct request *request, struct rpc_client *client,
		 int64_t deadline, struct rpc_fault *fault)
{
	request->status = KV_DONE;
	if (!request->procedure)
		return;
	if (request->timeout_ms)
		*request->timeout_ms = server_ms(deadline);
	xdr_free(request->xdr_result, request->result);
	memset(request->result, 0, request->result_bytes);
	rpc_client_call(client, request->procedure, request->xdr_args,
			request->args, request->xdr_result, request->result,
			fault);
	if (fault->kind)
		memset(request->result, 0, request->result_bytes);
	if (request->status_at)
		request->status = *request->status_at;
	if (request->text_at)
		request->text = *request->text_at;
}

static void attempt(struct kvclient *kv, struct request *request,
		    int64_t deadline, struct kvclient_report *report)
{
	struct server *server = &kv->servers[kv->current];

	*report = (struct kvclient_report){.server = kv->current,
					   .attempts = report->attempts + 1};
	request->text = NULL;
	if (meet(kv, server, deadline, report) == 0 &&
	    name_change(kv, request, &report->fault) == 0)
		call(request, server->client, deadline, &report->fault);
	report->status = request->status;
	if (request->text && !report->fault.kind)
		snprintf(report->text, sizeof(report->text), "%s",
			 request->text);
	if (report->fault.kind || report->is_stranger)
		disconnect(server);
	if (request->is_read)
		report->fault.was_sent = false;
	if (request->is_named)
		report->id = ((kv_write_args *)request->args)->change.id;
}

/* ---- what it came to ---- */

enum verdict {
	FINAL,
	AGAIN,   /* may be sent again, even here */
	USELESS, /* may be sent again, but this server will never do it */
};

static enum verdict judge_fault(const struct kvclient_report *report)
{
	switch (report->fault.kind) {
	case RPC_FAULT_INTERRUPTED:
	case RPC_FAULT_LOCAL:
	case RPC_FAULT_ARGS:
		return FINAL;
	case RPC_FAULT_HOST:
		return USELESS;
	default:
		return rpc_fault_outcome(&report->fault) == RPC_OUTCOME_REFUSED
			       ? USELESS
			       : AGAIN;
	}
}

/* Nobody knows whether this name's request was done. If the name is new, and has
 * not been sent before, it was not: it takes another one. */
static enum verdict forgotten(struct kvclient *kv, struct request *request,
			      struct kvclient_report *report, bool may_be_done)
{
	kv_write_args *args = request->args;

	if (!request->is_ours || may_be_done) {
		report->outcome = KVCLIENT_UNKNOWN;
		return FINAL;
	}
	kv->id.sequence = args->change.id.sequence = 0;
	kv->servers[kv->current].is_met = false;
	return AGAIN;
}

/* Fills in the outcome of this attempt alone. */
static enum verdict judge(struct kvclient *kv, struct request *request,
			  struct kvclient_report *report, bool may_be_done)
{
	report->outcome = KVCLIENT_NOT_DONE;
	if (report->is_stranger)
		return USELESS;
	if (report->fault.kind) {
		if (rpc_fault_is_unknown(&report->fault))
			report->outcome = KVCLIENT_UNKNOWN;
		return judge_fault(report);
	}
	switch (report->status) {
	case KV_DONE:
	case KV_NOT_FOUND:
	case KV_CONFLICT:
		report->outcome = KVCLIENT_DONE;
		return FINAL;
	case KV_NO_QUORUM:
	case KV_NOT_FRESH:
		return AGAIN;
	case KV_UNKNOWN:
		report->outcome =
			request->is_read ? KVCLIENT_NOT_DONE : KVCLIENT_UNKNOWN;
		return AGAIN;
	case KV_FORGOTTEN:
		return forgotten(kv, request, report, may_be_done);
	case KV_TOO_LARGE:
	case KV_INVALID:
	case KV_UNSUPPORTED:
		return FINAL;
	default: /* KV_SEQUENCE_PAST, and what we have not heard of */
		report->outcome = KVCLIENT_UNKNOWN;
		return FINAL;
	}
}

/* ---- all attempts ---- */

/* Where the attempts of a request have got to. */
struct course {
	int64_t deadline;
	unsigned int useless; /* a bit for each server */
	unsigned int asked;   /* since the last pause */
	unsigned int pauses;
	bool may_be_done;                /* by an attempt before */
	bool has_words;                  /* a server has said why not: */
	struct kvclient_report in_words; /* more use than "unreachable" */
};

static unsigned int count_useful(const struct kvclient *kv,
				 const struct course *course)
{
	return kv->n_servers -
	       (unsigned int)__builtin_popcount(course->useless);
}

static int64_t deadline_of_attempt(const struct kvclient *kv,
				   const struct request *request,
				   const struct course *course)
{
	int64_t part = tick_left(course->deadline) / count_useful(kv, course);

	if (!request->is_read && !request->is_named)
		return course->deadline;
	if (part < ATTEMPT_LEAST_MS * TICK_MS)
		part = ATTEMPT_LEAST_MS * TICK_MS;
	return tick_left(course->deadline) < part ? course->deadline
						  : tick_after(part);
}

/* Those who start or heal together should not come back together, either. */
static int pause_a_little(struct kvclient *kv, struct course *course)
{
	int64_t most = BACK_OFF_MS * TICK_MS << course->pauses, wait;

	if (most < BACK_OFF_MAX_MS * TICK_MS)
		course->pauses++;
	wait = most / 2 + (int64_t)rng_below(&kv->rng, (uint64_t)most / 2);
	if (tick_left(course->deadline) <= wait)
		return -ETIMEDOUT;
	return tick_sleep_until(tick_after(wait));
}

/* Go on to the next server that may be of use. Returns 0 or -errno: the time is
 * over, a signal has come, or there is none. */
static int go_on(struct kvclient *kv, struct course *course)
{
	unsigned int useful = count_useful(kv, course);

	if (useful == 0)
		return -ENOENT;
	if (++course->asked >= useful) {
		course->asked = 0;
		if (pause_a_little(kv, course))
			return -ETIMEDOUT;
	}
	do
		kv->current = (kv->current + 1) % kv->n_servers;
	while (course->useless & 1U << kv->current);
	return tick_is_over(course->deadline) ? -ETIMEDOUT : 0;
}

static void note(struct course *course, const struct kvclient_report *report,
		 enum verdict verdict)
{
	course->may_be_done |= report->outcome == KVCLIENT_UNKNOWN;
	if (verdict == USELESS)
		course->useless |= 1U << report->server;
	if (!report->fault.kind && !report->is_stranger) {
		course->has_words = true;
		course->in_words = *report;
	}
}

static enum kvclient_outcome carry_out(struct kvclient *kv,
				       struct request *request,
				       struct kvclient_report *report)
{
	struct course course = {.deadline = tick_after(kv->timeout_ns)};
	unsigned int attempts;
	enum verdict verdict;

	report->attempts = 0;
	for (;;) {
		attempt(kv, request, deadline_of_attempt(kv, request, &course),
			report);
		verdict = judge(kv, request, report, course.may_be_done);
		note(&course, report, verdict);
		if (verdict == FINAL || request->is_once)
			break;
		if (report->outcome == KVCLIENT_UNKNOWN && !request->is_named)
			break;
		if (go_on(kv, &course))
			break;
	}
	if (report->outcome == KVCLIENT_DONE)
		return KVCLIENT_DONE;
	attempts = report->attempts;
	if (course.has_words && verdict != FINAL)
		*report = course.in_words;
	report->attempts = attempts;
	if (course.may_be_done)
		report->outcome = KVCLIENT_UNKNOWN;
	return report->outcome;
}

/* ---- requests ---- */

enum kvclient_outcome kvclient_write(struct kvclient *kv,
				     const kv_change *change,
				     kv_write_result *result,
				     struct kvclient_report *report)
{
	kv_write_args args = {.change = *change,
			      .replicas_ms = kv->replicas_ms};
	bool has_name = change->id.sequence > 0;
	struct request request = {
		.procedure = WRITE,
		.xdr_args = (xdrproc_t)xdr_kv_write_args,
		.args = &args,
		.xdr_result = (xdrproc_t)xdr_kv_write_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.timeout_ms = &args.timeout_ms,
		.status_at = &result->status,
		.text_at = &result->text,
		.is_named = has_name || !kv->is_unnamed,
		.is_ours = !has_name && !kv->is_unnamed,
	};

	memset(result, 0, sizeof(*result));
	if (carry_out(kv, &request, report) == KVCLIENT_DONE)
		kvclient_see(kv, result->revision);
	return report->outcome;
}

enum kvclient_outcome kvclient_member(struct kvclient *kv,
				      const kv_member_args *args,
				      kv_write_result *result,
				      struct kvclient_report *report)
{
	kv_member_args own = *args;
	struct request request = {
		.procedure = MEMBER,
		.xdr_args = (xdrproc_t)xdr_kv_member_args,
		.args = &own,
		.xdr_result = (xdrproc_t)xdr_kv_write_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.timeout_ms = &own.timeout_ms,
		.status_at = &result->status,
		.text_at = &result->text,
	};

	memset(result, 0, sizeof(*result));
	return carry_out(kv, &request, report);
}

/* *freshness is in the arguments, and *applied in the result. */
static enum kvclient_outcome carry_out_read(struct kvclient *kv,
					    struct request *request,
					    kv_freshness *freshness,
					    const u_quad_t *applied,
					    struct kvclient_report *report)
{
	request->timeout_ms = &freshness->timeout_ms;
	request->is_read = true;
	memset(request->result, 0, request->result_bytes);
	if (freshness->consistency == KV_SESSION &&
	    freshness->revision < kv->revision)
		freshness->revision = kv->revision;
	if (carry_out(kv, request, report) == KVCLIENT_DONE)
		kvclient_see(kv, *applied);
	return report->outcome;
}

enum kvclient_outcome kvclient_get(struct kvclient *kv, const kv_get_args *args,
				   kv_get_result *result,
				   struct kvclient_report *report)
{
	kv_get_args own = *args;
	struct request request = {
		.procedure = GET,
		.xdr_args = (xdrproc_t)xdr_kv_get_args,
		.args = &own,
		.xdr_result = (xdrproc_t)xdr_kv_get_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.status_at = &result->status,
		.text_at = &result->text,
	};

	return carry_out_read(kv, &request, &own.freshness, &result->applied,
			      report);
}

enum kvclient_outcome kvclient_list(struct kvclient *kv,
				    const kv_list_args *args,
				    kv_list_result *result,
				    struct kvclient_report *report)
{
	kv_list_args own = *args;
	struct request request = {
		.procedure = LIST,
		.xdr_args = (xdrproc_t)xdr_kv_list_args,
		.args = &own,
		.xdr_result = (xdrproc_t)xdr_kv_list_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.status_at = &result->status,
		.text_at = &result->text,
	};

	return carry_out_read(kv, &request, &own.freshness, &result->applied,
			      report);
}

/* ---- of one server ---- */

enum kvclient_outcome kvclient_status(struct kvclient *kv, unsigned int server,
				      kv_status_result *result,
				      struct kvclient_report *report)
{
	struct request request = {
		.procedure = STATUS,
		.xdr_result = (xdrproc_t)xdr_kv_status_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.is_read = true,
		.is_once = true,
	};

	memset(result, 0, sizeof(*result));
	kv->current = server;
	return carry_out(kv, &request, report);
}

enum kvclient_outcome kvclient_hash(struct kvclient *kv, unsigned int server,
				    kv_hash_result *result,
				    struct kvclient_report *report)
{
	struct request request = {
		.procedure = HASH,
		.xdr_result = (xdrproc_t)xdr_kv_hash_result,
		.result = result,
		.result_bytes = sizeof(*result),
		.status_at = &result->status,
		.is_read = true,
		.is_once = true,
	};

	memset(result, 0, sizeof(*result));
	kv->current = server;
	return carry_out(kv, &request, report);
}

enum kvclient_outcome kvclient_name(struct kvclient *kv, kv_request_id *id,
				    struct kvclient_report *report)
{
	struct request request = {.is_read = true};

	memset(id, 0, sizeof(*id));
	if (carry_out(kv, &request, report) != KVCLIENT_DONE)
		return report->outcome;
	if (kv->has_no_names) {
		report->status = KV_UNSUPPORTED;
		return report->outcome = KVCLIENT_NOT_DONE;
	}
	if (getrandom(id->client, sizeof(id->client), 0) !=
	    sizeof(id->client)) {
		rpc_fault_set(&report->fault, RPC_FAULT_LOCAL, EIO, false);
		return report->outcome = KVCLIENT_NOT_DONE;
	}
	id->sequence = 1;
	id->since = kv->since;
	return KVCLIENT_DONE;
}

/* ---- words ---- */

static const char *reason(kv_status status)
{
	switch (status) {
	case KV_NOT_FOUND:
		return "no such key";
	case KV_CONFLICT:
		return "it is another value";
	case KV_SEQUENCE_PAST:
		return "a later request of this name has been done";
	case KV_UNKNOWN:
		return "no majority has answered in time";
	case KV_NO_QUORUM:
		return "no quorum";
	case KV_NOT_FRESH:
		return "what is here is older than asked for";
	case KV_FORGOTTEN:
		return "the servers have forgotten this request's name";
	case KV_TOO_LARGE:
		return "too large";
	case KV_INVALID:
		return "not accepted";
	case KV_UNSUPPORTED:
		return "not supported";
	default:
		return "an answer of a later version";
	}
}

static void name_server(const struct kvclient *kv, unsigned int server,
			char *buf, size_t size)
{
	const struct parse_endpoint *at = &kv->servers[server].at;

	snprintf(buf, size, strchr(at->host, ':') ? "[%s]:%u" : "%s:%u",
		 at->host[0] ? at->host : "localhost", at->port);
}

const char *kvclient_text(const struct kvclient *kv,
			  const struct kvclient_report *report, char *buf,
			  size_t size)
{
	static const char unknown[] = "; whether it was done is unknown";
	char server[sizeof(kv->servers[0].at.host) + 8];
	char first[sizeof(server)], fault_text[256];
	struct rpc_fault fault = report->fault;
	const char *tail = report->outcome == KVCLIENT_UNKNOWN ? unknown : "";

	name_server(kv, report->server, server, sizeof(server));
	name_server(kv, kv->first, first, sizeof(first));
	fault.was_sent = false; /* we say that by ourselves */
	if (report->is_stranger)
		snprintf(buf, size, "%s is of another cluster than %s%s",
			 server, first, tail);
	else if (fault.kind)
		snprintf(buf, size, "%s: %s%s", server,
			 rpc_fault_text(&fault, fault_text, sizeof(fault_text)),
			 tail);
	else
		snprintf(buf, size, "%s%s",
			 report->text[0] ? report->text
					 : reason(report->status),
			 tail);
	return buf;
}
