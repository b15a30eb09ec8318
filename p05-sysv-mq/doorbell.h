/* doorbell.h - end a wait in msgrcv(2) at a deadline, or with the server.
 *
 * msgrcv(2) knows no time limit, and a queue has no descriptor to poll. But a
 * message ends the wait, and any thread may send one. So a second thread waits
 * in poll(2), for the moment and for the server's end, and then puts an empty
 * message of its owner's type into the queue: the doorbell, which says nothing
 * but "look". An empty message goes into a full queue too.
 *
 * The doorbell may ring for something that is over by now: the owner looks at
 * the clock and at doorbell_server_is_gone(), and goes on waiting if it was
 * nothing. doorbell_at() is for the owner's thread; the others for any.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_DOORBELL_H
#define UNIXIPC_P05_SYSV_MQ_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct doorbell; /* opaque */

/* Ring with messages of that type: at the moments of doorbell_at(), and when
 * the server behind the gate ends. That is seen at once by its pidfd; without
 * pidfds (Linux before 5.3, another PID namespace) the thread looks every 50
 * ms. Returns 0 or -errno. */
int doorbell_open(struct doorbell **out, int queue, long type, int gate,
		  pid_t server);

/* Ring at that moment instead of the last one told; TICK_NEVER: not at all.
 * One that is over already may not ring: look at the clock before you wait.
 * Costs a system call only where the moment comes earlier than the thread
 * would wake up anyway. */
void doorbell_at(struct doorbell *doorbell, int64_t moment);

bool doorbell_server_is_gone(const struct doorbell *doorbell);

/* End the thread. NULL is allowed. */
void doorbell_close(struct doorbell *doorbell);

#endif
