/* Coming to a ring, leaving it, and what is none: p12-shm-ring/ring.h. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p12-shm-ring/ring_format.h"
#include "tests/support/interrupt.h"
#include "tests/support/leftover.h"

#define NAME "/p12-ring-open-test"

static const struct ring_options make_it = {.capacity = 4096};

static int64_t soon(void)
{
	return tick_after(20 * TICK_S);
}

static struct ring *enter(enum ring_side side)
{
	struct ring *ring = NULL;

	assert_int_equal(ring_open(&ring, NAME, side, &make_it, soon()), 0);
	return ring;
}

static void assert_refused(int error)
{
	struct ring *ring = (struct ring *)&make_it;

	assert_int_equal(ring_open(&ring, NAME, RING_RECEIVER, &make_it, 0),
			 error);
	ring_close(ring); /* nothing */
}

static void names_and_sizes_that_cannot_be_are_refused(void **state)
{
	static const struct ring_options none, big = {.capacity = SIZE_MAX};
	struct ring *ring = (struct ring *)&none, *pair[2] = {ring, ring};

	(void)state;
	assert_int_equal(ring_open(&ring, "x", RING_SENDER, &make_it, 0),
			 -EINVAL);
	assert_null(ring);
	assert_int_equal(ring_pair(pair, &big), -EINVAL);
	assert_null(pair[RING_SENDER]);
	assert_null(pair[RING_RECEIVER]);
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &big, 0), -EINVAL);
	assert_int_equal(ring_open(&ring, NAME, RING_SENDER, &none, 0),
			 -ENOENT);
	assert_int_equal(ring_remove(NAME), -ENOENT);
	assert_int_equal(ring_memfd(0), -EINVAL);
}

static void seat_has_one_owner_and_the_name_goes_with_the_last(void **state)
{
	struct ring *tx = enter(RING_SENDER), *rx;

	(void)state;
	assert_int_equal(ring_peer(tx), -ENOTCONN);
	rx = enter(RING_RECEIVER);
	assert_int_equal(ring_peer(tx), 0);
	assert_refused(-EBUSY);
	assert_int_equal(ring_remove(NAME), -EBUSY);
	ring_close(tx);
	assert_int_equal(ring_remove(NAME), -EBUSY);
	ring_close(rx);
	assert_int_equal(ring_remove(NAME), 0);
	assert_int_equal(ring_remove(NAME), -ENOENT);
}

/* Change one byte of the object, or its size. */
static void spoil(size_t at, size_t size)
{
	int fd = shm_open(NAME, O_RDWR, 0);
	unsigned char byte;

	assert_true(fd >= 0);
	if (size) {
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
	} else {
		assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	}
	close(fd);
}

static void damaged_truncated_and_other_versions_are_refused(void **state)
{
	static const size_t at[] = {offsetof(struct ring_header, magic),
				    offsetof(struct ring_header, version),
				    offsetof(struct ring_header, header_bytes),
				    offsetof(struct ring_header, capacity),
				    offsetof(struct ring_header, check)};
	static const size_t sizes[] = {1, 100, 4096, 8191, 8193, 1 << 20};

	(void)state;
	ring_close(enter(RING_SENDER));
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		spoil(at[i], 0);
		assert_refused(-EBADMSG);
		assert_int_equal(ring_remove(NAME), -EBADMSG);
		spoil(at[i], 0);
	}
	ring_close(enter(RING_RECEIVER));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		spoil(0, sizes[i]);
		assert_refused(-EBADMSG);
	}
	assert_int_equal(shm_unlink(NAME), 0);
}

static void garbage_is_refused_and_what_was_half_made_is_made(void **state)
{
	static const uint64_t making = RING_MAKING;
	int fd = shm_open(NAME, O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "garbage, of some length", 23), 23);
	assert_refused(-EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, &making, 8, 0), 8);
	ring_close(enter(RING_SENDER));
	close(fd);
	assert_int_equal(ring_remove(NAME), 0);
}

static void folder_of_that_name_is_no_ring(void **state)
{
	(void)state;
	assert_int_equal(mkdir("/dev/shm" NAME, 0700), 0);
	assert_refused(-EBADMSG);
	assert_int_equal(ring_remove(NAME), -EBADMSG);
	assert_int_equal(rmdir("/dev/shm" NAME), 0);
}

static void memory_of_a_descriptor_cannot_shrink(void **state)
{
	int fd = ring_memfd(10000);
	int plain = memfd_create("plain", MFD_CLOEXEC);
	struct ring *ring;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ring_attach(&ring, fd, RING_SENDER, NULL), 0);
	assert_int_equal(ring_capacity(ring), 16384);
	ring_close(ring);
	assert_int_equal(ring_attach(&ring, plain, RING_SENDER, NULL), -EPERM);
	assert_null(ring);
	close(fd);
	close(plain);
}

static void fresh_ring_replaces_what_dead_ones_left(void **state)
{
	struct ring_options fresh = make_it;
	struct ring *tx = enter(RING_SENDER), *rx;

	(void)state;
	fresh.is_fresh = true;
	assert_int_equal(ring_send(tx, "old", 3, 0), 0);
	assert_int_equal(ring_open(&rx, NAME, RING_RECEIVER, &fresh, 0), 0);
	ring_abandon(rx);
	/* Somebody is in, and our seat was used. */
	assert_int_equal(ring_open(&rx, NAME, RING_RECEIVER, &fresh, 0),
			 -EBUSY);
	ring_abandon(tx);
	assert_int_equal(ring_open(&rx, NAME, RING_RECEIVER, &fresh, 0), 0);
	assert_int_equal(ring_peer(rx), -ENOTCONN);
	ring_close(rx);
	assert_int_equal(ring_remove(NAME), 0);
}

static void fresh_ring_is_not_one_in_which_the_other_side_died(void **state)
{
	struct ring_options fresh = make_it;
	struct ring *ring;

	(void)state;
	fresh.is_fresh = true;
	for (int i = 0; i < 4; i++) {
		const enum ring_side side = i % 2 ? RING_RECEIVER : RING_SENDER;

		ring = enter(side);
		if (i < 2)
			ring_abandon(ring);
		else
			ring_close(ring);
		assert_int_equal(ring_open(&ring, NAME,
					   side == RING_SENDER ? RING_RECEIVER
							       : RING_SENDER,
					   &fresh, 0),
				 0);
		assert_int_equal(ring_peer(ring), -ENOTCONN);
		ring_close(ring);
		assert_int_equal(ring_remove(NAME), 0);
	}
}

/* ---- deaths ---- */

enum moment { BEFORE_COMMIT, BEFORE_FLUSH, AFTER_COMMIT };

static int die_sending(void *arg)
{
	struct ring *ring;
	void *message;

	if (ring_open(&ring, NAME, RING_SENDER, &make_it, soon()) ||
	    ring_reserve(ring, 100, &message, 0))
		return 1;
	memset(message, 'x', 100);
	if (*(enum moment *)arg == BEFORE_FLUSH)
		ring_commit_later(ring, 100);
	else if (*(enum moment *)arg == AFTER_COMMIT)
		ring_commit(ring, 100);
	raise(SIGKILL);
	return 1;
}

static void only_what_a_killed_sender_committed_is_there(void **state)
{
	struct ring *rx = enter(RING_RECEIVER), *tx;
	char buf[200];

	(void)state;
	for (enum moment m = BEFORE_COMMIT; m <= AFTER_COMMIT; m++) {
		assert_int_equal(support_child_status(die_sending, &m, 20000),
				 128 + SIGKILL);
		if (m == AFTER_COMMIT)
			assert_int_equal(ring_recv(rx, buf, 200, soon()), 100);
		assert_int_equal(ring_recv(rx, buf, 200, soon()), -EOWNERDEAD);
		/* Another takes the seat, and goes on. */
		tx = enter(RING_SENDER);
		assert_int_equal(ring_send(tx, "next", 4, 0), 0);
		assert_int_equal(ring_recv(rx, buf, 200, soon()), 4);
		assert_memory_equal(buf, "next", 4);
		ring_close(tx);
	}
	ring_close(rx);
	assert_int_equal(ring_remove(NAME), 0);
}

static int die_receiving(void *arg)
{
	struct ring *ring;
	void *message;

	(void)arg;
	if (ring_open(&ring, NAME, RING_RECEIVER, &make_it, soon()) ||
	    ring_peek(ring, &message, soon()) != 1)
		return 1;
	ring_release(ring);
	if (ring_peek(ring, &message, soon()) != 2)
		return 1;
	raise(SIGKILL);
	return 1;
}

static void what_a_killed_receiver_only_peeked_at_is_given_again(void **state)
{
	struct ring *tx = enter(RING_SENDER), *rx;
	char buf[8];

	(void)state;
	assert_int_equal(ring_send(tx, "1", 1, 0), 0);
	assert_int_equal(ring_send(tx, "22", 2, 0), 0);
	assert_int_equal(support_child_status(die_receiving, NULL, 20000),
			 128 + SIGKILL);
	assert_int_equal(ring_drain(tx, soon()), -EOWNERDEAD);
	rx = enter(RING_RECEIVER);
	assert_int_equal(ring_recv(rx, buf, 8, 0), 2);
	assert_int_equal(ring_drain(tx, soon()), 0);
	ring_close(tx);
	ring_close(rx);
	assert_int_equal(ring_remove(NAME), 0);
}

/* Whatever the umask says. */
static void named_ring_has_the_mode_that_was_asked_for(void **state)
{
	static const struct ring_options shared = {.capacity = 4096,
						   .mode = 0660};
	const mode_t mask = umask(077);
	struct ring *ring = NULL;
	struct stat st;
	int error = ring_open(&ring, NAME, RING_SENDER, &shared, soon());

	(void)state;
	umask(mask);
	assert_int_equal(error, 0);
	assert_int_equal(stat("/dev/shm" NAME, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	ring_close(ring);
	assert_int_equal(ring_remove(NAME), 0);
}

static void handler_ends_the_wait_for_a_seat(void **state)
{
	static const struct ring_options fresh = {.capacity = 4096,
						  .is_fresh = true};
	struct ring *tx = enter(RING_SENDER), *late = NULL;

	(void)state;
	interrupt_start();
	assert_int_equal(ring_open(&late, NAME, RING_SENDER, &fresh, soon()),
			 -EINTR);
	interrupt_stop();
	assert_null(late);
	ring_close(tx);
	assert_int_equal(ring_remove(NAME), 0);
}

/* As ring_map.c has it: FNV-1a. */
static uint64_t check_of(const struct ring_header *header)
{
	const uint64_t words[] = {header->version, header->header_bytes,
				  header->capacity};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < 3; i++)
		for (int shift = 0; shift < 64; shift += 8) {
			hash ^= words[i] >> shift & 0xff;
			hash *= UINT64_C(0x100000001b3);
		}
	return hash;
}

static void ring_of_another_version_is_refused_whatever_its_check(void **state)
{
	struct ring *tx = enter(RING_SENDER);
	int fd = open("/dev/shm" NAME, O_RDWR);
	struct ring_header header;

	(void)state;
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_true(header.check == check_of(&header));
	header.version++;
	header.check = check_of(&header);
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0),
			 sizeof(header));
	assert_refused(-EBADMSG);
	close(fd);
	ring_close(tx);
	unlink("/dev/shm" NAME);
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
		CASE(names_and_sizes_that_cannot_be_are_refused),
		CASE(seat_has_one_owner_and_the_name_goes_with_the_last),
		CASE(damaged_truncated_and_other_versions_are_refused),
		CASE(garbage_is_refused_and_what_was_half_made_is_made),
		CASE(folder_of_that_name_is_no_ring),
		CASE(memory_of_a_descriptor_cannot_shrink),
		CASE(fresh_ring_replaces_what_dead_ones_left),
		CASE(fresh_ring_is_not_one_in_which_the_other_side_died),
		CASE(only_what_a_killed_sender_committed_is_there),
		CASE(what_a_killed_receiver_only_peeked_at_is_given_again),
		CASE(named_ring_has_the_mode_that_was_asked_for),
		CASE(handler_ends_the_wait_for_a_seat),
		CASE(ring_of_another_version_is_refused_whatever_its_check),
	};

	return SUPPORT_MAIN(tests);
}
