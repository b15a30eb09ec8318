/* mqworker.h - what one worker thread does; for mqserver.c alone. */
#ifndef UNIXIPC_P05_SYSV_MQ_MQWORKER_H
#define UNIXIPC_P05_SYSV_MQ_MQWORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqserver.h"

/* What the workers of a server share with its keeper. */
struct mqworker_shared {
	const struct mqserver_options *options;
	int queue;
	struct letter_place here;
	size_t text_max;
	atomic_bool is_stopping; /* set by the keeper, which then rings */
	atomic_int error;        /* the first worker's that cannot go on */
	int event_fd;            /* and then this is readable */
};

/* The body of a thread; arg is the struct above. Ends when is_stopping is set
 * and it was rung for, or with an error. */
void *mqworker_run(void *arg);

/* Collect what lies there for dead clients, and tell. */
void mqworker_sweep(const struct mqworker_shared *shared);

#endif
