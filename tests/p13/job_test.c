/* A picture through a job, by a pool: the file that comes of it, read by the
 * letter, against the filters called one after the other in this process. */
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/fdio.h"
#include "p13-shm-image/image/pnm.h"
#include "p13-shm-image/job.h"
#include "tests/p13/fixture.h"
#include "tests/p13/strict_png.h"

/* The filters one after the other, whole pictures at a time. */
static uint8_t *filter_alone(const struct job *job, const uint8_t *pixels)
{
	size_t bytes = image_bytes(&job->picture->shape);
	uint8_t *from = malloc(bytes), *to = malloc(bytes), *swap;

	assert_true(from && to);
	memcpy(from, pixels, bytes);
	for (unsigned int i = 0; i < job->filters; i++) {
		assert_int_equal(filter_rows(&job->filter[i], from, to, 0,
					     job->out.height),
				 0);
		swap = from;
		from = to;
		to = swap;
	}
	free(to);
	return from;
}

/* The head that is wanted, and then the pixels, which stay where they are. */
static const uint8_t *pixels_of_pnm(const struct job *job, const char *file,
				    size_t len)
{
	static const char *const type[] = {"GRAYSCALE", "GRAYSCALE_ALPHA",
					   "RGB", "RGB_ALPHA"};
	const struct image_shape *out = &job->out;
	char head[200];
	int n;

	if (job->format == JOB_PAM || image_has_alpha(out))
		n = snprintf(head, sizeof(head),
			     "P7\nWIDTH %u\nHEIGHT %u\nDEPTH %u\nMAXVAL 255\n"
			     "TUPLTYPE %s\nENDHDR\n",
			     out->width, out->height, out->channels,
			     type[out->channels - 1]);
	else
		n = snprintf(head, sizeof(head), "P%d\n%u %u\n255\n",
			     out->channels == 3 ? 6 : 5, out->width,
			     out->height);
	assert_int_equal(len, (size_t)n + image_bytes(out));
	assert_memory_equal(file, head, (size_t)n);
	return (const uint8_t *)file + n;
}

static void check_file(struct job *job, const uint8_t *wanted)
{
	size_t len;
	const char *file = job_file(job, &len);
	struct image_shape shape;
	uint8_t *pixels;

	if (job->format != JOB_PNG) {
		assert_memory_equal(pixels_of_pnm(job, file, len), wanted,
				    image_bytes(&job->out));
		return;
	}
	pixels = strict_png_read(file, len, &shape);
	assert_memory_equal(&shape, &job->out, sizeof(shape));
	assert_memory_equal(pixels, wanted, image_bytes(&shape));
	free(pixels);
}

/* Twice, as the command does to compare. */
static void check(struct job *job, uint32_t channels, unsigned int workers)
{
	static struct picture picture;
	struct pool_options pool = {.workers = workers};
	uint8_t *pixels, *wanted;

	picture = (struct picture){.shape = {37, 150, channels}};
	pixels = fixture_pixels(&picture.shape, channels);
	job->picture = &picture;
	assert_int_equal(job_init(job), 0);
	memcpy(job->original, pixels, image_bytes(&picture.shape));
	wanted = filter_alone(job, pixels);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_run(job, &pool), 0);
		check_file(job, wanted);
		job_forget(job);
	}
	job_fini(job);
	free(pixels);
	free(wanted);
}

static void file_has_what_the_filters_make(void **state)
{
	unsigned int step = support_is_valgrind() ? 5 : 1;

	(void)state;
	for (uint32_t channels = 1; channels <= 4; channels++)
		for (unsigned int i = 0; i < FILTER_KINDS; i += step) {
			struct job job = {
				.kind = {(enum filter_kind)i, FILTER_EDGE,
					 FILTER_BLUR},
				.filters = 1 + i % 3,
				.sigma = {2, 1, 3},
				.threshold = {100},
				.level = (int)i,
				.format = (enum job_format)((i + channels) % 3),
			};

			check(&job, channels, 1 + i % 2);
			job.format = JOB_PNG;
			check(&job, channels, 2);
		}
}

static void chunks_without_a_place_in_the_output_are_said(void **state)
{
	static const struct {
		enum job_format format;
		enum filter_kind kind;
		const char *left_out;
	} cases[] = {
		{JOB_PNG, FILTER_BLUR, ""},
		{JOB_PNG, FILTER_GRAYSCALE, "iCCP (is of other colours)"},
		{JOB_PNM, FILTER_BLUR,
		 "iCCP (the output is no PNG), gAMA (the output is no PNG)"},
		{JOB_PAM, FILTER_BLUR,
		 "iCCP (the output is no PNG), gAMA (the output is no PNG)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct picture picture = {
			.shape = {3, 3, 3},
			.chunk = {{.name = "iCCP"}, {.name = "gAMA"}},
			.chunks = 2,
		};
		struct job job = {
			.picture = &picture,
			.kind = {cases[i].kind},
			.filters = 1,
			.sigma = {2, 1, 3},
			.format = cases[i].format,
		};

		picture.chunk[0].bytes = picture.chunk[1].bytes =
			(uint8_t[1]){0};
		assert_int_equal(job_init(&job), 0);
		assert_string_equal(picture.left_out, cases[i].left_out);
		job_fini(&job);
	}
}

/* What is left of the file, filtered, with best effort. */
static int run_cut(const struct fixture_png *file, size_t len,
		   uint8_t pixels[64 * 64])
{
	static struct source source;
	struct picture picture;
	struct job job = {.picture = &picture,
			  .is_loading = true,
			  .kind = {FILTER_INVERT},
			  .filters = 1,
			  .sigma = {2, 1, 3},
			  .format = JOB_PNM};
	struct pool_options pool = {.workers = 1};
	const char *out;
	size_t out_len;
	int error;

	source_from_memory(&source, file->bytes, len);
	assert_int_equal(picture_open(&picture, &source, 64 * 64, true), 0);
	assert_int_equal(job_init(&job), 0);
	error = job_run(&job, &pool);
	assert_int_equal(job.load_error, error);
	assert_int_equal(picture.rows_read, 0);
	out = job_file(&job, &out_len);
	memcpy(pixels, pixels_of_pnm(&job, out, out_len), 64UL * 64);
	job_fini(&job);
	picture_close(&picture);
	return error;
}

/* The last pass alone leaves whole rows, and is half of the picture. */
static void best_effort_takes_what_is_only_rough_and_not_nothing(void **state)
{
	static struct fixture_png file;
	uint8_t rows[64 * 64], pixels[64 * 64];

	(void)state;
	memset(rows, 77, sizeof(rows));
	fixture_encode_with(&file, 64, 64, PNG_COLOR_TYPE_GRAY, 8, 1, rows,
			    fixture_set_no_compression, NULL);
	assert_int_equal(run_cut(&file, file.len / 3, pixels), 0);
	for (size_t i = 0; i < sizeof(pixels); i++)
		assert_int_equal(pixels[i], 255 - 77);
	assert_int_equal(run_cut(&file, 50, pixels), -EBADMSG);
}

/* A pipe that brings a PGM: the first rows, and a while later the others. */
struct slow {
	int fd;
	const uint8_t *rows;
	size_t first, len;
};

static void *write_slowly(void *arg)
{
	const struct timespec a_while = {.tv_nsec = 100000000};
	const struct slow *slow = arg;

	if (fdio_write_full(slow->fd, slow->rows, slow->first) == 0 &&
	    nanosleep(&a_while, NULL) == 0)
		fdio_write_full(slow->fd, slow->rows + slow->first,
				slow->len - slow->first);
	return NULL;
}

/* It reads rows around its own: who does not wait for them finds none. */
static void check_waiting(enum filter_kind kind)
{
	static struct source source;
	struct picture picture;
	struct job job = {.picture = &picture,
			  .is_loading = true,
			  .kind = {kind},
			  .filters = 1,
			  .sigma = {5},
			  .format = JOB_PNM};
	struct image_shape shape = {64, 160, 1};
	struct pool_options pool = {.workers = 2};
	uint8_t *pixels = fixture_pixels(&shape, 3), *wanted;
	struct slow slow = {.rows = pixels, .first = 64 * 10, .len = 64 * 160};
	pthread_t writer;
	int fds[2];

	assert_int_equal(fdio_pipe(fds), 0);
	slow.fd = fds[1];
	assert_int_equal(fdio_write_full(fds[1], "P5 64 160 255\n", 14), 0);
	source_from_fd(&source, fds[0]);
	assert_int_equal(picture_open(&picture, &source, 1 << 20, false), 0);
	assert_int_equal(job_init(&job), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_slowly, &slow), 0);
	assert_int_equal(job_run(&job, &pool), 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	wanted = filter_alone(&job, pixels);
	check_file(&job, wanted);
	job_fini(&job);
	picture_close(&picture);
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
	free(pixels);
	free(wanted);
}

static void filters_wait_for_the_rows_that_they_read(void **state)
{
	(void)state;
	check_waiting(FILTER_BLUR);
	check_waiting(FILTER_EDGE);
}

static void picture_that_no_memory_can_hold_is_refused(void **state)
{
	struct picture picture = {.shape = {INT32_MAX, INT32_MAX, 4}};
	struct job job = {.picture = &picture,
			  .kind = {FILTER_INVERT},
			  .filters = 1,
			  .sigma = {2},
			  .format = JOB_PNM};

	(void)state;
	assert_int_equal(job_init(&job), -EOVERFLOW);
	assert_null(job.segment.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_has_what_the_filters_make),
		cmocka_unit_test(filters_wait_for_the_rows_that_they_read),
		cmocka_unit_test(picture_that_no_memory_can_hold_is_refused),
		cmocka_unit_test(chunks_without_a_place_in_the_output_are_said),
		cmocka_unit_test(
			best_effort_takes_what_is_only_rough_and_not_nothing),
	};

	return SUPPORT_MAIN(tests);
}
