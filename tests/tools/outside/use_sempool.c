/* A pool of one, lent to a child while its parent waits. */
#include <errno.h>

#include "p10-sempool/sempool.h"
#include "uses.h"

static int borrow(const char *name, int told)
{
	struct sempool pool;
	struct sempool_lease lease;

	if (sempool_open(&pool, name, uses_deadline()) ||
	    sempool_acquire_until(&pool, &lease, uses_deadline()) ||
	    write(told, "", 1) != 1 || sempool_release(&pool, &lease))
		return 1;
	sempool_close(&pool);
	return 0;
}

int main(void)
{
	struct sempool pool;
	struct sempool_lease first, second;
	char name[64], byte;
	int told[2];
	bool is_taken_over;
	pid_t child;

	snprintf(name, sizeof(name), "/outside.%d", (int)getpid());
	if (pipe(told) || sempool_create(&pool, name, 1, &is_taken_over))
		return 1;
	child = fork();
	if (child == 0)
		_exit(borrow(name, told[1]));
	if (read(told[0], &byte, 1) != 1 ||
	    sempool_acquire_until(&pool, &first, uses_deadline()) ||
	    sempool_try_acquire(&pool, &second) != -EAGAIN ||
	    sempool_release(&pool, &first) || uses_wait(child) ||
	    sempool_remove(&pool))
		return 1;
	sempool_close(&pool);
	return puts("sempool") < 0;
}
