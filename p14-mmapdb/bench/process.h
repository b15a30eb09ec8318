/* process.h - a get as a whole process: what a shell script pays. */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_PROCESS_H
#define UNIXIPC_P14_MMAPDB_BENCH_PROCESS_H

#include <stddef.h>

enum { PROCESS_PROGRAMS = 3, PROCESS_TRIALS = 99 };

struct process_times {
	double ns[PROCESS_TRIALS];
	double ratio[PROCESS_TRIALS]; /* of the first program to this one */
};

/* Each trial runs each program a hundred times, one after the other, with what
 * it prints thrown away; its time is the median. What fails ends the program.
 */
void process_measure(char *const *const programs[PROCESS_PROGRAMS],
		     size_t trials,
		     struct process_times times[PROCESS_PROGRAMS]);

#endif
