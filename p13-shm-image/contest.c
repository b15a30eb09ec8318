/* contest.c - each round has all of them blur once, one after the other; the
 * figures are medians. The errors are against the Gaussian in double
 * precision, out to six sigma, in rows all over the picture. */
#include "p13-shm-image/contest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/die.h"
#include "lib/out.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p13-shm-image/job.h"

enum { ROUNDS = 7, SIGMAS = 3, PEERS = 3, CHECKED = 32, ALONE = PEERS };

static const double sigmas[SIGMAS] = {2, 5, 20};

struct result {
	bool is_there;
	double ms[ROUNDS], ratio[ROUNDS]; /* to ours */
	double cpu_ms[ROUNDS];            /* of all processors */
	double worst;                     /* level */
};

/* ---- ours ---------------------------------------------------------------- */

static struct picture our_picture;
static struct job our_job;

static int open_ours(const uint8_t *pixels, uint32_t width, uint32_t height)
{
	our_picture.shape = (struct image_shape){width, height, 3};
	our_job = (struct job){.picture = &our_picture,
			       .kind = {FILTER_BLUR},
			       .filters = 1,
			       .sigma = 2,
			       .format = JOB_PNM};
	if (job_init(&our_job))
		return -1;
	memcpy(our_job.source, pixels, image_bytes(&our_picture.shape));
	return 0;
}

/* From the first fork to the last wait. */
static int64_t blur_by(unsigned int workers, double sigma)
{
	struct crew_job crew = {.workers = workers};
	int64_t start = tick_now();

	filter_init(&our_job.filter[0], FILTER_BLUR, &our_picture.shape, sigma,
		    0);
	return job_run(&our_job, &crew) ? -1 : tick_now() - start;
}

static int64_t blur_ours(double sigma, const uint8_t **result)
{
	*result = our_job.plane[0];
	return blur_by(CONTEST_WORKERS, sigma);
}

static const struct contest_peer ours = {"ours", open_ours, blur_ours};
static const struct contest_peer *const peers[PEERS] = {&ours, &contest_vips,
							&contest_opencv};

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

/* Of this process and its children. */
static double cpu_now_ms(void)
{
	double ms = 0;

	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		struct rusage used;

		if (getrusage(who, &used) < 0)
			die_errno(errno, "cannot ask for processor time");
		ms += 1e3 * (double)(used.ru_utime.tv_sec +
				     used.ru_stime.tv_sec) +
		      1e-3 * (double)(used.ru_utime.tv_usec +
				      used.ru_stime.tv_usec);
	}
	return ms;
}

static void run_rounds(const double *exact, uint32_t size, double sigma,
		       struct result results[PEERS + 1])
{
	for (int round = 0; round <= ROUNDS; round++) {
		for (int p = 0; p <= ALONE; p++) {
			struct result *one = &results[p];
			const uint8_t *out = NULL;
			double cpu;
			int64_t ns;

			if (!one->is_there)
				continue;
			cpu = cpu_now_ms();
			ns = p == ALONE ? blur_by(1, sigma)
					: peers[p]->blur(sigma, &out);
			if (ns < 0)
				die("a blur failed");
			if (round == 0) { /* warms up, and is looked at */
				if (out)
					one->worst = worst_of(out, exact, size);
				continue;
			}
			one->cpu_ms[round - 1] = cpu_now_ms() - cpu;
			one->ms[round - 1] = (double)ns / (double)TICK_MS;
			one->ratio[round - 1] =
				one->ms[round - 1] / results[0].ms[round - 1];
		}
	}
}

static void add_rows(struct out_table *table, double sigma,
		     const struct result results[PEERS + 1])
{
	static const char *const names[PEERS + 1] = {
		"ours", "libvips", "OpenCV", "ours, 1 worker"};

	for (int p = 0; p <= ALONE; p++) {
		const struct result *one = &results[p];

		out_table_row(table);
		if (p)
			out_table_cell(table, "%s", "");
		else
			out_table_cell(table, "%g", sigma);
		out_table_cell(table, "%s", names[p]);
		if (!one->is_there) {
			out_table_cell(table, "not installed");
			continue;
		}
		out_table_cell(table, "%.0f", stats_median(one->ms, ROUNDS));
		out_table_cell(table, "%.2f x",
			       stats_median(one->ratio, ROUNDS));
		out_table_cell(table, "%.0f",
			       stats_median(one->cpu_ms, ROUNDS));
		if (p != ALONE)
			out_table_cell(table, "%.2f", one->worst);
	}
}

static double *exact_rows(const uint8_t *pixels, uint32_t size, double sigma,
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
	return exact;
}

void contest_run(const uint8_t *pixels, uint32_t size)
{
	static const struct out_column columns[] = {
		{"Sigma", OUT_RIGHT},  {"Who", OUT_LEFT},
		{"ms", OUT_RIGHT},     {"ours is faster", OUT_RIGHT},
		{"CPU ms", OUT_RIGHT}, {"largest error", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	double *exact = malloc(CHECKED * (size_t)size * 3 * sizeof(*exact));
	static struct result results[PEERS + 1];

	if (!table || !exact)
		die("out of memory");
	for (int p = 0; p < PEERS; p++) {
		results[p].is_there = peers[p] != NULL;
		if (peers[p] && peers[p]->open(pixels, size, size))
			die("cannot start %s", peers[p]->name);
	}
	results[ALONE].is_there = true;
	printf("The blur alone, %u x %u, RGB, 2 workers or threads: %d rounds, "
	       "medians\n",
	       size, size, ROUNDS);
	for (int s = 0; s < SIGMAS; s++) {
		run_rounds(exact_rows(pixels, size, sigmas[s], exact), size,
			   sigmas[s], results);
		add_rows(table, sigmas[s], results);
	}
	out_table_print(table, stdout);
	out_table_free(table);
	free(exact);
	job_fini(&our_job);
}
