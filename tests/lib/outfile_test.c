#include "lib/cmd/outfile.h"

#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/scratch.h"
#include "tests/support/unshare.h"

static void assert_holds(const char *path, const char *wanted)
{
	char got[100] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_true(fread(got, 1, sizeof(got) - 1, file) > 0);
	fclose(file);
	assert_string_equal(got, wanted);
}

static int count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static void a_file_is_made_and_replaced(void **state)
{
	struct scratch scratch;
	struct stat st;

	(void)state;
	scratch_make(&scratch);
	scratch_path(&scratch, "out");
	assert_int_equal(outfile_check(scratch.path), 0);
	assert_int_equal(count_files(scratch.dir), 0);
	assert_int_equal(outfile_write(scratch.path, "first", 5), 0);
	assert_holds(scratch.path, "first");
	assert_int_equal(outfile_check(scratch.path), 0);
	assert_int_equal(outfile_write(scratch.path, "2nd", 3), 0);
	assert_holds(scratch.path, "2nd");
	assert_int_equal(count_files(scratch.dir), 1);
	assert_int_equal(stat(scratch.path, &st), 0);
	assert_int_equal(st.st_mode & 0111, 0);
	scratch_remove(&scratch);
}

static int write_too_much(void *arg)
{
	static char text[8192];
	const struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};

	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
	    setrlimit(RLIMIT_FSIZE, &small))
		return 1;
	memset(text, 'x', sizeof(text));
	return outfile_write(arg, text, sizeof(text)) == -EFBIG ? 0 : 2;
}

static void a_failed_write_leaves_the_old_file(void **state)
{
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	scratch_path(&scratch, "out");
	scratch_write(&scratch, "out", "precious", 8);
	assert_int_equal(
		support_child_status(write_too_much, scratch.path, 20000), 0);
	assert_holds(scratch.path, "precious");
	assert_int_equal(count_files(scratch.dir), 1);
	scratch_remove(&scratch);
}

static int die_writing(void *arg)
{
	static char text[8192];
	const struct rlimit small = {.rlim_cur = 4096, .rlim_max = 4096};

	if (signal(SIGXFSZ, SIG_DFL) == SIG_ERR ||
	    setrlimit(RLIMIT_FSIZE, &small))
		return 1;
	outfile_write(arg, text, sizeof(text));
	return 2;
}

static void who_is_killed_while_writing_leaves_nothing(void **state)
{
	struct scratch scratch;
	int fd;

	(void)state;
	scratch_make(&scratch);
	fd = open(scratch.dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd < 0)
		skip(); /* files without a name are not known there */
	close(fd);
	scratch_write(&scratch, "out", "precious", 8);
	scratch_path(&scratch, "out");
	assert_int_equal(support_child_status(die_writing, scratch.path, 20000),
			 128 + SIGXFSZ);
	assert_holds(scratch.path, "precious");
	assert_int_equal(count_files(scratch.dir), 1);
	scratch_remove(&scratch);
}

static void assert_is_link(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* One with a whole path, which leads to one with part of it. */
static void symbolic_links_stay_and_their_file_is_as_safe(void **state)
{
	struct scratch scratch;
	char file[300], middle[300];

	(void)state;
	scratch_make(&scratch);
	snprintf(file, sizeof(file), "%s", scratch_path(&scratch, "file"));
	snprintf(middle, sizeof(middle), "%s",
		 scratch_path(&scratch, "middle"));
	assert_int_equal(symlink("file", middle), 0);
	assert_int_equal(symlink(middle, scratch_path(&scratch, "link")), 0);
	assert_int_equal(outfile_check(scratch.path), 0);
	assert_int_equal(outfile_write(scratch.path, "text", 4), 0);
	assert_int_equal(
		support_child_status(write_too_much, scratch.path, 20000), 0);
	assert_holds(file, "text");
	assert_int_equal(outfile_write(scratch.path, "2nd", 3), 0);
	assert_holds(file, "2nd");
	assert_is_link(scratch.path);
	assert_is_link(middle);
	assert_int_equal(count_files(scratch.dir), 3);
	scratch_remove(&scratch);
}

static void links_that_lead_nowhere_are_errors(void **state)
{
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(symlink("round", scratch_path(&scratch, "round")), 0);
	assert_int_equal(outfile_check(scratch.path), -ELOOP);
	assert_int_equal(outfile_write(scratch.path, "text", 4), -ELOOP);
	assert_int_equal(symlink("no/file", scratch_path(&scratch, "lost")), 0);
	assert_int_equal(outfile_check(scratch.path), -ENOENT);
	assert_int_equal(outfile_write(scratch.path, "text", 4), -ENOENT);
	scratch_remove(&scratch);
}

/* Like the kernel with protected_symlinks, whatever that is set to. */
static void links_of_others_in_a_folder_for_all_are_refused(void **state)
{
	struct scratch scratch;
	char file[300], open_to_all[300], link[300];
	const uid_t somebody = 65534;

	(void)state;
	support_need_second_user();
	scratch_make(&scratch);
	scratch_write(&scratch, "file", "precious", 8);
	snprintf(file, sizeof(file), "%s", scratch_path(&scratch, "file"));
	snprintf(open_to_all, sizeof(open_to_all), "%s",
		 scratch_path(&scratch, "all"));
	assert_int_equal(mkdir(open_to_all, 0700), 0);
	assert_int_equal(chmod(open_to_all, 01777), 0);
	snprintf(link, sizeof(link), "%s", scratch_path(&scratch, "all/link"));
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(outfile_write(link, "ours", 4), 0);
	assert_holds(file, "ours");
	assert_int_equal(lchown(link, somebody, somebody), 0);
	assert_int_equal(outfile_check(link), -EACCES);
	assert_int_equal(outfile_write(link, "text", 4), -EACCES);
	assert_holds(file, "ours");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(open_to_all), 0);
	scratch_remove(&scratch);
}

/* In place, so that it goes to the file that is open and is not in a new one
 * of its name. */
static void a_link_of_proc_is_written_to(void **state)
{
	struct scratch scratch;
	char link[40], got[5] = "";
	int fd;

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "file", "earlier", 7);
	fd = open(scratch_path(&scratch, "file"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_int_equal(outfile_check(link), 0);
	assert_int_equal(outfile_write(link, "text", 4), 0);
	assert_int_equal(read(fd, got, sizeof(got)), 4);
	assert_string_equal(got, "text");
	assert_int_equal(close(fd), 0);
	scratch_remove(&scratch);
}

static void permissions_of_a_file_stay(void **state)
{
	struct scratch scratch;
	struct stat st;

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "out", "secret", 6);
	assert_int_equal(chmod(scratch_path(&scratch, "out"), 0620), 0);
	assert_int_equal(outfile_write(scratch.path, "text", 4), 0);
	assert_int_equal(stat(scratch.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0620);
	scratch_remove(&scratch);
}

/* As long as a name may be, and whatever an earlier process of our number left
 * beside it. */
static void the_longest_name_is_written(void **state)
{
	struct scratch scratch;
	char path[PATH_MAX], left[60];
	size_t n;

	(void)state;
	scratch_make(&scratch);
	n = (size_t)snprintf(path, sizeof(path), "%s/", scratch.dir);
	memset(path + n, 'x', NAME_MAX);
	path[n + NAME_MAX] = '\0';
	assert_int_equal(outfile_check(path), 0);
	assert_int_equal(outfile_write(path, "text", 4), 0);
	assert_holds(path, "text");
	assert_int_equal(count_files(scratch.dir), 1);
	snprintf(left, sizeof(left), "outfile-%d-0.new", (int)getpid());
	scratch_write(&scratch, left, "left", 4);
	assert_int_equal(outfile_write(path, "2nd", 3), 0);
	assert_holds(path, "2nd");
	assert_holds(scratch_path(&scratch, left), "left");
	scratch_remove(&scratch);
}

static int write_without_proc(void *arg)
{
	if (unshare_as_anybody(CLONE_NEWNS) ||
	    mount("", "/", "", MS_REC | MS_PRIVATE, "") ||
	    mount("none", "/proc", "tmpfs", 0, ""))
		return 77;
	return outfile_check(arg) || outfile_write(arg, "text", 4);
}

static void no_proc_is_needed(void **state)
{
	struct scratch scratch;
	int status;

	(void)state;
	scratch_make(&scratch);
	scratch_path(&scratch, "out");
	status = support_child_status(write_without_proc, scratch.path, 20000);
	if (status == 77) {
		print_message("namespaces are not permitted here\n");
		scratch_remove(&scratch);
		skip();
	}
	assert_int_equal(status, 0);
	assert_holds(scratch.path, "text");
	assert_int_equal(count_files(scratch.dir), 1);
	scratch_remove(&scratch);
}

static void owner_of_a_file_stays(void **state)
{
	const uid_t somebody = 65534, group = 65533;
	struct scratch scratch;
	struct stat st;

	(void)state;
	support_need_second_user();
	scratch_make(&scratch);
	scratch_write(&scratch, "out", "theirs", 6);
	scratch_path(&scratch, "out");
	assert_int_equal(chmod(scratch.path, 0640), 0);
	assert_int_equal(chown(scratch.path, somebody, group), 0);
	assert_int_equal(outfile_write(scratch.path, "text", 4), 0);
	assert_int_equal(stat(scratch.path, &st), 0);
	assert_int_equal(st.st_uid, somebody);
	assert_int_equal(st.st_gid, group);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_holds(scratch.path, "text");
	scratch_remove(&scratch);
}

/* Somebody may write into the folder and the file, but not give one away. */
static int write_as_somebody(void *arg)
{
	const gid_t group = 65534;

	if (setgroups(1, &group) || setgid(group) || setuid(65534))
		return 1;
	return outfile_check(arg) || outfile_write(arg, "text", 4);
}

static void file_of_another_is_written_to_as_it_is(void **state)
{
	struct scratch scratch;
	struct stat before, after;

	(void)state;
	support_need_second_user();
	scratch_make(&scratch);
	assert_int_equal(chmod(scratch.dir, 0777), 0);
	scratch_write(&scratch, "out", "earlier and longer", 18);
	scratch_path(&scratch, "out");
	assert_int_equal(chmod(scratch.path, 0666), 0);
	assert_int_equal(stat(scratch.path, &before), 0);
	assert_int_equal(
		support_child_status(write_as_somebody, scratch.path, 20000),
		0);
	assert_int_equal(stat(scratch.path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_uid, before.st_uid);
	assert_holds(scratch.path, "text");
	assert_int_equal(count_files(scratch.dir), 1);
	scratch_remove(&scratch);
}

static void a_device_is_written_to_and_not_replaced(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(outfile_check("/dev/full"), 0);
	assert_int_equal(outfile_write("/dev/full", "text", 4), -ENOSPC);
	assert_int_equal(lstat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void what_cannot_be_written_is_said_at_once(void **state)
{
	char longest[5000];
	struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(outfile_check(scratch.dir), -EISDIR);
	assert_int_equal(outfile_check(scratch_path(&scratch, "no/file")),
			 -ENOENT);
	assert_int_equal(outfile_write(scratch.path, "x", 1), -ENOENT);
	assert_int_equal(outfile_check(""), -ENOENT);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(outfile_check(longest), -ENAMETOOLONG);
	assert_int_equal(count_files(scratch.dir), 0);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_made_and_replaced),
		cmocka_unit_test(a_failed_write_leaves_the_old_file),
		cmocka_unit_test(who_is_killed_while_writing_leaves_nothing),
		cmocka_unit_test(symbolic_links_stay_and_their_file_is_as_safe),
		cmocka_unit_test(links_that_lead_nowhere_are_errors),
		cmocka_unit_test(
			links_of_others_in_a_folder_for_all_are_refused),
		cmocka_unit_test(a_link_of_proc_is_written_to),
		cmocka_unit_test(permissions_of_a_file_stay),
		cmocka_unit_test(the_longest_name_is_written),
		cmocka_unit_test(no_proc_is_needed),
		cmocka_unit_test(owner_of_a_file_stays),
		cmocka_unit_test(file_of_another_is_written_to_as_it_is),
		cmocka_unit_test(a_device_is_written_to_and_not_replaced),
		cmocka_unit_test(what_cannot_be_written_is_said_at_once),
	};

	return SUPPORT_MAIN(tests);
}
