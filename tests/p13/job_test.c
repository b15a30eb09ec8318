/* A picture through a job, by a crew: the file that comes of it, read by the
 * letter, against the filters called one after the other in this process. */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p13-shm-image/image/pnm_out.h"
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
	struct picture picture = {.shape = {37, 150, channels}};
	struct crew_job crew = {.workers = workers};
	uint8_t *pixels = fixture_pixels(&picture.shape, channels), *wanted;

	job->picture = &picture;
	assert_int_equal(job_init(job), 0);
	memcpy(job->source, pixels, image_bytes(&picture.shape));
	wanted = filter_alone(job, pixels);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_run(job, &crew), 0);
		check_file(job, wanted);
		job_forget(job);
	}
	job_fini(job);
	free(pixels);
	free(wanted);
}

static void file_has_what_the_filters_make(void **state)
{
	unsigned int step = support_is_valgrind() ? 3 : 1;

	(void)state;
	for (uint32_t channels = 1; channels <= 4; channels++)
		for (unsigned int i = 0; i < FILTER_KINDS; i += step) {
			struct job job = {
				.kind = {(enum filter_kind)i, FILTER_EDGE,
					 FILTER_BLUR},
				.filters = 1 + i % 3,
				.sigma = 2,
				.threshold = 100,
				.level = (int)i,
				.format = (enum job_format)((i + channels) % 3),
			};

			check(&job, channels, 1 + i % 2);
			job.format = JOB_PNG;
			check(&job, channels, 2);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_has_what_the_filters_make),
	};

	return SUPPORT_MAIN(tests);
}
