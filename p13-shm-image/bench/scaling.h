/* scaling.h - the limit of scaling: what a second processor brings where
 * nothing is shared. Part of the bench. */
#ifndef UNIXIPC_P13_SHM_IMAGE_BENCH_SCALING_H
#define UNIXIPC_P13_SHM_IMAGE_BENCH_SCALING_H

/* Choose a processor for each of the two. Returns 0, or -ENOTSUP where there is
 * one. */
int scaling_open(void);

/* How many times the work of one the two do in the same time, now: sums of the
 * blur, in the first-level cache of each, so that they share nothing but the
 * machine. Of the two the slower counts, so that it is short of the limit where
 * one processor is the slower. Takes some 10 ms; 0 when one of them has failed. */
double scaling_of_two(void);

#endif
