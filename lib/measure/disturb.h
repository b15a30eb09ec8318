/* disturb.h - whether something else had our CPUs while we measured.
 *
 * Three witnesses:
 *
 *	steal      time that a hypervisor took from one of the CPUs, in ticks
 *	           of 10 ms (/proc/stat)
 *	switches   a side that wanted to go on and was not let (getrusage)
 *	crowd      at the beginning or the end more processes wanted to run
 *	           than there were CPUs besides ours (/proc/loadavg): one that
 *	           holds a CPU lets a side wake up late without any switch
 *
 * Where there is no /proc only the switches are seen. For one thread.
 */
#ifndef UNIXIPC_LIB_MEASURE_DISTURB_H
#define UNIXIPC_LIB_MEASURE_DISTURB_H

#include <stdbool.h>
#include <stdint.h>

struct disturb {
	int stat_fd, load_fd; /* or -1 */
	int cpus[2];          /* -1: all of them */
	int room;             /* for so many running processes, ours included */

	/* At the mark. */
	uint64_t steal, switches;
	bool is_crowded;
};

/* cpus NULL: those of the whole machine. ours is how many processes of ours
 * run while we look, the caller included. */
void disturb_open(struct disturb *disturb, const int cpus[2], int ours);
void disturb_close(struct disturb *disturb);

/* Look now; switches is the sides' count so far, as far as it matters. */
void disturb_mark(struct disturb *disturb, uint64_t switches);

/* What has been since the mark, which moves on. */
struct disturb_change {
	uint64_t steal, switches;
	bool is_crowded;
};
struct disturb_change disturb_since(struct disturb *disturb, uint64_t switches);

#endif
