/* mypopen.c - pipe, spawn, fdopen; and a list of the streams and their
 * children.
 *
 * The list has two users. mypclose() finds the child of a stream in it, and a
 * new child learns from it which descriptors it must not keep. The invariant
 * that makes the second one safe: while the lock is free, every end of ours
 * that is not close-on-exec is in the list. So the flag is cleared when a
 * stream enters the list, set again when it leaves, and the lock is held while
 * a child is started: what it inherits is what the list says.
 *
 * A fork(2) in another thread copies the lock. If it were held at that moment,
 * nobody in the new process would ever release it; so fork waits for the lock
 * (pthread_atfork), which is never held for longer than one exec takes. A
 * signal handler may fork, too: so no handler runs in the thread that holds the
 * lock.
 */
#include "p03-popen/mypopen.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#include "lib/child.h"
#include "lib/fdio.h"

struct entry {
	struct entry *next;
	FILE *stream;
	pid_t pid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries; /* guarded by lock */
static sigset_t mask;         /* the lock holder's own, before it blocked all */

/* This thread starts a child, with the lock held. */
static _Thread_local bool is_starting;

/* Around every fork of the process, but for one that stands in for vfork in a
 * start of our own (ThreadSanitizer makes it one). */
static void acquire(void)
{
	sigset_t all, old;

	if (is_starting)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_mutex_lock(&lock);
	mask = old;
}

static void release(void)
{
	const sigset_t old = mask;

	if (is_starting)
		return;
	pthread_mutex_unlock(&lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* Before main(): pthread_atfork(3) has a lock, too. */
__attribute__((constructor)) static void survive_forks(void)
{
	pthread_atfork(acquire, release, release);
}

struct mode {
	bool reads;            /* the caller reads, the command writes */
	bool is_close_on_exec; /* the caller's end */
};

/* One r or w, at most one e, in any order. */
static bool parse_mode(const char *text, struct mode *mode)
{
	size_t len = strlen(text);
	bool has_r = strchr(text, 'r'), has_w = strchr(text, 'w');
	bool has_e = strchr(text, 'e');

	mode->reads = has_r;
	mode->is_close_on_exec = has_e;
	return has_r != has_w && len == (has_e ? 2U : 1U);
}

/* The descriptors of all streams, *n of them, in a block for free(3). NULL
 * where there are none, or no memory: then *n is not 0. */
static int *list_ends(size_t *n)
{
	int *ends, i = 0;

	*n = 0;
	for (const struct entry *e = entries; e; e = e->next)
		++*n;
	ends = *n ? malloc(*n * sizeof(*ends)) : NULL;
	for (const struct entry *e = entries; e && ends; e = e->next)
		ends[i++] = fileno(e->stream);
	return ends;
}

/* Start the command with its end of the pipe as standard input or output, and
 * without any end that is the caller's. The new pipe itself is close-on-exec.
 * The lock is held. Returns 0 or -errno. */
static int spawn(const char *file, char *const argv[], int end, bool reads,
		 pid_t *pid)
{
	struct child_spec spec = {
		.file = file,
		.argv = argv,
		.in = reads ? CHILD_AS_IS : end,
		.out = reads ? end : CHILD_AS_IS,
		.err = CHILD_AS_IS,
		.group = -1,
		.keeps_signals = true,
		.mask = &mask,
	};
	int *closed = list_ends(&spec.n_closed);
	int rc = -ENOMEM;

	if (closed || !spec.n_closed) {
		spec.closed = closed;
		is_starting = true;
		rc = child_spawn(&spec, pid);
		is_starting = false;
	}
	free(closed);
	return rc;
}

static FILE *start(const char *file, char *const argv[], const char *mode_text)
{
	struct entry *entry = NULL;
	struct mode mode;
	int ends[2] = {-1, -1};
	int error = EINVAL, cancel, mine, theirs;

	/* Else a cancelled thread could leave a stream that no caller has. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (!argv[0] || !mode_text || !parse_mode(mode_text, &mode))
		goto failed;
	error = ENOMEM;
	entry = malloc(sizeof(*entry));
	if (!entry)
		goto failed;
	error = -fdio_pipe(ends);
	if (error)
		goto failed;
	mine = mode.reads ? 0 : 1;
	theirs = !mine;
	/* The stream comes first: once there is a child nothing may fail. */
	entry->stream = fdopen(ends[mine], mode.reads ? "r" : "w");
	error = errno;
	if (!entry->stream)
		goto failed;
	fwide(entry->stream, -1);

	acquire();
	error = -spawn(file, argv, ends[theirs], mode.reads, &entry->pid);
	if (!error) {
		if (!mode.is_close_on_exec)
			fdio_set_cloexec(ends[mine], false);
		entry->next = entries;
		entries = entry;
	}
	release();
	if (!error) {
		fdio_close(&ends[theirs]);
		pthread_setcancelstate(cancel, NULL);
		return entry->stream;
	}
	fclose(entry->stream);
	ends[mine] = -1;
failed:
	fdio_close(&ends[0]);
	fdio_close(&ends[1]);
	free(entry);
	pthread_setcancelstate(cancel, NULL);
	errno = error;
	return NULL;
}

FILE *mypopen(const char *command, const char *mode)
{
	/* "--": a command that begins with '-' is no option of the shell. */
	char *argv[] = {"sh", "-c", "--", (char *)command, NULL};

	if (!command) {
		errno = EINVAL;
		return NULL;
	}
	return start("/bin/sh", argv, mode);
}

FILE *mypopenv(char *const argv[], const char *mode)
{
	if (!argv) {
		errno = EINVAL;
		return NULL;
	}
	return start(argv[0], argv, mode);
}

/* Take the stream out of the list. From here on its end is close-on-exec, as
 * new children no longer hear of it. */
static struct entry *take(FILE *stream)
{
	struct entry **link, *entry;

	acquire();
	for (link = &entries; (entry = *link); link = &entry->next)
		if (entry->stream == stream)
			break;
	if (entry) {
		*link = entry->next;
		fdio_set_cloexec(fileno(stream), true);
	}
	release();
	return entry;
}

/* Write what fclose(3) would: that gives up when a handler has run, and the
 * rest of the buffer is lost. The names are glibc's, which offers no others. */
static int flush(FILE *stream)
{
	const char *at = stream->_IO_write_base;
	size_t len = (size_t)(stream->_IO_write_ptr - at);
	int error = fdio_write_full(fileno(stream), at, len);

	__fpurge(stream);
	return error;
}

int mypclose(FILE *stream)
{
	struct entry *entry = take(stream);
	int status, flush_error, cancel;
	pid_t pid, got;

	if (!entry) {
		errno = ECHILD;
		return -1;
	}
	pid = entry->pid;
	free(entry);
	/* From here on no list has the child: this call must reap it. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	/* Without the lock: flushing waits for the command to read. */
	flush_error = flush(stream);
	fclose(stream);
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	pthread_setcancelstate(cancel, NULL);
	if (got < 0)
		return -1;
	if (status == 0 && flush_error) {
		errno = -flush_error;
		return -1;
	}
	return status;
}
