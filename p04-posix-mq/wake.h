/* wake.h - a descriptor that is readable when the queue wants attention.
 *
 * WAKE_POLL: on Linux a queue is a descriptor, and poll(2) sees whether it
 * holds messages. Nothing to arm, nothing to lose.
 *
 * WAKE_NOTIFY: mq_notify(3), which POSIX has. The kernel sends one signal when
 * a message arrives in an EMPTY queue, to one process, and then forgets about
 * it; nothing is sent when somebody blocks in mq_receive. So the order is
 *
 *	wake_arm(), receive until the queue is empty, wait for the descriptor
 *
 * and never receive, arm, wait: a message that arrives between the last
 * receive and the arming finds nobody registered, and the next one does not
 * find the queue empty. Both sleep for ever. UNP2 5.6.
 *
 * For one thread. WAKE_NOTIFY blocks SIGRTMIN in it, for good.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_WAKE_H
#define UNIXIPC_P04_POSIX_MQ_WAKE_H

#include <mqueue.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wake_mode { WAKE_NOTIFY, WAKE_POLL };

struct wake {
	enum wake_mode mode;
	mqd_t mq;
	int fd; /* for poll(2): POLLIN */
};

/* Returns 0 or -errno. The queue stays the caller's. */
int wake_open(struct wake *wake, mqd_t mq, enum wake_mode mode);

/* Before each look into the queue. Returns 0 or -EBUSY: another process has
 * registered for this queue, and we shall hear nothing. */
int wake_arm(struct wake *wake);

/* The queue was closed, and this one is in its place. */
void wake_follow(struct wake *wake, mqd_t mq);

void wake_close(struct wake *wake);

#ifdef __cplusplus
}
#endif

#endif
