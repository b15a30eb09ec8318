/* A side that writes what it likes into the shared memory leads the other
 * nowhere outside of it. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p12-shm-ring/ring_format.h"

enum { CAPACITY = 4096 };

static int fd;
static struct ring *tx, *rx;
static struct ring_header *header; /* as the liar sees it */
static struct ring_record *record; /* the first */

static int make(void **state)
{
	(void)state;
	fd = ring_memfd(CAPACITY);
	header = mmap(NULL, 4096 + CAPACITY, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	record = (struct ring_record *)((unsigned char *)header + 4096);
	return header == MAP_FAILED ||
	       ring_attach(&tx, fd, RING_SENDER, NULL) ||
	       ring_attach(&rx, fd, RING_RECEIVER, NULL);
}

static int leave(void **state)
{
	(void)state;
	ring_close(tx);
	ring_close(rx);
	munmap(header, 4096 + CAPACITY);
	close(fd);
	return 0;
}

static void end_in_the_midst_of_a_record_is_refused(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_send(tx, "12345678", 8, 0), 0);
	header->tail = 20;
	assert_int_equal(ring_peek(rx, &message, 0), -EBADMSG);
	header->tail = 16;
	assert_int_equal(ring_peek(rx, &message, 0), 8);
}

static void length_beyond_what_is_there_is_refused(void **state)
{
	static const uint32_t lengths[] = {9, 4096, 1 << 20, UINT32_MAX,
					   UINT32_MAX - 7};
	void *message;

	(void)state;
	assert_int_equal(ring_send(tx, "12345678", 8, 0), 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		/* A liar knows how marks are made. */
		record->length = lengths[i];
		record->mark = ring_record_mark(0, lengths[i]);
		assert_int_equal(ring_peek(rx, &message, 0), -EBADMSG);
	}
	record->length = 8;
	record->mark = ring_record_mark(0, 8);
	assert_int_equal(ring_peek(rx, &message, 0), 8);
}

static void batch_ends_before_a_record_that_lies(void **state)
{
	struct ring_record *second = record + 2;
	struct iovec in[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ring_send(tx, "12345678", 8, 0), 0);
	second->length = 9;
	assert_int_equal(ring_peek_batch(rx, in, 4, 0), 1);
	ring_release(rx);
	assert_int_equal(ring_peek_batch(rx, in, 4, 0), -EBADMSG);
}

static void record_of_the_last_time_round_is_refused(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_send(tx, "12345678", 8, 0), 0);
	record->mark = ring_record_mark(CAPACITY, 8);
	assert_int_equal(ring_peek(rx, &message, 0), -EBADMSG);
}

static void index_of_the_sender_that_cannot_be_is_refused(void **state)
{
	static const uint64_t tails[] = {4, CAPACITY + 8, UINT64_MAX - 7,
					 UINT64_C(1) << 63};
	void *message;

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		atomic_store(&header->tail, tails[i]);
		assert_int_equal(ring_peek(rx, &message, 0), -EBADMSG);
	}
}

static void index_of_the_receiver_that_cannot_be_is_refused(void **state)
{
	static const uint64_t heads[] = {(uint64_t)-4, 4, 8, CAPACITY + 8,
					 UINT64_C(1) << 63};
	static unsigned char big[CAPACITY - 8];
	void *message;

	(void)state;
	assert_int_equal(ring_send(tx, big, sizeof(big), 0), 0);
	/* The exact one, which is looked at when there seems to be no room. */
	atomic_store(&header->read, CAPACITY + 8);
	assert_int_equal(ring_reserve(tx, 8, &message, 0), -EBADMSG);
	atomic_store(&header->read, 0);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		atomic_store(&header->head, CAPACITY + heads[i]);
		assert_int_equal(ring_reserve(tx, 8, &message, 0), -EBADMSG);
	}
	/* Who comes later does not believe it either. */
	ring_abandon(tx);
	tx = NULL;
	atomic_store(&header->read, UINT64_C(1) << 40);
	assert_int_equal(ring_attach(&tx, fd, RING_SENDER, NULL), -EBADMSG);
	atomic_store(&header->read, 4);
	assert_int_equal(ring_attach(&tx, fd, RING_SENDER, NULL), -EBADMSG);
}

/* The lazy index may be a whole ring behind the exact one: that is no lie, and no
 * room either. */
static void index_that_lags_gives_no_room(void **state)
{
	static unsigned char big[CAPACITY - 8];
	void *message;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ring_send(tx, big, sizeof(big), 0), 0);
		assert_int_equal(ring_recv(rx, big, sizeof(big), 0),
				 sizeof(big));
	}
	assert_int_equal(ring_send(tx, big, sizeof(big), 0), 0);
	for (uint64_t lag = 8; lag <= CAPACITY; lag *= 2) {
		atomic_store(&header->head, 2 * CAPACITY - lag);
		assert_int_equal(ring_reserve(tx, 8, &message, 0), -ETIMEDOUT);
	}
	atomic_store(&header->head, CAPACITY - 8);
	assert_int_equal(ring_reserve(tx, 8, &message, 0), -EBADMSG);
}

static void geometry_changed_under_way_is_not_looked_at(void **state)
{
	char buf[8];

	(void)state;
	header->capacity = UINT64_C(1) << 40;
	header->header_bytes = 0;
	assert_int_equal(ring_capacity(rx), CAPACITY);
	assert_int_equal(ring_send(tx, "still", 5, 0), 0);
	assert_int_equal(ring_recv(rx, buf, sizeof(buf), 0), 5);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make, leave)
	const struct CMUnitTest tests[] = {
		CASE(end_in_the_midst_of_a_record_is_refused),
		CASE(length_beyond_what_is_there_is_refused),
		CASE(batch_ends_before_a_record_that_lies),
		CASE(record_of_the_last_time_round_is_refused),
		CASE(index_of_the_sender_that_cannot_be_is_refused),
		CASE(index_of_the_receiver_that_cannot_be_is_refused),
		CASE(index_that_lags_gives_no_room),
		CASE(geometry_changed_under_way_is_not_looked_at),
	};

	return SUPPORT_MAIN(tests);
}
