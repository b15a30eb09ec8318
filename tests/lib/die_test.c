/* What die says goes to a socket that keeps the borders of writes: one recv is
 * one write(2) of the child. */
#include "lib/cmd/die.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 20000 };

struct said {
	int (*body)(void);
	int fds[2];
	int status;
	char text[8192]; /* of the first write */
	size_t writes;
};

static int with_stderr_in_socket(void *arg)
{
	struct said *said = arg;

	if (dup2(said->fds[1], STDERR_FILENO) < 0)
		return 99;
	return said->body();
}

static void hear(struct said *said, int (*body)(void))
{
	char more[16];
	ssize_t n;

	*said = (struct said){.body = body};
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, said->fds), 0);
	said->status =
		support_child_status(with_stderr_in_socket, said, TIMEOUT_MS);
	n = recv(said->fds[0], said->text, sizeof(said->text) - 1,
		 MSG_DONTWAIT);
	said->writes = n >= 0;
	while (recv(said->fds[0], more, sizeof(more), MSG_DONTWAIT) >= 0)
		said->writes++;
	close(said->fds[0]);
	close(said->fds[1]);
}

static int plain(void)
{
	die("cannot run '%s' (stage %d)", "sotr", 2);
}

static void die_says_one_line_and_exits_1(void **state)
{
	struct said said;

	(void)state;
	hear(&said, plain);
	assert_int_equal(said.status, 1);
	assert_string_equal(said.text,
			    "die_test: cannot run 'sotr' (stage 2)\n");
	assert_int_equal(said.writes, 1);
}

static int with_errno(void)
{
	die_errno(ENOENT, "open %s", "x");
}

static int with_minus_errno(void)
{
	die_errno(-ENOENT, "open %s", "x");
}

static int with_zero(void)
{
	die_errno(0, "open %s", "x");
}

static void die_errno_takes_either_sign(void **state)
{
	struct said said;

	(void)state;
	hear(&said, with_errno);
	assert_int_equal(said.status, 1);
	assert_string_equal(said.text, "die_test: open x: "
				       "No such file or directory\n");
	hear(&said, with_minus_errno);
	assert_string_equal(said.text, "die_test: open x: "
				       "No such file or directory\n");
	hear(&said, with_zero);
	assert_string_equal(said.text, "die_test: open x\n");
}

static int usage(void)
{
	die_usage("--size=%s: give 1 to 64MB", "0");
}

static int own_status(void)
{
	die_status(DIE_TIMEOUT, "no answer in %d ms", 10);
}

static void each_ending_has_its_status(void **state)
{
	struct said said;

	(void)state;
	hear(&said, usage);
	assert_int_equal(said.status, 2);
	assert_string_equal(said.text, "die_test: --size=0: give 1 to 64MB\n");
	hear(&said, own_status);
	assert_int_equal(said.status, 3);
	assert_string_equal(said.text, "die_test: no answer in 10 ms\n");
}

static int warn_twice(void)
{
	errno = EXDEV;
	die_warn("first");
	die_warn_errno(EPERM, "second");
	return errno == EXDEV ? 0 : 1;
}

static void warnings_go_on_and_keep_errno(void **state)
{
	struct said said;

	(void)state;
	hear(&said, warn_twice);
	assert_int_equal(said.status, 0);
	assert_string_equal(said.text, "die_test: first\n");
	assert_int_equal(said.writes, 2);
}

static int warn_nobody(void)
{
	close(STDERR_FILENO);
	errno = EXDEV;
	die_warn("first");
	if (errno != EXDEV)
		return 1;
	die_warn_errno(EPERM, "second");
	return errno == EXDEV ? 0 : 2;
}

static void warning_that_is_lost_keeps_errno_too(void **state)
{
	struct said said;

	(void)state;
	hear(&said, warn_nobody);
	assert_int_equal(said.status, 0);
	assert_int_equal(said.writes, 0);
}

static int forged(void)
{
	die("no file '%s'", "a\ndie_test: all is well\033[2J\177\303\251");
}

static void text_of_others_cannot_forge_a_line(void **state)
{
	struct said said;

	(void)state;
	hear(&said, forged);
	assert_string_equal(said.text, "die_test: no file 'a?die_test: all is "
				       "well?[2J?\303\251'\n");
}

static char long_text[10000];

static int too_long(void)
{
	die_errno(EACCES, "%s", long_text);
}

static void long_message_is_cut_before_its_reason(void **state)
{
	static const char reason[] = ": Permission denied\n";
	struct said said;
	size_t len;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	hear(&said, too_long);
	len = strlen(said.text);
	assert_in_range(len, 1000, 2048);
	assert_string_equal(said.text + len - strlen(reason), reason);
	assert_int_equal(said.writes, 1);
}

static int without_stderr(void)
{
	close(STDERR_FILENO);
	die("nobody hears this");
}

static void status_is_kept_without_standard_error(void **state)
{
	struct said said;

	(void)state;
	hear(&said, without_stderr);
	assert_int_equal(said.status, 1);
	assert_int_equal(said.writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(die_says_one_line_and_exits_1),
		cmocka_unit_test(die_errno_takes_either_sign),
		cmocka_unit_test(each_ending_has_its_status),
		cmocka_unit_test(warnings_go_on_and_keep_errno),
		cmocka_unit_test(warning_that_is_lost_keeps_errno_too),
		cmocka_unit_test(text_of_others_cannot_forge_a_line),
		cmocka_unit_test(long_message_is_cut_before_its_reason),
		cmocka_unit_test(status_is_kept_without_standard_error),
	};

	return SUPPORT_MAIN(tests);
}
