/* out_stream.c - standard output and standard error, and who reads them.
 *
 * Standard output becomes a stream of ours, so that each write(2) of stdio comes
 * by here. Data waits for its reader, but not beyond a stop. A log waits for
 * nobody: what has no room is dropped as a whole, and counted; of a line that
 * went out in part, the rest is the first to go when there is room.
 *
 * O_NONBLOCK would be everybody's who has the same open file (our shell, too).
 * A log opens a pipe or terminal once more, through /proc, and has a flag of its
 * own; where that is not permitted, lib/fdio does what can be done without.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/tick.h"

/* Of libgcov, when this is a coverage build. */
void __gcov_dump(void) __attribute__((weak));

/* How long what is left to say may take when we are told to stop, all in all;
 * and for how long a log trusts a reader that has just stopped reading. */
#define LAST_WORDS (300 * TICK_MS)
#define PATIENCE (100 * TICK_MS)

struct stream {
	int fd;       /* 1 or 2, */
	int log_fd;   /* or -1, or what a log writes to */
	int error;    /* of the first write that failed */
	bool is_file; /* which has no reader to wait for */
	bool is_stuck;
	uint64_t dropped; /* lines */
	size_t rest_len;  /* of a line that went out in part */
	char rest[PIPE_BUF];
};

static struct stream output = {.fd = STDOUT_FILENO, .log_fd = -1};
static struct stream errors = {.fd = STDERR_FILENO, .log_fd = -1};

static FILE *output_file, *errors_file; /* stdout and stderr */

/* ---- data -------------------------------------------------------------------- */

/* Until something may be written: 0, -ETIMEDOUT, or -EINTR (a stop, too). */
static int wait_for_room(int fd, int64_t deadline)
{
	struct timespec left = tick_to_timespec(tick_left(deadline));
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLOUT},
		{.fd = stop_signal() ? -1 : stop_fd(), .events = POLLIN},
	};
	int n = ppoll(fds, 2, deadline == TICK_NEVER ? NULL : &left, NULL);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	return fds[0].revents ? 0 : -EINTR;
}

/* When who is told to stop gives up its last words. */
static int64_t end_of_words(void)
{
	static _Atomic int64_t end;
	int64_t none = 0;

	if (!stop_signal())
		return TICK_NEVER;
	atomic_compare_exchange_strong(&end, &none, tick_after(LAST_WORDS));
	return atomic_load(&end);
}

/* -ETIMEDOUT: we are to stop, and nobody reads. */
static int write_data(const struct stream *stream, const char *text, size_t len)
{
	const int fd = stream->fd;
	int error = 0;

	if (stream->is_file)
		return fdio_write_full(fd, text, len);
	while (len > 0 && (!error || error == -EINTR)) {
		ssize_t n = fdio_write_some(fd, text, len, 0);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n == -ETIMEDOUT) {
			error = wait_for_room(fd, end_of_words());
		} else if (n != -EINTR) {
			error = n ? (int)n : -EIO;
		}
	}
	return len > 0 ? error : 0;
}

/* ---- a log ------------------------------------------------------------------- */

/* Write what there is room for; the rest, if it has begun, is kept. 0, -EAGAIN
 * when nothing was written, or another -errno. len is PIPE_BUF at most. */
static int write_line(struct stream *stream, const char *text, size_t len)
{
	int fd = stream->log_fd;
	ssize_t n = fdio_write_some(fd, text, len, 0);

	if (n == -ETIMEDOUT && !stream->is_stuck) {
		stream->is_stuck =
			wait_for_room(fd, tick_after(PATIENCE)) == -ETIMEDOUT;
		n = fdio_write_some(fd, text, len, 0);
	}
	if (n == -ETIMEDOUT || n == -EINTR)
		return -EAGAIN;
	if (n < 0)
		return (int)n;
	stream->is_stuck = false;
	stream->rest_len = len - (size_t)n;
	memmove(stream->rest, text + n, stream->rest_len);
	return 0;
}

/* What is owed from before: the rest of a line, and how many are missing. */
static int write_arrears(struct stream *stream)
{
	char line[128];
	int error = 0, len;

	if (stream->rest_len > 0)
		error = write_line(stream, stream->rest, stream->rest_len);
	if (!error && stream->rest_len > 0)
		error = -EAGAIN;
	if (error || !stream->dropped)
		return error;
	len = snprintf(line, sizeof(line),
		       "%.60s: %llu lines dropped: nobody read them\n",
		       program_invocation_short_name,
		       (unsigned long long)stream->dropped);
	error = write_line(stream, line, (size_t)len);
	if (!error)
		stream->dropped = 0;
	return error;
}

/* Of a text the lines that go out by one write: whole ones, if they fit. */
static size_t first_lines(const char *text, size_t len)
{
	const char *end;

	if (len <= PIPE_BUF)
		return len;
	end = memrchr(text, '\n', PIPE_BUF);
	return end ? (size_t)(end - text) + 1 : PIPE_BUF;
}

static uint64_t count_lines(const char *text, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n ? n : 1;
}

static int write_log(struct stream *stream, const char *text, size_t len)
{
	while (len > 0) {
		size_t piece = first_lines(text, len);
		int error = write_arrears(stream);

		if (!error)
			error = write_line(stream, text, piece);
		if (error == -EAGAIN)
			stream->dropped += count_lines(text, piece);
		else if (error)
			return error;
		text += piece;
		len -= piece;
	}
	return 0;
}

/* Our own descriptor of a pipe or terminal; of a file there is no need. */
static int open_log(int fd)
{
	char path[32];
	struct stat st;
	int own = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd)))
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? fd : own;
}

/* ---- the streams ------------------------------------------------------------- */

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int put(struct stream *stream, const char *text, size_t len)
{
	if (stream->log_fd >= 0)
		return write_log(stream, text, len);
	return write_data(stream, text, len);
}

/* Say so, and end: not by exit(3), which we are in, or in a write of stdio. */
static _Noreturn void end(void)
{
	die_warn_errno(output.error, "cannot write to standard output");
	if (__gcov_dump)
		__gcov_dump();
	_exit(DIE_FAILURE);
}

/* A terminal that was closed says so before SIGHUP comes. */
bool out_is_excused(int error)
{
	struct stat st;
	int number;

	if (error == -EIO && fstat(output.fd, &st) == 0 && S_ISCHR(st.st_mode))
		stop_ask(SIGHUP);
	number = stop_signal();
	return number && number != SIGPIPE &&
	       (error == -ETIMEDOUT || error == -EIO || error == -EPIPE);
}

static bool is_ending;

static ssize_t write_output(void *unused, const char *text, size_t len)
{
	int error = output.error ? output.error : put(&output, text, len);

	(void)unused;
	if (!error || out_is_excused(error))
		return (ssize_t)len;
	output.error = error;
	/* Work whose output is lost is over: as by a signal, or at once where
	 * there is nothing to clean up. */
	if (!is_ending && !stop_ask(SIGPIPE))
		end();
	errno = -error;
	return 0; /* what fopencookie(3) wants: that is an error */
}

static int close_output(void *unused)
{
	int fd = output.fd;

	(void)unused;
	if (output.log_fd >= 0)
		(void)write_arrears(&output);
	return fdio_close(&fd) ? -1 : 0;
}

/* Where it fails there is nobody to tell: who wants to know asks ferror(3). */
static ssize_t write_errors(void *unused, const char *text, size_t len)
{
	int error = put(&errors, text, len);

	(void)unused;
	if (!error)
		return (ssize_t)len;
	errno = -error;
	return 0;
}

void out_put_error(const char *line, size_t len)
{
	if (errors_file)
		fwrite(line, 1, len, errors_file);
	else
		(void)put(&errors, line, len);
}

/* Closing is part of the check, since some file systems report a full disk only
 * then. What die.h says is enough. */
static void check_output(void)
{
	is_ending = true;
	errno = 0;
	if (fclose(stdout) != 0 && !output.error)
		output.error = errno ? -errno : -EIO;
	if (errors.log_fd >= 0)
		(void)write_arrears(&errors);
	if (output.error && !die_is_dying())
		end();
}

void out_check_at_exit(void)
{
	const cookie_io_functions_t to_output = {.write = write_output,
						 .close = close_output};
	const cookie_io_functions_t to_errors = {.write = write_errors};

	if (output_file)
		return;
	output.is_file = is_file(output.fd);
	errors.is_file = is_file(errors.fd);
	output_file = fopencookie(NULL, "w", to_output);
	errors_file = fopencookie(NULL, "w", to_errors);
	if (!output_file || !errors_file || atexit(check_output) != 0)
		die_errno(ENOMEM, "cannot begin");
	if (isatty(STDOUT_FILENO))
		setvbuf(output_file, NULL, _IOLBF, 0);
	setvbuf(errors_file, NULL, _IONBF, 0);
	stdout = output_file;
	stderr = errors_file;
}

void out_as_log(void)
{
	fflush(stdout);
	output.log_fd = open_log(output.fd);
	errors.log_fd = open_log(errors.fd);
}
