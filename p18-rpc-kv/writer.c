/* writer.c - two threads: one appends and syncs, the other makes the log's next
 * segment in time, which takes a disk longer than any sync. Only the queue and
 * the counts are shared, under the lock. */
#include "p18-rpc-kv/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"

enum { ROOM_MS = 100 }; /* between two looks whether there is room again */

/* A write, with all its bytes in one block; or that entries may go. */
struct job {
	struct job *next;
	struct raft_write write;
	struct wal_position position;
	uint64_t drop; /* index; 0: this is a write */
	size_t bytes;
	struct wal_entry *entries;
};

struct writer {
	struct writer_options options;
	pthread_t thread, preparer;
	pthread_mutex_t lock;
	pthread_cond_t is_changed;
	struct job *first, **last;
	bool is_closing, wants_segment;
	struct writer_count count;
	/* The thread's: */
	int64_t full_told_at;
};

/* ---- the queue ---- */

static void push(struct writer *writer, struct job *job)
{
	pthread_mutex_lock(&writer->lock);
	writer->count.waiting_bytes += job->bytes;
	*writer->last = job;
	writer->last = &job->next;
	pthread_cond_broadcast(&writer->is_changed);
	pthread_mutex_unlock(&writer->lock);
}

static size_t size_of(const struct raft_write *write)
{
	size_t bytes = sizeof(struct job);

	for (size_t i = 0; i < write->n; i++)
		bytes += sizeof(struct wal_entry) + write->entries[i].len;
	return bytes;
}

int writer_put(struct writer *writer, const struct raft_write *write,
	       struct wal_position position)
{
	size_t bytes = size_of(write);
	struct job *job = calloc(1, bytes);
	char *at;

	if (!job)
		return -ENOMEM;
	job->write = *write;
	job->position = position;
	job->bytes = bytes;
	job->entries = (struct wal_entry *)(job + 1);
	at = (char *)&job->entries[write->n];
	for (size_t i = 0; i < write->n; i++) {
		const struct raft_entry *entry = &write->entries[i];

		if (entry->len > 0)
			memcpy(at, entry->command, entry->len);
		job->entries[i] = (struct wal_entry){
			.index = write->first + i,
			.term = entry->term,
			.kind = entry->kind,
			.len = (uint32_t)entry->len,
			.bytes = at,
		};
		at += entry->len;
	}
	push(writer, job);
	return 0;
}

int writer_drop(struct writer *writer, uint64_t index)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->drop = index;
	job->bytes = sizeof(*job);
	push(writer, job);
	return 0;
}

void writer_count(struct writer *writer, struct writer_count *count)
{
	pthread_mutex_lock(&writer->lock);
	*count = writer->count;
	pthread_mutex_unlock(&writer->lock);
}

/* ---- writing ---- */

/* Whether to try again: not at the end. */
static bool wait_for_room(struct writer *writer, int error)
{
	const struct timespec until =
		tick_to_timespec(tick_after(ROOM_MS * TICK_MS));
	bool is_closing;

	if (tick_is_over(writer->full_told_at)) {
		writer->options.note_full(error, writer->options.arg);
		writer->full_told_at = tick_after(TICK_S);
	}
	pthread_mutex_lock(&writer->lock);
	while (!writer->is_closing &&
	       pthread_cond_timedwait(&writer->is_changed, &writer->lock,
				      &until) == 0)
		;
	is_closing = writer->is_closing;
	pthread_mutex_unlock(&writer->lock);
	return !is_closing;
}

/* Returns whether it is written: not when there was no room at the end. */
static bool write_job(struct writer *writer, const struct job *job)
{
	const struct writer_options *o = &writer->options;
	const struct raft_write *write = &job->write;
	bool is_reset = write->is_reset;
	int error = 0;

	if (write->has_vote)
		error = hardstate_set(o->hardstate, write->term, write->vote);
	if (error)
		o->fail("cannot write term and vote", error, o->arg);
	for (;;) {
		error = is_reset ? wal_reset(o->wal, job->position)
				 : wal_append(o->wal, job->entries, write->n);
		if (!error && !is_reset)
			return true;
		if (!error)
			is_reset = false;
		else if (!wal_may_try_again(o->wal, error))
			o->fail("cannot write to the log", error, o->arg);
		else if (!wait_for_room(writer, error))
			return false;
	}
}

static void sync_all(struct writer *writer)
{
	const struct writer_options *o = &writer->options;
	int64_t before = tick_now(), took;
	int error = wal_sync(o->wal);

	if (error)
		o->fail("cannot sync the log", error, o->arg);
	took = tick_now() - before;
	if (took >= o->slow_ns)
		o->note_slow(took, o->arg);
	pthread_mutex_lock(&writer->lock);
	writer->count.syncs++;
	writer->count.slow_syncs += took >= o->slow_ns;
	if (!wal_is_prepared(o->wal)) {
		writer->wants_segment = true;
		pthread_cond_broadcast(&writer->is_changed);
	}
	pthread_mutex_unlock(&writer->lock);
}

/* Returns the number up to which all is durable; 0: nothing new is. */
static uint64_t write_all(struct writer *writer, struct job *jobs)
{
	const struct writer_options *o = &writer->options;
	bool has_entries = false;
	uint64_t number = 0;
	int error;

	for (struct job *job = jobs; job; job = job->next) {
		if (job->drop) {
			error = wal_drop(o->wal, job->drop);
			if (error)
				o->fail("cannot drop a part of the log", error,
					o->arg);
			continue;
		}
		if (!write_job(writer, job))
			break;
		number = job->write.number;
		has_entries |= job->write.n > 0;
	}
	if (has_entries)
		sync_all(writer);
	return number;
}

static void release(struct writer *writer, struct job *jobs)
{
	size_t bytes = 0;
	struct job *next;

	for (struct job *job = jobs; job; job = next) {
		next = job->next;
		bytes += job->bytes;
		free(job);
	}
	pthread_mutex_lock(&writer->lock);
	writer->count.waiting_bytes -= bytes;
	pthread_mutex_unlock(&writer->lock);
}

/* NULL: the end. */
static struct job *take_all(struct writer *writer)
{
	struct job *jobs;

	pthread_mutex_lock(&writer->lock);
	while (!writer->first && !writer->is_closing)
		pthread_cond_wait(&writer->is_changed, &writer->lock);
	jobs = writer->first;
	writer->first = NULL;
	writer->last = &writer->first;
	pthread_mutex_unlock(&writer->lock);
	return jobs;
}

static void *run(void *arg)
{
	struct writer *writer = arg;
	struct job *jobs;
	uint64_t number;

	while ((jobs = take_all(writer))) {
		number = write_all(writer, jobs);
		if (number)
			writer->options.persisted(number, writer->options.arg);
		release(writer, jobs);
	}
	return NULL;
}

/* What it fails with, the append that needs the segment meets again. */
static void *prepare(void *arg)
{
	struct writer *writer = arg;

	pthread_mutex_lock(&writer->lock);
	while (!writer->is_closing) {
		if (!writer->wants_segment) {
			pthread_cond_wait(&writer->is_changed, &writer->lock);
			continue;
		}
		writer->wants_segment = false;
		pthread_mutex_unlock(&writer->lock);
		wal_prepare(writer->options.wal);
		pthread_mutex_lock(&writer->lock);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* ---- life ---- */

static void init(struct writer *writer, const struct writer_options *options)
{
	pthread_condattr_t attributes;

	writer->options = *options;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->is_changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void destroy(struct writer *writer)
{
	pthread_cond_destroy(&writer->is_changed);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

static void ask_to_end(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->is_closing = true;
	pthread_cond_broadcast(&writer->is_changed);
	pthread_mutex_unlock(&writer->lock);
}

int writer_open(struct writer **out, const struct writer_options *options)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	sigset_t all, old;
	int error;

	*out = NULL;
	if (!writer)
		return -ENOMEM;
	init(writer, options);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&writer->thread, NULL, run, writer);
	if (!error) {
		error = pthread_create(&writer->preparer, NULL, prepare,
				       writer);
		if (error) {
			ask_to_end(writer);
			pthread_join(writer->thread, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		destroy(writer);
	else
		*out = writer;
	return -error;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	ask_to_end(writer);
	pthread_join(writer->thread, NULL);
	pthread_join(writer->preparer, NULL);
	destroy(writer);
}
