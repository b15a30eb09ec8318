/* Names, and files of keys. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p17-rpc-auth/authdh/keys.h"
#include "tests/support/support.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef"

/* Whether the disk fails, and what a file was called when it had it. */
static int sync_error;
static unsigned int synced_new;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	struct stat st, new;

	if (fstat(fd, &st) == 0 &&
	    (stat("secret.new", &new) == 0 || stat("keys.new", &new) == 0) &&
	    st.st_ino == new.st_ino && st.st_size == new.st_size)
		synced_new++;
	errno = sync_error;
	return sync_error ? -1 : __real_fsync(fd);
}

static char dir[] = "/tmp/keys_test.XXXXXX";

static int enter(void **state)
{
	(void)state;
	memset(strrchr(dir, '.') + 1, 'X', 6);
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	static const char *const files[] = {"keys", "keys.new", "secret",
					    "secret.new", "link"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
	return chdir("/") || rmdir(dir) ? -1 : 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_entry(struct keys_entry *entry, unsigned int uid)
{
	uint8_t secret[DH_KEY];

	memset(entry, 0, sizeof(*entry));
	assert_int_equal(netname_of_user(entry->name, uid, "test"), 0);
	assert_int_equal(dh_generate(secret, entry->key), 0);
}

/* ---- names ---- */

static void netnames_are_of_one_form(void **state)
{
	static const char *const bad[] = {
		"",        "unix.",     "unix.1000",   "unix.@a",
		"unix.1@", "1000@a",    "unix.1@a@b",  "unix.1 @a",
		"vms.1@a", "unix.1@a ", "unix.\xff@a", "unix.1@a\n",
	};
	char name[NETNAME_MAX + 1], longest[NETNAME_MAX + 2];
	uint32_t uid = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(netname_check(bad[i]), -EINVAL);
	assert_int_equal(netname_of_user(name, 1000, "example.org"), 0);
	assert_string_equal(name, "unix.1000@example.org");
	assert_int_equal(netname_uid(name, &uid), 0);
	assert_int_equal(uid, 1000);
	assert_int_equal(netname_of_host(name, "calc-1", "a"), 0);
	assert_string_equal(name, "unix.calc-1@a");
	assert_int_equal(netname_uid(name, &uid), -ENOENT);
	assert_int_equal(netname_of_host(name, "12", "a"), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[NETNAME_MAX + 1] = '\0';
	assert_int_equal(netname_of_host(name, longest, "a"), -EINVAL);
}

static void uid_has_one_spelling(void **state)
{
	uint32_t uid;

	(void)state;
	assert_int_equal(netname_uid("unix.0@a", &uid), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(netname_uid("unix.4294967294@a", &uid), 0);
	assert_int_equal(netname_uid("unix.4294967295@a", &uid), -ENOENT);
	assert_int_equal(netname_uid("unix.00@a", &uid), -ENOENT);
	assert_int_equal(netname_uid("unix.01000@a", &uid), -ENOENT);
	assert_int_equal(netname_uid("unix.18446744073709552616@a", &uid),
			 -ENOENT);
}

/* ---- public files ---- */

static void public_keys_are_found_by_name(void **state)
{
	struct keys keys;

	(void)state;
	write_file("keys",
		   "# two\n\nunix.2@a " HEX " # the second\n"
		   "  unix.1@a\t" HEX,
		   0644);
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	assert_int_equal(keys.n, 2);
	assert_string_equal(keys_find(&keys, "unix.1@a")->name, "unix.1@a");
	assert_non_null(keys_find(&keys, "unix.2@a"));
	assert_null(keys_find(&keys, "unix.3@a"));
	assert_null(keys_find(&keys, ""));
	keys_free(&keys);
}

static void bad_lines_are_told(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} bad[] = {
		{"unix.1@a " HEX "\nunix.2@a", 2},
		{"\n\nunix.1@a " HEX " more", 3},
		{"unix.1 " HEX, 1},
		{"unix.1@a " HEX "0", 1},
		{"unix.1@a " HEX "\nunix.1@a " HEX, 0}, /* twice */
	};
	struct keys keys;
	size_t line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file("keys", bad[i].text, 0644);
		assert_int_equal(keys_load(&keys, "keys", &line), -EBADMSG);
		assert_int_equal(line, bad[i].line);
		assert_null(keys.entries);
	}
}

static void what_is_no_file_of_keys_is_refused(void **state)
{
	struct keys keys;
	FILE *file;

	(void)state;
	assert_int_equal(keys_load(&keys, "keys", NULL), -ENOENT);
	assert_int_equal(keys_load(&keys, ".", NULL), -EISDIR);
	assert_int_equal(mkfifo("keys", 0600), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), -EINVAL);
	assert_int_equal(unlink("keys"), 0);
	file = fopen("keys", "w");
	assert_non_null(file);
	assert_int_equal(fwrite("# \0\n", 1, 4, file), 4);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), -EBADMSG);
	assert_int_equal(truncate("keys", KEYS_FILE_MAX + 1), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), -EFBIG);
}

static void file_of_keys_has_limits(void **state)
{
	struct keys keys;
	FILE *file = fopen("keys", "w");

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < KEYS_MAX; i++)
		fprintf(file, "unix.%d@a " HEX "\n", i);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	assert_int_equal(keys.n, KEYS_MAX);
	keys_free(&keys);
	fprintf(file, "#%*s", (int)(KEYS_FILE_MAX - ftell(file) - 1), "");
	assert_int_equal(fflush(file), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	keys_free(&keys);
	fputc('\n', file);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), -EFBIG);
	/* One more, in place of the remark. */
	rewind(file);
	for (int i = 0; i <= KEYS_MAX; i++)
		fprintf(file, "unix.%d@a " HEX "\n", i);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(ftruncate(fileno(file), ftell(file)), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), -EFBIG);
	assert_int_equal(fclose(file), 0);
}

/* Who can write there can have his own key under anybody's name. */
static void public_keys_that_others_may_change_are_refused(void **state)
{
	static const mode_t modes[] = {0666, 0664, 0646};
	struct keys_entry entry;
	struct keys keys;

	(void)state;
	make_entry(&entry, 1);
	assert_int_equal(keys_store_public(&entry, "keys", tick_after(TICK_S)),
			 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod("keys", modes[i]), 0);
		assert_int_equal(keys_load(&keys, "keys", NULL), -EPERM);
		assert_int_equal(
			keys_store_public(&entry, "keys", tick_after(TICK_S)),
			-EPERM);
	}
	assert_int_equal(chmod("keys", 0644), 0);
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	keys_free(&keys);
}

static void public_key_is_added_or_replaced(void **state)
{
	struct keys_entry first, second;
	struct keys keys;

	(void)state;
	make_entry(&first, 1);
	make_entry(&second, 2);
	assert_int_equal(keys_store_public(&second, "keys", TICK_NEVER), 0);
	assert_int_equal(keys_store_public(&first, "keys", TICK_NEVER), 0);
	make_entry(&second, 2);
	/* What a crash has left. */
	write_file("keys.new", "half of a li", 0400);
	assert_int_equal(keys_store_public(&second, "keys", TICK_NEVER), 0);
	assert_int_equal(access("keys.new", F_OK), -1);
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	assert_int_equal(keys.n, 2);
	assert_memory_equal(keys_find(&keys, first.name), &first,
			    sizeof(first));
	assert_memory_equal(keys_find(&keys, second.name), &second,
			    sizeof(second));
	keys_free(&keys);
	/* A file that is no such file is left as it is. */
	write_file("keys", "something else\n", 0644);
	assert_int_equal(keys_store_public(&first, "keys", TICK_NEVER),
			 -EBADMSG);
}

static int store_one(void *arg)
{
	struct keys_entry entry = {.name = "unix.x@test"};

	entry.name[5] = (char)('a' + *(int *)arg);
	return keys_store_public(&entry, "keys", tick_after(30 * TICK_S)) ? 1
									  : 0;
}

static void many_add_at_the_same_time_and_none_is_lost(void **state)
{
	enum { MANY = 8 };
	struct keys keys;
	pid_t pids[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(child_fork(store_one, &i, &pids[i]), 0);
	for (int i = 0; i < MANY; i++) {
		int status = -1;

		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	assert_int_equal(keys.n, MANY);
	keys_free(&keys);
}

static void who_has_to_wait_gives_up_at_the_deadline(void **state)
{
	struct keys_entry entry;
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	make_entry(&entry, 1);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(
		keys_store_public(&entry, "keys", tick_after(30 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(access("keys", F_OK), -1);
	close(fd);
}

/* ---- secret files ---- */

static void secret_is_for_its_owner_alone(void **state)
{
	static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0601, 0644};
	struct keys_entry entry, again;
	unsigned int mode;
	struct stat st;

	(void)state;
	make_entry(&entry, 1);
	assert_int_equal(keys_store_secret(&entry, "secret", false), 0);
	assert_int_equal(stat("secret", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keys_load_secret(&again, "secret", NULL), 0);
	assert_memory_equal(&entry, &again, sizeof(entry));
	for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]);
	     i++) {
		assert_int_equal(chmod("secret", open_modes[i]), 0);
		assert_int_equal(keys_load_secret(&again, "secret", &mode),
				 -EACCES);
		assert_int_equal(mode, open_modes[i]);
	}
	assert_int_equal(chmod("secret", 0600), 0);
	assert_int_equal(symlink("secret", "link"), 0);
	assert_int_equal(keys_load_secret(&again, "link", &mode), -ELOOP);
}

static void secret_of_another_user_is_refused(void **state)
{
	struct keys_entry entry;
	unsigned int mode;

	(void)state;
	support_need_second_user();
	make_entry(&entry, 1);
	assert_int_equal(keys_store_secret(&entry, "secret", false), 0);
	assert_int_equal(chown("secret", 1, 1), 0);
	assert_int_equal(keys_load_secret(&entry, "secret", &mode), -EPERM);
}

static void secret_is_not_replaced_by_accident(void **state)
{
	struct keys_entry entry, other, again;

	(void)state;
	make_entry(&entry, 1);
	make_entry(&other, 2);
	write_file("secret.new", "left by a crash", 0644);
	assert_int_equal(keys_store_secret(&entry, "secret", false), 0);
	assert_int_equal(keys_store_secret(&other, "secret", false), -EEXIST);
	assert_int_equal(access("secret.new", F_OK), -1);
	assert_int_equal(keys_load_secret(&again, "secret", NULL), 0);
	assert_memory_equal(&entry, &again, sizeof(entry));
	assert_int_equal(keys_store_secret(&other, "secret", true), 0);
	assert_int_equal(keys_load_secret(&again, "secret", NULL), 0);
	assert_memory_equal(&other, &again, sizeof(entry));
}

static void file_is_on_disk_before_it_has_its_name(void **state)
{
	struct keys_entry entry, other, again;
	struct keys keys;

	(void)state;
	make_entry(&entry, 1);
	make_entry(&other, 1);
	synced_new = 0;
	assert_int_equal(keys_store_secret(&entry, "secret", false), 0);
	assert_int_equal(synced_new, 1);
	assert_int_equal(keys_store_public(&entry, "keys", TICK_NEVER), 0);
	assert_int_equal(synced_new, 2);
	sync_error = EIO;
	assert_int_equal(keys_store_secret(&other, "secret", true), -EIO);
	assert_int_equal(keys_store_public(&other, "keys", TICK_NEVER), -EIO);
	sync_error = 0;
	assert_int_equal(keys_load_secret(&again, "secret", NULL), 0);
	assert_memory_equal(&entry, &again, sizeof(entry));
	assert_int_equal(keys_load(&keys, "keys", NULL), 0);
	assert_memory_equal(&entry, &keys.entries[0], sizeof(entry));
	keys_free(&keys);
	/* And nothing is left beside it, of a failure later on either. */
	assert_int_equal(unlink("secret"), 0);
	assert_int_equal(mkdir("secret", 0700), 0);
	assert_int_equal(keys_store_secret(&other, "secret", true), -EISDIR);
	assert_int_equal(rmdir("secret"), 0);
	assert_int_equal(access("secret.new", F_OK), -1);
	assert_int_equal(access("keys.new", F_OK), -1);
}

static void secret_file_has_one_key(void **state)
{
	struct keys_entry entry;

	(void)state;
	write_file("secret", "# none\n", 0600);
	assert_int_equal(keys_load_secret(&entry, "secret", NULL), -EBADMSG);
	write_file("secret", "unix.1@a " HEX "\nunix.2@a " HEX "\n", 0600);
	assert_int_equal(keys_load_secret(&entry, "secret", NULL), -EBADMSG);
	assert_int_equal(keys_load_secret(&entry, "none", NULL), -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netnames_are_of_one_form),
		cmocka_unit_test(uid_has_one_spelling),
		CASE(public_keys_are_found_by_name),
		CASE(bad_lines_are_told),
		CASE(what_is_no_file_of_keys_is_refused),
		CASE(file_of_keys_has_limits),
		CASE(public_keys_that_others_may_change_are_refused),
		CASE(public_key_is_added_or_replaced),
		CASE(many_add_at_the_same_time_and_none_is_lost),
		CASE(who_has_to_wait_gives_up_at_the_deadline),
		CASE(secret_is_for_its_owner_alone),
		CASE(secret_of_another_user_is_refused),
		CASE(secret_is_not_replaced_by_accident),
		CASE(file_is_on_disk_before_it_has_its_name),
		CASE(secret_file_has_one_key),
	};
	return SUPPORT_MAIN(tests);
}
