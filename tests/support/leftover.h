/* leftover.h - how many IPC objects this user has, to compare before and
 * after. Meant for tests in scripts/sandbox, where nobody else has any. */
#ifndef UNIXIPC_TESTS_SUPPORT_LEFTOVER_H
#define UNIXIPC_TESTS_SUPPORT_LEFTOVER_H

/* In numbers. A kind that this machine does not show (no /dev/mqueue) is 0. */
struct leftover {
	int sysv_shm, sysv_sem, sysv_msg;
	int dev_shm;    /* POSIX shared memory and named semaphores */
	int dev_mqueue; /* POSIX message queues */
};

struct leftover leftover_count(void);

/* Fail the case, naming the kinds, unless the counts are what they were. */
void leftover_assert_same(const struct leftover *before);

/* Setup and teardown of a case that leaves neither objects nor descriptors. */
int leftover_setup(void **state);
int leftover_teardown(void **state);

#endif
