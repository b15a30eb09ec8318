/* payload.h - what a message carries, so that a receiver can tell whether it
 * got the message that was sent, whole.
 *
 *	uint64 sequence   number and flags
 *	uint64 check      over sequence, length and every byte that follows
 *	...               different in every message: what a mechanism forgot
 *	                  to copy is still there from the message before
 *
 * Writing and checking run at the speed of memory (some 16 bytes a cycle, and
 * twice as many with AVX-512), so that they hide neither a fast mechanism nor
 * the caches it uses. Against accidents, not against attackers. Any thread or
 * process may call these.
 */
#ifndef UNIXIPC_LIB_MEASURE_PAYLOAD_H
#define UNIXIPC_LIB_MEASURE_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN 16

/* Fill a message of bytes (at least PAYLOAD_MIN) with what belongs to this
 * sequence. */
void payload_write(void *message, size_t bytes, uint64_t sequence);

/* Read every byte. Returns 0 and *sequence, or -EBADMSG. */
int payload_check(const void *message, size_t bytes, uint64_t *sequence);

#endif
