/* crew.h - producers and consumers around one buffer: start, watch, end.
 *
 * Threads or forked processes. All that they share, buffer and audit, lies in
 * one anonymous mapping, so that nothing has a name that could be left behind.
 * Who ends, killed or not, lets go of a pipe: that is how the one who watches
 * learns of it.
 */
#ifndef UNIXIPC_P07_PRODCONS_CMD_CREW_H
#define UNIXIPC_P07_PRODCONS_CMD_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p07-prodcons/bounded.h"
#include "p07-prodcons/cmd/audit.h"
#include "p07-prodcons/cmd/role.h"

/* One member, from outside. */
struct crew_member {
	struct role role;
	struct crew *crew;
	pid_t pid;        /* of a process … */
	pthread_t thread; /* … or a thread */
	int status;       /* of waitpid(2), once it is reaped */
};

struct crew {
	struct role_plan plan;
	bool uses_processes;
	void *shared;
	size_t shared_bytes;
	struct bounded buffer;
	struct audit *audit;
	struct role_slot *slot;     /* [members] */
	struct crew_member *member; /* [members]: producers, then consumers */
	uint32_t members, started;
	int end[ROLE_KINDS][2]; /* pipes: end of file when all of */
	_Atomic uint32_t living[ROLE_KINDS]; /* a kind have ended */
};

/* Make the buffer and all around it. Returns 0, -EINVAL (counts), -ENOMEM,
 * ...; nothing is left then. */
int crew_init(struct crew *crew, const struct role_plan *plan,
	      uint32_t buffer_size, bool uses_processes);

/* When it has ended. */
void crew_fini(struct crew *crew);

/* Start all of them. Returns 0, or -errno with those ended who had started;
 * crew->started is which one could not be. */
int crew_start(struct crew *crew);

/* Wait until all have ended. When there are no more producers, or no more
 * consumers, the buffer is finished for the other side. Returns 0; -ETIMEDOUT
 * when nobody got a step further for quiet_ns; -EINTR when stop_fd (-1: none)
 * is readable. */
int crew_watch(struct crew *crew, int64_t quiet_ns, int stop_fd);

/* After crew_watch() returned 0: reap, and count who did not come to the end.
 * Returns 0 or -errno: -EBADMSG, with all reaped, when the buffer is damaged. */
int crew_reap(struct crew *crew, struct audit_deaths *deaths);

/* Kill the processes that still run. Threads cannot be. */
void crew_kill(struct crew *crew);

/* "P1" … */
const char *crew_name(const struct crew_member *member, char *buf, size_t size);

/* Who waits for what: "P1, P3 wait for room; C1 waits for an item". */
const char *crew_describe(const struct crew *crew, char *buf, size_t size);

#endif
