/* bench.c - the command beside libvips and GraphicsMagick, as far as they are
 * installed; then the blur alone. Each round runs all of them once, and the
 * figures are medians of five rounds. What a peer makes of the picture is
 * compared with ours, so that all have done the same work.
 *
 *	bench [SIZE [blur]]   a picture of SIZE x SIZE pixels (default 4096);
 *			      the blur alone, and no files
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/outfile.h"
#include "lib/rng.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p13-shm-image/bench/peer.h"
#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/pnm.h"

enum { ROUNDS = 5, WORDS = 10, DIFFERENCE_MAX = 60, LARGE = 2 << 20 };

#define OURS "p13-shm-image/shm_image_filter"

/* Names in a folder of our own, which is where we are. */
struct candidate {
	const char *what, *who, *input, *output;
	const char *argv[WORDS];
	int beside; /* which candidate is ours, relative to this */
	bool is_there;
	double ms[ROUNDS], ratio[ROUNDS];
	int difference; /* levels, to ours */
	long long bytes;
};

static struct candidate candidates[] = {
	{"PNG to PNG, sigma 5",
	 "ours",
	 "in.png",
	 "ours.png",
	 {OURS, "in.png", "ours.png", "--sigma=5", "--no-compare"},
	 .beside = 0},
	{"",
	 "libvips",
	 "in.png",
	 "vips.png",
	 {"vips", "gaussblur", "in.png", "vips.png", "5"},
	 .beside = -1},
	{"",
	 "libvips, level 1",
	 "in.png",
	 "vips1.png",
	 {"vips", "gaussblur", "in.png", "vips1.png[compression=1]", "5"},
	 .beside = -2},
	{"",
	 "GraphicsMagick",
	 "in.png",
	 "gm.png",
	 {"gm", "convert", "in.png", "-blur", "0x5", "gm.png"},
	 .beside = -3},
	{"",
	 "ours, 1 worker",
	 "in.png",
	 "ours1.png",
	 {OURS, "in.png", "ours1.png", "--sigma=5", "--no-compare",
	  "--workers=1"},
	 .beside = -4},
	{"",
	 "ours, 1 worker, 1 processor",
	 "in.png",
	 "ours0.png",
	 {"taskset", "-c", "0", OURS, "in.png", "ours0.png", "--sigma=5",
	  "--no-compare", "--workers=1"},
	 .beside = -5},
	{"PPM to PPM, sigma 2",
	 "ours",
	 "in.ppm",
	 "ours2.ppm",
	 {OURS, "in.ppm", "ours2.ppm", "--sigma=2", "--no-compare"},
	 .beside = 0},
	{"",
	 "libvips",
	 "in.ppm",
	 "vips2.ppm",
	 {"vips", "gaussblur", "in.ppm", "vips2.ppm", "2"},
	 .beside = -1},
	{"PPM to PPM, sigma 5",
	 "ours",
	 "in.ppm",
	 "ours5.ppm",
	 {OURS, "in.ppm", "ours5.ppm", "--sigma=5", "--no-compare"},
	 .beside = 0},
	{"",
	 "libvips",
	 "in.ppm",
	 "vips5.ppm",
	 {"vips", "gaussblur", "in.ppm", "vips5.ppm", "5"},
	 .beside = -1},
	{"PPM to PPM, sigma 20",
	 "ours",
	 "in.ppm",
	 "ours20.ppm",
	 {OURS, "in.ppm", "ours20.ppm", "--sigma=20", "--no-compare"},
	 .beside = 0},
	{"",
	 "libvips",
	 "in.ppm",
	 "vips20.ppm",
	 {"vips", "gaussblur", "in.ppm", "vips20.ppm", "20"},
	 .beside = -1},
};
enum { CANDIDATES = sizeof(candidates) / sizeof(candidates[0]) };

static char command[4096]; /* ours, absolute */
static char folder[] = "/tmp/p13_bench.XXXXXX";

/* Discs, squares, slopes and some noise. */
static void draw(uint8_t *pixels, uint32_t size)
{
	struct rng rng;

	rng_seed(&rng, 13);
	for (uint32_t y = 0; y < size; y++) {
		for (uint32_t x = 0; x < size; x++) {
			int dx = (int)(x % 400) - 200,
			    dy = (int)(y % 400) - 200;
			int level = (x / 200 + y / 200) % 2 ? 100 : 40;
			uint64_t noise = rng_next(&rng);

			level += dx * dx + dy * dy < 150 * 150 ? 70 : 0;
			level += (int)(30 * sin(x * 0.01) + 20 * cos(y * 0.02));
			for (int c = 0; c < 3; c++, noise >>= 8)
				*pixels++ = (uint8_t)(level - 4 * c +
						      (int)(noise % 24));
		}
	}
}

static void make_input(uint32_t size)
{
	struct image_shape shape = {size, size, 3};
	char *file = malloc(image_bytes(&shape) + PNM_OUT_HEAD_MAX);
	size_t head;
	int error;

	if (!file)
		die("out of memory");
	head = pnm_out_head(file, &shape, false);
	draw((uint8_t *)file + head, size);
	error = outfile_write("in.ppm", file, head + image_bytes(&shape));
	if (error)
		die_errno(error, "cannot write in.ppm");
	free(file);
}

/* Returns milliseconds, or -1 when there is no such program. */
static double run_once(const char *const argv[])
{
	struct child_spec spec = CHILD_SPEC_INIT;
	const char *copy[WORDS + 1] = {NULL};
	int64_t start = tick_now();
	int status, error;
	pid_t pid;

	memcpy(copy, argv, WORDS * sizeof(copy[0]));
	for (int i = 0; copy[i]; i++)
		if (strcmp(copy[i], OURS) == 0)
			copy[i] = command;
	spec.argv = (char *const *)(const void *)copy;
	spec.in = spec.out = spec.err = -1;
	if (child_spawn(&spec, &pid))
		return -1;
	error = child_wait(pid, tick_after(120 * TICK_S), &status);
	if (error)
		die_errno(error, "%s does not end", argv[0]);
	if (status)
		die("%s failed", argv[0]);
	return (double)(tick_now() - start) / (double)TICK_MS;
}

/* In large pages, as what ours reads is. */
static uint8_t *pixels_alloc(size_t bytes)
{
	size_t whole = (bytes + LARGE - 1) / LARGE * LARGE;
	uint8_t *pixels = aligned_alloc(LARGE, whole);

	if (pixels)
		madvise(pixels, whole, MADV_HUGEPAGE);
	return pixels;
}

static uint8_t *load(const char *name, struct image_shape *shape)
{
	static struct source source;
	struct picture picture;
	uint8_t *pixels;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	source_from_fd(&source, fd);
	if (fd < 0 || picture_open(&picture, &source, UINT32_MAX, false))
		die("there is no picture %s", name);
	*shape = picture.shape;
	pixels = pixels_alloc(image_bytes(shape));
	if (!pixels || picture_read(&picture, pixels))
		die("cannot read %s", name);
	picture_close(&picture);
	close(fd);
	return pixels;
}

/* The largest difference of two samples. */
static int difference_of(const char *one, const char *other)
{
	struct image_shape shape, other_shape;
	uint8_t *a = load(one, &shape), *b = load(other, &other_shape);
	int worst = 0;

	if (memcmp(&shape, &other_shape, sizeof(shape)) != 0)
		die("%s and %s differ in size", one, other);
	for (size_t i = 0; i < image_bytes(&shape); i++)
		if (abs(a[i] - b[i]) > worst)
			worst = abs(a[i] - b[i]);
	if (worst > DIFFERENCE_MAX)
		die("%s and %s differ by %d levels", one, other, worst);
	free(a);
	free(b);
	return worst;
}

static void run_round(int round)
{
	for (int i = 0; i < CANDIDATES; i++) {
		struct candidate *candidate = &candidates[i];
		const struct candidate *ours = candidate + candidate->beside;

		candidate->ms[round] = run_once(candidate->argv);
		candidate->is_there = candidate->ms[round] >= 0;
		candidate->ratio[round] =
			candidate->ms[round] / ours->ms[round];
	}
}

static void note_results(void)
{
	for (int i = 0; i < CANDIDATES; i++) {
		struct candidate *candidate = &candidates[i];
		struct stat st;

		if (!candidate->is_there || stat(candidate->output, &st) != 0)
			continue;
		candidate->bytes = (long long)st.st_size;
		candidate->difference =
			difference_of(candidate->output,
				      (candidate + candidate->beside)->output);
	}
}

static void print_candidates(void)
{
	static const struct out_column columns[] = {
		{"What", OUT_LEFT},       {"Who", OUT_LEFT},
		{"ms", OUT_RIGHT},        {"ours is faster", OUT_RIGHT},
		{"bytes out", OUT_RIGHT}, {"levels from ours", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));

	if (!table)
		die("out of memory");
	for (int i = 0; i < CANDIDATES; i++) {
		const struct candidate *candidate = &candidates[i];

		out_table_row(table);
		out_table_cell(table, "%s", candidate->what);
		out_table_cell(table, "%s", candidate->who);
		if (!candidate->is_there) {
			out_table_cell(table, "not installed");
			continue;
		}
		out_table_cell(table, "%.0f",
			       stats_median(candidate->ms, ROUNDS));
		if (candidate->beside == 0) {
			out_table_cell(table, "1");
			out_table_cell(table, "%lld", candidate->bytes);
			continue;
		}
		out_table_cell(table, "%.2f x",
			       stats_median(candidate->ratio, ROUNDS));
		out_table_cell(table, "%lld", candidate->bytes);
		out_table_cell(table, "%d", candidate->difference);
	}
	out_table_print(table, stdout);
	out_table_free(table);
}

static void blur_alone(void)
{
	struct image_shape shape;
	uint8_t *pixels = load("in.ppm", &shape);

	peer_run(pixels, shape.width);
	free(pixels);
}

static void clean_up(void)
{
	unlink("in.ppm");
	unlink("in.png");
	for (int i = 0; i < CANDIDATES; i++)
		unlink(candidates[i].output);
	rmdir(folder);
}

int main(int argc, char **argv)
{
	static const char *const to_png[WORDS] = {
		OURS, "in.ppm", "in.png", "--filter=invert", "--no-compare"};
	uint64_t size = 4096;

	out_check_at_exit();
	if (argc > 1)
		size = cli_count("SIZE", argv[1], 64, 16384);
	signal(SIGPIPE, SIG_IGN); /* peer_ours may die: then we say so */
	if (!realpath(OURS, command))
		die_errno(errno, "cannot find " OURS);
	if (!mkdtemp(folder) || chdir(folder) < 0)
		die_errno(errno, "cannot make a folder in /tmp");
	atexit(clean_up);
	make_input((uint32_t)size);
	if (argc > 2 && strcmp(argv[2], "blur") == 0) {
		blur_alone();
		return EXIT_SUCCESS;
	}
	printf("A picture of %u x %u, RGB, 2 workers: %d rounds, medians\n",
	       (unsigned int)size, (unsigned int)size, ROUNDS);
	run_once(to_png);
	for (int i = 0; i < ROUNDS; i++)
		run_round(i);
	note_results();
	print_candidates();
	blur_alone();
	return EXIT_SUCCESS;
}
