/* Who is in a ring: what the kernel says of it counts, whatever the memory holds,
 * and whatever became of names, descriptors and processes. Linked with --wrap for
 * what fails when it is told to: identity_role_give_up for the lock of the name,
 * and posix_fallocate. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "p12-shm-ring/ring_format.h"
#include "p12-shm-ring/ring_handle.h"
#include "tests/lib/identity_fixture.h"
#include "tests/support/leftover.h"

#define NAME "/p12-ring-life-test"

enum { CAPACITY = 4096, LONG_MS = 20000 };

static const struct ring_options make_it = {.capacity = CAPACITY};

static int64_t soon(void)
{
	return tick_after(LONG_MS * TICK_MS);
}

/* What users are promised. */
static int64_t second(void)
{
	return tick_after(TICK_S);
}

static struct ring *enter(enum ring_side side)
{
	struct ring *ring = NULL;

	assert_int_equal(ring_open(&ring, NAME, side, &make_it, soon()), 0);
	return ring;
}

static struct ring_header *map_header(void)
{
	int fd = shm_open(NAME, O_RDWR | O_CLOEXEC, 0);
	void *at = mmap(NULL, 4096 + CAPACITY, PROT_READ | PROT_WRITE,
			MAP_SHARED, fd, 0);

	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

static void leave(struct ring *ring)
{
	ring_close(ring);
	assert_int_equal(ring_remove(NAME), 0);
}

/* ---- words that lie ------------------------------------------------------------- */

struct peer {
	enum ring_side side;
	bool speaks, forgets; /* send first; ring_forget() */
	int ready;
};

/* Zero the own word of state: as if nobody had ever come. */
static int hide(void *arg)
{
	struct peer *peer = arg;
	struct ring_header *header;
	struct ring *ring;

	if (ring_open(&ring, NAME, peer->side, &make_it, soon()) ||
	    (peer->speaks && ring_send(ring, "x", 1, soon())))
		return 1;
	header = map_header();
	if (!header)
		return 2;
	atomic_store(peer->side == RING_SENDER ? &header->sender.state
					       : &header->receiver.state,
		     RING_VACANT);
	if (write(peer->ready, "", 1) != 1)
		return 3;
	sleep_until_killed();
	return 4;
}

static void sender_that_hides_and_is_killed_is_missed(void **state)
{
	char buf[8];

	(void)state;
	for (int speaks = 0; speaks < 2; speaks++) {
		struct peer peer = {.side = RING_SENDER, .speaks = speaks};
		struct ring *rx = enter(RING_RECEIVER);
		pid_t pid = support_start(hide, &peer, &peer.ready, LONG_MS);

		/* Met by what it has sent, or by a look at who is there. */
		if (speaks)
			assert_int_equal(ring_recv(rx, buf, 8, soon()), 1);
		else
			assert_int_equal(ring_peer(rx), 0);
		support_kill(&pid);
		assert_int_equal(ring_recv(rx, buf, 8, second()), -EOWNERDEAD);
		leave(rx);
	}
}

static void receiver_that_hides_and_is_killed_is_missed(void **state)
{
	struct peer peer = {.side = RING_RECEIVER};
	struct ring *tx = enter(RING_SENDER);
	pid_t pid = support_start(hide, &peer, &peer.ready, LONG_MS);

	(void)state;
	assert_int_equal(ring_send(tx, "x", 1, soon()), 0);
	assert_int_equal(ring_drain(tx, tick_after(300 * TICK_MS)), -ETIMEDOUT);
	support_kill(&pid);
	assert_int_equal(ring_drain(tx, second()), -EOWNERDEAD);
	leave(tx);
}

static void side_that_hides_is_there_all_the_same(void **state)
{
	struct peer peer = {.side = RING_SENDER};
	struct ring *rx = enter(RING_RECEIVER), *tx;
	pid_t pid = support_start(hide, &peer, &peer.ready, LONG_MS);

	(void)state;
	assert_int_equal(ring_open(&tx, NAME, RING_SENDER, &make_it, 0),
			 -EBUSY);
	support_kill(&pid);
	leave(rx);
}

/* Writes over everything, again and again, until it is killed. */
static int scribble(void *arg)
{
	struct peer *peer = arg;
	struct ring_header *header;
	struct ring *ring;
	struct rng rng;

	if (ring_open(&ring, NAME, peer->side, &make_it, soon()))
		return 1;
	header = map_header();
	if (!header || write(peer->ready, "", 1) != 1)
		return 2;
	rng_seed(&rng, 1);
	for (;;) {
		uint64_t *word = (uint64_t *)header +
				 rng_below(&rng, (4096 + CAPACITY) / 8);
		const uint64_t few[] = {
			0, 1, 2, 8, CAPACITY, UINT64_MAX, rng_next(&rng)};

		__atomic_store_n(word, few[rng_below(&rng, 7)],
				 __ATOMIC_RELAXED);
		syscall(SYS_futex, word, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
	}
}

/* What comes while it scribbles is nonsense; that it comes to an end counts. */
static int call_something(struct ring *ring, enum ring_side side)
{
	char buf[CAPACITY] = "y";

	return side == RING_SENDER
		       ? (int)ring_recv(ring, buf, sizeof(buf), second())
		       : ring_send(ring, buf, 1000, second());
}

static void scribbler_holds_nobody_up(void **state)
{
	(void)state;
	for (int i = 0; i < (support_is_stress() ? 400 : 6); i++) {
		struct peer peer = {.side = (enum ring_side)(i % 2)};
		struct ring *ring = enter(i % 2 ? RING_SENDER : RING_RECEIVER);
		pid_t pid =
			support_start(scribble, &peer, &peer.ready, LONG_MS);
		int64_t until = tick_after(20 * TICK_MS);
		int rc = 0;

		while (!tick_is_over(until))
			call_something(ring, peer.side);
		support_kill(&pid);
		/* It may have left room, or messages; then an end is told. */
		until = second();
		while (rc >= 0 && !tick_is_over(until))
			rc = call_something(ring, peer.side);
		assert_true(rc == -EOWNERDEAD || rc == -EPIPE ||
			    rc == -EBADMSG);
		ring_close(ring);
		assert_int_equal(shm_unlink(NAME), 0);
	}
}

/* ---- names ----------------------------------------------------------------------- */

static void who_has_not_come_yet_is_not_taken_for_dead(void **state)
{
	static char big[CAPACITY - 8];
	struct ring *ring = enter(RING_SENDER);
	void *message;

	(void)state;
	assert_int_equal(ring_send(ring, big, sizeof(big), soon()), 0);
	assert_int_equal(ring_peer(ring), -ENOTCONN);
	assert_int_equal(
		ring_reserve(ring, 8, &message, tick_after(250 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(ring_peer(ring), -ENOTCONN);
	ring_abandon(ring);
	assert_int_equal(shm_unlink(NAME), 0);
	ring = enter(RING_RECEIVER);
	assert_int_equal(ring_peek(ring, &message, tick_after(250 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(ring_peer(ring), -ENOTCONN);
	leave(ring);
}

static void who_waits_under_a_name_that_is_gone_is_told(void **state)
{
	struct ring *rx = enter(RING_RECEIVER), *other;
	char buf[8];

	(void)state;
	assert_int_equal(ring_wait_peer(rx, tick_after(TICK_MS)), -ETIMEDOUT);
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(ring_recv(rx, buf, 8, second()), -EIDRM);
	assert_int_equal(ring_wait_peer(rx, second()), -EIDRM);
	assert_int_equal(ring_peer(rx), -EIDRM);
	/* Another ring of that name is no reason to wait, either. */
	other = enter(RING_SENDER);
	assert_int_equal(ring_recv(rx, buf, 8, second()), -EIDRM);
	ring_close(rx);
	assert_int_equal(ring_peer(other), -ENOTCONN);
	leave(other);
}

static void successor_gives_back_what_was_owed(void **state)
{
	struct ring *tx = enter(RING_SENDER), *rx = enter(RING_RECEIVER);
	struct ring_header *header = map_header();
	char buf[8];

	(void)state;
	assert_non_null(header);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ring_send(tx, "x", 1, 0), 0);
	assert_int_equal(ring_recv(rx, buf, 8, 0), 1);
	assert_int_equal(atomic_load(&header->head), 0);
	ring_abandon(rx);
	rx = enter(RING_RECEIVER);
	assert_int_equal(atomic_load(&header->head), 16);
	munmap(header, 4096 + CAPACITY);
	ring_close(tx);
	leave(rx);
}

/* It may be waiting for us to come, or for more. */
static void who_comes_and_who_goes_wakes_the_other(void **state)
{
	struct ring *rx = enter(RING_RECEIVER), *tx;
	struct ring_header *header = map_header();

	(void)state;
	assert_non_null(header);
	atomic_store(&header->receiver.asleep, RING_ASLEEP);
	tx = enter(RING_SENDER);
	assert_int_equal(atomic_load(&header->receiver.asleep), 0);
	atomic_store(&header->receiver.asleep, RING_ASLEEP);
	ring_abandon(tx);
	assert_int_equal(atomic_load(&header->receiver.asleep), 0);
	munmap(header, 4096 + CAPACITY);
	leave(rx);
}

static int open_as_nobody(void *arg)
{
	struct ring *ring;

	(void)arg;
	EXPECT(setgid(65534) == 0 && setuid(65534) == 0);
	EXPECT(ring_open(&ring, NAME, RING_SENDER, &make_it, 0) == -EACCES);
	return 0;
}

static void what_root_left_empty_is_not_filled_by_others(void **state)
{
	int fd;

	(void)state;
	support_need_second_user();
	fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(support_child_status(open_as_nobody, NULL, LONG_MS),
			 0);
	close(fd);
	assert_int_equal(shm_unlink(NAME), 0);
}

static void two_in_a_ring_need_no_name(void **state)
{
	struct ring *rx = enter(RING_RECEIVER), *tx = enter(RING_SENDER);
	char buf[8];

	(void)state;
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(ring_recv(rx, buf, 8, tick_after(300 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(ring_send(tx, "x", 1, 0), 0);
	assert_int_equal(ring_recv(rx, buf, 8, 0), 1);
	ring_abandon(tx);
	assert_int_equal(ring_recv(rx, buf, 8, second()), -EOWNERDEAD);
	assert_int_equal(ring_wait_peer(rx, second()), -EIDRM);
	ring_close(rx);
}

static void ring_that_is_remade_keeps_its_bytes_for_who_has_it(void **state)
{
	struct ring_options fresh = make_it;
	struct ring_header *old;
	struct ring *ring;

	(void)state;
	fresh.is_fresh = true;
	ring_abandon(enter(RING_SENDER));
	old = map_header();
	assert_non_null(old);
	assert_int_equal(ring_open(&ring, NAME, RING_RECEIVER, &fresh, 0), 0);
	/* Emptied, the first of these was a SIGBUS, if it was not new zeros. */
	assert_int_equal(atomic_load(&old->magic), RING_MAGIC);
	assert_int_equal(atomic_load(&old->sender.state), RING_TAKEN);
	munmap(old, 4096 + CAPACITY);
	leave(ring);
}

static void object_that_some_may_only_read_is_refused(void **state)
{
	static const struct ring_options loose = {.capacity = CAPACITY,
						  .mode = 0644};
	struct ring *ring;

	(void)state;
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &loose, 0),
			 -EINVAL);
	ring_close(enter(RING_SENDER));
	assert_int_equal(chmod("/dev/shm" NAME, 0644), 0);
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &make_it, 0),
			 -EBADMSG);
	assert_int_equal(ring_remove(NAME), -EBADMSG);
	assert_int_equal(chmod("/dev/shm" NAME, 0600), 0);
	leave(enter(RING_SENDER));
}

static void object_of_another_user_is_refused_unless_anybodys(void **state)
{
	struct ring_options any = make_it;
	struct ring *ring;

	(void)state;
	support_need_second_user();
	any.is_anybodys = true;
	ring_close(enter(RING_SENDER));
	assert_int_equal(chown("/dev/shm" NAME, 65534, (gid_t)-1), 0);
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &make_it, 0),
			 -EACCES);
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &any, 0), 0);
	leave(ring);
}

/* ---- descriptors, forks, namespaces ---------------------------------------------- */

static int lose_descriptors(void *arg)
{
	struct ring *rx, *tx;
	char buf[8];

	(void)arg;
	/* Two handles that know each other's seats: one loses its own. */
	EXPECT(ring_open(&rx, NAME, RING_RECEIVER, &make_it, soon()) == 0);
	close_range(3, ~0U, 0);
	EXPECT(ring_open(&tx, NAME, RING_SENDER, &make_it, soon()) == 0);
	EXPECT(ring_peer(tx) == 0); /* the mapping holds it */
	/* Whose number rx's is by now: tx's, of the same file, or nobody's. */
	ring_abandon(tx);
	EXPECT(ring_recv(rx, buf, 8, second()) == -EBADF);
	for (int i = 0; i < 8; i++)
		EXPECT(open("/dev/null", O_RDONLY) >= 0);
	EXPECT(ring_recv(rx, buf, 8, second()) == -ESTALE);
	EXPECT(ring_peer(rx) == -ESTALE);
	ring_close(rx);
	EXPECT(close(3) == 0); /* and it closed nobody else's */
	EXPECT(close(4) == 0);
	return 0;
}

static void lost_descriptor_is_told_and_says_nothing_of_the_peer(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(lose_descriptors, NULL, LONG_MS),
			 0);
	assert_int_equal(ring_remove(NAME), 0);
}

/* Sit down, and have a child that lives on. */
static int sit_and_fork(void *arg)
{
	struct peer *peer = arg;
	struct ring *ring;
	pid_t pid;

	if (ring_open(&ring, NAME, RING_SENDER, &make_it, soon()))
		return 1;
	pid = fork(); /* of its own, to outlive us */
	if (pid < 0)
		return 2;
	if (pid == 0 && peer->forgets)
		ring_forget(ring);
	if (pid == 0) {
		alarm(60); /* should the case fail */
		if (write(peer->ready, "", 1) != 1)
			_exit(3);
	}
	sleep_until_killed();
	return 4;
}

static void death_is_seen_though_a_forked_child_lives_that_forgot(void **state)
{
	struct ring *rx = enter(RING_RECEIVER);
	char buf[8];

	(void)state;
	/* Who becomes an orphan is ours then, to be ended. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	for (int forgets = 0; forgets < 2; forgets++) {
		struct peer peer = {.forgets = forgets};
		pid_t pid = support_start(sit_and_fork, &peer, &peer.ready,
					  LONG_MS);
		char path[64], text[32] = "";
		pid_t child;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
			 (int)pid, (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
		child = (pid_t)strtol(text, NULL, 10);
		assert_int_equal(ring_peer(rx), 0);
		support_kill(&pid);
		if (!forgets)
			assert_int_equal(ring_recv(rx, buf, 8,
						   tick_after(300 * TICK_MS)),
					 -ETIMEDOUT);
		else
			assert_int_equal(ring_recv(rx, buf, 8, second()),
					 -EOWNERDEAD);
		kill_and_reap(child);
		assert_int_equal(ring_recv(rx, buf, 8, second()), -EOWNERDEAD);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
	leave(rx);
}

static int send_and_wait(void *arg)
{
	struct peer *peer = arg;
	struct ring *ring;

	EXPECT(ring_open(&ring, NAME, RING_SENDER, &make_it, soon()) == 0);
	EXPECT(ring_send(ring, "x", 1, 0) == 0);
	EXPECT(ring_peer(ring) == 0);
	EXPECT(write(peer->ready, "", 1) == 1);
	sleep_until_killed();
	return 1;
}

static int in_another_pid_namespace(void *arg)
{
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = send_and_wait,
				.arg = arg};
	int status = make_namespaces(&inside);
	struct peer *peer = arg;

	/* Said of who may not: nobody comes. */
	return status == NOT_PERMITTED && write(peer->ready, "", 1) == 1
		       ? status
		       : 1;
}

static void sides_see_each_other_across_pid_namespaces(void **state)
{
	struct ring *rx = enter(RING_RECEIVER), *tx;
	struct peer peer = {0};
	pid_t pid = support_start(in_another_pid_namespace, &peer, &peer.ready,
				  LONG_MS);
	char buf[8];

	(void)state;
	if (ring_recv(rx, buf, 8, tick_after(300 * TICK_MS)) == -ETIMEDOUT) {
		support_kill(&pid);
		leave(rx);
		print_message("namespaces are not permitted here\n");
		skip();
	}
	assert_int_equal(ring_peer(rx), 0);
	assert_int_equal(ring_open(&tx, NAME, RING_SENDER, &make_it, 0),
			 -EBUSY);
	assert_int_equal(ring_recv(rx, buf, 8, tick_after(300 * TICK_MS)),
			 -ETIMEDOUT);
	support_kill(&pid); /* and with it who is in there: PR_SET_PDEATHSIG */
	assert_int_equal(ring_recv(rx, buf, 8, second()), -EOWNERDEAD);
	tx = enter(RING_SENDER);
	ring_close(tx);
	leave(rx);
}

/* ---- errors of the system --------------------------------------------- */

/* What the other side does between our look at its words and at its lock. */
static void (*meanwhile)(void);
static struct ring *other;

int __real_identity_role_look(const struct identity_role *role, int64_t byte,
			      bool *has_met);
int __wrap_identity_role_look(const struct identity_role *role, int64_t byte,
			      bool *has_met);
int __wrap_identity_role_look(const struct identity_role *role, int64_t byte,
			      bool *has_met)
{
	void (*act)(void) = meanwhile;

	meanwhile = NULL;
	if (act)
		act();
	return __real_identity_role_look(role, byte, has_met);
}

static void close_other(void)
{
	ring_close(other);
}

static void speak_and_die(void)
{
	assert_int_equal(ring_send(other, "last", 4, 0), 0);
	ring_abandon(other);
}

static void end_at_the_moment_of_the_look_is_told_as_it_was(void **state)
{
	struct ring *ring = enter(RING_RECEIVER);
	char buf[8];

	(void)state;
	other = enter(RING_SENDER);
	assert_int_equal(ring_peer(ring), 0);
	meanwhile = close_other;
	assert_int_equal(ring_peer(ring), -EPIPE);
	other = enter(RING_SENDER);
	meanwhile = speak_and_die;
	assert_int_equal(ring_recv(ring, buf, 8, 0), 4);
	assert_int_equal(ring_recv(ring, buf, 8, 0), -EOWNERDEAD);
	leave(ring);
}

static bool name_stays_locked;

int __real_identity_role_give_up(const struct identity_role *role,
				 int64_t byte);
int __wrap_identity_role_give_up(const struct identity_role *role,
				 int64_t byte);
int __wrap_identity_role_give_up(const struct identity_role *role, int64_t byte)
{
	if (name_stays_locked && byte == RING_BYTE + RING_BYTE_NAME)
		return -ENOLCK;
	return __real_identity_role_give_up(role, byte);
}

static void who_cannot_unlock_the_name_has_no_seat(void **state)
{
	struct ring *ring = NULL;

	(void)state;
	name_stays_locked = true;
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &make_it, soon()),
			 -ENOLCK);
	ring_close(ring); /* nothing */
	name_stays_locked = false;
	ring = enter(RING_SENDER);
	leave(ring);
}

static bool is_disk_full;
static int interrupts; /* so often a handler runs meanwhile */

int __real_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	if (interrupts > 0) {
		interrupts--;
		return EINTR;
	}
	return is_disk_full ? ENOSPC : __real_posix_fallocate(fd, at, len);
}

static void handlers_do_not_keep_a_ring_from_being_made(void **state)
{
	struct ring *ring = NULL;

	(void)state;
	interrupts = 2;
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &make_it, soon()),
			 0);
	assert_int_equal(interrupts, 0);
	ring_close(ring);
	assert_int_equal(ring_remove(NAME), 0);
}

static void ring_that_has_no_room_leaves_no_name(void **state)
{
	struct ring *ring = NULL;

	(void)state;
	is_disk_full = true;
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &make_it, soon()),
			 -ENOSPC);
	is_disk_full = false;
	assert_int_equal(ring_remove(NAME), -ENOENT);
}

static struct leftover before;

static int note(void **state)
{
	(void)state;
	before = leftover_count();
	return 0;
}

static int compare(void **state)
{
	(void)state;
	leftover_assert_same(&before);
	return 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, note, compare)
	const struct CMUnitTest tests[] = {
		CASE(sender_that_hides_and_is_killed_is_missed),
		CASE(receiver_that_hides_and_is_killed_is_missed),
		CASE(side_that_hides_is_there_all_the_same),
		CASE(scribbler_holds_nobody_up),
		CASE(who_has_not_come_yet_is_not_taken_for_dead),
		CASE(who_waits_under_a_name_that_is_gone_is_told),
		CASE(successor_gives_back_what_was_owed),
		CASE(who_comes_and_who_goes_wakes_the_other),
		CASE(what_root_left_empty_is_not_filled_by_others),
		CASE(two_in_a_ring_need_no_name),
		CASE(ring_that_is_remade_keeps_its_bytes_for_who_has_it),
		CASE(object_that_some_may_only_read_is_refused),
		CASE(object_of_another_user_is_refused_unless_anybodys),
		CASE(lost_descriptor_is_told_and_says_nothing_of_the_peer),
		CASE(death_is_seen_though_a_forked_child_lives_that_forgot),
		CASE(sides_see_each_other_across_pid_namespaces),
		CASE(end_at_the_moment_of_the_look_is_told_as_it_was),
		CASE(who_cannot_unlock_the_name_has_no_seat),
		CASE(handlers_do_not_keep_a_ring_from_being_made),
		CASE(ring_that_has_no_room_leaves_no_name),
	};

	return SUPPORT_MAIN(tests);
}
