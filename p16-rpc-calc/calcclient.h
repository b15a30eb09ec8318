/* calcclient.h - the client of a calculator.
 *
 * What a client of calc.x has to know: that a server may have version 1 only,
 * and that a call without a reply may have been done. A server is asked in
 * version 2 first, and in version 1 from then on when it has no other; what
 * that version cannot do or cannot tell is refused here, without a call. All
 * calls may be repeated: those that change nothing because they do not, and
 * accumulating because each request has a name (accumulator.h).
 *
 * A client is for one thread at a time. How long calls take and how they fail
 * is rpc_client.h's.
 */
#ifndef UNIXIPC_P16_RPC_CALC_CALCCLIENT_H
#define UNIXIPC_P16_RPC_CALC_CALCCLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "p16-rpc-calc/calc.h"

struct calcclient;

/* Find and connect, as rpc_client_open(); program, version and may_repeat are
 * known here. Returns 0 and *client, or the kind of *fault. */
enum rpc_fault_kind calcclient_open(struct calcclient **client,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault);
void calcclient_close(struct calcclient *client); /* NULL is allowed */

/* The version that is spoken, as far as is known: 2 until a call finds out. */
uint32_t calcclient_version(const struct calcclient *client);

/* In calls of up to CALC_BATCH_MAX expressions, or of one each in version 1.
 * Returns 0 and n answers, or the kind of *fault: then no answer is of use.
 * RPC_FAULT_VERSION: the server's version has no such operation, or numbers
 * that are too small for the operands. */
enum rpc_fault_kind calcclient_evaluate(struct calcclient *client,
					const calc_expression *expressions,
					size_t n, calc_answer *answers,
					struct rpc_fault *fault);

/* Add to the server's number; the value is what it is afterwards. Whatever
 * this returns, the amount has been added once at most, also by later calls.
 */
enum rpc_fault_kind calcclient_accumulate(struct calcclient *client,
					  int64_t amount, calc_answer *answer,
					  struct rpc_fault *fault);

#endif
