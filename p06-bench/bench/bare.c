/* The bare loops themselves. */
#include "p06-bench/bench/bare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"

#define MESSAGE_MAX 65536

static void must(int is_true, const char *what)
{
	if (!is_true)
		die_errno(errno, "%s", what);
}

/* Shared by the parent and both children. */
struct run {
	const struct bare *bare;
	size_t bytes;
	uint64_t n, warmup;
	const int *cpus;
	int stops_early; /* the clock of a stream, when the sender is done */
	double ns;
};

static _Alignas(64) char buffer[MESSAGE_MAX + sizeof(long)];

static void prepare(const struct run *run, int side)
{
	const long type = 1;

	if (run->cpus)
		must(child_pin(run->cpus[side]) == 0, "pin");
	memset(buffer, side, sizeof(buffer));
	memcpy(buffer, &type, sizeof(type));
}

static int64_t send_all(const struct run *run, uint64_t n)
{
	int64_t start = tick_now();

	for (uint64_t i = 0; i < n; i++)
		run->bare->send(0, buffer, run->bytes);
	if (!run->stops_early)
		run->bare->receive(1, buffer, run->bytes);
	return tick_now() - start;
}

static int stream_sender(void *arg)
{
	struct run *run = arg;

	prepare(run, 0);
	if (run->warmup)
		send_all(run, run->warmup);
	run->ns = (double)send_all(run, run->n);
	return 0;
}

static int stream_receiver(void *arg)
{
	const struct run *run = arg;
	const uint64_t parts[2] = {run->warmup, run->n};

	prepare(run, 1);
	for (int part = 0; part < 2; part++) {
		for (uint64_t i = 0; i < parts[part]; i++)
			run->bare->receive(0, buffer, run->bytes);
		if (parts[part] && !run->stops_early)
			run->bare->send(1, buffer, run->bytes);
	}
	return 0;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int trip_starter(void *arg)
{
	struct run *run = arg;
	double *sample = calloc(run->n, sizeof(*sample));
	int64_t then;

	must(sample != NULL, "calloc");
	prepare(run, 0);
	then = tick_now();
	for (uint64_t i = 0; i < run->n; i++) {
		run->bare->send(0, buffer, run->bytes);
		run->bare->receive(1, buffer, run->bytes);
		int64_t now = tick_now();
		sample[i] = (double)(now - then);
		then = now;
	}
	qsort(sample, run->n, sizeof(*sample), by_size);
	run->ns = sample[run->n / 2];
	free(sample);
	return 0;
}

static int trip_returner(void *arg)
{
	const struct run *run = arg;

	prepare(run, 1);
	for (uint64_t i = 0; i < run->n; i++) {
		run->bare->receive(0, buffer, run->bytes);
		run->bare->send(1, buffer, run->bytes);
	}
	return 0;
}

static double run_both(const struct run *plan, int (*a)(void *),
		       int (*b)(void *))
{
	struct run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t deadline = tick_after(60 * TICK_S);
	int status[2] = {-1, -1};
	pid_t pid[2];
	double ns;

	must(run != MAP_FAILED, "mmap");
	*run = *plan;
	run->bare->open(run->bytes);
	must(child_fork(b, run, &pid[1]) == 0, "fork");
	must(child_fork(a, run, &pid[0]) == 0, "fork");
	for (int i = 0; i < 2; i++)
		if (child_wait(pid[i], deadline, &status[i]) != 0)
			child_end(pid[i], 0, &status[i]);
	run->bare->close();
	if (status[0] || status[1])
		die("the bare loop of %s has failed", run->bare->name);
	ns = run->ns;
	munmap(run, sizeof(*run));
	return ns;
}

double bare_stream(const struct bare *bare, size_t bytes, uint64_t n,
		   const int *cpus)
{
	const struct run run = {.bare = bare,
				.bytes = bytes,
				.n = n,
				.warmup = n / 10,
				.cpus = cpus};

	return run_both(&run, stream_sender, stream_receiver);
}

double bare_stream_of_tools(const struct bare *bare, size_t bytes, uint64_t n,
			    const int *cpus)
{
	const struct run run = {.bare = bare,
				.bytes = bytes,
				.n = n,
				.cpus = cpus,
				.stops_early = 1};

	return run_both(&run, stream_sender, stream_receiver);
}

double bare_round_trip(const struct bare *bare, size_t bytes, uint64_t n,
		       const int *cpus)
{
	const struct run run = {
		.bare = bare, .bytes = bytes, .n = n, .cpus = cpus};

	return run_both(&run, trip_starter, trip_returner);
}
