/* bell.h - a thread that waits where poll(2) can, for one that cannot.
 *
 * msgrcv(2) knows no time limit, and a queue has no descriptor to poll. But a
 * message ends the wait, and any thread may send one: the bell waits for the
 * moment and for the server's end, and puts an empty message of its owner's
 * type into the queue. Empty ones go into a full queue too.
 *
 * A bell may ring for something that is over by now: whoever hears it looks at
 * the clock and at bell_server_is_gone(), and goes on waiting if it was
 * nothing. bell_at() is for the owner's thread; the others for any.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_BELL_H
#define UNIXIPC_P05_SYSV_MQ_BELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bell; /* opaque */

/* Ring with messages of that type: at the moments of bell_at(), and when the
 * server behind the gate ends. That is seen at once by its pidfd; without
 * pidfds (Linux before 5.3, another PID namespace) the bell looks every 50 ms.
 * Returns 0 or -errno. */
int bell_open(struct bell **out, int queue, long type, int gate, pid_t server);

/* Ring at that moment instead of the last one told; TICK_NEVER: not at all.
 * One that is over already may not ring: look at the clock before you wait.
 * Costs a system call only where the moment comes earlier than the bell would
 * wake up anyway. */
void bell_at(struct bell *bell, int64_t moment);

bool bell_server_is_gone(const struct bell *bell);

/* End the thread. NULL is allowed. */
void bell_close(struct bell *bell);

#endif
