/* peer_ours.c - our blur, in a process that has what the command has and no
 * more. The peers come with a hundred libraries, and each worker that was
 * forked with them would take milliseconds longer to start. */
#include "p13-shm-image/bench/peer_ours.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/parse.h"
#include "lib/tick.h"
#include "p13-shm-image/pool.h"
#include "p13-shm-image/job.h"
#include "p13-shm-image/pages.h"

static struct picture picture;
static struct job job;

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

static void load(uint32_t size)
{
	size_t bytes;
	int error;

	picture.shape = (struct image_shape){size, size, 3};
	bytes = image_bytes(&picture.shape);
	job = (struct job){.picture = &picture,
			   .kind = {FILTER_BLUR},
			   .filters = 1,
			   .sigma = {2},
			   .format = JOB_PNM};
	error = job_init(&job);
	if (error)
		die_errno(error, "cannot make a segment");
	pages_touch(&job.segment, job.original, bytes, true);
	if (fdio_read_full(STDIN_FILENO, job.original, bytes) != (ssize_t)bytes)
		die("the pixels do not come");
}

static struct peer_ours_answer blur(const struct peer_ours_request *request)
{
	struct pool_options pool = {.workers = request->workers};
	struct peer_ours_answer answer = {0};
	double cpu_ms = cpu_now_ms();
	int64_t start = tick_now();

	filter_init(&job.filter[0], FILTER_BLUR, &picture.shape, request->sigma,
		    0);
	answer.ns = job_run(&job, &pool) ? -1 : tick_now() - start;
	answer.cpu_ms = cpu_now_ms() - cpu_ms;
	for (int i = 0; i < PEER_OURS_WORKERS_MAX; i++)
		answer.busy_ns[i] = job.board->slot[i + 1].busy_ns[0];
	return answer;
}

int main(int argc, char **argv)
{
	struct peer_ours_request request;
	uint64_t size;

	if (argc != 2 || parse_count(argv[1], &size) || size > 16384)
		die_usage("SIZE: accepted is 1 to 16384");
	load((uint32_t)size);
	while (fdio_read_full(STDIN_FILENO, &request, sizeof(request)) ==
	       sizeof(request)) {
		struct peer_ours_answer answer = blur(&request);

		if (fdio_write_full(STDIN_FILENO, &answer, sizeof(answer)) ||
		    (request.wants_result &&
		     fdio_write_full(STDIN_FILENO, job.plane[0],
				     image_bytes(&picture.shape))))
			return EXIT_FAILURE;
	}
	job_fini(&job);
	return EXIT_SUCCESS;
}
