/* rangelock.h - ranges of lock bytes (fcntl(2), POSIX; UNP2 9). All of a range
 * is taken at once or not at all. Taking what one has changes nothing, and
 * giving back a part of it keeps the rest. */
#ifndef UNIXIPC_P09_RECLOCK_RANGELOCK_H
#define UNIXIPC_P09_RECLOCK_RANGELOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Which byte means what: see reclock.h. */
#define RANGELOCK_TABLE (INT64_C(1) << 40)
#define RANGELOCK_ENTRY (RANGELOCK_TABLE + 1)
#define RANGELOCK_GROUP (INT64_C(1) << 41)

struct rangelock {
	int fd;
	bool is_ofd; /* locks of the open file description */
};

enum rangelock_kind { RANGELOCK_READ, RANGELOCK_WRITE };

/* Returns 0, -EAGAIN (somebody has some of it), -EBADF (the descriptor is not
 * open for that) or -ENOLCK. */
int rangelock_try(struct rangelock lock, enum rangelock_kind kind,
		  int64_t first, int64_t n);

/* Wait. Returns as above, but -ETIMEDOUT for -EAGAIN; -EINTR; -EDEADLK if the
 * kernel sees a cycle (POSIX locks without a deadline). */
int rangelock_until(struct rangelock lock, enum rangelock_kind kind,
		    int64_t first, int64_t n, int64_t deadline);

void rangelock_release(struct rangelock lock, int64_t first, int64_t n);

/* Who else has a lock in it: a pid, -1 if it is of an open file description,
 * 0 for nobody. */
pid_t rangelock_holder(struct rangelock lock, int64_t first, int64_t n);

#endif
