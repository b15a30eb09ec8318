/* Two processes count, each under the lock of both; and one that is made without
 * a call. */
#include "p08-rwlock/myrwlock.h"
#include "uses.h"

struct board {
	struct myrwlock lock;
	uint64_t count;
};

static int count_up(struct board *board)
{
	for (int i = 0; i < ITEMS; i++) {
		if (myrwlock_wrlock(&board->lock))
			return 1;
		board->count++;
		if (myrwlock_unlock(&board->lock))
			return 1;
	}
	return 0;
}

int main(void)
{
	static struct myrwlock own = MYRWLOCK_INITIALIZER;
	struct board *board = (struct board *)uses_memory(sizeof(*board));
	struct myrwlock_attr attr;
	pid_t child;

	if (myrwlock_attr_init(&attr) ||
	    myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ||
	    myrwlock_init(&board->lock, &attr))
		return 1;
	child = fork();
	if (child == 0)
		_exit(count_up(board));
	if (count_up(board) || uses_wait(child) || board->count != 2 * ITEMS)
		return 1;
	if (myrwlock_rdlock(&own) || myrwlock_unlock(&own))
		return 1;
	return puts("myrwlock") < 0;
}
