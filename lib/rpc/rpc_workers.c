/* rpc_workers.c - a queue with a lock. How long it gets is bounded by who fills
 * it: so many calls of each connection, so many datagrams. */
#include "lib/rpc/rpc_workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct rpc_workers {
	pthread_mutex_t lock; /* of the queue and is_closing */
	pthread_cond_t is_there;
	struct rpc_job *first, **last;
	bool is_closing;
	unsigned int n;
	pthread_t threads[];
};

static struct rpc_job *take(struct rpc_workers *workers)
{
	struct rpc_job *job;

	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->is_closing)
		pthread_cond_wait(&workers->is_there, &workers->lock);
	job = workers->first;
	if (job) {
		workers->first = job->next;
		if (!workers->first)
			workers->last = &workers->first;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *run(void *arg)
{
	struct rpc_workers *workers = arg;
	struct rpc_scratch scratch;
	struct rpc_job *job;

	rpc_dispatch_scratch_init(&scratch);
	while ((job = take(workers)))
		job->run(job, &scratch);
	rpc_dispatch_scratch_fini(&scratch);
	return NULL;
}

void rpc_workers_give(struct rpc_workers *workers, struct rpc_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*workers->last = job;
	workers->last = &job->next;
	pthread_cond_signal(&workers->is_there);
	pthread_mutex_unlock(&workers->lock);
}

/* ---- life ---- */

int rpc_workers_open(struct rpc_workers **out, unsigned int n)
{
	struct rpc_workers *workers =
		calloc(1, sizeof(*workers) + n * sizeof(pthread_t));
	sigset_t all, old;
	int rc = 0;

	*out = NULL;
	if (!workers)
		return -ENOMEM;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->is_there, NULL);
	workers->last = &workers->first;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (workers->n < n && !rc) {
		rc = -pthread_create(&workers->threads[workers->n], NULL, run,
				     workers);
		if (!rc)
			workers->n++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		rpc_workers_close(workers);
	else
		*out = workers;
	return rc;
}

void rpc_workers_close(struct rpc_workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->is_closing = true;
	pthread_cond_broadcast(&workers->is_there);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->n; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->is_there);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}
