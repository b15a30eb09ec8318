/* rpc_trace.h - a message as text: each word of it with its meaning.
 *
 * For people who want to see what goes over the wire; the words are named as
 * in RFC 5531 section 9 and appendix A. Any thread may call it. */
#ifndef UNIXIPC_LIB_RPC_RPC_TRACE_H
#define UNIXIPC_LIB_RPC_RPC_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A line for the message, and one for each four bytes of it: where they lie,
 * what they are, and what they mean.
 *
 *	--> 56 bytes
 *	     0  1a 2b 3c 4d  xid = 439041101
 *	     4  00 00 00 00  mtype = 0 (CALL)
 *
 * Whatever the bytes are; those that have no meaning any more, as the message
 * ends too early or says something unknown, are shown as "?". Returns a string
 * that the caller frees, or NULL: no memory. */
char *rpc_trace_text(bool is_sent, const uint8_t *message, size_t n);

#ifdef __cplusplus
}
#endif

#endif
