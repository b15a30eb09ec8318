/* line.h - the round trip of one cache line between two CPUs.
 *
 * No message between two processes can be faster: it is the machine's own
 * figure, and on a virtual machine it moves when the host moves its CPUs.
 */
#ifndef UNIXIPC_LIB_MEASURE_LINE_H
#define UNIXIPC_LIB_MEASURE_LINE_H

/* Two children, each pinned to one of the CPUs, hand a line to and fro for
 * about 50 ms. *ns is the median over batches of 100, so that a batch in
 * which one of them was switched out does not count. Returns 0, -ENODEV
 * (the same CPU twice), -EINVAL (not a CPU of ours), -ETIMEDOUT (they never
 * ran at the same time), or another -errno. */
int line_round_trip(const int cpus[2], double *ns);

#endif
