/* limits.h - why there can be no queue of that size, and what to raise.
 *
 * mq_open(3) says EINVAL or EMFILE; which of five limits it was has to be
 * found out afterwards. mq_overview(7).
 */
#ifndef UNIXIPC_P04_POSIX_MQ_LIMITS_H
#define UNIXIPC_P04_POSIX_MQ_LIMITS_H

#include <stddef.h>

/* One line into why for a jobqueue_serve() that failed with error, or 0: it
 * was no limit. */
int limits_explain(int error, long capacity, size_t message_bytes, char *why,
		   size_t size);

#endif
