/* parse.h - what people write: sizes, counts, durations, CPUs, host and port.
 *
 *	sizes      100  64K  1MB  2GiB   K, M, G and KB, KiB alike: powers of
 *	                                 1024; B alone is bytes
 *	counts     1000  10K  10M  1G    powers of 1000
 *	durations  250ms  10s  5us  7ns  2m  1h; a bare number is seconds;
 *	                                 a fraction is allowed: 1.5s
 *	CPU lists  0  0,1  1,0  0-3      numbers below CPU_SETSIZE, in the
 *	                                 order given, repeated if given so
 *	host:port  localhost:111  [::1]:111  :111, port 0 to 65535
 *
 * Units may be in either case. Only whole units: a fraction is for durations
 * alone, and what is below a nanosecond is dropped.
 *
 * Text in, value out: 0, -EINVAL (not of that form) or -ERANGE (does not fit).
 * Trailing junk, a leading '-' where none belongs and empty text are refused. A
 * result is written only on success, save the cpus of a list. Any thread may
 * call these.
 */
#ifndef UNIXIPC_LIB_PARSE_H
#define UNIXIPC_LIB_PARSE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int parse_size(const char *text, uint64_t *bytes);
int parse_count(const char *text, uint64_t *count);
int parse_integer(const char *text, int64_t *value);
int parse_duration(const char *text, int64_t *ns);
int parse_cpus(const char *text, int *cpus, size_t max, size_t *n);

struct parse_endpoint {
	char host[256]; /* "" when none was given */
	uint16_t port;
};
int parse_endpoint(const char *text, struct parse_endpoint *endpoint);

#ifdef __cplusplus
}
#endif

#endif
