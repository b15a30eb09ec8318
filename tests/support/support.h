/* support.h - what every unit test starts from.
 *
 * A test file is a list of cases and
 *
 *	int main(void)
 *	{
 *		const struct CMUnitTest tests[] = {
 *			cmocka_unit_test(reader_sees_eof_when_writer_closes),
 *		};
 *		return SUPPORT_MAIN(tests);
 *	}
 *
 * TEST_FILTER='reader_*' runs the cases of that name (* and ? match), and
 * TEST_TIMEOUT is how many seconds the whole program may take (default 120):
 * then it says which case hung and exits with SUPPORT_HUNG.
 */
#ifndef UNIXIPC_TESTS_SUPPORT_SUPPORT_H
#define UNIXIPC_TESTS_SUPPORT_SUPPORT_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>

/* Exit statuses of a test program, besides cmocka's count of failures. */
enum {
	SUPPORT_HUNG = 124,    /* TEST_TIMEOUT is over */
	SUPPORT_STRAYED = 125, /* a forked child came back into the runner */
};

/* Run n cases as one group. Call it once, as what main() returns. */
int support_main(const char *name, const struct CMUnitTest *tests, size_t n);
#define SUPPORT_MAIN(tests) \
	support_main(__FILE__, tests, sizeof(tests) / sizeof(tests[0]))

/* Whether the long form was asked for (STRESS=1, `make stress`). */
bool support_is_stress(void);

/* Whether we are built for a sanitizer: what that looks for shows in fewer rounds
 * of a long loop, and each takes several times as long. */
bool support_is_sanitized(void);

/* Whether valgrind runs us, which lacks some of the kernel's behaviour. */
bool support_is_valgrind(void);

/* Skip the case under valgrind, or in a build for a sanitizer, and say why it
 * cannot run there. */
void support_need_no_valgrind(const char *why);
void support_need_no_sanitizer(const char *why);

/* Skip the case, and say that it needs root, where this process cannot become
 * another user: the namespaces of an ordinary user have no second one. */
void support_need_second_user(void);

/* Run body(arg) in a child. It ends with what body returns, and it must not
 * use cmocka's assertions: a failed one would jump back into the runner, in
 * the child (that child is then ended with SUPPORT_STRAYED). Returns the wait
 * status, or -ETIMEDOUT with the child killed and reaped, or another -errno. */
int support_run_child(int (*body)(void *arg), void *arg, int timeout_ms);

/* The same, but the child's exit status, or 128+N when signal N ended it. */
int support_child_status(int (*body)(void *arg), void *arg, int timeout_ms);

/* Start body(arg) in a child, a server say, and wait until it can be used: it
 * then writes a byte to *ready, which is 0 again afterwards. Returns its pid; a
 * child that says nothing for timeout_ms, or ends, fails the case. */
pid_t support_start(int (*body)(void *arg), void *arg, int *ready,
		    int timeout_ms);

/* SIGKILL to *pid, reap it, and make it 0; nothing when it is 0. */
void support_kill(pid_t *pid);

/* Ask is_true(arg) every millisecond until it is or the time is over; the
 * last answer. */
bool support_wait_until(bool (*is_true)(void *arg), void *arg, int timeout_ms);

/* The same, but within promise_ns, or it fails the case: what the machine itself
 * was late meanwhile is measured here and allowed for, as in survivors.h. For
 * what a right program does in a small part of that. */
void support_wait_promised(bool (*is_true)(void *arg), void *arg,
			   int64_t promise_ns);

/* For those two: whether the child *(pid_t *)pid has ended; it is still there to
 * be waited for. */
bool support_has_ended(void *pid);

/* How many descriptors this process has open. */
int support_count_fds(void);

/* How much of this process is in memory. */
long support_resident_bytes(void);

/* Write a text to a file that is there, as those of /proc/sys are. 0 or -errno. */
int support_put_text(const char *path, const char *text);

#endif
