/* trial.h - one trial: processes that work on one database for a while. */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_TRIAL_H
#define UNIXIPC_P14_MMAPDB_BENCH_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"

enum trial_work {
	TRIAL_LOAD_RANDOM, /* all records in one transaction, into a new file */
	TRIAL_LOAD_SORTED,
	TRIAL_PUT, /* each in a transaction; each process has its own keys */
	TRIAL_GET, /* all in one transaction */
	TRIAL_MIX, /* 95 gets and 5 puts of 100, each in a transaction */
};

enum { TRIAL_PROCESSES = 16 };

struct trial {
	const struct peer *peer;
	const char *dir; /* the peer's folder */
	const struct records *records;
	enum trial_work work;
	unsigned int processes; /* TRIAL_PROCESSES at most */
	bool is_durable;
	int64_t duration_ns; /* loads take as long as they take */
	uint64_t number;     /* of this trial: differs from all others */
};

struct trial_result {
	double rate;       /* operations per second, of all processes */
	double longest_ns; /* that one write transaction took */
	double least;      /* of the slowest process, as a part of the mean */
};

/* Run it, and look afterwards whether what was put last is there. All that is
 * read is checked. Returns 0, -ETIMEDOUT, or -EIO: a child has failed and said
 * why. */
int trial_run(const struct trial *trial, struct trial_result *result);

#endif
