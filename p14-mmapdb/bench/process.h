/* process.h - a get as a whole process: what a shell script pays. */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_PROCESS_H
#define UNIXIPC_P14_MMAPDB_BENCH_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* Run it n times, one after the other, with what it prints thrown away, and
 * give the median time in *ns. Returns 0, -errno, or -EIO: it failed. */
int process_time(char *const argv[], size_t n, double *ns);

#endif
