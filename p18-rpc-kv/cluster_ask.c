/* cluster_ask.c - the engine's calls: by the node here, or by the leader.
 *
 * Each call is a loop of attempts under one deadline. What one attempt tells is
 * looked at for one thing first: whether the request may have been done. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/cluster_parts.h"

/* For the leader's answer to come back in: of what is left a tenth, up to this. */
#define BACK_NS (20 * TICK_MS)

/* With a silent leader, at first: an election lasts up to two election timeouts,
 * and then votes are counted. */
enum { PATIENCE_TIMEOUTS = 3 };

static struct cluster *cluster_of(struct engine *engine)
{
	return (struct cluster *)engine;
}

static int64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return tick_from_timespec(now);
}

static int64_t deadline_of(u_int timeout_ms)
{
	return tick_after(timeout_ms * TICK_MS);
}

/* ---- what is said ---- */

static void say(kv_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(kv_text *text, const char *format, ...)
{
	char line[KV_TEXT_MAX + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	free(*text);
	*text = strdup(line);
}

static void say_why_nobody(struct cluster *cluster, struct node *node,
			   kv_text *text)
{
	unsigned int n, servers;

	if (!node) {
		pthread_mutex_lock(&cluster->lock);
		n = cluster->n_met ? cluster->n_met : 1;
		pthread_mutex_unlock(&cluster->lock);
		say(text,
		    "no cluster yet: its first start needs all, and %u "
		    "of %u servers have been met",
		    n, cluster->options.n);
		return;
	}
	n = node_reachable(node, &servers);
	say(text, "%s: %u of %u servers reachable",
	    n > servers / 2 ? "no leader" : "no quorum", n, servers);
}

/* ---- attempts ---- */

struct attempt {
	struct cluster *cluster;
	struct node *node;
	struct node_wait wait;
	/* By the node here, and the same by the leader: */
	enum node_outcome (*here)(struct attempt *attempt);
	struct forward_call call;
	size_t result_bytes;
	u_int *timeout_ms;       /* in its arguments */
	const kv_status *status; /* in its result */
	bool is_repeatable;      /* may be done twice, or is done once */
	bool may_be_done;
	bool is_elsewhere;   /* the result is the leader's */
	int64_t patience_ns; /* with a leader that is silent */
	/* What here() needs. */
	char *command;
	u_int len;
	const kv_write_args *write;
	const kv_member_args *member;
};

enum next {
	NEXT_AGAIN,
	NEXT_DONE,
	NEXT_END, /* not done, or nobody knows */
};

static bool is_over(const struct attempt *attempt)
{
	bool is_shut;

	pthread_mutex_lock(&attempt->cluster->lock);
	is_shut = attempt->cluster->is_shut;
	pthread_mutex_unlock(&attempt->cluster->lock);
	return is_shut || tick_is_over(attempt->wait.deadline);
}

static enum next doubt(struct attempt *attempt)
{
	attempt->may_be_done = true;
	return attempt->is_repeatable ? NEXT_AGAIN : NEXT_END;
}

static void clear_result(const struct attempt *attempt)
{
	xdr_free(attempt->call.xdr_result, attempt->call.result);
	memset(attempt->call.result, 0, attempt->result_bytes);
}

/* The leader has answered. */
static enum next take_answer(struct attempt *attempt)
{
	const kv_status status = *attempt->status;

	attempt->is_elsewhere = true;
	if (status == KV_UNKNOWN && doubt(attempt) == NEXT_END)
		return NEXT_DONE; /* with that */
	if (status != KV_UNKNOWN && status != KV_NO_QUORUM)
		return NEXT_DONE;
	clear_result(attempt);
	attempt->is_elsewhere = false;
	return NEXT_AGAIN;
}

/* Until when a leader is waited for. One that is silent may be none any more, and
 * by then another is known: who may ask again does so. */
static int64_t deadline_elsewhere(const struct attempt *attempt)
{
	const int64_t deadline = attempt->wait.deadline;

	return attempt->is_repeatable &&
			       attempt->patience_ns < tick_left(deadline)
		       ? tick_after(attempt->patience_ns)
		       : deadline;
}

static enum next go_elsewhere(struct attempt *attempt)
{
	const int64_t deadline = deadline_elsewhere(attempt);
	int64_t left = tick_left(deadline);
	enum rpc_fault_kind kind;
	struct rpc_fault fault;

	left -= left / 10 < BACK_NS ? left / 10 : BACK_NS;
	*attempt->timeout_ms = (u_int)(left / TICK_MS);
	attempt->wait.avoided = attempt->wait.leader;
	attempt->wait.avoided_term = attempt->wait.term;
	kind = forward_make(attempt->cluster->forward, attempt->wait.address,
			    &attempt->call, deadline, &fault);
	/* It may be the majority that is slow, or the disk. */
	if (deadline != attempt->wait.deadline &&
	    tick_left(deadline) < attempt->patience_ns / 2)
		attempt->patience_ns *= 2;
	if (kind == RPC_FAULT_NONE)
		return take_answer(attempt);
	clear_result(attempt);
	return rpc_fault_outcome(&fault) == RPC_OUTCOME_UNKNOWN ? doubt(attempt)
								: NEXT_AGAIN;
}

static enum next try_once(struct attempt *attempt)
{
	switch (attempt->here(attempt)) {
	case NODE_DONE:
		return NEXT_DONE;
	case NODE_ELSEWHERE:
		return attempt->wait.is_forwarded ? NEXT_END
						  : go_elsewhere(attempt);
	case NODE_NOBODY:
		attempt->wait.avoided = 0;
		return attempt->wait.is_forwarded ? NEXT_END : NEXT_AGAIN;
	case NODE_GONE:
		return NEXT_AGAIN;
	case NODE_UNKNOWN:
		return doubt(attempt);
	case NODE_REFUSED:
		break;
	}
	return NEXT_END;
}

/* Whether it is done; otherwise may_be_done and wait.error tell more. */
static bool try_all(struct attempt *attempt)
{
	enum next next;

	attempt->node = cluster_node(attempt->cluster, attempt->wait.deadline);
	if (!attempt->node)
		return false;
	attempt->patience_ns =
		PATIENCE_TIMEOUTS * attempt->cluster->options.election_ns;
	do
		next = try_once(attempt);
	while (next == NEXT_AGAIN && !is_over(attempt));
	return next == NEXT_DONE;
}

/* ---- writes ---- */

/* It was not done, or nobody knows. */
static void explain_write(const struct attempt *attempt,
			  kv_write_result *result)
{
	if (attempt->may_be_done) {
		result->status = KV_UNKNOWN;
		say(&result->text, "no majority has answered in time");
		return;
	}
	result->status = KV_NO_QUORUM;
	switch (attempt->wait.error) {
	case 0:
		say_why_nobody(attempt->cluster, attempt->node, &result->text);
		break;
	case -ENOBUFS:
		say(&result->text, "the leader's disk does not keep up");
		break;
	case -EMSGSIZE:
		result->status = KV_TOO_LARGE;
		say(&result->text, "larger than an entry of the log");
		break;
	case -EBUSY:
		result->status = KV_CONFLICT;
		say(&result->text, "another change of members is under way");
		break;
	case -EEXIST:
		result->status = KV_CONFLICT;
		say(&result->text, "there is a server of this id or address");
		break;
	case -ENOENT:
		result->status = KV_NOT_FOUND;
		say(&result->text, "there is no server of this id");
		break;
	case -EINVAL:
	case -ENOSPC:
		result->status = KV_INVALID;
		say(&result->text, "such a list of members cannot be: %s",
		    strerror(-attempt->wait.error));
		break;
	default:
		say(&result->text, "%s", strerror(-attempt->wait.error));
	}
}

static enum node_outcome write_here(struct attempt *attempt)
{
	return node_propose(attempt->node, attempt->command, attempt->len,
			    attempt->write->replicas_ms, &attempt->wait,
			    attempt->call.result);
}

static int encode(const kv_change *change, struct attempt *attempt)
{
	xdrproc_t encode_change = (xdrproc_t)xdr_kv_change;
	kv_change *from = (kv_change *)(uintptr_t)change;
	XDR xdrs;

	attempt->len = (u_int)xdr_sizeof(encode_change, from);
	attempt->command = malloc(attempt->len);
	if (!attempt->command)
		return -ENOMEM;
	xdrmem_create(&xdrs, attempt->command, attempt->len, XDR_ENCODE);
	return xdr_kv_change(&xdrs, from) ? 0 : -EMSGSIZE;
}

static void write_(struct engine *engine, const kv_write_args *args,
		   kv_write_result *result)
{
	kv_write_args forwarded = *args;
	struct attempt attempt = {
		.cluster = cluster_of(engine),
		.wait = {.deadline = deadline_of(args->timeout_ms),
			 .is_forwarded = args->is_forwarded},
		.here = write_here,
		.call = {.procedure = WRITE,
			 .xdr_args = (xdrproc_t)xdr_kv_write_args,
			 .args = &forwarded,
			 .xdr_result = (xdrproc_t)xdr_kv_write_result,
			 .result = result},
		.result_bytes = sizeof(*result),
		.timeout_ms = &forwarded.timeout_ms,
		.status = &result->status,
		.is_repeatable = args->change.id.sequence != 0,
		.write = args,
	};

	forwarded.is_forwarded = true;
	attempt.wait.error = encode(&args->change, &attempt);
	if (attempt.wait.error || !try_all(&attempt))
		explain_write(&attempt, result);
	else if (!attempt.is_elsewhere)
		say(&result->text, "%s",
		    state_text(args->change.operation, result->status));
	free(attempt.command);
}

static enum node_outcome change_here(struct attempt *attempt)
{
	const kv_member_args *args = attempt->member;

	return node_change_members(attempt->node, args->id,
				   args->change == KV_MEMBER_ADD ? args->address
								 : NULL,
				   &attempt->wait, attempt->call.result);
}

static void member(struct engine *engine, const kv_member_args *args,
		   kv_write_result *result)
{
	kv_member_args forwarded = *args;
	struct attempt attempt = {
		.cluster = cluster_of(engine),
		.wait = {.deadline = deadline_of(args->timeout_ms),
			 .is_forwarded = args->is_forwarded},
		.here = change_here,
		.call = {.procedure = MEMBER,
			 .xdr_args = (xdrproc_t)xdr_kv_member_args,
			 .args = &forwarded,
			 .xdr_result = (xdrproc_t)xdr_kv_write_result,
			 .result = result},
		.result_bytes = sizeof(*result),
		.timeout_ms = &forwarded.timeout_ms,
		.status = &result->status,
		.member = args,
	};

	forwarded.is_forwarded = true;
	if (!try_all(&attempt))
		explain_write(&attempt, result);
}

/* ---- reads ---- */

/* Of either kind: what is asked, and the places in its result. */
struct read {
	struct attempt attempt;
	kv_freshness freshness;
	kv_status *status;
	kv_text *text;
	u_int *age_ms;
};

static enum node_outcome read_here(struct attempt *attempt)
{
	const int64_t now = boot_now();
	enum node_outcome outcome = node_read(attempt->node, &attempt->wait);

	if (outcome == NODE_DONE)
		node_note_fresh(attempt->node, now);
	return outcome;
}

/* Age of what is here; UINT_MAX: nobody knows. */
static u_int age_of(int64_t fresh_ns)
{
	int64_t age_ms = (boot_now() - fresh_ns + TICK_MS - 1) / TICK_MS;

	return !fresh_ns || age_ms > UINT_MAX ? UINT_MAX
	       : age_ms < 0                   ? 0
					      : (u_int)age_ms;
}

static struct state_view *look_here(const struct read *read)
{
	struct node *node = read->attempt.node;
	const int64_t fresh_ns = node_fresh(node);
	struct state_view *view = node_view(node);

	/* After the view: the time between counts. */
	*read->age_ms = age_of(fresh_ns);
	return view;
}

/* By the leader, or made sure of by it. NULL: there is no view, but an answer. */
static struct state_view *look_surely(struct read *read)
{
	struct attempt *attempt = &read->attempt;

	if (try_all(attempt)) {
		if (attempt->is_elsewhere)
			return NULL;
		*read->age_ms = 0;
		return node_view(attempt->node);
	}
	*read->status = read->freshness.consistency == KV_BOUNDED
				? KV_NOT_FRESH
				: KV_NO_QUORUM;
	say_why_nobody(attempt->cluster, attempt->node, read->text);
	return NULL;
}

static struct state_view *look_bounded(struct read *read)
{
	struct state_view *view = look_here(read);

	if (*read->age_ms <= read->freshness.bound_ms)
		return view;
	state_release(view);
	return look_surely(read);
}

static struct state_view *look_since(const struct read *read)
{
	const struct attempt *attempt = &read->attempt;
	const uint64_t revision = read->freshness.revision;

	if (node_reach(attempt->node, revision, attempt->wait.deadline) ==
	    NODE_DONE)
		return look_here(read);
	*read->status = KV_NOT_FRESH;
	say(read->text, "revision %llu is not here yet",
	    (unsigned long long)revision);
	return NULL;
}

/* What asks the leader: the same read, linearizable whatever is wanted here, as
 * only the leader's word makes it fresh. */
static void begin_read(struct read *read, struct engine *engine,
		       kv_freshness *freshness)
{
	struct attempt *attempt = &read->attempt;

	read->freshness = *freshness;
	attempt->cluster = cluster_of(engine);
	attempt->wait = (struct node_wait){
		.deadline = deadline_of(freshness->timeout_ms),
		.is_forwarded = freshness->is_forwarded};
	attempt->here = read_here;
	attempt->timeout_ms = &freshness->timeout_ms;
	attempt->status = read->status;
	attempt->is_repeatable = true;
	freshness->is_forwarded = true;
	freshness->consistency = KV_LINEARIZABLE;
}

/* What to read from; NULL: the result is there. *freshness is in the arguments
 * for the leader, and as the client wants it yet. */
static struct state_view *look(struct read *read, struct engine *engine,
			       kv_freshness *freshness)
{
	struct attempt *attempt = &read->attempt;

	begin_read(read, engine, freshness);
	attempt->node = cluster_node(attempt->cluster, attempt->wait.deadline);
	if (!attempt->node) {
		*read->status = KV_NO_QUORUM;
		say_why_nobody(attempt->cluster, NULL, read->text);
		return NULL;
	}
	__atomic_fetch_add(&attempt->cluster->reads, 1, __ATOMIC_RELAXED);
	switch (read->freshness.consistency) {
	case KV_STALE:
		return look_here(read);
	case KV_BOUNDED:
		return look_bounded(read);
	case KV_SESSION:
		return look_since(read);
	case KV_LINEARIZABLE:
		break;
	}
	return look_surely(read);
}

/* error: of reading the view. */
static void end_read(const struct read *read, struct state_view *view,
		     int error)
{
	if (error) {
		*read->status = KV_NO_QUORUM;
		say(read->text, "%s", strerror(-error));
	}
	state_release(view);
}

static void get(struct engine *engine, const kv_get_args *args,
		kv_get_result *result)
{
	kv_get_args forwarded = *args;
	struct read read = {
		.attempt = {.call = {.procedure = GET,
				     .xdr_args = (xdrproc_t)xdr_kv_get_args,
				     .args = &forwarded,
				     .xdr_result = (xdrproc_t)xdr_kv_get_result,
				     .result = result},
			    .result_bytes = sizeof(*result)},
		.status = &result->status,
		.text = &result->text,
		.age_ms = &result->age_ms,
	};
	struct state_view *view = look(&read, engine, &forwarded.freshness);

	if (!view)
		return;
	end_read(&read, view, state_get(view, &args->key, result));
	if (result->status == KV_DONE)
		node_note_read(read.attempt.node, &args->key);
}

static void list(struct engine *engine, const kv_list_args *args,
		 kv_list_result *result)
{
	kv_list_args forwarded = *args;
	struct read read = {
		.attempt = {.call = {.procedure = LIST,
				     .xdr_args = (xdrproc_t)xdr_kv_list_args,
				     .args = &forwarded,
				     .xdr_result =
					     (xdrproc_t)xdr_kv_list_result,
				     .result = result},
			    .result_bytes = sizeof(*result)},
		.status = &result->status,
		.text = &result->text,
		.age_ms = &result->age_ms,
	};
	struct state_view *view = look(&read, engine, &forwarded.freshness);

	if (view)
		end_read(&read, view, state_list(view, args, result));
}

/* A read of a key that nobody has: what it tells is how far the leader is. */
void cluster_refresh(struct cluster *cluster, int64_t deadline)
{
	const int64_t now = boot_now();
	char key[] = "";
	kv_get_args args = {.key = {1, key}};
	kv_get_result result = {0};
	struct read read = {
		.attempt = {.call = {.procedure = GET,
				     .xdr_args = (xdrproc_t)xdr_kv_get_args,
				     .args = &args,
				     .xdr_result = (xdrproc_t)xdr_kv_get_result,
				     .result = &result},
			    .result_bytes = sizeof(result)},
		.status = &result.status,
	};
	struct attempt *attempt = &read.attempt;

	begin_read(&read, &cluster->engine, &args.freshness);
	attempt->wait.deadline = deadline;
	if (try_all(attempt) && attempt->is_elsewhere &&
	    (result.status == KV_DONE || result.status == KV_NOT_FOUND) &&
	    node_reach(attempt->node, result.applied, deadline) == NODE_DONE)
		node_note_fresh(attempt->node, now);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
}

/* ---- about the server ---- */

static void hello(struct engine *engine, kv_hello_result *result)
{
	struct cluster *cluster = cluster_of(engine);
	struct node *node = cluster_node(cluster, 0);
	struct state_view *view;

	pthread_mutex_lock(&cluster->lock);
	memcpy(result->share, cluster->share, sizeof(result->share));
	pthread_mutex_unlock(&cluster->lock);
	result->server = cluster->options.id;
	if (!node)
		return;
	memcpy(result->cluster, cluster->folder.identity.cluster,
	       sizeof(result->cluster));
	view = node_view(node);
	result->revision = state_applied(view);
	state_release(view);
}

static void status(struct engine *engine, kv_status_result *result)
{
	struct cluster *cluster = cluster_of(engine);
	struct node *node = cluster_node(cluster, 0);

	result->id = cluster->options.id;
	result->age_ms = UINT_MAX;
	result->reads = __atomic_load_n(&cluster->reads, __ATOMIC_RELAXED);
	if (!node)
		return;
	memcpy(result->cluster, cluster->folder.identity.cluster,
	       sizeof(result->cluster));
	node_status(node, result);
	result->age_ms = age_of(node_fresh(node));
}

static void hash(struct engine *engine, kv_hash_result *result)
{
	struct node *node = cluster_node(cluster_of(engine), 0);
	struct state_view *view = node ? node_freeze(node) : NULL;

	if (!view) {
		result->status = KV_NO_QUORUM;
		return;
	}
	result->applied = state_applied(view);
	result->hash = state_hash(view);
	state_release(view);
}

const struct engine_calls cluster_calls = {
	.name = "raft",
	.hello = hello,
	.write = write_,
	.get = get,
	.list = list,
	.status = status,
	.hash = hash,
	.member = member,
	.shut = cluster_shut,
	.close = cluster_close,
};
