/* calc_service.h - what calc.x promises, as tables for rpc_dispatch.h.
 *
 * Version 1 and version 2 at once. Version 1 cannot say that a result has no
 * place in 32 bits: such a call is answered with SYSTEM_ERR, as a wrong number
 * would be believed. Calls may come from any number of threads at the same
 * time; none of them blocks.
 */
#ifndef UNIXIPC_P16_RPC_CALC_CALC_SERVICE_H
#define UNIXIPC_P16_RPC_CALC_CALC_SERVICE_H

#include "lib/rpc/rpc_dispatch.h"
#include "p16-rpc-calc/accumulator.h"

enum { CALC_SERVICE_PROGRAMS = 2 };

/* Both versions; in the dispatch that uses them, arg is a struct calc_service
 * that outlives it. */
extern const struct rpc_program calc_service_programs[CALC_SERVICE_PROGRAMS];

struct calc_service {
	struct accumulator *accumulator; /* the caller's */
};

#endif
