/* load.h - threads that keep on reading and writing, and what they saw.
 *
 * They enter through a lock, check at each entry and exit that nobody is there
 * who must not be, and keep the longest waits. */
#ifndef UNIXIPC_P08_RWLOCK_CMD_LOAD_H
#define UNIXIPC_P08_RWLOCK_CMD_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p08-rwlock/cmd/exclusion.h"
#include "p08-rwlock/myrwlock.h"

enum { LOAD_MAX = 1000 };

struct load_plan {
	unsigned int readers, writers;         /* LOAD_MAX together */
	int64_t read_hold_ns, write_hold_ns;   /* asleep inside */
	int64_t read_pause_ns, write_pause_ns; /* asleep outside, in between */
	int64_t jitter_ns;  /* to each of these up to so much, at random */
	uint64_t seed;      /* of that */
	int64_t timeout_ns; /* a wait that outlasts the run by this is a
			     * deadlock */
};

enum load_kind { LOAD_WAITING, LOAD_ACQUIRED, LOAD_RELEASED };

/* What others is: of a reader who acquired, the writers that wait; of a writer
 * who waits, the readers inside. */
struct load_event {
	enum load_kind kind;
	bool is_writer;
	unsigned int number; /* 1 … */
	unsigned int others;
};

/* Told of each event by the thread whose it is, which holds the lock when it
 * has acquired it, and still does when it says that it released it: so the
 * order of two events that exclude each other is that of the lock. */
typedef void load_listener(void *arg, const struct load_event *event);

enum load_doing { LOAD_OUTSIDE, LOAD_WAITS, LOAD_INSIDE };

struct load_member {
	struct load *load;
	pthread_t thread;
	bool is_writer;
	unsigned int number;
	uint64_t entries, wrong; /* wrong: others were there */
	int64_t longest_wait_ns, longest_hold_ns;
	int64_t latest_ns; /* how late the scheduler woke it, at most */
	int error;         /* of the lock, or 0 */
	atomic_int doing;  /* enum load_doing */
};

struct load {
	const struct load_plan *plan;
	struct myrwlock *lock;
	load_listener *listener; /* or NULL */
	void *arg;
	struct exclusion exclusion;
	struct load_member *members; /* readers, then writers */
	unsigned int started;
	int64_t begun_ns, ended_ns;
	atomic_bool is_over;
	pthread_mutex_t gate; /* all begin together */
	int64_t give_up_ns;   /* guarded by gate until then */
};

/* Returns 0 or -ENOMEM; plan and lock must outlive it. */
int load_init(struct load *load, const struct load_plan *plan,
	      struct myrwlock *lock);
void load_fini(struct load *load);

/* Start them, for duration_ns at most. Returns 0, or -EAGAIN with none
 * running. */
int load_start(struct load *load, int64_t duration_ns);

/* Have them end, and wait until they have: timeout_ns at most, if nobody
 * stays inside the lock for ever. Returns 0, or -errno of the first who could
 * not get the lock: -ETIMEDOUT is a deadlock. */
int load_end(struct load *load);

/* Of all readers or all writers. */
struct load_sum {
	uint64_t entries, wrong;
	int64_t longest_wait_ns, longest_hold_ns, latest_ns;
	unsigned int waited_longest; /* whose number that is */
};
struct load_sum load_sum(const struct load *load, bool is_writer);

/* Who waits and who is inside: "waiting: Reader 1, Writer 1; inside: nobody".
 * buf is returned. */
const char *load_describe(const struct load *load, char *buf, size_t size);

#endif
