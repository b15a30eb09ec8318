#include "p13-shm-image/job.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/tick.h"
#include "p13-shm-image/image/png.h"
#include "p13-shm-image/image/pnm.h"
#include "p13-shm-image/pages.h"

enum { ALIGN = 4096 };

/* Reserve a part of the segment of that size, behind the others. The head of a
 * PNM file is to fit in front of its pixels. */
static size_t reserve(size_t *end, size_t bytes)
{
	size_t at = (*end + PNM_OUT_HEAD_MAX + ALIGN - 1) / ALIGN * ALIGN;

	*end = at + bytes;
	return at;
}

static void init_filters(struct job *job)
{
	struct image_shape shape = job->picture->shape;

	for (unsigned int i = 0; i < job->filters; i++) {
		filter_init(&job->filter[i], job->kind[i], &shape,
			    job->sigma[i], job->threshold[i]);
		shape = job->filter[i].out;
	}
	job->out = shape;
	job->stages = job->filters + (job->format == JOB_PNG);
}

/* What is in no such output is left out, and said. */
static void leave_out_chunks(struct job *job)
{
	struct picture *picture = job->picture;

	for (unsigned int i = 0; i < picture->chunks; i++) {
		const struct picture_chunk *kept = &picture->chunk[i];

		if (job->format != JOB_PNG)
			picture_leave_out(picture, kept->name,
					  "the output is no PNG");
		else if (!png_out_keeps(kept, picture, &job->out))
			picture_leave_out(picture, kept->name,
					  "is of other colours");
	}
}

int job_init(struct job *job)
{
	size_t original, plane[2] = {0}, idat = 0, encoded = 0;
	size_t end = sizeof(struct pool_scoreboard), bytes;
	uint32_t rows = job->picture->shape.height, strips = pool_strips(rows);
	uint8_t *base;
	int error;

	init_filters(job);
	leave_out_chunks(job);
	/* A wide row has 31 bits, times 4 channels; only the sum of many
	 * could overflow, and max_pixels is far below that. */
	bytes = image_bytes(&job->picture->shape);
	if (bytes > SIZE_MAX / 16)
		return -EOVERFLOW;
	original = reserve(&end, bytes);
	for (unsigned int i = 0; i < 2 && i < job->filters; i++)
		plane[i] = reserve(&end, bytes);
	if (job->format == JOB_PNG) {
		job->head_bytes = png_out_head(NULL, job->picture, &job->out);
		job->idat_room = idat_bound(&job->out, pool_strip_rows(rows));
		if (job->idat_room > IDAT_MAX)
			return -EOVERFLOW;
		idat = reserve(&end, strips * sizeof(struct idat));
		encoded = reserve(&end, job->head_bytes +
						strips * job->idat_room +
						PNG_OUT_TAIL);
	}
	job->bytes = end;
	error = segment_make(&job->segment, end);
	if (error)
		return error;
	base = job->segment.at;
	job->board = job->segment.at;
	job->original = base + original;
	for (int i = 0; i < 2; i++)
		job->plane[i] = plane[i] ? base + plane[i] : NULL;
	job->idat = (struct idat *)(void *)(base + idat);
	job->encoded = base + encoded;
	return 0;
}

void job_fini(struct job *job)
{
	segment_drop(&job->segment);
}

/* What stage n writes; n = -1 is the original. */
static uint8_t *pixels_after(const struct job *job, int stage)
{
	return stage < 0 ? job->original : job->plane[stage % 2];
}

static int encode(const struct job *job, uint32_t first, uint32_t end)
{
	uint32_t strip = first / pool_strip_rows(job->out.height);
	uint8_t *to = job->encoded + job->head_bytes + strip * job->idat_room;

	pages_touch(&job->segment, to, job->idat_room, true);
	return idat_encode(&job->out, pixels_after(job, (int)job->filters - 1),
			   first, end, job->level, to, &job->idat[strip]);
}

struct context {
	struct job *job;
	const struct pool_options *pool; /* the caller's */
};

/* What the stage reads and writes, but for the rows around. */
static void touch_rows(const struct job *job, unsigned int stage,
		       uint32_t first, uint32_t end)
{
	bool is_filter = stage < job->filters;
	size_t in =
		image_row_bytes(is_filter ? &job->filter[stage].in : &job->out);
	size_t out = image_row_bytes(is_filter ? &job->filter[stage].out
					       : &job->out);

	pages_touch(&job->segment,
		    pixels_after(job, (int)stage - 1) + first * in,
		    (end - first) * in, false);
	if (is_filter)
		pages_touch(&job->segment,
			    pixels_after(job, (int)stage) + first * out,
			    (end - first) * out, true);
}

static int work(void *arg, unsigned int worker, unsigned int stage,
		uint32_t first, uint32_t end)
{
	const struct job *job = ((const struct context *)arg)->job;

	if (worker == job->killed)
		raise(SIGKILL);
	touch_rows(job, stage, first, end);
	if (stage == job->filters)
		return encode(job, first, end);
	return filter_rows(&job->filter[stage],
			   pixels_after(job, (int)stage - 1),
			   pixels_after(job, (int)stage), first, end);
}

static int64_t cpu_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * TICK_S + now.tv_nsec;
}

/* One strip more. */
static int64_t load(void *arg)
{
	const struct context *context = arg;
	struct job *job = context->job;
	struct picture *picture = job->picture;
	uint32_t rows = pool_strip_rows(job->out.height);
	uint32_t left = picture->shape.height - picture->rows_read;
	size_t row_bytes = image_row_bytes(&picture->shape);
	int64_t start = cpu_ns();
	int error;

	pages_touch(&job->segment,
		    job->original + picture->rows_read * row_bytes,
		    (rows < left ? rows : left) * row_bytes, true);
	error = picture_read_until(picture, job->original,
				   picture->rows_read + rows);
	job->load_ns += cpu_ns() - start;
	if (error == -EBADMSG && picture->keeps_going &&
	    (picture->rows_read > 0 || picture->is_rough))
		return job->out.height;
	job->load_error = error;
	return error ? error : (int64_t)picture->rows_read;
}

static void pass_on(void *arg, const struct pool_event *event)
{
	const struct pool_options *pool = ((const struct context *)arg)->pool;

	if (pool->notify)
		pool->notify(pool->arg, event);
}

int job_run(struct job *job, struct pool_options *pool)
{
	struct context context = {.job = job, .pool = pool};
	struct pool_options own = *pool;

	memset(job->board, 0, sizeof(*job->board));
	own.board = job->board;
	own.rows = job->out.height;
	own.stages = job->stages;
	own.work = work;
	own.load = job->is_loading ? load : NULL;
	own.halo = filter_halo(&job->filter[0]);
	own.is_last_apart = job->stages > job->filters;
	own.last_halo = 1; /* a row above: see idat_encode() */
	own.notify = pass_on;
	own.arg = &context;
	return pool_run(&own);
}

void job_forget(struct job *job)
{
	uint8_t *end = (uint8_t *)job->segment.at + job->segment.bytes;

	madvise(job->plane[0], (size_t)(end - job->plane[0]), MADV_REMOVE);
}

static const char *join_png(struct job *job, size_t *len)
{
	uint32_t strips = pool_strips(job->out.height);
	size_t at = png_out_head(job->encoded, job->picture, &job->out);

	for (uint32_t i = 0; i < strips; i++) {
		memmove(job->encoded + at,
			job->encoded + job->head_bytes + i * job->idat_room,
			job->idat[i].len);
		at += job->idat[i].len;
	}
	*len = at + png_out_tail(job->encoded + at, job->idat, strips);
	return (const char *)job->encoded;
}

const char *job_file(struct job *job, size_t *len)
{
	char head[PNM_OUT_HEAD_MAX], *file;
	size_t head_len;

	if (job->format == JOB_PNG)
		return join_png(job, len);
	head_len = pnm_out_head(head, &job->out, job->format == JOB_PAM);
	file = (char *)pixels_after(job, (int)job->filters - 1) - head_len;
	memcpy(file, head, head_len);
	*len = head_len + image_bytes(&job->out);
	return file;
}
