/* Operations on a set, and keys. */
#include "lib/sysv.h"

#include "tests/support/interrupt.h"
#include "tests/support/support.h"

#include <errno.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"

static key_t key;

static int set_up(void **state)
{
	(void)state;
	key = (key_t)(0x55000000 | (getpid() & 0xffffff));
	return semget(key, 0, 0) < 0 && errno == ENOENT ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return semget(key, 0, 0) < 0 && errno == ENOENT ? 0 : -1;
}

static int value_of(int id, int index)
{
	return semctl(id, index, GETVAL);
}

static void remove_set(void)
{
	semctl(semget(key, 0, 0), 0, IPC_RMID);
}

static int make_set(unsigned short value)
{
	int id = sysv_sem_create(key, 1, &value, 0600);

	assert_true(id >= 0);
	return id;
}

static void operation_that_can_be_done_is_done_even_past_the_deadline(
	void **state)
{
	int id = make_set(2);

	(void)state;
	assert_int_equal(sysv_sem_op(id, 0, -1, 0, TICK_NEVER), 0);
	assert_int_equal(sysv_sem_op(id, 0, -1, 0, 0), 0);
	assert_int_equal(value_of(id, 0), 0);
	assert_int_equal(sysv_sem_op(id, 0, 3, 0, 0), 0);
	assert_int_equal(value_of(id, 0), 3);
	remove_set();
}

static void operation_waits_until_the_deadline(void **state)
{
	int64_t start = tick_now();
	int id = make_set(0);

	(void)state;
	assert_int_equal(sysv_sem_op(id, 0, -1, 0, start + 30 * TICK_MS),
			 -ETIMEDOUT);
	assert_true(tick_now() - start >= 30 * TICK_MS);
	assert_int_equal(sysv_sem_op(id, 0, -1, 0, 0), -ETIMEDOUT);
	assert_int_equal(sysv_sem_op(id, 0, -1, IPC_NOWAIT, TICK_NEVER),
			 -EAGAIN);
	remove_set();
}

static int post_in_child(void *id)
{
	return sysv_sem_op(*(int *)id, 0, 1, 0, TICK_NEVER) ? 1 : 0;
}

static int take_with_undo_and_end(void *id)
{
	return sysv_sem_op(*(int *)id, 0, -1, SEM_UNDO, TICK_NEVER) ? 1 : 0;
}

static void operation_is_done_when_another_process_posts(void **state)
{
	int id = make_set(0);
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(child_fork(post_in_child, &id, &pid), 0);
	assert_int_equal(sysv_sem_op(id, 0, -1, 0, tick_after(10 * TICK_S)), 0);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
	remove_set();
}

static void undo_gives_back_what_a_dead_process_took(void **state)
{
	int id = make_set(1);

	(void)state;
	assert_int_equal(
		support_child_status(take_with_undo_and_end, &id, 10000), 0);
	assert_int_equal(value_of(id, 0), 1);
	remove_set();
}

static int wait_for_it(void *id)
{
	return sysv_sem_op(*(int *)id, 0, -1, 0, tick_after(10 * TICK_S)) ==
			       -EIDRM
		       ? 0
		       : 1;
}

static bool has_waiter(void *id)
{
	return semctl(*(int *)id, 0, GETNCNT) > 0;
}

static void removal_ends_the_wait_of_others(void **state)
{
	int id = make_set(0), status;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(wait_for_it, &id, &pid), 0);
	assert_true(support_wait_until(has_waiter, &id, 10000));
	remove_set();
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
}

static void signal_ends_the_wait_of_an_operation(void **state)
{
	int id = make_set(0), result;

	(void)state;
	interrupt_start();
	result = sysv_sem_op(id, 0, -1, 0, tick_after(60 * TICK_S));
	interrupt_stop();
	assert_int_equal(result, -EINTR);
	remove_set();
}

/* ---- keys -------------------------------------------------------------------------------- */

static void key_of_a_path_depends_on_the_project(void **state)
{
	struct scratch scratch;
	key_t a, b, again;

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(sysv_key(scratch.dir, 1, &a), 0);
	assert_int_equal(sysv_key(scratch.dir, 1, &again), 0);
	assert_int_equal(sysv_key(scratch.dir, 2, &b), 0);
	assert_int_equal(a, again);
	assert_int_not_equal(a, b);
	assert_int_equal(sysv_key(scratch.dir, 0, &a), -EINVAL);
	assert_int_equal(sysv_key(scratch.dir, 0x100, &a), -EINVAL);
	assert_int_equal(sysv_key(scratch_path(&scratch, "none"), 1, &a),
			 -ENOENT);
	scratch_remove(&scratch);
}

static void key_is_hexadecimal_or_decimal(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint32_t key;
	} cases[] = {
		{"0x12345678", 0, 0x12345678},
		{"0XaB", 0, 0xab},
		{"1234", 0, 1234},
		{"010", 0, 10},
		{"0xffffffff", 0, 0xffffffff},
		{"4294967295", 0, 0xffffffff},
		{"0x00000000000000001", 0, 1},
		{"4294967296", -ERANGE, 0},
		{"0x100000000", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"0", -EINVAL, 0},
		{"0x0", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"12a", -EINVAL, 0},
		{"0x12g", -EINVAL, 0},
		{"0x0x1", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		key_t got = 0;

		assert_int_equal(sysv_parse_key(cases[i].text, &got),
				 cases[i].error);
		assert_int_equal((uint32_t)got, cases[i].key);
	}
}

int main(void)
{
#define WITH_KEY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_KEY(
			operation_that_can_be_done_is_done_even_past_the_deadline),
		WITH_KEY(operation_waits_until_the_deadline),
		WITH_KEY(operation_is_done_when_another_process_posts),
		WITH_KEY(undo_gives_back_what_a_dead_process_took),
		WITH_KEY(removal_ends_the_wait_of_others),
		WITH_KEY(signal_ends_the_wait_of_an_operation),
		cmocka_unit_test(key_of_a_path_depends_on_the_project),
		cmocka_unit_test(key_is_hexadecimal_or_decimal),
	};

	return SUPPORT_MAIN(tests);
}
