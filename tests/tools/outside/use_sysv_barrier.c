/* Two processes meet ten times, and each time one of them is told so. */
#include <sys/ipc.h>

#include "p11-barrier/sysv_barrier.h"
#include "uses.h"

/* How often we were the one, or -1. */
static int meet(int id)
{
	struct sysv_barrier barrier;
	int times = 0;

	if (sysv_barrier_join(&barrier, id))
		return -1;
	for (int i = 0; i < 10; i++) {
		int error = sysv_barrier_wait_until(&barrier, uses_deadline());

		if (error && error != SYSV_BARRIER_SERIAL)
			return -1;
		times += error == SYSV_BARRIER_SERIAL;
	}
	return sysv_barrier_close(&barrier) ? -1 : times;
}

int main(void)
{
	int id = sysv_barrier_create(IPC_PRIVATE, 2, 0600), ours, status;
	pid_t child;

	if (id < 0)
		return 1;
	child = fork();
	if (child == 0)
		_exit(meet(id));
	ours = meet(id);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    sysv_barrier_destroy(id) || ours < 0 ||
	    ours + WEXITSTATUS(status) != 10)
		return 1;
	return puts("sysv_barrier") < 0;
}
