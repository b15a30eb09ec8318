/* The master of a pool is struck wherever it is, here or in a PID namespace of
 * its own: its workers end with it, and another pool goes on beside it, as does
 * its successor. A set of semaphores is left by who was killed, and by nobody
 * else. timeout: 900 */
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "lib/sysv.h"
#include "tests/p13/pool_ground.h"
#include "tests/support/survivors.h"
#include "tests/support/unshare.h"

enum { MASTERS = 2, PIECE = 25 };

/* As nobody is left to remove what a killed master leaves, all of this happens
 * in an IPC namespace, which takes it along. */
static int count_sets(void)
{
	struct seminfo info = {0};
	union semun arg = {.info = &info};

	assert_true(semctl(0, 0, SEM_INFO, arg) >= 0);
	return info.semusz;
}

static int enter(struct survivors_actor *self)
{
	self->own = mmap(NULL, sizeof(struct ground), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return self->own == MAP_FAILED ? -ENOMEM : 0;
}

/* Slow, so that workers wait for the master when it dies. */
static int64_t load(void *arg)
{
	struct ground *ground = arg;

	tick_sleep_until(tick_after(TICK_MS / 10));
	return atomic_fetch_add(&ground->loaded, PIECE) + PIECE;
}

static int run(struct survivors_actor *self)
{
	struct ground *ground = self->own;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);
	int error;

	memset(ground, 0, sizeof(*ground));
	options.load = load;
	error = pool_run(&options);
	for (int i = 0; !error && i < STAGES * ROWS; i++)
		if (atomic_load(&ground->done[i / ROWS][i % ROWS]) != 1)
			error = -EBADE;
	return error;
}

static int sets_before;

static void prepare(void *stage)
{
	(void)stage;
	sets_before = count_sets();
}

/* Whose parent has died are our children now. */
static bool has_nobody_left(void *unused)
{
	pid_t pid;

	(void)unused;
	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid < 0;
}

static void clear(void *stage)
{
	(void)stage;
	assert_true(support_wait_until(has_nobody_left, NULL, 1000));
	assert_in_range(count_sets(), sets_before, sets_before + 1);
}

static void workers_end_within_a_second_of_their_master(void **state)
{
	static const struct survivors_play play = {
		.name = "P13 pool",
		.role = {{.name = "master",
			  .count = MASTERS,
			  .enter = enter,
			  .step = run}},
		.promise_ns = TICK_S,
		.life_ns = 5 * TICK_MS,
		.calls = {SYS_semtimedop, SYS_semctl, SYS_wait4},
		.prepare = prepare,
		.clear = clear,
	};

	(void)state;
	if (unshare_as_anybody(CLONE_NEWIPC)) {
		print_message("namespaces are not permitted here\n");
		skip();
	}
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_end_within_a_second_of_their_master),
	};

	return SUPPORT_MAIN(tests);
}
