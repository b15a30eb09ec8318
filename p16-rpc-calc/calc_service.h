/* calc_service.h - what stands behind the table of calc.x, calc_programs.
 *
 * The functions that calc.h wants of a service, for both versions. Version 1
 * cannot say that a result has no place in 32 bits: such a call is answered
 * with SYSTEM_ERR, as a wrong number would be believed. Calls may come from any
 * number of threads at the same time; none of them blocks. */
#ifndef UNIXIPC_P16_RPC_CALC_CALC_SERVICE_H
#define UNIXIPC_P16_RPC_CALC_CALC_SERVICE_H

#include "p16-rpc-calc/accumulator.h"

/* In the dispatch that uses calc_programs, arg is one that outlives it. */
struct calc_service {
	struct accumulator *accumulator; /* the caller's */
};

#endif
