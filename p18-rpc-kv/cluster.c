/* cluster.c - life, and two threads in the background: one that waits until the
 * folder is of a cluster, one that keeps noting how fresh it is. */
#include "p18-rpc-kv/cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cluster_parts.h"

/* ---- waiting ---- */

struct node *cluster_node(struct cluster *cluster, int64_t deadline)
{
	const struct timespec until = tick_to_timespec(deadline);
	struct node *node;

	pthread_mutex_lock(&cluster->lock);
	while (!cluster->node && !cluster->is_shut)
		if (pthread_cond_timedwait(&cluster->is_changed, &cluster->lock,
					   &until) == ETIMEDOUT)
			break;
	node = cluster->node;
	pthread_mutex_unlock(&cluster->lock);
	return node;
}

bool cluster_pause(struct cluster *cluster, int64_t until_ns)
{
	const struct timespec until = tick_to_timespec(until_ns);
	bool is_closing;

	pthread_mutex_lock(&cluster->lock);
	while (!cluster->is_closing)
		if (pthread_cond_timedwait(&cluster->is_changed, &cluster->lock,
					   &until) == ETIMEDOUT)
			break;
	is_closing = cluster->is_closing;
	pthread_mutex_unlock(&cluster->lock);
	return is_closing;
}

/* ---- the background ---- */

static void *form(void *arg)
{
	cluster_form(arg);
	return NULL;
}

static void *refresh(void *arg)
{
	struct cluster *cluster = arg;
	const int64_t span = cluster->options.fresh_ns;
	int64_t next = tick_now();

	while (!cluster_pause(cluster, next)) {
		cluster_refresh(cluster, tick_after(TICK_S));
		next = tick_after(span);
	}
	return NULL;
}

static int start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

/* ---- beginning ---- */

/* A server can do without. */
static struct cache *open_cache(const struct cluster *cluster)
{
	struct cache_options options = {
		.port = cluster->options.port,
		.server = cluster->options.id,
		.made = cluster->options.cache_made,
		.arg = cluster->options.arg,
	};
	struct cache *cache = NULL;
	char line[128];
	int error;

	if (!cluster->options.has_cache)
		return NULL;
	memcpy(options.cluster, cluster->folder.identity.cluster,
	       sizeof(options.cluster));
	error = cache_create(&cache, &options);
	if (!error)
		return cache;
	snprintf(line, sizeof(line), "event=no_cache error=\"%s\"",
		 strerror(-error));
	cluster->options.note(line, cluster->options.arg);
	return NULL;
}

int cluster_begin(struct cluster *cluster, char why[CLUSTER_WHY])
{
	const struct cluster_options *o = &cluster->options;
	const struct node_options options = {
		.folder = &cluster->folder,
		.election_ns = o->election_ns,
		.heartbeat_ns = o->heartbeat_ns,
		.slow_ns = o->slow_ns,
		.snapshot_entries = o->snapshot_entries,
		.segment_bytes = o->segment_bytes,
		.notes_commits = o->notes_commits,
		.cache = open_cache(cluster),
		.note = o->note,
		.fail = o->fail,
		.arg = o->arg,
	};
	char reason[NODE_WHY];
	struct node *node;
	int error = node_open(&node, &options, reason);

	if (error) {
		snprintf(why, CLUSTER_WHY, "cannot serve from '%s': %s",
			 o->data, reason);
		return error;
	}
	pthread_mutex_lock(&cluster->lock);
	cluster->node = node;
	pthread_cond_broadcast(&cluster->is_changed);
	pthread_mutex_unlock(&cluster->lock);
	return 0;
}

/* ---- the folder ---- */

static int refuse_folder(const char *data, int error, pid_t holder,
			 const struct damage *damage, char why[CLUSTER_WHY])
{
	switch (error) {
	case -EBUSY:
		if (holder > 0)
			snprintf(why, CLUSTER_WHY,
				 "'%s' is in use by another server (pid %d)",
				 data, (int)holder);
		else
			snprintf(why, CLUSTER_WHY,
				 "'%s' is in use by another server", data);
		break;
	case -EBADMSG:
		snprintf(why, CLUSTER_WHY, "'%s' is damaged: %s", data,
			 damage->text);
		break;
	case -EPROTONOSUPPORT:
		snprintf(why, CLUSTER_WHY,
			 "'%s' was made by another version of this server",
			 data);
		break;
	case -EPERM:
		snprintf(why, CLUSTER_WHY, "cannot use '%s': %s", data,
			 damage->text[0] ? damage->text
					 : "it is another user's, or others "
					   "may write to it");
		break;
	default:
		snprintf(why, CLUSTER_WHY, "cannot use '%s': %s", data,
			 strerror(-error));
	}
	return error;
}

static void list_stored(const struct folder_identity *stored, char *buf,
			size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < stored->n_members && at < size; i++)
		at += (size_t)snprintf(
			buf + at, size - at, "%s%llu=%s", i ? "," : "",
			(unsigned long long)stored->members[i].id,
			stored->members[i].address);
}

/* A folder was made for one server of one list; another command line is a mistake.
 * A server that has joined was told no list, nor is one needed. */
static int check_identity(const struct cluster *cluster, char why[CLUSTER_WHY])
{
	const struct folder_identity *stored = &cluster->folder.identity;
	const struct cluster_options *o = &cluster->options;
	char list[CLUSTER_WHY / 2];

	if (stored->server != o->id) {
		snprintf(why, CLUSTER_WHY,
			 "'%s' is server %llu's, and this is server %llu",
			 o->data, (unsigned long long)stored->server,
			 (unsigned long long)o->id);
		return -EINVAL;
	}
	if (o->n == 1 || o->joins || stored->n_members == 0 ||
	    folder_is_of(&cluster->folder, o->id, cluster->members, o->n))
		return 0;
	list_stored(stored, list, sizeof(list));
	snprintf(why, CLUSTER_WHY,
		 "'%s' was made for the servers %s: start it with these, or "
		 "without --peers (members are changed by kv_client member)",
		 o->data, list);
	return -EINVAL;
}

static int claim(struct cluster *cluster, char why[CLUSTER_WHY])
{
	struct folder_identity identity = {
		.server = cluster->options.id,
		.n_members = cluster->options.n,
	};
	int error;

	memcpy(identity.members, cluster->members, sizeof(identity.members));
	error = folder_claim(&cluster->folder, &identity);
	if (error == -EINVAL)
		snprintf(why, CLUSTER_WHY,
			 "the same server twice, by id or by address");
	else if (error)
		snprintf(why, CLUSTER_WHY, "cannot use '%s': %s",
			 cluster->options.data, strerror(-error));
	return error;
}

static int open_folder(struct cluster *cluster, char why[CLUSTER_WHY])
{
	struct damage damage = {""};
	pid_t holder = 0;
	int error = folder_open(&cluster->folder, cluster->options.data,
				&holder, &damage);

	if (error)
		return refuse_folder(cluster->options.data, error, holder,
				     &damage, why);
	if (!cluster->folder.is_new)
		return check_identity(cluster, why);
	return cluster->options.joins ? 0 : claim(cluster, why);
}

/* ---- life ---- */

static void init(struct cluster *cluster, const struct cluster_options *options)
{
	pthread_condattr_t attributes;

	cluster->engine.calls = &cluster_calls;
	cluster->options = *options;
	memcpy(cluster->members, options->members,
	       options->n * sizeof(cluster->members[0]));
	cluster->options.members = cluster->members;
	cluster->folder.fd = cluster->folder.lock = -1;
	pthread_mutex_init(&cluster->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&cluster->is_changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int begin(struct cluster *cluster, char why[CLUSTER_WHY])
{
	int error = open_folder(cluster, why);

	if (error)
		return error;
	/* For HELLO. A server that joins has none that anybody asks for. */
	memcpy(cluster->share, cluster->folder.identity.share,
	       sizeof(cluster->share));
	if (cluster->folder.identity.is_formed) {
		error = cluster_begin(cluster, why);
	} else {
		error = start(&cluster->former, form, cluster);
		cluster->has_former = !error;
	}
	if (!error && cluster->options.fresh_ns) {
		error = start(&cluster->refresher, refresh, cluster);
		cluster->has_refresher = !error;
	}
	return error;
}

static void end(struct cluster *cluster)
{
	pthread_mutex_lock(&cluster->lock);
	cluster->is_shut = cluster->is_closing = true;
	pthread_cond_broadcast(&cluster->is_changed);
	pthread_mutex_unlock(&cluster->lock);
	if (cluster->has_former)
		pthread_join(cluster->former, NULL);
	if (cluster->has_refresher)
		pthread_join(cluster->refresher, NULL);
	node_close(cluster->node);
	forward_close(cluster->forward);
	folder_close(&cluster->folder);
	pthread_cond_destroy(&cluster->is_changed);
	pthread_mutex_destroy(&cluster->lock);
	free(cluster);
}

int cluster_open(struct cluster **out, const struct cluster_options *options,
		 char why[CLUSTER_WHY])
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));
	int error;

	*out = NULL;
	why[0] = '\0';
	if (!cluster)
		return -ENOMEM;
	init(cluster, options);
	error = forward_open(&cluster->forward);
	if (!error)
		error = begin(cluster, why);
	if (error) {
		if (!why[0])
			snprintf(why, CLUSTER_WHY, "cannot begin: %s",
				 strerror(-error));
		end(cluster);
	} else {
		*out = cluster;
	}
	return error;
}

struct engine *cluster_engine(struct cluster *cluster)
{
	return &cluster->engine;
}

/* engine.h */
void cluster_shut(struct engine *engine)
{
	struct cluster *cluster = (struct cluster *)engine;
	struct node *node;

	pthread_mutex_lock(&cluster->lock);
	cluster->is_shut = true;
	node = cluster->node;
	pthread_cond_broadcast(&cluster->is_changed);
	pthread_mutex_unlock(&cluster->lock);
	if (node)
		node_shut(node);
}

void cluster_close(struct engine *engine)
{
	end((struct cluster *)engine);
}

/* ---- peers ---- */

/* Before it is of a cluster a server has nothing to say to anybody. */
static struct node *node_now(struct cluster *cluster)
{
	struct node *node;

	pthread_mutex_lock(&cluster->lock);
	node = cluster->node;
	pthread_mutex_unlock(&cluster->lock);
	return node;
}

int cluster_vote(struct cluster *cluster, const kv_vote_args *args,
		 kv_vote_result *result)
{
	struct node *node = node_now(cluster);

	return node ? node_vote(node, args, result) : -EAGAIN;
}

int cluster_append(struct cluster *cluster, const kv_append_args *args,
		   kv_append_result *result)
{
	struct node *node = node_now(cluster);

	return node ? node_append(node, args, result) : -EAGAIN;
}

int cluster_snapshot(struct cluster *cluster, const kv_snapshot_args *args,
		     kv_snapshot_result *result)
{
	struct node *node = node_now(cluster);

	return node ? node_snapshot(node, args, result) : -EAGAIN;
}
