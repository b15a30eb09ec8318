/* waitfor.c - deadlocks are found before anybody sleeps. A process that has to
 * wait, and holds locks, writes both into its entry, looks for a cycle that
 * leads from what it wants back to itself, and only then sleeps; all but the
 * sleeping with the table locked. So of the processes in a cycle the last one
 * sees it whole.
 *
 * An entry says the truth as long as it is waiting: what is held does not
 * change meanwhile, and before anything is given back the entry is withdrawn. One
 * whose lock has been got, and that is not withdrawn yet, waits for what no
 * other entry holds: no cycle goes through it. */
#include "p09-reclock/waitfor.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct entry {
	uint32_t is_waiting; /* stored last */
	uint32_t pid;        /* to tell people, where the kernel does not */
	uint32_t first, n;   /* the groups that are waited for */
	uint32_t held[RECLOCK_HOLDS_MAX]; /* all of them, home groups */
	uint32_t holds;
	struct reclock_label label; /* the key that is waited for */
	unsigned char unused[54];
};
static_assert(sizeof(struct entry) * RECLOCK_WAITERS_MAX == LAYOUT_TABLE_BYTES,
	      "one for all builds");

static struct entry *entries(const struct reclock *store)
{
	return (struct entry *)((char *)store->map + LAYOUT_PAGE);
}

/* ---- our own ---- */

static int take_entry(struct reclock *store)
{
	const int start = (int)(store->pid % RECLOCK_WAITERS_MAX);
	int error = -EAGAIN;

	for (int i = 0; i < RECLOCK_WAITERS_MAX && store->entry < 0; i++) {
		int entry = (start + i) % RECLOCK_WAITERS_MAX;

		error = rangelock_try(store->lock, RANGELOCK_WRITE,
				      RANGELOCK_ENTRY + entry, 1);
		if (error && error != -EAGAIN)
			return error;
		if (!error)
			store->entry = entry;
	}
	return store->entry < 0 ? error : 0;
}

void waitfor_leave(struct reclock *store)
{
	if (store->entry >= 0)
		rangelock_release(store->lock, RANGELOCK_ENTRY + store->entry,
				  1);
	store->entry = -1;
}

static void publish(struct reclock *store, uint32_t first, uint32_t n,
		    const struct reclock_label *label)
{
	struct entry *mine = &entries(store)[store->entry];

	mine->pid = (uint32_t)store->pid;
	mine->first = first;
	mine->n = n;
	for (unsigned int i = 0; i < store->holds; i++)
		mine->held[i] =
			layout_home(store->layout.groups, store->hold[i].hash);
	mine->holds = store->holds;
	mine->label = *label;
	/* Pairs with the acquire in is_waiting(). */
	__atomic_store_n(&mine->is_waiting, 1, __ATOMIC_RELEASE);
}

static void withdraw(struct reclock *store)
{
	__atomic_store_n(&entries(store)[store->entry].is_waiting, 0,
			 __ATOMIC_RELEASE);
}

/* ---- the cycle ---- */

/* Also the pid of its owner, or 0. */
static bool is_waiting(const struct reclock *store, int i, pid_t *pid)
{
	const struct entry *entry = &entries(store)[i];

	if (i == store->entry) {
		*pid = store->pid;
		return true;
	}
	if (!__atomic_load_n(&entry->is_waiting, __ATOMIC_ACQUIRE))
		return false;
	*pid = rangelock_holder(store->lock, RANGELOCK_ENTRY + i, 1);
	if (*pid < 0)
		*pid = (pid_t)entry->pid;
	return *pid != 0;
}

/* Whether one entry waits for what the other holds. */
static bool waits_for(const struct entry *one, const struct entry *other)
{
	for (uint32_t i = 0; i < other->holds && i < RECLOCK_HOLDS_MAX; i++)
		if (other->held[i] - one->first < one->n)
			return true;
	return false;
}

static void note_cycle(struct reclock *store, const int *before,
		       const pid_t *pid, int last)
{
	struct reclock_trouble *trouble = &store->trouble;
	unsigned int n = 1;

	for (int i = last; i != store->entry; i = before[i])
		n++;
	trouble->waiters = n;
	for (int i = last; n-- > 0; i = before[i]) {
		trouble->waiter[n].pid = pid[i];
		trouble->waiter[n].wants = entries(store)[i].label;
		if (trouble->waiter[n].wants.len >
		    sizeof(trouble->waiter[n].wants.text))
			trouble->waiter[n].wants.len = 0;
	}
}

/* Breadth first, from ours on: each entry is met once. */
static bool find_cycle(struct reclock *store)
{
	int queue[RECLOCK_WAITERS_MAX], before[RECLOCK_WAITERS_MAX];
	pid_t pid[RECLOCK_WAITERS_MAX] = {0};
	int begin = 0, end = 0;

	queue[end++] = store->entry;
	before[store->entry] = -1;
	while (begin < end) {
		const int from = queue[begin++];

		for (int to = 0; to < RECLOCK_WAITERS_MAX; to++) {
			if (to == from || (pid[to] && to != store->entry) ||
			    !waits_for(&entries(store)[from],
				       &entries(store)[to]) ||
			    !is_waiting(store, to, &pid[to]))
				continue;
			if (to == store->entry) {
				note_cycle(store, before, pid, from);
				return true;
			}
			before[to] = from;
			queue[end++] = to;
		}
	}
	return false;
}

/* ---- waiting ---- */

int waitfor_lock(struct reclock *store, uint32_t first, uint32_t n,
		 const struct reclock_label *label, int64_t deadline)
{
	const int64_t byte = RANGELOCK_GROUP + first;
	int error = take_entry(store);

	if (!error)
		error = rangelock_until(store->lock, RANGELOCK_WRITE,
					RANGELOCK_TABLE, 1, deadline);
	if (error)
		return error;
	publish(store, first, n, label);
	error = rangelock_try(store->lock, RANGELOCK_WRITE, byte, n);
	store->trouble.waiters = 0;
	if (error == -EAGAIN && find_cycle(store))
		error = -EDEADLK;
	rangelock_release(store->lock, RANGELOCK_TABLE, 1);
	if (error == -EAGAIN)
		error = rangelock_until(store->lock, RANGELOCK_WRITE, byte, n,
					deadline);
	withdraw(store);
	return error;
}
