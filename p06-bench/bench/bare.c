/* The bare loops themselves. */
#include "p06-bench/bench/bare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/cmd/die.h"
#include "lib/measure/rig.h"
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
	int stops_early; /* the clock of a stream, when the sender is done */
	double ns;
};

static _Alignas(64) char buffer[MESSAGE_MAX + sizeof(long)];

static void prepare(int side)
{
	const long type = 1;

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

static int stream_sender(void *arg, struct rig_gate *gate)
{
	struct run *run = arg;

	(void)gate;
	prepare(0);
	if (run->warmup)
		send_all(run, run->warmup);
	run->ns = (double)send_all(run, run->n);
	return 0;
}

static int stream_receiver(void *arg, struct rig_gate *gate)
{
	const struct run *run = arg;
	const uint64_t parts[2] = {run->warmup, run->n};

	(void)gate;
	prepare(1);
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

static int trip_starter(void *arg, struct rig_gate *gate)
{
	struct run *run = arg;
	double *sample = calloc(run->n, sizeof(*sample));
	int64_t then;

	must(sample != NULL, "calloc");
	(void)gate;
	prepare(0);
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

static int trip_returner(void *arg, struct rig_gate *gate)
{
	const struct run *run = arg;

	(void)gate;
	prepare(1);
	for (uint64_t i = 0; i < run->n; i++) {
		run->bare->receive(0, buffer, run->bytes);
		run->bare->send(1, buffer, run->bytes);
	}
	return 0;
}

static double run_both(const struct run *plan, const int *cpus, rig_body *a,
		       rig_body *b)
{
	struct run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct rig_side side[2] = {{.body = a, .arg = run},
					 {.body = b, .arg = run}};
	const struct rig rig = {.side = side,
				.sides = 2,
				.cpus = cpus,
				.deadline = tick_after(60 * TICK_S)};
	struct rig_result result[2];
	double ns;
	int error;

	must(run != MAP_FAILED, "mmap");
	*run = *plan;
	run->bare->open(run->bytes);
	error = rig_run(&rig, result);
	run->bare->close();
	if (error)
		die("the bare loop of %s has failed", run->bare->name);
	ns = run->ns;
	munmap(run, sizeof(*run));
	return ns;
}

double bare_stream(const struct bare *bare, size_t bytes, uint64_t n,
		   const int *cpus)
{
	const struct run run = {
		.bare = bare, .bytes = bytes, .n = n, .warmup = n / 10};

	return run_both(&run, cpus, stream_sender, stream_receiver);
}

double bare_stream_of_tools(const struct bare *bare, size_t bytes, uint64_t n,
			    const int *cpus)
{
	const struct run run = {
		.bare = bare, .bytes = bytes, .n = n, .stops_early = 1};

	return run_both(&run, cpus, stream_sender, stream_receiver);
}

double bare_round_trip(const struct bare *bare, size_t bytes, uint64_t n,
		       const int *cpus)
{
	const struct run run = {.bare = bare, .bytes = bytes, .n = n};

	return run_both(&run, cpus, trip_starter, trip_returner);
}
