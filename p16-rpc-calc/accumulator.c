/* One lock around all: a request and its answer are one step, so that the same
 * request on two connections at once is not seen halfway done. The table is
 * searched from front to back: a thousand entries are less than a call
 * costs. */
#include "p16-rpc-calc/accumulator.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct entry {
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
	struct entry entries[];
};

int accumulator_open(struct accumulator **accumulator, size_t clients,
		     int64_t keep_ns)
{
	struct accumulator *a;

	if (clients < 1 || clients > SIZE_MAX / sizeof(a->entries[0]) / 2)
		return -EINVAL;
	a = calloc(1, sizeof(*a) + clients * sizeof(a->entries[0]));
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

/* The client's entry; or the one that it may have, an empty one before that of
 * whoever has been silent longest. */
static struct entry *find_entry(struct accumulator *a, uint64_t client)
{
	struct entry *oldest = &a->entries[0];

	for (size_t i = 0; i < a->n; i++) {
		struct entry *entry = &a->entries[i];

		if (entry->sequence == 0) /* nobody is behind the first gap */
			return entry;
		if (entry->client == client)
			return entry;
		if (entry->seen < oldest->seen)
			oldest = entry;
	}
	return oldest;
}

static bool is_free(const struct accumulator *a, const struct entry *entry,
		    int64_t now)
{
	return entry->sequence == 0 || now - entry->seen >= a->keep_ns;
}

/* Whether the owner has fewer entries than are free. */
static bool has_share(const struct accumulator *a, uint64_t owner, int64_t now)
{
	size_t has = 0, free = 0;

	for (size_t i = 0; i < a->n; i++)
		if (is_free(a, &a->entries[i], now))
			free++;
		else
			has += a->entries[i].owner == owner;
	return owner == 0 || has < free;
}

static int allocate_entry(struct accumulator *a, struct entry *entry,
			  uint64_t owner, uint64_t client, int64_t now)
{
	if (!is_free(a, entry, now) || !has_share(a, owner, now))
		return -EBUSY;
	if (entry->sequence == 0)
		a->counts.clients++;
	*entry = (struct entry){.owner = owner, .client = client};
	return 0;
}

static void add(struct accumulator *a, struct entry *entry, int64_t amount)
{
	entry->sequence++;
	entry->result = 0;
	if (__builtin_add_overflow(a->total, amount, &entry->total)) {
		entry->result = -EOVERFLOW;
		entry->total = a->total;
	}
	a->total = entry->total;
	a->counts.added += !entry->result;
}

static int add_once(struct accumulator *a, uint64_t owner, uint64_t client,
		    uint64_t sequence, int64_t amount, int64_t now,
		    int64_t *total)
{
	struct entry *entry = find_entry(a, client);
	uint64_t last = entry->client == client ? entry->sequence : 0;

	if (last != 0 && sequence == last) {
		a->counts.repeated++;
	} else {
		int r = sequence != last + 1 ? -ESTALE : 0;

		if (r == 0 && last == 0)
			r = allocate_entry(a, entry, owner, client, now);
		if (r)
			return r;
		add(a, entry, amount);
	}
	entry->seen = now;
	*total = entry->total;
	return entry->result;
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
