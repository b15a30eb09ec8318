/* The textbook's ring: p12-shm-ring/sem_ring.h. */
#include "p12-shm-ring/sem_ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tick.h"

#define NAME "/p12-sem-ring-test"

enum { SLOTS = 4, MESSAGES = 2000 };

static bool is_disk_full;

int __real_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	return is_disk_full ? ENOSPC : __real_posix_fallocate(fd, at, len);
}

static int64_t soon(void)
{
	return tick_after(60 * TICK_S);
}

static void messages_keep_order_and_length_and_a_full_ring_waits(void **state)
{
	struct sem_ring in, out;
	char buf[16];

	(void)state;
	assert_int_equal(sem_ring_create(&in, NAME, SLOTS, 16), 0);
	assert_int_equal(sem_ring_create(&out, NAME, SLOTS, 16), -EEXIST);
	assert_int_equal(sem_ring_open(&out, NAME), 0);
	assert_int_equal(sem_ring_remove(NAME), 0);
	assert_int_equal(sem_ring_remove(NAME), -ENOENT);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < SLOTS; i++)
			assert_int_equal(
				sem_ring_put(&in, "0123456789", i + 1, 0), 0);
		assert_int_equal(sem_ring_put(&in, "x", 1, 0), -ETIMEDOUT);
		for (size_t i = 0; i < SLOTS; i++)
			assert_int_equal(sem_ring_get(&out, buf, 0), i + 1);
		assert_memory_equal(buf, "0123", 4);
		assert_int_equal(sem_ring_get(&out, buf, 0), -ETIMEDOUT);
	}
	assert_int_equal(sem_ring_put(&in, buf, 17, 0), -EMSGSIZE);
	assert_int_equal(sem_ring_put(&in, NULL, 0, 0), 0);
	assert_int_equal(sem_ring_get(&out, NULL, 0), 0);
	for (int i = 0; i < 2; i++) {
		sem_ring_close(&in);
		sem_ring_close(&out);
	}
}

static int put_all(void *arg)
{
	struct sem_ring ring;

	(void)arg;
	if (sem_ring_open(&ring, NAME))
		return 1;
	for (int i = 0; i < MESSAGES; i++)
		if (sem_ring_put(&ring, &i, sizeof(i), soon()))
			return 1;
	return 0;
}

static int get_all(void *arg)
{
	struct sem_ring *ring = arg;
	int number;

	for (int i = 0; i < MESSAGES; i++)
		if (sem_ring_get(ring, &number, soon()) != sizeof(number) ||
		    number != i)
			return 1;
	return 0;
}

static void another_process_fills_what_we_empty(void **state)
{
	struct sem_ring ring;

	(void)state;
	/* Room for all, so that neither needs the other to run. */
	assert_int_equal(sem_ring_create(&ring, NAME, MESSAGES, 8), 0);
	assert_int_equal(support_child_status(put_all, NULL, 60000), 0);
	assert_int_equal(get_all(&ring), 0);
	sem_ring_close(&ring);
	assert_int_equal(sem_ring_remove(NAME), 0);
}

static void what_is_none_is_refused(void **state)
{
	struct sem_ring ring;
	int fd;

	(void)state;
	assert_int_equal(sem_ring_open(&ring, NAME), -ENOENT);
	assert_int_equal(sem_ring_create(&ring, NAME, 0, 8), -EINVAL);
	assert_int_equal(sem_ring_create(&ring, NAME, 8, 0), -EINVAL);
	assert_int_equal(sem_ring_create(&ring, NAME, UINT32_MAX, 8), -EINVAL);
	is_disk_full = true;
	assert_int_equal(sem_ring_create(&ring, NAME, 8, 8), -ENOSPC);
	is_disk_full = false;
	assert_int_equal(sem_ring_remove(NAME), -ENOENT);
	fd = shm_open(NAME, O_RDWR | O_CREAT, 0600);
	assert_int_equal(sem_ring_open(&ring, NAME), -EAGAIN);
	assert_int_equal(write(fd, "\0\0\0", 3), 3); /* is not half-made */
	assert_int_equal(sem_ring_open(&ring, NAME), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "garbage", 7, 0), 7);
	assert_int_equal(sem_ring_open(&ring, NAME), -EBADMSG);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(sem_ring_open(&ring, NAME), -EBADMSG);
	close(fd);
	assert_int_equal(shm_unlink(NAME), 0);
}

static void length_beyond_a_slot_is_refused(void **state)
{
	static const uint32_t longer = 17;
	struct sem_ring ring, out;
	char buf[16];

	(void)state;
	assert_int_equal(sem_ring_create(&ring, NAME, SLOTS, 16), 0);
	assert_int_equal(sem_ring_open(&out, NAME), 0);
	assert_int_equal(sem_ring_remove(NAME), 0);
	assert_int_equal(sem_ring_put(&ring, "x", 1, 0), 0);
	/* The slots come last, 64 bytes each, and begin with the length. */
	memcpy((char *)ring.shared + ring.bytes - 64 * SLOTS, &longer,
	       sizeof(longer));
	assert_int_equal(sem_ring_get(&out, buf, 0), -EBADMSG);
	sem_ring_close(&ring);
	sem_ring_close(&out);
}

/* One word of it at a time is not ours. */
static void other_versions_and_sizes_are_refused(void **state)
{
	struct sem_ring ring, other;
	uint32_t *words, word;

	(void)state;
	assert_int_equal(sem_ring_create(&ring, NAME, SLOTS, 16), 0);
	words = (uint32_t *)ring.shared; /* magic, version, slots, slot_bytes */
	for (int i = 0; i < 5; i++) {
		word = words[i];
		for (uint32_t bit = 1; bit; bit <<= 1) {
			words[i] = word ^ bit;
			/* Smaller slots that take as much are not told. */
			if (i == 4 && words[i] > 0 && words[i] <= 60)
				continue;
			assert_int_equal(sem_ring_open(&other, NAME), -EBADMSG);
		}
		words[i] = word;
	}
	sem_ring_close(&ring);
	assert_int_equal(sem_ring_remove(NAME), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			messages_keep_order_and_length_and_a_full_ring_waits),
		cmocka_unit_test(another_process_fills_what_we_empty),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(length_beyond_a_slot_is_refused),
		cmocka_unit_test(other_versions_and_sizes_are_refused),
	};

	return SUPPORT_MAIN(tests);
}
