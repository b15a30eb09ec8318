#include "p18-rpc-kv/cmd/logger.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

enum { LINE = 768, BUFFER = 64 * 1024, CLOSE_MS = 1000 };

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t is_changed;
	bool is_open, is_closing, is_writing;
	uint64_t server, n_dropped;
	char bytes[BUFFER];
	size_t n;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What is taken out of the buffer is written without the lock. */
static void *run(void *arg)
{
	static char bytes[BUFFER];
	size_t n;

	(void)arg;
	pthread_mutex_lock(&logger.lock);
	for (;;) {
		if (logger.n == 0) {
			if (logger.is_closing)
				break;
			pthread_cond_wait(&logger.is_changed, &logger.lock);
			continue;
		}
		n = logger.n;
		memcpy(bytes, logger.bytes, n);
		logger.n = 0;
		logger.is_writing = true;
		pthread_mutex_unlock(&logger.lock);
		/* A log that cannot be written any more is no reason to end. */
		fdio_write_until(STDERR_FILENO, bytes, n, TICK_NEVER);
		pthread_mutex_lock(&logger.lock);
		logger.is_writing = false;
		pthread_cond_broadcast(&logger.is_changed);
	}
	logger.is_open = false;
	pthread_cond_broadcast(&logger.is_changed);
	pthread_mutex_unlock(&logger.lock);
	return NULL;
}

int logger_open(uint64_t server)
{
	pthread_condattr_t attributes;
	sigset_t all, old;
	int error;

	logger.server = server;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&logger.is_changed, &attributes);
	pthread_condattr_destroy(&attributes);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&logger.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	logger.is_open = !error;
	return -error;
}

static size_t format_time(char *buf, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(buf, size, "time=%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(buf + n, size - n, ".%03ldZ",
				    now.tv_nsec / 1000000);
}

void logger_put(const char *line)
{
	char text[LINE];
	size_t n = format_time(text, sizeof(text));

	pthread_mutex_lock(&logger.lock);
	n += (size_t)snprintf(text + n, sizeof(text) - n, " server=%llu ",
			      (unsigned long long)logger.server);
	if (logger.n_dropped)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "dropped=%llu ",
				      (unsigned long long)logger.n_dropped);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", line);
	if (n >= sizeof(text)) {
		n = sizeof(text);
		text[n - 1] = '\n';
	}
	if (!logger.is_open || logger.n + n > BUFFER) {
		logger.n_dropped++;
	} else {
		memcpy(logger.bytes + logger.n, text, n);
		logger.n += n;
		logger.n_dropped = 0;
		pthread_cond_broadcast(&logger.is_changed);
	}
	pthread_mutex_unlock(&logger.lock);
}

/* A thread that still waits for a reader ends with the process. */
void logger_close(void)
{
	const struct timespec until =
		tick_to_timespec(tick_after(CLOSE_MS * TICK_MS));
	bool has_ended;

	pthread_mutex_lock(&logger.lock);
	logger.is_closing = true;
	pthread_cond_broadcast(&logger.is_changed);
	while (logger.is_open)
		if (pthread_cond_timedwait(&logger.is_changed, &logger.lock,
					   &until) == ETIMEDOUT)
			break;
	has_ended = !logger.is_open;
	pthread_mutex_unlock(&logger.lock);
	if (has_ended && logger.server)
		pthread_join(logger.thread, NULL);
}
