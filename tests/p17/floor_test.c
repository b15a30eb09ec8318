/* The file of timestamps that outlives a server. */
#include "p17-rpc-auth/authdh/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/scratch.h"
#include "tests/support/support.h"

static struct scratch scratch;
static char path[128];
static struct floors *floors;

static const uint8_t alice[DH_KEY] = {1, 2, 3}, bob[DH_KEY] = {1, 2, 4};

/* What was synced: the file, its folder. */
static unsigned int files, folders;
static int fsync_error;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 32)
		files++;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		folders++;
	errno = fsync_error;
	return fsync_error ? -1 : __real_fsync(fd);
}

/* What the disk has when fdatasync(2) returns, and whether it fails. */
static unsigned int syncs;
static int sync_error;
static off_t bytes_at_sync;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	struct stat st;

	syncs++;
	bytes_at_sync = fstat(fd, &st) ? -1 : st.st_size;
	errno = sync_error;
	return sync_error ? -1 : __real_fdatasync(fd);
}

static bool has_no_memory;

void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
	return has_no_memory ? NULL : __real_reallocarray(memory, n, size);
}

static int set_up(void **state)
{
	(void)state;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "floors"));
	sync_error = fsync_error = 0;
	files = folders = 0;
	return floor_open(&floors, path);
}

static int tear_down(void **state)
{
	(void)state;
	floor_close(floors);
	floors = NULL;
	scratch_remove(&scratch);
	return 0;
}

static void open_again(void)
{
	floor_close(floors);
	assert_int_equal(floor_open(&floors, path), 0);
}

static void latest_of_each_is_there_when_it_is_opened_again(void **state)
{
	(void)state;
	assert_int_equal(floor_get(floors, alice), 0);
	assert_int_equal(floor_raise(floors, alice, 1000), 0);
	assert_int_equal(floor_raise(floors, bob, 500), 0);
	assert_int_equal(floor_raise(floors, alice, 999), 0); /* not lower */
	assert_int_equal(floor_raise(floors, bob, 501), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(floor_get(floors, alice), 1000);
		assert_int_equal(floor_get(floors, bob), 501);
		open_again();
	}
	assert_int_equal(floor_raise(floors, alice, 1001), 0);
	open_again();
	assert_int_equal(floor_get(floors, alice), 1001);
	assert_int_equal(floor_get(floors, bob), 501);
}

static void each_is_on_disk_before_it_counts(void **state)
{
	(void)state;
	syncs = 0;
	assert_int_equal(floor_raise(floors, alice, 1000), 0);
	assert_int_equal(syncs, 1);
	assert_int_equal(bytes_at_sync, 64);
	assert_int_equal(floor_raise(floors, alice, 1000), 0);
	assert_int_equal(syncs, 1); /* there already */
	has_no_memory = true;
	assert_int_equal(floor_raise(floors, bob, 2000), -ENOMEM);
	has_no_memory = false;
	sync_error = EIO;
	assert_int_equal(floor_raise(floors, alice, 2000), -EIO);
	assert_int_equal(floor_raise(floors, alice, 2000), -EIO);
	assert_int_equal(floor_raise(floors, bob, 2000), -EIO);
	sync_error = 0;
	assert_int_equal(floor_raise(floors, alice, 2000), 0);
	assert_int_equal(syncs, 5);
}

static void file_is_on_disk_before_it_is_used(void **state)
{
	(void)state;
	assert_int_equal(files, 1);
	assert_int_equal(folders, 1);
	open_again();
	assert_int_equal(files, 1);
	assert_int_equal(folders, 2); /* who made it may have failed to */
	floor_close(floors);
	assert_int_equal(unlink(path), 0);
	fsync_error = EIO;
	assert_int_equal(floor_open(&floors, path), -EIO);
}

static void one_server_at_a_time_has_it(void **state)
{
	struct floors *second;

	(void)state;
	assert_int_equal(floor_open(&second, path), -EBUSY);
	assert_null(second);
}

static void file_is_its_owners_alone(void **state)
{
	static const mode_t modes[] = {0620, 0602, 0666, 0600, 0644};
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		floor_close(floors);
		assert_int_equal(chmod(path, modes[i]), 0);
		assert_int_equal(floor_open(&floors, path),
				 modes[i] & 022 ? -EPERM : 0);
	}
}

static void write_file(const void *bytes, size_t n)
{
	floor_close(floors);
	scratch_write(&scratch, "floors", bytes, n);
}

static void what_is_no_such_file_is_refused_and_stays(void **state)
{
	static const char text[64] = "unix.1000@localdomain 0123456789abcdef";
	uint8_t good[65] = {0};
	char link[128];
	int fd;

	(void)state;
	assert_int_equal(floor_raise(floors, alice, 1000), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, good, 64), 64);
	close(fd);
	write_file(text, sizeof(text));
	assert_int_equal(floor_open(&floors, path), -EBADMSG);
	write_file(good, 63);
	assert_int_equal(floor_open(&floors, path), -EBADMSG);
	write_file(good, 65);
	assert_int_equal(floor_open(&floors, path), -EBADMSG);
	good[8]++; /* another version */
	write_file(good, 64);
	assert_int_equal(floor_open(&floors, path), -EBADMSG);
	good[8]--;
	write_file(good, 64);
	assert_int_equal(floor_open(&floors, path), 0);
	assert_int_equal(floor_get(floors, alice), 1000);
	floor_close(floors);
	snprintf(link, sizeof(link), "%s", scratch_path(&scratch, "link"));
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(floor_open(&floors, link), -ELOOP);
	assert_int_equal(truncate(path, 32 * 100002), 0);
	assert_int_equal(floor_open(&floors, path), -EFBIG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(floor_open(&floors, path), -EBADMSG);
	assert_int_equal(floor_open(&floors, scratch.dir), -EISDIR);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(latest_of_each_is_there_when_it_is_opened_again),
		CASE(each_is_on_disk_before_it_counts),
		CASE(file_is_on_disk_before_it_is_used),
		CASE(one_server_at_a_time_has_it),
		CASE(file_is_its_owners_alone),
		CASE(what_is_no_such_file_is_refused_and_stays),
	};
	return SUPPORT_MAIN(tests);
}
