/* node.c - life, the queue, and the thread. */
#include "p18-rpc-kv/node.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/node_parts.h"

/* ---- the queue ---- */

void node_post(struct node *node, struct event *event)
{
	bool was_empty;

	event->next = NULL;
	pthread_mutex_lock(&node->queue_lock);
	was_empty = !node->first;
	*node->last = event;
	node->last = &event->next;
	if (was_empty)
		pthread_cond_signal(&node->is_posted);
	pthread_mutex_unlock(&node->queue_lock);
}

/* All that has happened, NULL when only time has passed. */
static struct event *wait_for_events(struct node *node, bool *is_closing)
{
	int64_t deadline = tick_after(CACHE_SILENCE_MS / 4 * TICK_MS);
	struct timespec until;
	struct event *events;

	/* The first is for the cache (cache_note()). */
	if (node->wake_ns < deadline)
		deadline = node->wake_ns;
	if (node->sweep_ns < deadline)
		deadline = node->sweep_ns;
	until = tick_to_timespec(deadline);
	pthread_mutex_lock(&node->queue_lock);
	while (!node->first && !node->is_closing)
		if (pthread_cond_timedwait(&node->is_posted, &node->queue_lock,
					   &until) == ETIMEDOUT)
			break;
	events = node->first;
	node->first = NULL;
	node->last = &node->first;
	*is_closing = node->is_closing;
	pthread_mutex_unlock(&node->queue_lock);
	return events;
}

/* ---- the thread ---- */

static void happen(struct node *node, struct event *events)
{
	struct event *next;

	for (struct event *event = events; event; event = next) {
		next = event->next;
		event->happen(node, event);
	}
}

static void *run(void *arg)
{
	struct node *node = arg;
	bool is_closing;
	struct event *events;
	int64_t now;

	do {
		events = wait_for_events(node, &is_closing);
		now = tick_now();
		raft_tick(node->raft, now);
		happen(node, events);
		node_begin_round(node);
		node_carry_out(node);
		if (now >= node->sweep_ns)
			node_sweep(node, now);
	} while (!is_closing);
	return NULL;
}

/* ---- what it says ---- */

void node_note(struct node *node, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	node->options.note(line, node->options.arg);
}

_Noreturn void node_fail(struct node *node, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	node->options.fail(line, node->options.arg);
	abort(); /* it must not return */
}

/* ---- the writer ---- */

struct persisted {
	struct event event;
	uint64_t number;
};

static void note_persisted(struct node *node, struct event *event)
{
	struct persisted *persisted = (struct persisted *)event;

	raft_persisted(node->raft, persisted->number);
	free(persisted);
}

static void persisted(uint64_t number, void *arg)
{
	struct node *node = arg;
	struct persisted *event = malloc(sizeof(*event));

	if (!event)
		node_fail(node, "no memory");
	event->event.happen = note_persisted;
	event->number = number;
	node_post(node, &event->event);
}

static void note_slow(int64_t took_ns, void *arg)
{
	node_note(arg, "event=slow_sync took_ms=%lld",
		  (long long)(took_ns / TICK_MS));
}

static void note_full(int error, void *arg)
{
	node_note(arg, "event=no_room error=\"%s\"", strerror(-error));
}

static void fail(const char *what, int error, void *arg)
{
	node_fail(arg, "%s: %s", what, strerror(-error));
}

static int open_writer(struct node *node)
{
	const struct writer_options options = {
		.wal = node->wal,
		.hardstate = &node->hardstate,
		.slow_ns = node->options.slow_ns,
		.persisted = persisted,
		.note_slow = note_slow,
		.note_full = note_full,
		.fail = fail,
		.arg = node,
	};

	return writer_open(&node->writer, &options);
}

/* ---- life ---- */

static void init(struct node *node, const struct node_options *options)
{
	pthread_condattr_t attributes;

	node->options = *options;
	node->last = &node->first;
	node->cache = options->cache;
	node->wake_ns = node->sweep_ns = TICK_NEVER;
	pthread_mutex_init(&node->queue_lock, NULL);
	pthread_mutex_init(&node->view_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&node->is_posted, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void destroy(struct node *node)
{
	struct event *event, *next;

	node_unlink_all(node);
	snapshots_close(node->snapshots);
	snapshot_receive_abort(node->receiver);
	writer_close(node->writer);
	/* What they told last is of no use any more, but frees itself. */
	for (event = node->raft ? node->first : NULL; event; event = next) {
		next = event->next;
		event->happen(node, event);
	}
	wal_close(node->wal);
	if (node->has_hardstate)
		hardstate_close(&node->hardstate);
	raft_close(node->raft);
	state_release(node->view);
	state_free(node->state);
	cache_remove(node->cache);
	for (unsigned int i = 0; i < node->n_recent; i++)
		free(node->recent[i].kv_key_val);
	free(node->applied);
	free(node->lost);
	pthread_cond_destroy(&node->is_posted);
	pthread_mutex_destroy(&node->queue_lock);
	pthread_mutex_destroy(&node->view_lock);
	free(node);
}

static int start(struct node *node)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&node->thread, NULL, run, node);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

int node_open(struct node **out, const struct node_options *options,
	      char why[NODE_WHY])
{
	struct node *node = calloc(1, sizeof(*node));
	int error;

	*out = NULL;
	why[0] = '\0';
	if (!node)
		return -ENOMEM;
	init(node, options);
	error = node_recover(node, why);
	if (!error)
		error = node_open_snapshots(node);
	if (!error)
		error = open_writer(node);
	if (!error) {
		node_carry_out(node);
		error = start(node);
	}
	if (error) {
		if (!why[0])
			snprintf(why, NODE_WHY, "%s", strerror(-error));
		destroy(node);
	} else {
		*out = node;
	}
	return error;
}

void node_close(struct node *node)
{
	if (!node)
		return;
	pthread_mutex_lock(&node->queue_lock);
	node->is_closing = true;
	pthread_cond_signal(&node->is_posted);
	pthread_mutex_unlock(&node->queue_lock);
	pthread_join(node->thread, NULL);
	destroy(node);
}

/* ---- reading ---- */

struct state_view *node_view(struct node *node)
{
	struct state_view *view;

	pthread_mutex_lock(&node->view_lock);
	view = state_hold(node->view);
	pthread_mutex_unlock(&node->view_lock);
	return view;
}

void node_note_fresh(struct node *node, int64_t known_at_ns)
{
	int64_t before =
		atomic_load_explicit(&node->fresh_ns, memory_order_relaxed);

	/* Orders nothing: what is applied was published before, under a lock. */
	while (before < known_at_ns &&
	       !atomic_compare_exchange_weak_explicit(
		       &node->fresh_ns, &before, known_at_ns,
		       memory_order_relaxed, memory_order_relaxed))
		;
}

int64_t node_fresh(const struct node *node)
{
	return atomic_load_explicit(&node->fresh_ns, memory_order_relaxed);
}

/* The list is short, and taken by the node's thread from time to time: a sample
 * is enough to find what is hot. */
void node_note_read(struct node *node, const kv_key *key)
{
	kv_key *to;

	if (!node->cache)
		return;
	pthread_mutex_lock(&node->view_lock);
	to = &node->recent[node->n_recent];
	if (node->n_recent < NODE_RECENT) {
		to->kv_key_val = malloc(key->kv_key_len);
		if (to->kv_key_val) {
			memcpy(to->kv_key_val, key->kv_key_val,
			       key->kv_key_len);
			to->kv_key_len = key->kv_key_len;
			node->n_recent++;
		}
	}
	pthread_mutex_unlock(&node->view_lock);
}
