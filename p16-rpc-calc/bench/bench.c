/* bench.c - our server, by threads and by loops, beside bare sockets and beside
 * libtirpc's, on loopback.
 *
 * Rounds go through the sides by turns, and begin with another side each time,
 * so that what disturbs the machine disturbs all of them. A figure is the
 * median of all rounds, a ratio the median of the ratios round by round. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p16-rpc-calc/bench/bench_side.h"

enum { ROUNDS = 7, CALLS = 16000, WARM_UP = 200, CLIENTS_MAX = 8 };

static const struct bench_side *const sides[] = {&bench_raw, &bench_svc,
						 &bench_threads, &bench_loops};

enum { RAW, SVC, THREADS, LOOPS, SIDES };

/* What goes for all processes of one run of one side. */
struct setup {
	const struct bench_side *side;
	struct bench_case c;
	int clients;
	struct shared *shared;
};

struct shared {
	struct bench_address at; /* of the server */
	pid_t server;
	double grown_mib; /* the server, by idle connections */
	uint32_t took_ns[CALLS];
};

struct figures {
	double rate[ROUNDS], p50[ROUNDS], p99[ROUNDS];
};

/* ---- the processes ---- */

static int be_server(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	int r;

	setup->shared->server = getpid();
	r = setup->side->serve(&setup->c, &setup->shared->at, gate);
	die_warn_errno(r, "the server of '%s'", setup->side->name);
	return r;
}

static int call_many(const struct setup *setup, void *client, uint32_t n,
		     uint32_t *took_ns)
{
	int64_t then = tick_now();

	for (uint32_t i = 0; i < n; i++) {
		int r = setup->side->call(client, (i << 8) + i);
		int64_t now = tick_now();

		if (r)
			return r;
		if (took_ns)
			took_ns[i] = (uint32_t)(now - then);
		then = now;
	}
	return setup->side->finish ? setup->side->finish(client) : 0;
}

static int be_client(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	uint32_t share = (uint32_t)(CALLS / setup->clients);
	void *client = NULL;
	int r = setup->side->open(&client, &setup->c, &setup->shared->at);

	if (r == 0)
		r = call_many(setup, client, WARM_UP, NULL);
	if (r == 0)
		r = rig_meet(gate);
	if (r == 0)
		r = call_many(
			setup, client, share,
			setup->shared->took_ns + rig_number(gate) * share);
	rig_finish(gate);
	if (client)
		setup->side->close(client);
	return r;
}

/* ---- one run ---- */

/* Nanoseconds from the start of all clients to the end of the last. */
static int64_t run_clients(struct setup *setup, rig_body *body)
{
	int64_t ns = rig_run_clients(be_server, body, (size_t)setup->clients,
				     setup, tick_after(120 * TICK_S));

	if (ns < 0)
		die_errno((int)ns, "a client of '%s' did not get its replies",
			  setup->side->name);
	return ns;
}

static void run_side(struct setup *setup, struct figures *figures, int round)
{
	struct stats_histogram *h = calloc(1, sizeof(*h));
	int64_t elapsed;

	if (!h)
		die_errno(ENOMEM, "a histogram");
	elapsed = run_clients(setup, be_client);
	for (int i = 0; i < CALLS; i++)
		stats_record(h, setup->shared->took_ns[i]);
	figures->rate[round] = CALLS / ((double)elapsed / 1e9);
	figures->p50[round] = (double)stats_percentile(h, 50);
	figures->p99[round] = (double)stats_percentile(h, 99);
	free(h);
}

/* ---- all of them ---- */

static double median_ratio(const struct figures *a, const struct figures *b)
{
	double ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ratio[i] = a->rate[i] / b->rate[i];
	return stats_median(ratio, ROUNDS);
}

static void print_side(struct out_table *table, const struct figures *figures)
{
	char rate[16];

	out_table_cell(table, "%s",
		       out_number(stats_median(figures->rate, ROUNDS), rate,
				  sizeof(rate)));
	out_table_cell(table, "%.1f/%.1f",
		       stats_median(figures->p50, ROUNDS) / 1e3,
		       stats_median(figures->p99, ROUNDS) / 1e3);
}

static const char *const transports[] = {"TCP", "UDP", "Unix"};

/* One side beside another, and what it is to be for NULL calls of 8 clients. */
static const struct ratio {
	int a, b;
	double tcp, udp; /* 0: no goal */
} ratios[] = {
	{THREADS, RAW, 0.95, 0.90},
	{LOOPS, RAW, 0.90, 0},
	{THREADS, SVC, 1.50, 0},
};

enum { N_RATIOS = sizeof(ratios) / sizeof(ratios[0]) };

static double goal_of(const struct ratio *ratio, const struct setup *setup)
{
	if (setup->c.bytes || setup->clients == 1)
		return 0;
	if (setup->c.transport == BENCH_TCP)
		return ratio->tcp;
	return setup->c.transport == BENCH_UDP ? ratio->udp : 0;
}

static void print_row(struct out_table *table, const struct setup *setup,
		      const struct figures figures[SIDES])
{
	out_table_row(table);
	out_table_cell(table, "%s %s, %d", transports[setup->c.transport],
		       setup->c.bytes ? "1 KB" : "NULL", setup->clients);
	for (int i = 0; i < SIDES; i++)
		print_side(table, &figures[i]);
	for (size_t i = 0; i < N_RATIOS; i++) {
		double goal = goal_of(&ratios[i], setup);

		out_table_cell(table, "%.2f",
			       median_ratio(&figures[ratios[i].a],
					    &figures[ratios[i].b]));
		if (goal > 0)
			out_table_cell(table, "%.2f", goal);
		else
			out_table_cell(table, "%s", "");
	}
}

static void compare(struct out_table *table, struct setup *setup)
{
	struct figures figures[SIDES];

	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < SIDES; i++) {
			int side = (round + i) % SIDES;

			setup->side = sides[side];
			run_side(setup, &figures[side], round);
		}
	print_row(table, setup, figures);
}

static void compare_all(struct out_table *table, struct setup *setup)
{
	static const struct {
		size_t bytes;
		int clients;
	} loads[] = {{0, 1}, {1024, 1}, {0, CLIENTS_MAX}, {1024, CLIENTS_MAX}};

	for (int t = BENCH_TCP; t <= BENCH_UNIX; t++)
		for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
			setup->c.transport = (enum bench_transport)t;
			setup->c.bytes = loads[i].bytes;
			setup->clients = loads[i].clients;
			compare(table, setup);
		}
}

/* ---- idle connections ---- */

enum { IDLE = 2000, IDLE_MIB = 64 };

/* What a process has in memory. */
static long resident_bytes(pid_t pid)
{
	char path[64], line[128], *resident;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		die_errno(errno, "cannot read '%s'", path);
	fclose(file);
	resident = strchr(line, ' ');
	return resident ? strtol(resident, NULL, 10) * sysconf(_SC_PAGESIZE)
			: 0;
}

/* Connections that have made a call each, and then nothing. */
static int be_idle(void *arg, struct rig_gate *gate)
{
	static void *clients[IDLE];
	const struct setup *setup = arg;
	struct shared *shared = setup->shared;
	long before = resident_bytes(shared->server);
	int r = 0;

	(void)gate;
	for (int i = 0; i < IDLE && r == 0; i++) {
		r = setup->side->open(&clients[i], &setup->c, &shared->at);
		if (r == 0)
			r = setup->side->call(clients[i], (uint32_t)i);
	}
	shared->grown_mib =
		(double)(resident_bytes(shared->server) - before) / (1 << 20);
	for (int i = 0; i < IDLE && clients[i]; i++)
		setup->side->close(clients[i]);
	return r;
}

/* What the server grows by. */
static double measure_idle(struct setup *setup, const struct bench_side *side)
{
	setup->side = side;
	run_clients(setup, be_idle);
	return setup->shared->grown_mib;
}

static void compare_idle(struct setup *setup)
{
	double threads, loops;

	setup->c.transport = BENCH_TCP;
	setup->c.bytes = 0;
	setup->clients = 1;
	threads = measure_idle(setup, &bench_threads);
	loops = measure_idle(setup, &bench_loops);
	printf("%d idle connections: %.1f MiB by threads, %.1f MiB by loops, "
	       "goal %d\n",
	       IDLE, threads, loops, IDLE_MIB);
}

static void allow_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) ||
	    files.rlim_cur >= 2 * (rlim_t)IDLE)
		return;
	files.rlim_cur = 2 * IDLE;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die_errno(errno, "%d descriptors", 2 * IDLE);
}

/* Many calls in flight over one connection, beside one at a time. */
static void compare_in_flight(struct setup *setup)
{
	static const struct bench_side *const both[] = {&bench_threads,
							&bench_in_flight};
	struct figures figures[2];
	char one[16], many[16];

	setup->c.transport = BENCH_TCP;
	setup->c.bytes = 0;
	setup->clients = 1;
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 2; i++) {
			int side = (round + i) % 2;

			setup->side = both[side];
			run_side(setup, &figures[side], round);
		}
	printf("TCP NULL, 1 client: %s/s one at a time, %s/s with %d in "
	       "flight: %.1f x, goal 5\n",
	       out_number(stats_median(figures[0].rate, ROUNDS), one,
			  sizeof(one)),
	       out_number(stats_median(figures[1].rate, ROUNDS), many,
			  sizeof(many)),
	       BENCH_IN_FLIGHT, median_ratio(&figures[1], &figures[0]));
}

int main(void)
{
	static const struct out_column columns[] = {
		{"Calls, clients", OUT_LEFT}, {"raw/s", OUT_RIGHT},
		{"p50/p99 us", OUT_RIGHT},    {"svc_run/s", OUT_RIGHT},
		{"p50/p99 us", OUT_RIGHT},    {"threads/s", OUT_RIGHT},
		{"p50/p99 us", OUT_RIGHT},    {"loops/s", OUT_RIGHT},
		{"p50/p99 us", OUT_RIGHT},    {"threads:raw", OUT_RIGHT},
		{"goal", OUT_RIGHT},          {"loops:raw", OUT_RIGHT},
		{"goal", OUT_RIGHT},          {"threads:svc", OUT_RIGHT},
		{"goal", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char folder[] = "/tmp/unixipc-bench-XXXXXX", path[64];
	struct setup setup = {.c.path = path};

	out_check_at_exit();
	allow_descriptors();
	signal(SIGPIPE, SIG_IGN);
	setup.shared = mmap(NULL, sizeof(*setup.shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!table || setup.shared == MAP_FAILED || !mkdtemp(folder))
		die_errno(errno, "cannot make a table and a folder");
	snprintf(path, sizeof(path), "%s/socket", folder);
	printf("%d calls a round, medians of %d rounds\n", CALLS, ROUNDS);
	compare_all(table, &setup);
	out_table_print(table, stdout);
	out_table_free(table);
	compare_idle(&setup);
	compare_in_flight(&setup);
	unlink(path);
	rmdir(folder);
	return EXIT_SUCCESS;
}
