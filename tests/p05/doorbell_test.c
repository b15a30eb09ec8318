/* The thread that ends a wait in msgrcv(2): p05-sysv-mq/doorbell.h. */
#include "p05-sysv-mq/doorbell.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"
#include "tests/support/support.h"

enum { TYPE = 77, TEXT_MAX = 16 };

static struct letter *letter;
static int queue, ready;
static key_t key;

/* How often a doorbell was rung, and whether signals could come to its thread. */
static atomic_int rings;
static atomic_bool may_be_interrupted;

int __real_letter_ring(int id, long type);
int __wrap_letter_ring(int id, long type);

int __wrap_letter_ring(int id, long type)
{
	int error = __real_letter_ring(id, type);
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (!sigismember(&blocked, SIGUSR1))
		atomic_store(&may_be_interrupted, true);
	atomic_fetch_add(&rings, 1);
	return error;
}

static int set_up(void **state)
{
	(void)state;
	key = (key_t)(0x05000000 | getpid());
	queue = msgget(IPC_PRIVATE, 0600);
	letter = letter_new(TEXT_MAX);
	atomic_store(&rings, 0);
	return queue < 0 || !letter;
}

static int tear_down(void **state)
{
	int set = semget(key, 0, 0);

	(void)state;
	free(letter);
	msgctl(queue, IPC_RMID, NULL);
	return set >= 0 ? gate_remove(set) : 0;
}

static bool is_heard(void *arg)
{
	(void)arg;
	return letter_receive(queue, TYPE, letter, TEXT_MAX, IPC_NOWAIT) ==
	       -ENODATA;
}

static bool has_rung(void *arg)
{
	return atomic_load(&rings) >= *(const int *)arg;
}

/* ---- a server that ends ---- */

static int serve(void *arg)
{
	bool is_new;

	(void)arg;
	if (gate_take(key, GATE_NO_FILE, 0600, tick_after(20 * TICK_S),
		      &is_new) < 0 ||
	    fdio_write_full(ready, "", 1))
		return 1;
	for (;;)
		pause();
}

/* By its pidfd; where there is none, as in another PID namespace, by the gate. */
static void end_of_the_server_is_heard_with_and_without_a_pidfd(void **state)
{
	(void)state;
	for (int has_pidfd = 0; has_pidfd < 2; has_pidfd++) {
		pid_t pid = support_start(serve, NULL, &ready, 20000);
		int gate = semget(key, 0, 0);
		struct doorbell *doorbell;

		assert_int_equal(doorbell_open(&doorbell, queue, TYPE, gate,
					       has_pidfd ? pid : 0),
				 0);
		assert_false(doorbell_server_is_gone(doorbell));
		support_kill(&pid);
		assert_true(support_wait_until(is_heard, NULL, 20000));
		assert_true(doorbell_server_is_gone(doorbell));
		doorbell_close(doorbell);
		assert_int_equal(gate_remove(gate), 0);
	}
}

/* ---- moments ---- */

/* Of a server that does not end: ourselves. */
static struct doorbell *open_doorbell(void)
{
	struct doorbell *doorbell;
	bool is_new;
	int gate = gate_take(key, GATE_NO_FILE, 0600, tick_after(20 * TICK_S),
			     &is_new);

	assert_true(gate >= 0);
	assert_int_equal(doorbell_open(&doorbell, queue, TYPE, gate, getpid()),
			 0);
	return doorbell;
}

static void moment_is_heard_once(void **state)
{
	struct doorbell *doorbell = open_doorbell();
	int64_t moment = tick_after(20 * TICK_MS);

	(void)state;
	doorbell_at(doorbell, moment);
	assert_true(support_wait_until(is_heard, NULL, 20000));
	assert_true(tick_is_over(moment));
	/* Its thread goes round again, and has nothing more to say. */
	doorbell_at(doorbell, tick_after(10 * TICK_MS));
	assert_true(support_wait_until(has_rung, &(int){2}, 20000));
	doorbell_close(doorbell);
	assert_int_equal(atomic_load(&rings), 2);
	assert_true(is_heard(NULL));
	assert_false(is_heard(NULL));
	assert_false(atomic_load(&may_be_interrupted));
}

static void full_queue_is_rung_in_again_until_there_is_room(void **state)
{
	struct doorbell *doorbell = open_doorbell();
	struct msqid_ds status;

	(void)state;
	/* Room for one byte, and so for one empty message. */
	assert_int_equal(msgctl(queue, IPC_STAT, &status), 0);
	status.msg_qbytes = 1;
	assert_int_equal(msgctl(queue, IPC_SET, &status), 0);
	assert_int_equal(letter_ring(queue, TYPE + 1), 0);
	atomic_store(&rings, 0);
	doorbell_at(doorbell, tick_after(TICK_MS));
	assert_true(support_wait_until(has_rung, &(int){2}, 20000));
	assert_false(is_heard(NULL));
	assert_int_equal(
		letter_receive(queue, TYPE + 1, letter, TEXT_MAX, IPC_NOWAIT),
		-ENODATA);
	assert_true(support_wait_until(is_heard, NULL, 20000));
	doorbell_close(doorbell);
}

/* ---- what it takes ---- */

static void without_descriptors_there_is_no_doorbell(void **state)
{
	int fds = support_count_fds(), error;
	struct doorbell *doorbell;
	struct rlimit old, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	error = doorbell_open(&doorbell, queue, TYPE, -1, getpid());
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(error, -EMFILE);
	assert_null(doorbell);
	assert_int_equal(support_count_fds(), fds);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(end_of_the_server_is_heard_with_and_without_a_pidfd),
		CASE(moment_is_heard_once),
		CASE(full_queue_is_rung_in_again_until_there_is_room),
		CASE(without_descriptors_there_is_no_doorbell),
	};

	return SUPPORT_MAIN(tests);
}
