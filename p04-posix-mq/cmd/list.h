/* list.h - what is in a queue and its journal, for people and as JSON.
 *
 * For the command: prints. As JSON one object, schema "unixipc-jobs/1":
 *
 *	{"schema", "queue", "dispatcher": true|false, "depth": n|null,
 *	 "capacity": n|null, "jobs": [{"id", "priority", "state", "attempts",
 *	 "age_ns", "command"}, …]}
 *
 * States: "submitting" (the message is not in the queue yet), "waiting",
 * "running", "interrupted" (it ran when its dispatcher ended, and waits for the
 * next one).
 */
#ifndef UNIXIPC_P04_POSIX_MQ_CMD_LIST_H
#define UNIXIPC_P04_POSIX_MQ_CMD_LIST_H

#include <stdbool.h>

#include "p04-posix-mq/durable/journal.h"

/* Returns 0 or -errno. The queue need not exist. */
int list_print(const struct journal *journal, const char *queue_name,
	       bool as_json);

#endif
