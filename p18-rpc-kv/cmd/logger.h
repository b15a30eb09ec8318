/* logger.h - lines of a log on standard error, which a reader that does not read
 * never holds up.
 *
 * A line is put into a buffer, and a thread writes it; when the buffer is full
 * lines are dropped and counted, and the next one that fits says how many. For
 * commands; one for a process. Any thread may put. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_LOGGER_H
#define UNIXIPC_P18_RPC_KV_CMD_LOGGER_H

#include <stdint.h>

/* Returns 0 or -errno. */
int logger_open(uint64_t server);

/* "time=2026-11-30T04:05:06.123Z server=1 " and the line. */
void logger_put(const char *line);

/* Write what is there, for a second at most. */
void logger_close(void);

#endif
