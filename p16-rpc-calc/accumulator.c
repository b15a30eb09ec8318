/* One lock around all: a request and its answer are one step, so that the same
 * request on two connections at once is not seen halfway done. The table is
 * searched from front to back: a thousand lines are less than a call costs. */
#include "p16-rpc-calc/accumulator.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct line {
	uint64_t client, sequence; /* sequence 0: nobody */
	uint64_t owner;
	int64_t seen;
	int64_t total; /* the last answer: this, */
	int result;    /* or why not */
};

struct accumulator {
	pthread_mutex_t lock; /* of all that follows */
	int64_t total, keep_ns;
	struct accumulator_counts counts;
	size_t n;
	struct line line[];
};

int accumulator_open(struct accumulator **accumulator, size_t clients,
		     int64_t keep_ns)
{
	struct accumulator *a;

	if (clients < 1 || clients > SIZE_MAX / sizeof(a->line[0]) / 2)
		return -EINVAL;
	a = calloc(1, sizeof(*a) + clients * sizeof(a->line[0]));
	if (!a)
		return -ENOMEM;
	a->n = clients;
	a->keep_ns = keep_ns;
	pthread_mutex_init(&a->lock, NULL);
	*accumulator = a;
	return 0;
}

void accumulator_close(struct accumulator *accumulator)
{
	if (!accumulator)
		return;
	pthread_mutex_destroy(&accumulator->lock);
	free(accumulator);
}

/* The client's line; or the one that it may have, an empty one before that of
 * whoever has been silent longest. */
static struct line *find_line(struct accumulator *a, uint64_t client)
{
	struct line *place = &a->line[0];

	for (size_t i = 0; i < a->n; i++) {
		struct line *line = &a->line[i];

		if (line->sequence == 0) /* nobody is behind the first gap */
			return line;
		if (line->client == client)
			return line;
		if (line->seen < place->seen)
			place = line;
	}
	return place;
}

static bool is_free(const struct accumulator *a, const struct line *line,
		    int64_t now)
{
	return line->sequence == 0 || now - line->seen >= a->keep_ns;
}

/* Whether the owner has fewer lines than are free. */
static bool has_share(const struct accumulator *a, uint64_t owner, int64_t now)
{
	size_t has = 0, free = 0;

	for (size_t i = 0; i < a->n; i++)
		if (is_free(a, &a->line[i], now))
			free++;
		else
			has += a->line[i].owner == owner;
	return owner == 0 || has < free;
}

static int take_line(struct accumulator *a, struct line *line, uint64_t owner,
		     uint64_t client, int64_t now)
{
	if (!is_free(a, line, now) || !has_share(a, owner, now))
		return -EBUSY;
	if (line->sequence == 0)
		a->counts.clients++;
	*line = (struct line){.owner = owner, .client = client};
	return 0;
}

static void add(struct accumulator *a, struct line *line, int64_t amount)
{
	line->sequence++;
	line->result = 0;
	if (__builtin_add_overflow(a->total, amount, &line->total)) {
		line->result = -EOVERFLOW;
		line->total = a->total;
	}
	a->total = line->total;
	a->counts.added += !line->result;
}

static int add_once(struct accumulator *a, uint64_t owner, uint64_t client,
		    uint64_t sequence, int64_t amount, int64_t now,
		    int64_t *total)
{
	struct line *line = find_line(a, client);
	uint64_t last = line->client == client ? line->sequence : 0;

	if (last != 0 && sequence == last) {
		a->counts.repeated++;
	} else {
		int r = sequence != last + 1 ? -ESTALE : 0;

		if (r == 0 && last == 0)
			r = take_line(a, line, owner, client, now);
		if (r)
			return r;
		add(a, line, amount);
	}
	line->seen = now;
	*total = line->total;
	return line->result;
}

int accumulator_add(struct accumulator *accumulator, uint64_t owner,
		    uint64_t client, uint64_t sequence, int64_t amount,
		    int64_t now, int64_t *total)
{
	int r;

	pthread_mutex_lock(&accumulator->lock);
	r = add_once(accumulator, owner, client, sequence, amount, now, total);
	pthread_mutex_unlock(&accumulator->lock);
	return r;
}

struct accumulator_counts accumulator_counts(struct accumulator *accumulator)
{
	struct accumulator_counts counts;

	pthread_mutex_lock(&accumulator->lock);
	counts = accumulator->counts;
	pthread_mutex_unlock(&accumulator->lock);
	return counts;
}
