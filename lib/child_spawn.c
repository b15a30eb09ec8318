/* child_spawn.c - a program in a new process, without a copy of ours.
 *
 * fork(2) copies the page tables of the caller, and so takes the longer the
 * more memory that has. Here the child borrows our memory, and we stand still
 * until it has left by exec: vfork(2). posix_spawn(3) does nearly the same; this
 * is quicker by what that adds to each start, a stack made by mmap and unmapped
 * again, and a failing exec for each directory of PATH before the right one.
 *
 * While the memory is shared
 *  - no handler of ours may run in the child: signals are blocked from before
 *    the vfork until the child has none left;
 *  - the child makes plain system calls and writes nothing but launch, errno
 *    and the stack below us, and it never returns.
 *
 * What keeps the child from exec it leaves in that memory. Where a fork stands
 * in for vfork (valgrind, ThreadSanitizer, qemu-user) that would be lost, so
 * it also says it over a pipe, until a start has shown that memory is shared
 * here. The pipe is read only where it is not: an end that another thread's
 * child has for a moment must not hold up the usual case.
 */
#include "lib/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"

extern char **environ;

enum { STREAMS = 3 };

/* Whether a child of ours has shared our memory: then all will. */
static atomic_bool has_shared;

struct news {
	int error; /* -errno of what failed, or 0 */
	int stop;  /* a stop signal that came too early, or 0 */
};

struct launch {
	const struct child_spec *spec;
	const char *path;
	char *const *argv;
	sigset_t mask; /* the child's */
	int sources[STREAMS];
	int report; /* the child's end of the pipe; -1: none could be made */
	/* Set by the child, behind the compiler's back. */
	volatile bool is_shared;
	volatile struct news news;
};

/* ---- in the child ------------------------------------------------------------ */

/* Handlers would go by exec, but one could run before it. What was ignored
 * goes too, SIGPIPE above all, except for what nohup(1) ignores for us and a
 * shell for its background jobs. */
static void reset_signals(bool keeps_ignored)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct sigaction old;

	for (int number = 1; number < NSIG; number++) {
		bool is_kept = keeps_ignored || number == SIGHUP ||
			       number == SIGINT || number == SIGQUIT;

		if (is_kept && sigaction(number, NULL, &old) == 0 &&
		    old.sa_handler == SIG_IGN)
			continue;
		/* Fails for SIGKILL and its like, which have no handler. */
		(void)sigaction(number, &by_default, NULL);
	}
}

/* Make source the descriptor target, open across exec. */
static int set_stream(int source, int target)
{
	int flags;

	if (source != target)
		return dup2(source, target) < 0 ? -errno : 0;
	/* dup2(n, n) does nothing, and would leave close-on-exec set. */
	flags = fcntl(target, F_GETFD);
	if (flags < 0 || fcntl(target, F_SETFD, flags & ~FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int set_streams(int sources[STREAMS])
{
	for (int i = 0; i < STREAMS; i++) {
		int fd = sources[i];

		if (fd == CHILD_AS_IS)
			continue;
		if (fd < 0)
			fd = open("/dev/null",
				  (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
		/* A standard descriptor that goes to another place is copied
		 * out of the way, as is what may have been opened on one:
		 * 0 and 1 can be exchanged. */
		if (fd >= 0 && fd < STREAMS && fd != i)
			fd = fcntl(fd, F_DUPFD_CLOEXEC, STREAMS);
		if (fd < 0)
			return -errno;
		sources[i] = fd;
	}
	for (int i = 0; i < STREAMS; i++) {
		int rc = sources[i] == CHILD_AS_IS ? 0
						   : set_stream(sources[i], i);

		if (rc)
			return rc;
	}
	return 0;
}

/* Take the Ctrl-Z that came while signals were blocked. Let in now it would
 * stop the child before exec, and us with it, without the shell's knowing. */
static int take_stop(void)
{
	const struct timespec at_once = {0};
	sigset_t stops;
	int number;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTSTP);
	sigaddset(&stops, SIGTTIN);
	sigaddset(&stops, SIGTTOU);
	number = sigtimedwait(&stops, NULL, &at_once);
	return number > 0 ? number : 0;
}

static void tell(struct launch *launch, int error, int stop)
{
	struct news news = {error, stop};
	ssize_t ignored;

	launch->news.error = error;
	launch->news.stop = stop;
	/* A few bytes into an empty pipe that has a reader. */
	ignored = write(launch->report, &news, sizeof(news));
	(void)ignored;
}

/* All that is to be set up before the exec. */
static int prepare(struct launch *launch)
{
	const struct child_spec *spec = launch->spec;

	reset_signals(spec->keeps_signals);
	for (size_t i = 0; i < spec->n_closed; i++)
		close(spec->closed[i]);
	if (spec->group >= 0 && setpgid(0, spec->group) < 0)
		return -errno;
	return set_streams(launch->sources);
}

/* Not inlined: its variables must not share a place with our caller's. */
__attribute__((noinline)) static _Noreturn void leave(struct launch *launch)
{
	const struct child_spec *spec = launch->spec;
	int stop = 0, rc;

	launch->is_shared = true;
	rc = prepare(launch);
	if (rc == 0) {
		stop = take_stop();
		if (stop)
			tell(launch, 0, stop);
		sigprocmask(SIG_SETMASK, &launch->mask, NULL);
		execve(launch->path, launch->argv,
		       spec->envp ? spec->envp : environ);
		rc = -errno;
	}
	tell(launch, rc, stop);
	_exit(127);
}

/* ---- in the parent ----------------------------------------------------------- */

static int try_path(const char *path)
{
	struct stat st;

	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ||
	    stat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? 0 : -EACCES;
}

/* The program that execvp(3) would run: what has a slash is a path already.
 * -EACCES when there are only files of that name that may not be run. To find
 * that out here is quicker than by failing execs. */
static int find_program(const char *file, char path[PATH_MAX])
{
	const char *dir = getenv("PATH"), *end;
	int error = -ENOENT;

	if (strchr(file, '/') || !*file) {
		size_t size = strlen(file) + 1;

		if (size > PATH_MAX)
			return -ENAMETOOLONG;
		return try_path(memcpy(path, file, size));
	}
	if (!dir)
		dir = "/bin:/usr/bin";
	for (;; dir = end + 1) {
		size_t len, room = PATH_MAX;
		int rc;

		end = strchrnul(dir, ':');
		len = (size_t)(end - dir);
		/* An empty entry is the current directory. */
		if (len + strlen(file) + 2 < room) {
			sprintf(path, "%.*s/%s", len ? (int)len : 1,
				len ? dir : ".", file);
			rc = try_path(path);
			if (rc == 0)
				return 0;
			if (rc == -EACCES)
				error = rc;
		}
		if (!*end)
			return error;
	}
}

/* The child has our memory, and our stack below this frame, until it execs. */
static pid_t borrow(struct launch *launch)
{
	pid_t child = vfork(); // NOLINT: with care, see above

	if (child == 0)
		leave(launch); // NOLINT: it never returns
	return child;
}

/* What the child has to tell. The pipe ends by its exec or exit. */
static struct news listen_to(const struct launch *launch, int pipe)
{
	struct news news = launch->news, more;

	while (!launch->is_shared &&
	       fdio_read_full(pipe, &more, sizeof(more)) == sizeof(more))
		news = more;
	return news;
}

static int run(struct launch *launch, pid_t *pid)
{
	int pipe[2] = {-1, -1}, cancel;
	sigset_t all, old;
	struct news news;
	pid_t child;

	/* Where none can be made the usual case is no worse off. */
	if (!has_shared)
		(void)fdio_pipe(pipe);
	launch->report = pipe[1];
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (launch->spec->keeps_signals)
		launch->mask = launch->spec->mask ? *launch->spec->mask : old;
	child = borrow(launch);
	news.error = child < 0 ? -errno : 0;
	if (launch->is_shared)
		has_shared = true;
	fdio_close(&pipe[1]);
	if (child > 0) {
		news = listen_to(launch, pipe[0]);
		if (news.error)
			waitpid(child, NULL, 0); /* it ends: no long wait */
		else if (news.stop)
			kill(child, news.stop); /* now it may stop */
	}
	fdio_close(&pipe[0]);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_setcancelstate(cancel, NULL);
	if (!news.error)
		*pid = child;
	return news.error;
}

static int start(const struct child_spec *spec, const char *path,
		 char *const argv[], pid_t *pid)
{
	struct launch launch = {
		.spec = spec,
		.path = path,
		.argv = argv,
		.sources = {spec->in, spec->out, spec->err},
	};

	sigemptyset(&launch.mask);
	return run(&launch, pid);
}

/* What is no program to the kernel: a script without #!. */
static int start_script(const struct child_spec *spec, const char *path,
			pid_t *pid)
{
	/* The path may begin with a dash. */
	const char *const first[] = {"/bin/sh", "--", path};
	size_t n = 0, words = sizeof(first) / sizeof(first[0]);
	const char **argv;
	int rc;

	while (spec->argv[n])
		n++;
	argv = calloc(words + n + 1, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	memcpy(argv, first, sizeof(first));
	if (n > 1)
		memcpy(argv + words, spec->argv + 1, (n - 1) * sizeof(*argv));
	rc = start(spec, first[0], (char *const *)argv, pid);
	free(argv);
	return rc;
}

int child_spawn(const struct child_spec *spec, pid_t *pid)
{
	char path[PATH_MAX];
	int rc = find_program(spec->file ? spec->file : spec->argv[0], path);

	if (!rc)
		rc = start(spec, path, spec->argv, pid);
	if (rc == -ENOEXEC)
		rc = start_script(spec, path, pid);
	return rc;
}
