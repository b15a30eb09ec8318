/* Bounded buffers with names: processes that are not related, and names that
 * are something else. */
#include "tests/p07/fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/identity_fixture.h"
#include "tests/support/interrupt.h"
#include "tests/support/leftover.h"

#define NAME "/p07.test"

enum { ITEMS = 2000 };

static struct leftover before;
static int fds_before;
static int fallocate_error;

int __real_posix_fallocate(int fd, off_t offset, off_t len);
int __wrap_posix_fallocate(int fd, off_t offset, off_t len);

int __wrap_posix_fallocate(int fd, off_t offset, off_t len)
{
	return fallocate_error ? fallocate_error
			       : __real_posix_fallocate(fd, offset, len);
}

static int begin(void **state)
{
	(void)state;
	bounded_remove(NAME);
	before = leftover_count();
	fds_before = support_count_fds();
	return 0;
}

/* How often the object is mapped here. */
static int count_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, NAME) != NULL;
	fclose(file);
	return n;
}

static int end(void **state)
{
	(void)state;
	bounded_remove(NAME);
	leftover_assert_same(&before);
	assert_int_equal(support_count_fds(), fds_before);
	return 0;
}

/* ---- use ---- */

static int produce(void *arg)
{
	struct bounded buffer;

	(void)arg;
	if (bounded_open(&buffer, NAME, tick_after(LIMIT)))
		return 1;
	for (uint32_t i = 1; i <= ITEMS; i++)
		if (bounded_put(&buffer, &i, tick_after(LIMIT)))
			return 2;
	if (bounded_finish(&buffer, tick_after(LIMIT)))
		return 3;
	bounded_close(&buffer);
	return 0;
}

static void processes_meet_by_the_name(void **state)
{
	struct bounded buffer;
	uint32_t item = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(bounded_create(&buffer, NAME, 7, sizeof(item), 0600),
			 0);
	pid = fixture_start(produce, NULL);
	for (uint32_t i = 1; i <= ITEMS; i++) {
		assert_int_equal(
			bounded_take(&buffer, &item, tick_after(LIMIT)), 0);
		assert_int_equal(item, i);
	}
	assert_int_equal(bounded_take(&buffer, &item, tick_after(LIMIT)),
			 -EPIPE);
	assert_int_equal(fixture_end(pid), 0);
	bounded_close(&buffer);
	/* It stays until it is removed. */
	assert_int_equal(bounded_open(&buffer, NAME, PAST), 0);
	assert_int_equal(buffer.capacity, 7);
	assert_int_equal(fixture_look(&buffer).taken, ITEMS);
	bounded_close(&buffer);
	assert_int_equal(bounded_remove(NAME), 0);
	assert_int_equal(bounded_remove(NAME), -ENOENT);
	assert_int_equal(bounded_open(&buffer, NAME, PAST), -ENOENT);
}

static void mode_is_as_asked_for_whatever_the_umask(void **state)
{
	struct bounded buffer;
	mode_t old = umask(077);
	struct stat file;
	int fd;

	(void)state;
	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0640), 0);
	umask(old);
	fd = shm_open(NAME, O_RDONLY, 0);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0640);
	close(fd);
	bounded_close(&buffer);
}

/* ---- names that are taken, and what is behind them ---- */

static void name_that_is_taken_or_none_is_refused(void **state)
{
	struct bounded buffer, other;

	(void)state;
	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0600), 0);
	assert_int_equal(bounded_create(&other, NAME, 7, 4, 0600), -EEXIST);
	assert_int_equal(bounded_create(&other, "none", 7, 4, 0600), -EINVAL);
	assert_int_equal(bounded_create(&other, "/a/b", 7, 4, 0600), -EINVAL);
	assert_int_equal(bounded_open(&other, "", PAST), -EINVAL);
	assert_int_equal(bounded_create(&other, "/p07.none", 0, 4, 0600),
			 -EINVAL);
	bounded_close(&buffer);
}

static void full_memory_is_an_error_and_leaves_nothing(void **state)
{
	struct bounded buffer;

	(void)state;
	fallocate_error = ENOSPC;
	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0600), -ENOSPC);
	fallocate_error = 0;
	leftover_assert_same(&before);
}

static void make_object(off_t size, const void *bytes, size_t len)
{
	int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), len);
	close(fd);
}

static void something_else_is_left_alone(void **state)
{
	struct bounded buffer;

	(void)state;
	make_object(16, "short", 5);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(LIMIT)),
			 -EBADMSG);
	assert_int_equal(bounded_remove(NAME), 0);
	/* Too short for one that is in the making, too. */
	make_object(16, "", 0);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(20 * TICK_MS)),
			 -EBADMSG);
	assert_int_equal(bounded_remove(NAME), 0);
	assert_int_equal(mkfifo("/dev/shm" NAME, 0600), 0);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(20 * TICK_MS)),
			 -EBADMSG);
	assert_int_equal(bounded_remove(NAME), 0);
	make_object(4096, "another program's", 17);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(LIMIT)),
			 -EBADMSG);
}

/* Change one field of a good one. */
static void expect_refused(size_t offset, const void *value, size_t len)
{
	struct bounded buffer, other;

	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0600), 0);
	memcpy((char *)buffer.state + offset, value, len);
	assert_int_equal(bounded_open(&other, NAME, tick_after(LIMIT)),
			 -EBADMSG);
	bounded_close(&buffer);
	assert_int_equal(bounded_remove(NAME), 0);
}

/* So that who leaves by one label may close what was never opened. */
static void closing_twice_or_after_a_failure_is_nothing(void **state)
{
	struct bounded buffer, other;

	(void)state;
	memset(&other, 0xff, sizeof(other));
	assert_int_equal(bounded_open(&other, NAME, PAST), -ENOENT);
	assert_null(other.state);
	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0600), 0);
	memset(&other, 0xff, sizeof(other));
	assert_int_equal(bounded_create(&other, NAME, 7, 4, 0600), -EEXIST);
	assert_null(other.state);
	buffer.state->version++;
	assert_int_equal(bounded_open(&other, NAME, PAST), -EBADMSG);
	assert_null(other.state);
	bounded_close(&other);
	assert_int_equal(count_maps(), 1);
	for (int i = 0; i < 2; i++)
		bounded_close(&buffer);
	assert_int_equal(count_maps(), 0);
}

#define EXPECT_REFUSED(type, field, value)                                    \
	expect_refused(offsetof(struct bounded_state, field), &(type){value}, \
		       sizeof(type))

static void header_that_lies_is_refused(void **state)
{
	(void)state;
	EXPECT_REFUSED(uint32_t, magic, 0x12345678);
	EXPECT_REFUSED(uint16_t, version, BOUNDED_LAYOUT_VERSION + 1);
	EXPECT_REFUSED(uint16_t, lock_bytes, 24);
	EXPECT_REFUSED(uint32_t, capacity, 0);
	EXPECT_REFUSED(uint32_t, capacity, 1000000);
	EXPECT_REFUSED(uint32_t, capacity, UINT32_MAX);
	EXPECT_REFUSED(uint32_t, item_bytes, 0);
	EXPECT_REFUSED(uint32_t, item_bytes, UINT32_MAX);
}

/* What another user gets who may write it, by its mode, or may not. */
static int open_as_nobody(void *arg)
{
	const mode_t *mode = arg;
	uid_t owner = geteuid();
	struct bounded buffer;
	uint32_t item = 7;

	if (setgid(65534) || setuid(65534) ||
	    bounded_open(&buffer, NAME, PAST) != -EACCES ||
	    bounded_open_of(&buffer, NAME, owner + 1, PAST) != -EACCES)
		return 1;
	if (*mode == 0600)
		return bounded_open_of(&buffer, NAME, owner, PAST) == -EACCES
			       ? 0
			       : 2;
	if (bounded_open_of(&buffer, NAME, owner, PAST) ||
	    bounded_put(&buffer, &item, tick_after(LIMIT)))
		return 3;
	bounded_close(&buffer);
	return 0;
}

/* As what it writes into a mutex can abort us, whoever it is. */
static void another_users_is_refused_unless_that_user_is_named(void **state)
{
	mode_t modes[] = {0600, 0666};
	struct bounded buffer;

	(void)state;
	support_need_second_user();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bounded_create(&buffer, NAME, 7, 4, modes[i]),
				 0);
		assert_int_equal(
			fixture_end(fixture_start(open_as_nobody, &modes[i])),
			0);
		assert_int_equal(fixture_look(&buffer).put, i);
		bounded_close(&buffer);
		assert_int_equal(bounded_remove(NAME), 0);
	}
}

/* One that they left in our way; root is no exception. */
static int make_as_nobody(void *arg)
{
	struct bounded buffer;

	(void)arg;
	umask(0);
	return setgid(65534) || setuid(65534) ||
			       bounded_create(&buffer, NAME, 7, 4, 0666)
		       ? 1
		       : 0;
}

static void what_another_user_put_in_our_way_is_not_opened(void **state)
{
	struct bounded buffer;

	(void)state;
	support_need_second_user();
	assert_int_equal(fixture_end(fixture_start(make_as_nobody, NULL)), 0);
	assert_int_equal(bounded_open(&buffer, NAME, PAST), -EACCES);
	assert_int_equal(bounded_open_of(&buffer, NAME, 65534, PAST), 0);
	bounded_close(&buffer);
}

static int open_elsewhere(void *wanted)
{
	struct bounded buffer;

	EXPECT(bounded_open(&buffer, NAME, PAST) == *(int *)wanted);
	return 0;
}

static void one_of_another_pid_namespace_is_refused(void **state)
{
	int elsewhere = -EXDEV, nowhere = -ENOSYS;
	struct bounded buffer;

	(void)state;
	assert_int_equal(bounded_create(&buffer, NAME, 7, 4, 0600), 0);
	bounded_close(&buffer);
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = open_elsewhere,
				 .arg = &elsewhere,
			 }),
			 0);
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .keeps_proc = true,
				 .body = open_elsewhere,
				 .arg = &nowhere,
			 }),
			 0);
}

static int create_nowhere(void *arg)
{
	struct bounded buffer;

	(void)arg;
	EXPECT(bounded_create(&buffer, NAME, 7, 4, 0600) == -ENOSYS);
	EXPECT(!buffer.state);
	EXPECT(count_maps() == 0);
	return 0;
}

/* Whose namespace nobody could tell: /proc is of another one. */
static void none_is_made_where_it_cannot_tell_its_namespace(void **state)
{
	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .keeps_proc = true,
				 .body = create_nowhere,
			 }),
			 0);
	leftover_assert_same(&before);
}

/* ---- half-made ---- */

static void half_made_one_is_waited_for_until_the_deadline(void **state)
{
	struct bounded buffer;

	(void)state;
	make_object(0, "", 0);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(bounded_remove(NAME), 0);
	make_object(65536, "", 0);
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
}

static void signal_handler_ends_the_wait_for_a_half_made_one(void **state)
{
	struct bounded buffer;

	(void)state;
	make_object(0, "", 0);
	interrupt_start();
	assert_int_equal(bounded_open(&buffer, NAME, tick_after(LIMIT)),
			 -EINTR);
	interrupt_stop();
}

static int open_early(void *arg)
{
	struct bounded buffer;
	atomic_int *is_opening = arg;

	atomic_store(is_opening, 1);
	return bounded_open(&buffer, NAME, tick_after(LIMIT)) ? 1 : 0;
}

static bool is_set(void *arg)
{
	return atomic_load((atomic_int *)arg);
}

static void opener_waits_for_its_creator(void **state)
{
	size_t size = bounded_bytes(7, 4);
	atomic_int *is_opening = fixture_share(sizeof(*is_opening));
	struct bounded buffer;
	void *memory;
	pid_t pid;
	int fd;

	(void)state;
	make_object((off_t)size, "", 0);
	pid = fixture_start(open_early, is_opening);
	assert_true(support_wait_until(is_set, is_opening, 10000));
	fd = shm_open(NAME, O_RDWR, 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	assert_int_equal(bounded_init(&buffer, memory, 7, 4, true), 0);
	assert_int_equal(fixture_end(pid), 0);
	bounded_close(&buffer);
	munmap(is_opening, sizeof(*is_opening));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(processes_meet_by_the_name),
		CASE(mode_is_as_asked_for_whatever_the_umask),
		CASE(name_that_is_taken_or_none_is_refused),
		CASE(full_memory_is_an_error_and_leaves_nothing),
		CASE(something_else_is_left_alone),
		CASE(header_that_lies_is_refused),
		CASE(closing_twice_or_after_a_failure_is_nothing),
		CASE(another_users_is_refused_unless_that_user_is_named),
		CASE(what_another_user_put_in_our_way_is_not_opened),
		CASE(one_of_another_pid_namespace_is_refused),
		CASE(none_is_made_where_it_cannot_tell_its_namespace),
		CASE(half_made_one_is_waited_for_until_the_deadline),
		CASE(signal_handler_ends_the_wait_for_a_half_made_one),
		CASE(opener_waits_for_its_creator),
	};
	return SUPPORT_MAIN(tests);
}
