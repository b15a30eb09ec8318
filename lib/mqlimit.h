/* mqlimit.h - what limits a POSIX message queue, and how to have more.
 *
 * mq_open(3) says EINVAL, EMFILE or ENOSPC; which limit that was has to be found
 * out afterwards, mq_overview(7). Any thread may call these.
 */
#ifndef UNIXIPC_LIB_MQLIMIT_H
#define UNIXIPC_LIB_MQLIMIT_H

#include <stddef.h>
#include <stdint.h>

enum mqlimit {
	MQLIMIT_MESSAGES,      /* in a queue */
	MQLIMIT_MESSAGE_BYTES, /* in a message */
	MQLIMIT_QUEUES,        /* of all users; root may pass these three */
	MQLIMIT_USER_BYTES,    /* of all queues of a user */
	MQLIMITS
};

/* For people: "fs.mqueue.msg_max", as of sysctl(8), … "RLIMIT_MSGQUEUE". */
const char *mqlimit_name(enum mqlimit limit);

/* Its value; -1 when there is none, or it cannot be learnt. */
int64_t mqlimit_read(enum mqlimit limit);

/* The command that raises it to value. buf, of 80 bytes or more, is returned. */
const char *mqlimit_fix(enum mqlimit limit, int64_t value, char *buf,
			size_t size);

/* Whether a user may have so many queues of that size, which root might: 0, or 1
 * and one line in why, with the limit and what raises it. */
int mqlimit_check(int queues, int64_t messages, size_t message_bytes, char *why,
		  size_t size);

/* That line for an mq_open(3) that failed with error: 1, or 0 when it was no
 * limit. */
int mqlimit_explain(int error, int64_t messages, size_t message_bytes,
		    char *why, size_t size);

#endif
