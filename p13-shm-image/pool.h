/* pool.h - a worker pool: processes that go through the rows of a picture,
 * stage by stage, and a master that has the rows of a dead worker done again.
 *
 * The rows are cut into strips (TIFF's word for a number of whole rows; a tile
 * is narrower, and a band is a channel to many), and no strip is ever in two
 * hands. A stage begins when all strips of the one before are done, so that
 * work may read the neighbouring rows of those and write over what those read.
 * Strips, counts and times lie in a scoreboard in shared memory, with a slot
 * for each worker, as a web server has one; a System V semaphore set says what
 * workers wait for (UNP2 11).
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_POOL_H
#define UNIXIPC_P13_SHM_IMAGE_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	POOL_WORKERS_MAX = 256,
	POOL_SPARES = 32, /* workers that replace dead ones */
	POOL_SLOTS = POOL_WORKERS_MAX + POOL_SPARES,
	POOL_STAGES_MAX = 12,
	POOL_STRIPS_MAX = 2048,
	POOL_DEATHS_MAX = 3, /* of workers at the same strip: it kills them */
	POOL_STALL_S =
		60, /* a worker that does not move for so long is killed */
};

enum pool_schedule {
	POOL_DYNAMIC, /* a worker's own strips, then it steals from others */
	POOL_STATIC,  /* its own alone */
};

/* What one worker did. Written by that worker alone. */
struct pool_slot {
	int64_t busy_ns[POOL_STAGES_MAX] __attribute__((aligned(64)));
	uint32_t strips;
	int32_t error; /* of its work: 0 or -errno */
	/* For the master: goes up at each step that the worker makes; 1 + the
	 * stage at whose barrier it waits, or 0; the stage of the strip that
	 * it took last. */
	uint32_t moves, barrier, stage;
};

#define POOL_MAGIC UINT32_C(0x4c4f4f50) /* "POOL" */
#define POOL_VERSION UINT32_C(1)

/* A strip is 0 (free), 2w (worker w has it) or 2w+1 (w has done it). All zeros
 * is a new scoreboard; pool_run() writes the head, and a worker that finds
 * another does nothing. */
struct pool_scoreboard {
	uint32_t magic, version;
	uint64_t bytes; /* of all of it */
	struct pool_slot slot[POOL_SLOTS + 1];
	uint32_t strip[POOL_STAGES_MAX][POOL_STRIPS_MAX];
};

/* The master notifies of nothing before all rows are there. */
enum pool_what { POOL_STARTED, POOL_DONE, POOL_DIED, POOL_PROGRESS };

struct pool_event {
	enum pool_what what;
	unsigned int worker; /* from 1 */
	uint32_t first,
		end; /* rows: its own, or those it died in (none: 0, 0) */
	int64_t busy_ns;
	int status;             /* of waitpid(2), for a death */
	bool is_stalled;        /* it did not move, so the master killed it */
	unsigned int successor; /* worker that does them again */
	uint32_t done;          /* strips, of all stages */
};

struct pool_options {
	struct pool_scoreboard *board; /* shared, zeros */
	uint32_t rows;
	unsigned int stages, workers;
	enum pool_schedule schedule;
	/* In this worker: make rows first … end-1. Returns 0 or -errno. */
	int (*work)(void *arg, unsigned int worker, unsigned int stage,
		    uint32_t first, uint32_t end);
	/* In the master: bring more rows of what the first stage reads. Returns
	 * how many there are now, from the top, or -errno, which ends the run.
	 * Called again until it is all of them. NULL: they are there. */
	int64_t (*load)(void *arg);
	uint32_t halo; /* rows around its strip that the first stage reads */
	/* The last stage writes what no other reads. Then a strip of it need
	 * not wait for all of the stage before, but for its own rows and
	 * last_halo around them. */
	bool is_last_apart;
	uint32_t last_halo;
	/* In the master, may be NULL. */
	void (*notify)(void *arg, const struct pool_event *event);
	/* In the master: whether to stop; may be NULL. */
	int (*is_stopped)(void);
	/* In the master: the semaphore set, which a kill -9 would leave, is
	 * there, or will not be there in a moment; may be NULL. */
	void (*note_set)(int id, bool is_there);
	void *arg;
	int64_t stall_ns; /* a strip may take that long; 0: POOL_STALL_S */
};

/* How many rows a strip has; depends on rows alone, so that what is made of a
 * strip is the same for any number of workers. */
uint32_t pool_strip_rows(uint32_t rows);
uint32_t pool_strips(uint32_t rows);

/* Run it to the end. A worker that is stopped or hangs, so that it is at one
 * strip for longer than stall_ns while the master runs, is killed, and then
 * replaced like one that died by itself. The caller's process is the
 * master; nothing is left of workers and semaphores, whatever is returned (a
 * master that is killed leaves the semaphores: see note_set). A set that
 * was removed, so that its id is another's by now, is not touched; where
 * that cannot be told, as there is no /proc, the set stays, and noted.
 * Returns 0, -EINTR (stopped), -EIDRM (the semaphores were removed),
 * -EOWNERDEAD (workers die again and again), -ENOSPC (no semaphores, or not so
 * many in a set: see kernel.sem), an error of work, or -errno of fork and
 * waitpid: SIGCHLD must not be ignored. */
int pool_run(const struct pool_options *options);

#ifdef __cplusplus
}
#endif

#endif
