/* limit.h - what a second processor brings at best. Part of the bench. */
#ifndef UNIXIPC_P13_LIMIT_H
#define UNIXIPC_P13_LIMIT_H

/* How many times the work of one process two do in the same time: sums of the
 * blur, each in the first-level cache of its own processor, so that they share
 * nothing but the machine. The median of some rounds; 0 on failure. */
double limit_of_two(void);

#endif
