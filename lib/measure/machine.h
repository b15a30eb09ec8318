/* machine.h - the machine that a figure belongs to. */
#ifndef UNIXIPC_LIB_MEASURE_MACHINE_H
#define UNIXIPC_LIB_MEASURE_MACHINE_H

#include <stddef.h>
#include <stdint.h>

enum machine_limit {
	MACHINE_MQ_MSGSIZE_MAX, /* POSIX message queue: bytes of a message */
	MACHINE_MQ_MSG_MAX,     /* … messages in a queue */
	MACHINE_MQ_BYTES,   /* … RLIMIT_MSGQUEUE, of all queues of a user */
	MACHINE_MSGMAX,     /* System V: bytes of a message */
	MACHINE_MSGMNB,     /* … bytes in a queue */
	MACHINE_PIPE_BYTES, /* room in a new pipe */
	MACHINE_SNDBUF,     /* room in a new socket: net.core.wmem_default */
	MACHINE_SNDBUF_MAX, /* … net.core.wmem_max */
	MACHINE_LIMITS
};

struct machine {
	char cpu[128];                 /* "AMD EPYC 7763 64-Core Processor" */
	char kernel[136];              /* "Linux 6.1.0-18-amd64" */
	int cpus;                      /* usable by us */
	int64_t limit[MACHINE_LIMITS]; /* -1: not known here */
};

/* Look at this machine. What cannot be learnt is "unknown" or -1. */
void machine_read(struct machine *machine);

/* One limit: its value, or -1. */
int64_t machine_limit_read(enum machine_limit limit);

/* Its name in JSON ("mq_msgsize_max"). */
const char *machine_limit_name(enum machine_limit limit);

/* The first n CPUs that the caller may use; returns how many there are, or
 * -errno. */
int machine_cpus(int *cpus, size_t n);

#endif
