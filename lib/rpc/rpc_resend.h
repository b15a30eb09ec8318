/* rpc_resend.h - calls over UDP: sent again and again until a reply comes.
 *
 * For rpc_exchange.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_RESEND_H
#define UNIXIPC_LIB_RPC_RPC_RESEND_H

#include "lib/rpc/rpc_exchange.h"

/* As rpc_exchange_call(), with no room before the message. */
ssize_t rpc_resend_call(struct rpc_exchange *exchange, const uint8_t *message,
			size_t n, int64_t deadline, uint8_t **reply,
			struct rpc_fault *fault);

#endif
