/* Standard output and standard error whose reader is slow, silent or gone: this
 * program run once more as a command that prints (see be_printer()). */
#include "lib/cmd/out.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/tick.h"

enum { LINES = 20000, TEXT_MAX = 4 << 20 };

#define LONG (20 * TICK_S)

static char self[PATH_MAX];

struct printer {
	pid_t pid;
	int err; /* what it says is read here */
	char said[4096];
};

/* out and err are its standard streams, and are closed; err may be -1: a pipe. */
static void start(struct printer *printer, const char *how, int out, int err)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	char *argv[] = {self, (char *)how, NULL};
	int fds[2] = {-1, err};

	if (err < 0)
		assert_int_equal(fdio_pipe(fds), 0);
	printer->err = fds[0];
	spec.argv = argv;
	spec.out = out;
	spec.err = fds[1];
	assert_int_equal(child_spawn(&spec, &printer->pid), 0);
	close(fds[1]);
	close(out);
}

/* Its wait status. */
static int end(struct printer *printer)
{
	ssize_t len = 0;
	int status;

	if (printer->err >= 0)
		len = fdio_read_until(printer->err, printer->said,
				      sizeof(printer->said) - 1,
				      tick_after(LONG));
	assert_true(len >= 0);
	printer->said[len] = '\0';
	fdio_close(&printer->err);
	if (child_wait(printer->pid, tick_after(LONG), &status)) {
		kill(printer->pid, SIGKILL);
		fail_msg("it does not end");
	}
	return status;
}

static bool is_asleep(void *arg)
{
	const struct printer *printer = arg;
	char path[64], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)printer->pid);
	stat = fopen(path, "re");
	if (!stat)
		return false;
	if (fscanf(stat, "%*d %*s %c", &state) != 1)
		state = 0;
	fclose(stat);
	return state == 'S';
}

/* Whether that can be written to, at least a page where it is a pipe. */
static bool has_room(void *fd)
{
	struct pollfd pfd = {.fd = *(int *)fd, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1;
}

static bool is_full(void *fd)
{
	return !has_room(fd);
}

static void wait_until_it_waits(struct printer *printer, int fd)
{
	assert_true(support_wait_until(is_full, &fd, 20000));
	assert_true(support_wait_until(is_asleep, printer, 20000));
}

/* Until the printer says that it is done, by an end of its other stream. */
static void wait_until_said(struct printer *printer, const char *text)
{
	size_t len = 0;

	while (!strstr(printer->said, text)) {
		ssize_t n = fdio_read_some(printer->err, printer->said + len,
					   sizeof(printer->said) - 1 - len,
					   tick_after(LONG));

		assert_true(n > 0);
		len += (size_t)n;
		printer->said[len] = '\0';
	}
}

/* ---- what cannot be written ---- */

static int closed_pipe(void)
{
	int fds[2];

	assert_int_equal(fdio_pipe(fds), 0);
	close(fds[0]);
	return fds[1];
}

static int full_disk(void)
{
	return open("/dev/full", O_WRONLY | O_CLOEXEC);
}

static void output_that_fails_stops_who_has_to_clean_up(void **state)
{
	struct printer printer = {0};

	(void)state;
	start(&printer, "for ever, then clean up", closed_pipe(), -1);
	assert_int_equal(child_exit_code(end(&printer)), 1);
	assert_string_equal(printer.said,
			    "cleaned up\nout_stream_test: cannot write to "
			    "standard output: Broken pipe\n");
	start(&printer, "for ever, then clean up", full_disk(), -1);
	assert_int_equal(child_exit_code(end(&printer)), 1);
	assert_string_equal(printer.said,
			    "cleaned up\nout_stream_test: cannot write to "
			    "standard output: No space left on device\n");
}

static void output_that_fails_ends_others_at_once(void **state)
{
	struct printer printer = {0};

	(void)state;
	start(&printer, "for ever", full_disk(), -1);
	assert_int_equal(child_exit_code(end(&printer)), 1);
	assert_string_equal(printer.said,
			    "out_stream_test: cannot write to standard output: "
			    "No space left on device\n");
}

static void log_that_fails_stops_a_service(void **state)
{
	struct printer printer = {0};

	(void)state;
	start(&printer, "log for ever, then clean up", closed_pipe(), -1);
	assert_int_equal(child_exit_code(end(&printer)), 1);
	assert_non_null(strstr(printer.said, "cleaned up\n"));
	assert_non_null(strstr(printer.said, ": Broken pipe\n"));
}

/* ---- a reader that does not read ---- */

/* The lines "text N" that were read, in order; what else there was is counted. */
struct heard {
	char *text;
	size_t len;
	long lines, dropped;
};

/* The number between two texts, or -1. */
static long number_in(const char *line, const char *before, const char *behind)
{
	size_t len = strlen(before);
	char *end;
	long number;

	if (strncmp(line, before, len) != 0)
		return -1;
	number = strtol(line + len, &end, 10);
	return end > line + len && strcmp(end, behind) == 0 ? number : -1;
}

static void count(struct heard *heard)
{
	char *rest = heard->text, *line;
	long last = -1;

	while ((line = strsep(&rest, "\n")) && (*line || rest)) {
		long number, dropped;

		line[strcspn(line, "\r")] = '\0'; /* of a terminal */
		number = number_in(line, "text ", "");
		dropped = number_in(line, "out_stream_test: ",
				    " lines dropped: nobody read them");
		if (number < 0 && dropped < 0)
			fail_msg("half a line: '%.80s'", line);
		assert_true(dropped >= 0 || number > last);
		if (dropped >= 0) {
			heard->dropped += dropped;
		} else {
			heard->lines++;
			last = number;
		}
	}
}

/* All that comes until its end. */
static void hear(struct heard *heard, int fd)
{
	heard->text = calloc(1, TEXT_MAX);
	assert_non_null(heard->text);
	for (;;) {
		ssize_t n = fdio_read_some(fd, heard->text + heard->len,
					   TEXT_MAX - 1 - heard->len,
					   tick_after(LONG));

		if (n == 0 || n == -EIO) /* of a terminal */
			break;
		assert_true(n > 0);
		heard->len += (size_t)n;
	}
	close(fd);
	heard->text[heard->len] = '\0';
	count(heard);
	free(heard->text);
}

static void data_waits_for_its_reader(void **state)
{
	struct printer printer = {0};
	struct heard heard = {0};
	int fds[2], write_end;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	write_end = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	start(&printer, "many", fds[1], -1);
	wait_until_it_waits(&printer, write_end);
	close(write_end);
	hear(&heard, fds[0]);
	assert_int_equal(child_exit_code(end(&printer)), 7);
	assert_int_equal(heard.lines, LINES);
	assert_int_equal(heard.dropped, 0);
}

static void stop_ends_the_wait_for_a_reader(void **state)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct printer printer = {0};
	int fds[2], write_end, status;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fdio_pipe(fds), 0);
		write_end = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
		start(&printer, "many, unless stopped", fds[1], -1);
		wait_until_it_waits(&printer, write_end);
		kill(printer.pid, numbers[i]);
		status = end(&printer);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), numbers[i]);
		assert_string_equal(printer.said, "cleaned up\n");
		close(write_end);
		close(fds[0]);
	}
}

/* None of fds[0] is read until all has been printed; then all of it. */
static void assert_log_goes_on(int fds[2])
{
	struct printer printer = {0};
	struct heard heard = {0};

	start(&printer, "log many", fds[1], -1);
	wait_until_said(&printer, "printed");
	/* What it prints now has room, once this is read. */
	hear(&heard, fds[0]);
	assert_int_equal(child_exit_code(end(&printer)), 7);
	assert_true(heard.dropped > 0);
	assert_int_equal(heard.lines + heard.dropped, LINES + 1);
}

static void log_that_nobody_reads_goes_on(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	assert_log_goes_on(fds);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_log_goes_on(fds);
}

static void log_on_a_terminal_that_nobody_reads_goes_on(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(openpty(&fds[0], &fds[1], NULL, NULL, NULL), 0);
	fdio_set_cloexec(fds[0], true);
	fdio_set_cloexec(fds[1], true);
	assert_log_goes_on(fds);
}

static void log_on_a_terminal_that_is_stopped_goes_on(void **state)
{
	struct printer printer = {0};
	int fds[2];

	(void)state;
	assert_int_equal(openpty(&fds[0], &fds[1], NULL, NULL, NULL), 0);
	fdio_set_cloexec(fds[0], true);
	fdio_set_cloexec(fds[1], true);
	assert_int_equal(tcflow(fds[1], TCOOFF), 0); /* Ctrl-S */
	start(&printer, "log many", fds[1], -1);
	wait_until_said(&printer, "printed");
	close(fds[0]);
	end(&printer);
}

static void log_on_standard_error_goes_on_too(void **state)
{
	struct printer printer = {.err = -1};
	struct heard heard = {0};
	int out[2], err[2], status;
	char byte;

	(void)state;
	assert_int_equal(fdio_pipe(out), 0);
	assert_int_equal(fdio_pipe(err), 0);
	start(&printer, "log errors", out[1], err[1]);
	/* It says on the other stream that it is done. */
	assert_int_equal(fdio_read_until(out[0], &byte, 1, tick_after(LONG)),
			 1);
	hear(&heard, err[0]);
	status = end(&printer);
	close(out[0]);
	assert_int_equal(child_exit_code(status), 7);
	assert_true(heard.dropped > 0);
	assert_int_equal(heard.lines + heard.dropped, LINES + 1);
}

/* Those of our shell, and of whoever else has the same open file. */
static void log_leaves_the_flags_of_others_alone(void **state)
{
	struct printer printer = {0};
	struct heard heard = {0};
	int fds[2], ours;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	ours = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	start(&printer, "log many", fds[1], -1);
	wait_until_said(&printer, "printed");
	assert_int_equal(fcntl(ours, F_GETFL) & O_NONBLOCK, 0);
	close(ours);
	hear(&heard, fds[0]);
	end(&printer);
}

static bool waits_or_has_ended(void *arg)
{
	struct printer *printer = arg;

	return is_asleep(printer) || support_has_ended(&printer->pid);
}

/* Each time only as quickly as the machine lets us. */
static void log_has_patience_with_its_reader(void **state)
{
	long lost = 1;

	(void)state;
	for (int i = 0; i < 10 && lost; i++) {
		struct printer printer = {0};
		struct heard heard = {0};
		int fds[2];

		assert_int_equal(fdio_pipe(fds), 0);
		start(&printer, "log many", fds[1], -1);
		assert_true(support_wait_until(waits_or_has_ended, &printer,
					       20000));
		hear(&heard, fds[0]);
		assert_int_equal(child_exit_code(end(&printer)), 7);
		lost = heard.dropped;
	}
	assert_int_equal(lost, 0);
}

/* ---- the printer ---- */

static void print_lines(FILE *to, bool is_for_ever)
{
	for (long i = 0; i < LINES || is_for_ever; i++) {
		fprintf(to, "text %ld\n", i);
		if (stop_signal())
			break;
		if (i % 16 == 0)
			fflush(to);
	}
	fflush(to);
}

/* The last line has room again when somebody reads; and says what is missing. */
static int be_service(FILE *to)
{
	int fd = to == stdout ? STDOUT_FILENO : STDERR_FILENO;

	for (long i = 0; i < LINES; i++) {
		fprintf(to, "text %ld\n", i);
		if (i % 3 == 0)
			fflush(to);
	}
	fflush(to);
	fprintf(to == stdout ? stderr : stdout, "printed\n");
	fflush(stdout);
	support_wait_until(has_room, &fd, 20000);
	fprintf(to, "text %d\n", LINES);
	return 7;
}

static int be_printer(const char *how)
{
	bool is_service = strncmp(how, "log", 3) == 0;

	out_check_at_exit();
	if (is_service)
		out_as_log();
	if (strcmp(how, "for ever") == 0)
		print_lines(stdout, true);
	if (strcmp(how, "many") == 0) {
		print_lines(stdout, false);
		return 7;
	}
	if (stop_install())
		return 99;
	if (strcmp(how, "log many") == 0)
		return be_service(stdout);
	if (strcmp(how, "log errors") == 0)
		return be_service(stderr);
	print_lines(stdout, strcmp(how, "many, unless stopped") != 0);
	fputs("cleaned up\n", stderr);
	return is_service ? 0 : stop_exit_code();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_that_fails_stops_who_has_to_clean_up),
		cmocka_unit_test(output_that_fails_ends_others_at_once),
		cmocka_unit_test(log_that_fails_stops_a_service),
		cmocka_unit_test(data_waits_for_its_reader),
		cmocka_unit_test(stop_ends_the_wait_for_a_reader),
		cmocka_unit_test(log_that_nobody_reads_goes_on),
		cmocka_unit_test(log_on_a_terminal_that_nobody_reads_goes_on),
		cmocka_unit_test(log_on_a_terminal_that_is_stopped_goes_on),
		cmocka_unit_test(log_on_standard_error_goes_on_too),
		cmocka_unit_test(log_leaves_the_flags_of_others_alone),
		cmocka_unit_test(log_has_patience_with_its_reader),
	};

	if (argc > 1)
		return be_printer(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
