/* table.h - the kernel's own mechanisms, in the order of the guide's table.
 *
 * A new one is a file mech_NAME.c with its struct, a line here and a line in
 * table.c.
 */
#ifndef UNIXIPC_P06_BENCH_TABLE_H
#define UNIXIPC_P06_BENCH_TABLE_H

#include "lib/measure/mechanism.h"

/* Ends in NULL. */
extern const struct mechanism *const table_kernel[];

extern const struct mechanism mech_pipe;
extern const struct mechanism mech_fifo;
extern const struct mechanism mech_unix_stream;
extern const struct mechanism mech_unix_seqpacket;
extern const struct mechanism mech_posix_mq;
extern const struct mechanism mech_sysv_mq;
extern const struct mechanism mech_shm_sem;
extern const struct mechanism mech_eventfd;
extern const struct mechanism mech_tcp;

/* The entry of that name in a NULL-ended list, or NULL. */
const struct mechanism *table_find(const struct mechanism *const list[],
				   const char *name);

#endif
