/* Names and the ledger, and folders and entries in it that lie. Linked with
 * --wrap as the fixture says. What other processes have claimed is in
 * objname_owner_test.c. */
#include "tests/lib/objname_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/identity.h"
#include "lib/objname_entry.h"

/* ---- names --------------------------------------------------------------------------- */

static void made_name_tells_program_user_and_process(void **state)
{
	char buf[64], wanted[64], small[8];
	char *word = calloc(1, 300);

	(void)state;
	snprintf(wanted, sizeof(wanted), "/ipc.objname_test.%u.%d.ring",
		 (unsigned int)geteuid(), (int)getpid());
	assert_int_equal(objname_make(buf, sizeof(buf), "ring"), 0);
	assert_string_equal(buf, wanted);
	assert_int_equal(objname_check(buf), 0);
	assert_int_equal(objname_make(small, sizeof(small), "ring"),
			 -ENAMETOOLONG);
	assert_int_equal(objname_make(buf, sizeof(buf), "a/b"), -EINVAL);
	assert_non_null(word);
	memset(word, 'x', 299);
	{
		char large[512];

		assert_int_equal(objname_make(large, sizeof(large), word),
				 -ENAMETOOLONG);
	}
	free(word);
}

static void posix_names_are_one_slash_and_a_word(void **state)
{
	char name[300] = "/";

	(void)state;
	assert_int_equal(objname_check("/a"), 0);
	assert_int_equal(objname_check("/..."), 0);
	assert_int_equal(objname_check("/.hidden"), 0);
	assert_int_equal(objname_check(""), -EINVAL);
	assert_int_equal(objname_check("/"), -EINVAL);
	assert_int_equal(objname_check("a"), -EINVAL);
	assert_int_equal(objname_check("/."), -EINVAL);
	assert_int_equal(objname_check("/.."), -EINVAL);
	assert_int_equal(objname_check("//a"), -EINVAL);
	assert_int_equal(objname_check("/a/b"), -EINVAL);
	assert_int_equal(objname_check("/a/"), -EINVAL);
	memset(name + 1, 'x', 250);
	assert_int_equal(objname_check(name), 0);
	name[251] = 'x';
	assert_int_equal(objname_check(name), -ENAMETOOLONG);
}

static void each_kind_has_a_word_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < OBJNAME_KINDS; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
				objname_kind_word((enum objname_kind)a),
				objname_kind_word((enum objname_kind)b));
	assert_string_equal(objname_kind_word(OBJNAME_SYSV_SHM), "sysv-shm");
	assert_string_equal(objname_kind_word(OBJNAME_KINDS), "?");
}

/* ---- claim, release, look ---------------------------------------------------------------- */

static bool is_folder_cut; /* it cannot be read to its end */

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

struct dirent *__wrap_readdir(DIR *dir)
{
	if (!is_folder_cut)
		return __real_readdir(dir);
	errno = EIO;
	return NULL;
}

static int see_nothing(const struct objname_entry *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return 0;
}

/* Else what it has would be nobody's to remove. */
static void folder_that_cannot_be_read_to_its_end_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/my ring"), 0);
	is_folder_cut = true;
	assert_int_equal(objname_each(see_nothing, NULL), -EIO);
	is_folder_cut = false;
	assert_int_equal(objname_each(see_nothing, NULL), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/my ring"), 0);
}

static void claim_is_seen_and_release_takes_the_folder_with_it(void **state)
{
	int64_t now = time(NULL);
	struct seen seen;
	struct stat st;

	(void)state;
	assert_int_equal(look().n, 0);
	assert_false(is_there(ledger)); /* looking makes none */
	assert_int_equal(objname_claim(OBJNAME_SHM, "/my ring"), 0);
	assert_int_equal(stat(ledger, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	seen = look();
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.entries[0].kind, OBJNAME_SHM);
	assert_string_equal(seen.entries[0].name, "/my ring");
	assert_string_equal(seen.entries[0].program, "objname_test");
	assert_int_equal(seen.entries[0].owner.pid, getpid());
	assert_int_equal(seen.entries[0].owner.start,
			 identity_start_time(getpid()));
	assert_in_range(seen.entries[0].created, now, now + 60);
	assert_int_equal(objname_judge_owner(&seen.entries[0]), OBJNAME_ALIVE);

	assert_int_equal(objname_release(OBJNAME_SHM, "/my ring"), 0);
	assert_false(is_there(ledger));
	assert_int_equal(objname_release(OBJNAME_SHM, "/my ring"), 0);
}

static void claiming_twice_is_claiming_once(void **state)
{
	(void)state;
	assert_int_equal(objname_claim_id(OBJNAME_SYSV_SEM, 42), 0);
	assert_int_equal(objname_claim_id(OBJNAME_SYSV_SEM, 42), 0);
	assert_int_equal(look().n, 1);
	assert_int_equal(objname_release_id(OBJNAME_SYSV_SEM, 42), 0);
	assert_int_equal(look().n, 0);
}

static void names_of_different_kinds_do_not_meet(void **state)
{
	(void)state;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	assert_int_equal(objname_claim(OBJNAME_SEM, "/x"), 0);
	assert_int_equal(objname_claim(OBJNAME_MQ, "/x"), 0);
	assert_int_equal(look().n, 3);
	assert_int_equal(objname_release(OBJNAME_SEM, "/x"), 0);
	assert_int_equal(look().n, 2);
}

static void names_that_cannot_be_are_refused(void **state)
{
	char path[OBJNAME_MAX + 1] = "/";

	(void)state;
	memset(path + 1, 'x', OBJNAME_MAX - 1);
	assert_int_equal(objname_claim(OBJNAME_SHM, "x"), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_SHM, ""), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_FIFO, ""), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_FIFO, "/a\nb"), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_SEM, "/a\033[2J"), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_MQ, "/a\177"), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_FIFO, path), -ENAMETOOLONG);
	assert_int_equal(objname_claim(OBJNAME_SYSV_SHM, "x"), -EINVAL);
	assert_int_equal(objname_claim_id(OBJNAME_SYSV_SHM, -1), -EINVAL);
	assert_int_equal(objname_claim(OBJNAME_KINDS, "/x"), -EINVAL);
	assert_false(is_there(ledger));
	path[OBJNAME_MAX - 1] = '\0'; /* the longest that can */
	assert_int_equal(objname_claim(OBJNAME_FIFO, path), 0);
	assert_string_equal(look().entries[0].name, path);
}

static void relative_path_is_noted_as_an_absolute_one(void **state)
{
	char before[256], wanted[256];

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(scratch.dir), 0);
	assert_int_equal(objname_claim(OBJNAME_FIFO, "requests"), 0);
	assert_int_equal(chdir(before), 0);
	snprintf(wanted, sizeof(wanted), "%s/requests", scratch.dir);
	assert_string_equal(look().entries[0].name, wanted);
	assert_int_equal(objname_release(OBJNAME_FIFO, wanted), 0);
	assert_int_equal(look().n, 0);
}

static int stop_at_b(const struct objname_entry *entry, void *arg)
{
	note(entry, arg);
	return strcmp(entry->name, "/b") == 0 ? 77 : 0;
}

static void visits_are_in_order_of_name_and_end_when_asked_to(void **state)
{
	static const char *const names[] = {"/c", "/a", "/d", "/b"};
	struct seen seen = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(objname_claim(OBJNAME_SHM, names[i]), 0);
	assert_int_equal(objname_each(stop_at_b, &seen), 77);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.entries[0].name, "/a");
	assert_string_equal(seen.entries[1].name, "/b");
}

static void many_entries_are_all_seen(void **state)
{
	(void)state;
	for (int id = 0; id < 300; id++)
		assert_int_equal(objname_claim_id(OBJNAME_SYSV_MSG, id), 0);
	assert_int_equal(look().n, 300);
}

/* ---- a folder and entries that lie --------------------------------------------------------- */

static void assert_untrusted(void)
{
	struct seen seen = {0};

	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), -EPERM);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), -EPERM);
	assert_int_equal(objname_each(note, &seen), -EPERM);
	assert_int_equal(seen.n, 0);
}

static void folder_that_is_a_link_is_not_followed(void **state)
{
	char other[128];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", scratch.dir);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(symlink(other, ledger), 0);
	assert_untrusted();
	assert_int_equal(rmdir(other), 0); /* nothing was put there */
}

static void folder_that_others_may_write_is_not_used(void **state)
{
	static const mode_t modes[] = {0777, 0770, 0755, 01700, 02700};

	(void)state;
	assert_int_equal(mkdir(ledger, 0700), 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		assert_int_equal(chmod(ledger, modes[i]), 0);
		assert_untrusted();
	}
	assert_int_equal(chmod(ledger, 0700), 0);
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
}

static void folder_that_is_a_file_is_not_used(void **state)
{
	(void)state;
	scratch_write(&scratch, "ledger", "", 0);
	assert_untrusted();
}

static void folder_of_another_user_is_not_used(void **state)
{
	(void)state;
	assert_int_equal(mkdir(ledger, 0700), 0);
	is_another_user = true;
	assert_untrusted();
}

/* Put a link with this text where an entry of that name would be. */
static void forge(enum objname_kind kind, const char *name, const char *text)
{
	char file[OBJNAME_ENTRY_FILE], path[256];

	mkdir(ledger, 0700);
	objname_entry_file(kind, name, file);
	snprintf(path, sizeof(path), "%s/%s", ledger, file);
	assert_int_equal(symlink(text, path), 0);
}

static void entries_that_make_no_sense_are_skipped(void **state)
{
	static const char long_boot[] =
		"unixipc2 shm 1 1 1 2 3 4 "
		"0123456789abcdef-0123456789abcdef-012 prog /x";
	static char too_long[OBJNAME_ENTRY_TEXT + 1];
	static const char *const texts[] = {
		"x",
		"unixipc1",
		"unixipc2 shm 1 1 1 prog /x",
		"unixipc1 shm 1 1 1 prog",
		"unixipc1 shm 1 1 1 prog ",
		"unixipc1 shn 1 1 1 prog /x",
		"unixipc1 shm 0 1 1 prog /x",
		"unixipc1 shm -1 1 1 prog /x",
		"unixipc1 shm 2147483648 1 1 prog /x",
		"unixipc1 shm 1 18446744073709551616 1 prog /x",
		"unixipc1 shm 1 1 -1 prog /x",
		"unixipc1 shm 1 1 x prog /x",
		"unixipc1 shm 1 1 1 prog_of_thirty-two_letters_is_32 /x",
		"unixipc1 shm 1 1 1 p\033g /x",
		"unixipc1 shm 1 1 1  /x",
		"unixipc1 shm 1 1 1 prog x",
		"unixipc1 shm 1 1 1 prog /x/y",
		"unixipc1 shm 1 1 1 prog /y", /* under the name of /x */
		"unixipc1 sem 1 1 1 prog /x",
		"unixipc1 sysv-shm 1 1 1 prog -1",
		"unixipc1 fifo 1 1 1 prog relative",
		"unixipc1 shm 1 1 1 prog /x\n",
		"unixipc2 shm 1 1 1 2 3 4 prog /x",
		"unixipc2 shm 1 1 1 2 -3 4 0-f prog /x",
		"unixipc2 shm 1 1 1 2 3 4 0-g prog /x",
		"unixipc2 shm 1 1 1 2 3 4  prog /x",
		long_boot,
		"unixipc2 shm 1 1 1 2 3 x 0-f prog /x",
		"unixipc4 shm 1 1 1 2 3 4 0-f prog /x",
		too_long,
	};

	(void)state;
	memset(too_long, 'x', OBJNAME_ENTRY_TEXT);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		forge(OBJNAME_SHM, "/x", texts[i]);
		assert_int_equal(look().n, 0);
		/* and stand in nobody's way */
		assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
		assert_int_equal(look().n, 1);
		assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	}
}

static void entries_that_are_none_are_skipped(void **state)
{
	static const char start[] = "unixipc1 fifo 1 1 1 prog /";
	char endless[3000] = "", path[256];

	(void)state;
	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, start, sizeof(start) - 1);
	forge(OBJNAME_FIFO, endless + sizeof(start) - 2, endless);
	snprintf(path, sizeof(path), "%s/folder", ledger);
	assert_int_equal(mkdir(path, 0700), 0);
	scratch_write(&scratch, "ledger/file", "unixipc1", 8);
	assert_int_equal(look().n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_name_tells_program_user_and_process),
		cmocka_unit_test(posix_names_are_one_slash_and_a_word),
		cmocka_unit_test(each_kind_has_a_word_of_its_own),
		IN_SCRATCH(folder_that_cannot_be_read_to_its_end_is_an_error),
		IN_SCRATCH(claim_is_seen_and_release_takes_the_folder_with_it),
		IN_SCRATCH(claiming_twice_is_claiming_once),
		IN_SCRATCH(names_of_different_kinds_do_not_meet),
		IN_SCRATCH(names_that_cannot_be_are_refused),
		IN_SCRATCH(relative_path_is_noted_as_an_absolute_one),
		IN_SCRATCH(visits_are_in_order_of_name_and_end_when_asked_to),
		IN_SCRATCH(many_entries_are_all_seen),
		IN_SCRATCH(folder_that_is_a_link_is_not_followed),
		IN_SCRATCH(folder_that_others_may_write_is_not_used),
		IN_SCRATCH(folder_that_is_a_file_is_not_used),
		IN_SCRATCH(folder_of_another_user_is_not_used),
		IN_SCRATCH(entries_that_make_no_sense_are_skipped),
		IN_SCRATCH(entries_that_are_none_are_skipped),
	};

	return SUPPORT_MAIN(tests);
}
