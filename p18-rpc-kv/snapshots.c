/* snapshots.c - the job is handed over under the lock; the thread then works on a
 * copy of its own. */
#include "p18-rpc-kv/snapshots.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/raft/raft.h"

struct job {
	struct state_view *view; /* one of these two, or none */
	struct snapshot_receiver *receiver;
	uint64_t index, term;
	struct members members;
};

struct snapshots {
	struct snapshots_options options;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t is_changed;
	bool is_closing;
	struct job job; /* that was not begun yet */
};

/* ---- taking ---- */

static int put(void *arg, const void *bytes, size_t len)
{
	return snapshot_write(arg, bytes, len);
}

static int write_view(int dir, const struct state_view *view,
		      const struct snapshot_info *info)
{
	struct snapshot_writer *writer;
	int error = snapshot_create(&writer, dir, info);

	if (error)
		return error;
	error = state_encode(view, put, writer);
	if (error) {
		snapshot_abort(writer);
		return error;
	}
	return snapshot_commit(writer);
}

static uint64_t size_of(int dir, uint64_t index)
{
	struct snapshot *snapshot;
	uint64_t bytes;

	if (snapshot_open_at(&snapshot, dir, index, NULL))
		return 0;
	bytes = snapshot_info(snapshot)->bytes;
	snapshot_close(snapshot);
	return bytes;
}

static void take(const struct snapshots_options *o, struct job *job)
{
	struct snapshot_info *info = calloc(1, sizeof(*info));
	uint64_t bytes = 0;
	int error = info ? 0 : -ENOMEM;

	if (!error) {
		info->index = job->index;
		info->term = job->term;
		info->members_len =
			(uint32_t)members_encode(&job->members, info->members);
		error = write_view(o->dir, job->view, info);
	}
	free(info);
	state_release(job->view);
	if (!error) {
		bytes = size_of(o->dir, job->index);
		/* What stays over wastes room, until the next one. */
		snapshot_drop(o->dir, job->index);
	}
	o->taken(job->index, bytes, error, o->arg);
}

/* ---- loading ---- */

static ssize_t get(void *arg, void *bytes, size_t len)
{
	return snapshot_read(arg, bytes, len);
}

static int load(struct snapshot *snapshot, struct snapshots_loaded *loaded,
		struct damage *damage)
{
	const struct snapshot_info *info = snapshot_info(snapshot);
	const char *why = NULL;
	int error = members_decode(info->members, info->members_len,
				   &loaded->members);

	if (error)
		return damage_note(damage, "snapshot", 0,
				   "its members are no list of members");
	loaded->index = info->index;
	loaded->term = info->term;
	loaded->bytes = info->bytes;
	error = state_decode(&loaded->state, NULL, get, snapshot, &why);
	if (error == -EBADMSG && damage && !damage->text[0])
		snprintf(damage->text, sizeof(damage->text), "snapshot: %s",
			 why ? why : "no state");
	return error;
}

int snapshots_load(int dir, uint64_t index, struct snapshots_loaded *loaded,
		   struct damage *damage)
{
	struct snapshot *snapshot;
	int error = index ? snapshot_open_at(&snapshot, dir, index, damage)
			  : snapshot_open(&snapshot, dir, damage);

	memset(loaded, 0, sizeof(*loaded));
	if (error)
		return error;
	error = load(snapshot, loaded, damage);
	snapshot_close(snapshot);
	return error;
}

static void receive(const struct snapshots_options *o, const struct job *job)
{
	struct snapshots_loaded *loaded = calloc(1, sizeof(*loaded));
	struct damage damage = {""};
	int error;

	if (!loaded) {
		snapshot_receive_abort(job->receiver);
		o->received(NULL, "no memory", o->arg);
		return;
	}
	error = snapshot_receive_end(job->receiver, &damage);
	if (!error)
		error = snapshots_load(o->dir, job->index, loaded, &damage);
	if (error)
		o->received(NULL,
			    damage.text[0] ? damage.text : strerror(-error),
			    o->arg);
	else
		o->received(loaded, NULL, o->arg);
	free(loaded);
}

/* ---- the thread ---- */

/* Whether there is one, or else this is the end. */
static bool take_job(struct snapshots *snapshots, struct job *job)
{
	pthread_mutex_lock(&snapshots->lock);
	while (!snapshots->job.view && !snapshots->job.receiver &&
	       !snapshots->is_closing)
		pthread_cond_wait(&snapshots->is_changed, &snapshots->lock);
	*job = snapshots->job;
	snapshots->job = (struct job){0};
	pthread_mutex_unlock(&snapshots->lock);
	return job->view || job->receiver;
}

static void *run(void *arg)
{
	struct snapshots *snapshots = arg;
	struct job job;

	while (take_job(snapshots, &job)) {
		if (job.view)
			take(&snapshots->options, &job);
		else
			receive(&snapshots->options, &job);
	}
	return NULL;
}

static void give_job(struct snapshots *snapshots, const struct job *job)
{
	pthread_mutex_lock(&snapshots->lock);
	snapshots->job = *job;
	pthread_cond_signal(&snapshots->is_changed);
	pthread_mutex_unlock(&snapshots->lock);
}

void snapshots_take(struct snapshots *snapshots, struct state_view *view,
		    uint64_t term, const struct members *members)
{
	const struct job job = {
		.view = view,
		.index = state_applied(view),
		.term = term,
		.members = *members,
	};

	give_job(snapshots, &job);
}

void snapshots_receive(struct snapshots *snapshots,
		       struct snapshot_receiver *receiver, uint64_t index)
{
	const struct job job = {.receiver = receiver, .index = index};

	give_job(snapshots, &job);
}

/* ---- life ---- */

static void destroy(struct snapshots *snapshots)
{
	pthread_cond_destroy(&snapshots->is_changed);
	pthread_mutex_destroy(&snapshots->lock);
	free(snapshots);
}

int snapshots_open(struct snapshots **out,
		   const struct snapshots_options *options)
{
	struct snapshots *snapshots = calloc(1, sizeof(*snapshots));
	sigset_t all, old;
	int error;

	*out = NULL;
	if (!snapshots)
		return -ENOMEM;
	snapshots->options = *options;
	pthread_mutex_init(&snapshots->lock, NULL);
	pthread_cond_init(&snapshots->is_changed, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&snapshots->thread, NULL, run, snapshots);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		destroy(snapshots);
	else
		*out = snapshots;
	return -error;
}

void snapshots_close(struct snapshots *snapshots)
{
	if (!snapshots)
		return;
	pthread_mutex_lock(&snapshots->lock);
	snapshots->is_closing = true;
	pthread_cond_signal(&snapshots->is_changed);
	pthread_mutex_unlock(&snapshots->lock);
	pthread_join(snapshots->thread, NULL);
	destroy(snapshots);
}
