/* job.h - one picture through its filters: what lies where in the segment,
 * and which worker stage reads and writes which of it.
 *
 *	scoreboard | original | plane | plane (from two filters on) | IDAT chunks
 *
 * The filters go from the original to a plane and then back and forth between
 * the two planes; the original stays, so that a run can be repeated. With PNG
 * output there is one more stage, which encodes.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_JOB_H
#define UNIXIPC_P13_SHM_IMAGE_JOB_H

#include "p13-shm-image/pool.h"
#include "p13-shm-image/image/filter.h"
#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/idat.h"
#include "p13-shm-image/segment.h"

enum job_format { JOB_PNG, JOB_PNM, JOB_PAM };
enum { JOB_FILTERS_MAX = 10 };

struct job {
	/* Set by the caller: */
	struct picture *picture; /* opened; its pixels go to original */
	bool is_loading;         /* job_run() reads them, while others filter */
	enum filter_kind kind[JOB_FILTERS_MAX];
	double sigma[JOB_FILTERS_MAX]; /* of each that has one */
	int threshold[JOB_FILTERS_MAX];
	unsigned int filters;
	int level;
	enum job_format format;
	unsigned int
		killed; /* this worker kills itself in its first strip; 0 */

	/* Set by job_init(): */
	struct filter filter[JOB_FILTERS_MAX];
	struct image_shape out;
	unsigned int stages;
	size_t bytes; /* of the segment, also when it could not be had */
	struct segment segment;
	struct pool_scoreboard *board;
	uint8_t *original, *plane[2], *encoded;
	struct idat *idat;
	size_t idat_room, head_bytes;

	/* Set by job_run() while loading: */
	int load_error;  /* as of picture_read(), or 0 where it keeps going */
	int64_t load_ns; /* of processor time */
};

/* Make the segment. Returns 0, -EOVERFLOW (a strip of rows, of many hundred
 * million pixels, is too long for a chunk of PNG), or -errno of
 * segment_make(). */
int job_init(struct job *job);
void job_fini(struct job *job);

/* Work it off with a pool of these options, of which scoreboard, rows, stages,
 * work and load are set here. May be repeated, without loading. As of
 * pool_run(), or load_error. A picture that keeps going is black where it is
 * damaged, and load_error when nothing of it is there. */
int job_run(struct job *job, struct pool_options *pool);

/* Give back the pages of all but the original, so that another run begins like
 * the first: a page that was never touched costs about as much as blurring it.
 * Without effect where the kernel cannot. */
void job_forget(struct job *job);

/* The finished file, in the segment: valid until the next run. */
const char *job_file(struct job *job, size_t *len);

#endif
