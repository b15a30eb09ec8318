/* peer.c - each round has all of them blur once, one after the other; the
 * figures are medians. The errors are against the Gaussian in double
 * precision, out to six sigma, in rows all over the picture.
 *
 * All write to memory that was there in the round before. The peers' threads
 * are there too: so ours are timed from the first strip that a worker takes to
 * its last one, and the same with the start and the end of the workers stands
 * in a row of its own. That each new worker has to map both pictures counts. */
#include "p13-shm-image/bench/peer.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/fdio.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p13-shm-image/bench/peer_ours.h"
#include "p13-shm-image/bench/scaling.h"
#include "p13-shm-image/image/image.h"

enum { ROUNDS = 15, SIGMAS = 3, PEERS = 3, CHECKED = 32 };
/* Those after the peers: ours by one worker, and by two from the first fork to
 * the last wait; what two processors do in the time of one (scaling.h). */
enum { ALONE = PEERS, WHOLE, LIMIT, ROWS };

static const double sigmas[SIGMAS] = {2, 5, 20};

struct result {
	bool is_there;
	double ms[ROUNDS], ratio[ROUNDS]; /* to ours */
	double cpu_ms[ROUNDS];            /* of all processors */
	double apart[ROUNDS];             /* our workers' times, % */
	double worst;                     /* level */
};

/* ---- ours ---------------------------------------------------------------- */

static int to_ours = -1; /* a socket of peer_ours */
static uint8_t *our_result;
static size_t our_bytes; /* of it */
static struct peer_ours_answer our_last;

/* It lies beside the bench. */
static int find_ours(char *path, size_t size)
{
	char bench[PATH_MAX] = "";
	int len;

	if (readlink("/proc/self/exe", bench, sizeof(bench) - 1) < 0)
		return -1;
	len = snprintf(path, size, "%s/peer_ours", dirname(bench));
	return len < 0 || (size_t)len >= size ? -1 : 0;
}

static int open_ours(const uint8_t *pixels, uint32_t width, uint32_t height)
{
	char size[16], file[PATH_MAX];
	char *argv[] = {file, size, NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	int pair[2], error;
	pid_t pid;

	our_bytes = (size_t)width * height * 3;
	our_result = malloc(our_bytes);
	if (!our_result || find_ours(file, sizeof(file)) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	snprintf(size, sizeof(size), "%u", width);
	spec.argv = argv;
	spec.in = pair[1];
	error = child_spawn(&spec, &pid);
	close(pair[1]);
	to_ours = pair[0];
	return error ? -1 : fdio_write_full(to_ours, pixels, our_bytes);
}

/* Returns how long the worker took that took longer, or -1. */
static int64_t blur_by(unsigned int workers, double sigma, bool wants_result)
{
	struct peer_ours_request request = {sigma, workers, wants_result};
	int64_t longest = 0;

	if (fdio_write_full(to_ours, &request, sizeof(request)) ||
	    fdio_read_full(to_ours, &our_last, sizeof(our_last)) !=
		    sizeof(our_last) ||
	    our_last.ns < 0)
		return -1;
	if (wants_result && fdio_read_full(to_ours, our_result, our_bytes) !=
				    (ssize_t)our_bytes)
		return -1;
	for (unsigned int i = 0; i < workers; i++)
		if (our_last.busy_ns[i] > longest)
			longest = our_last.busy_ns[i];
	return longest;
}

static int64_t blur_ours(double sigma, const uint8_t **result)
{
	if (result)
		*result = our_result;
	return blur_by(PEER_WORKERS, sigma, result != NULL);
}

/* How much less the one worker did than the other. */
static double apart_percent(void)
{
	double one = (double)our_last.busy_ns[0];
	double other = (double)our_last.busy_ns[1];

	return 100 * fabs(one - other) / fmax(one, other);
}

static const struct peer ours = {"ours", open_ours, blur_ours};
static const struct peer *const peers[PEERS] = {&ours, &peer_vips,
						&peer_opencv};

/* ---- the exact blur ------------------------------------------------------ */

/* weight[0 … radius]; they add up to 1 with their mirror images. */
static int exact_weights(double sigma, double *weight)
{
	int radius = (int)ceil(6 * sigma);
	double total = 0;

	for (int k = -radius; k <= radius; k++)
		total += exp(-k * k / (2 * sigma * sigma));
	for (int k = 0; k <= radius; k++)
		weight[k] = exp(-k * k / (2 * sigma * sigma)) / total;
	return radius;
}

/* The row y, exactly. down is as long. */
static void exact_row(const uint8_t *pixels, uint32_t size, uint32_t y,
		      double sigma, double *down, double *row)
{
	double weight[256];
	int radius = exact_weights(sigma, weight);
	size_t n = (size_t)size * 3;

	memset(down, 0, n * sizeof(*down));
	memset(row, 0, n * sizeof(*row));
	for (int k = -radius; k <= radius; k++) {
		const uint8_t *from =
			pixels + n * image_clamp((int64_t)y + k, size);

		for (size_t i = 0; i < n; i++)
			down[i] += weight[abs(k)] * from[i];
	}
	for (size_t i = 0; i < n; i++)
		for (int k = -radius; k <= radius; k++) {
			int64_t x = (int64_t)(i / 3) + k;

			row[i] +=
				weight[abs(k)] *
				down[(size_t)image_clamp(x, size) * 3 + i % 3];
		}
}

static double worst_of(const uint8_t *result, const double *exact,
		       uint32_t size)
{
	double worst = 0;

	for (unsigned int r = 0; r < CHECKED; r++) {
		size_t y = (size_t)(size - 1) * r / (CHECKED - 1);

		for (size_t i = 0; i < (size_t)size * 3; i++)
			worst = fmax(worst, fabs(result[y * size * 3 + i] -
						 exact[r * size * 3UL + i]));
	}
	return worst;
}

/* ---- the rounds ---------------------------------------------------------- */

static void note(struct result *result, int round, int64_t ns, double cpu_ms,
		 const struct result *ours_result)
{
	result->ms[round] = (double)ns / (double)TICK_MS;
	result->ratio[round] = result->ms[round] / ours_result->ms[round];
	result->cpu_ms[round] = cpu_ms;
}

/* Of this process: of the peers, that is. */
static double cpu_now_ms(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		die_errno(errno, "cannot ask for processor time");
	return 1e3 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       1e-3 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* What p makes of the picture is looked at, and warms it up. */
static void check(int p, const double *exact, uint32_t size, double sigma,
		  struct result *result)
{
	const uint8_t *out = NULL;

	if (p == ALONE ? blur_by(1, sigma, false) < 0
		       : peers[p]->blur(sigma, &out) < 0)
		die("a blur failed");
	if (out)
		result->worst = worst_of(out, exact, size);
}

static void run_round(int round, double sigma, struct result results[ROWS])
{
	for (int p = 0; p <= ALONE; p++) {
		double cpu_ms = cpu_now_ms();
		int64_t ns;

		if (!results[p].is_there)
			continue;
		ns = p == ALONE ? blur_by(1, sigma, false)
				: peers[p]->blur(sigma, NULL);
		if (ns < 0)
			die("a blur failed");
		cpu_ms = p == 0 || p == ALONE ? our_last.cpu_ms
					      : cpu_now_ms() - cpu_ms;
		note(&results[p], round, ns, cpu_ms, &results[0]);
		if (p == ALONE && results[LIMIT].is_there)
			results[LIMIT].ratio[round] = scaling_of_two();
		if (p > 0)
			continue;
		note(&results[WHOLE], round, our_last.ns, cpu_ms, &results[0]);
		results[0].apart[round] = apart_percent();
	}
}

static void add_rows(struct out_table *table, double sigma,
		     const struct result results[ROWS])
{
	static const char *const names[ROWS] = {"ours",
						"libvips",
						"OpenCV",
						"ours, 1 worker",
						"ours, with its start",
						"sums, 2 processors"};

	for (int p = 0; p < ROWS; p++) {
		const struct result *one = &results[p];

		out_table_row(table);
		if (p)
			out_table_cell(table, "%s", "");
		else
			out_table_cell(table, "%g", sigma);
		out_table_cell(table, "%s", names[p]);
		if (!one->is_there) {
			out_table_cell(table,
				       p < PEERS ? "not installed" : "unknown");
			continue;
		}
		if (p == LIMIT)
			out_table_cell(table, "%s", "");
		else
			out_table_cell(table, "%.1f",
				       stats_median(one->ms, ROUNDS));
		out_table_cell(table, "%.2f x",
			       stats_median(one->ratio, ROUNDS));
		if (p == LIMIT)
			continue;
		out_table_cell(table, "%.0f",
			       stats_median(one->cpu_ms, ROUNDS));
		if (p < PEERS)
			out_table_cell(table, "%.2f", one->worst);
		if (p == 0)
			out_table_cell(table, "%.1f %%",
				       stats_median(one->apart, ROUNDS));
	}
}

static void exact_rows(const uint8_t *pixels, uint32_t size, double sigma,
		       double *exact)
{
	size_t n = (size_t)size * 3;
	double *down = malloc(n * sizeof(*down));

	if (!down)
		die("out of memory");
	for (uint32_t r = 0; r < CHECKED; r++)
		exact_row(pixels, size, (size - 1) * r / (CHECKED - 1), sigma,
			  down, exact + r * n);
	free(down);
}

static void open_all(const uint8_t *pixels, uint32_t size,
		     struct result *results)
{
	for (int p = 0; p < PEERS; p++) {
		results[p].is_there = peers[p] != NULL;
		if (peers[p] && peers[p]->open(pixels, size, size))
			die("cannot start %s", peers[p]->name);
	}
	results[LIMIT].is_there = scaling_open() == 0;
	results[ALONE].is_there = results[WHOLE].is_there = true;
}

void peer_run(const uint8_t *pixels, uint32_t size)
{
	static const struct out_column columns[] = {
		{"Sigma", OUT_RIGHT},
		{"Who", OUT_LEFT},
		{"ms", OUT_RIGHT},
		{"ours is faster", OUT_RIGHT},
		{"CPU ms", OUT_RIGHT},
		{"largest error", OUT_RIGHT},
		{"workers differ", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	double *exact = malloc(CHECKED * (size_t)size * 3 * sizeof(*exact));
	static struct result results[ROWS];

	if (!table || !exact)
		die("out of memory");
	open_all(pixels, size, results);
	printf("The blur alone, %u x %u, RGB, 2 workers or threads: %d rounds, "
	       "medians\n",
	       size, size, ROUNDS);
	for (int s = 0; s < SIGMAS; s++) {
		exact_rows(pixels, size, sigmas[s], exact);
		for (int p = 0; p <= ALONE; p++)
			if (results[p].is_there)
				check(p, exact, size, sigmas[s], &results[p]);
		for (int round = 0; round < ROUNDS; round++)
			run_round(round, sigmas[s], results);
		add_rows(table, sigmas[s], results);
	}
	out_table_print(table, stdout);
	out_table_free(table);
	free(exact);
	close(to_ours);
	free(our_result);
}
