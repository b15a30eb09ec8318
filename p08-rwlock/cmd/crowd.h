/* crowd.h - threads that keep on reading and writing, and what they saw.
 *
 * The crowd enters a scene through a lock, checks at each entry and exit that
 * nobody is there who must not be, and keeps the longest waits. */
#ifndef UNIXIPC_P08_RWLOCK_CMD_CROWD_H
#define UNIXIPC_P08_RWLOCK_CMD_CROWD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p08-rwlock/cmd/scene.h"
#include "p08-rwlock/myrwlock.h"

enum { CROWD_MAX = 1000 };

struct crowd_plan {
	unsigned int readers, writers;         /* CROWD_MAX together */
	int64_t read_hold_ns, write_hold_ns;   /* asleep inside */
	int64_t read_pause_ns, write_pause_ns; /* asleep outside, in between */
	int64_t jitter_ns;  /* to each of these up to so much, at random */
	uint64_t seed;      /* of that */
	int64_t timeout_ns; /* a wait that outlasts the run by this is a
			     * deadlock */
};

enum crowd_kind { CROWD_WAITING, CROWD_ACQUIRED, CROWD_RELEASED };

/* What others is: of a reader who acquired, the writers that wait; of a writer
 * who waits, the readers inside. */
struct crowd_event {
	enum crowd_kind kind;
	bool is_writer;
	unsigned int number; /* 1 … */
	unsigned int others;
};

/* Told of each event by the thread whose it is, which holds the lock when it
 * has acquired it, and still does when it says that it released it: so the
 * order of two events that exclude each other is that of the lock. */
typedef void crowd_listener(void *arg, const struct crowd_event *event);

enum crowd_doing { CROWD_OUTSIDE, CROWD_WAITS, CROWD_INSIDE };

struct crowd_member {
	struct crowd *crowd;
	pthread_t thread;
	bool is_writer;
	unsigned int number;
	uint64_t entries, wrong; /* wrong: others were there */
	int64_t longest_wait_ns, longest_hold_ns;
	int64_t latest_ns; /* how late the scheduler woke it, at most */
	int error;         /* of the lock, or 0 */
	atomic_int doing;  /* enum crowd_doing */
};

struct crowd {
	const struct crowd_plan *plan;
	struct myrwlock *lock;
	crowd_listener *listener; /* or NULL */
	void *arg;
	struct scene scene;
	struct crowd_member *members; /* readers, then writers */
	unsigned int started;
	int64_t begun_ns, ended_ns;
	atomic_bool is_over;
	pthread_mutex_t gate; /* all begin together */
	int64_t give_up_ns;   /* guarded by gate until then */
};

/* Returns 0 or -ENOMEM; plan and lock must outlive it. */
int crowd_init(struct crowd *crowd, const struct crowd_plan *plan,
	       struct myrwlock *lock);
void crowd_fini(struct crowd *crowd);

/* Start them, for duration_ns at most. Returns 0, or -EAGAIN with none
 * running. */
int crowd_start(struct crowd *crowd, int64_t duration_ns);

/* Have them end, and wait until they have: timeout_ns at most, if nobody
 * stays inside the lock for ever. Returns 0, or -errno of the first who could
 * not get the lock: -ETIMEDOUT is a deadlock. */
int crowd_end(struct crowd *crowd);

/* Of all readers or all writers. */
struct crowd_sum {
	uint64_t entries, wrong;
	int64_t longest_wait_ns, longest_hold_ns, latest_ns;
	unsigned int waited_longest; /* whose number that is */
};
struct crowd_sum crowd_sum(const struct crowd *crowd, bool is_writer);

/* Who waits and who is inside: "Reader 1, Reader 2 and Writer 1 wait; Writer 2
 * is inside". buf is returned. */
const char *crowd_describe(const struct crowd *crowd, char *buf, size_t size);

#endif
