/* calc_service.c - the functions that calc.h wants of a service, for both
 * versions; in the dispatch that uses calc_programs, arg is a struct
 * accumulator that outlives it. Version 1 cannot say that a result has no place
 * in 32 bits: such a call is answered with SYSTEM_ERR, as a wrong number would
 * be believed. Threads call at the same time; nothing here blocks. */
#include <errno.h>
#include <stdlib.h>

#include "lib/rpc/rpc_share.h"
#include "lib/tick.h"
#include "p16-rpc-calc/accumulator.h"
#include "p16-rpc-calc/arith.h"
#include "p16-rpc-calc/calc.h"

/* ---- version 1 ---- */

int calc_add_1_svc(const struct rpc_request *request, operands *o, int *sum)
{
	(void)request;
	return arith_evaluate_32(CALC_ADD, o->a, o->b, sum) ? -ERANGE : 0;
}

int calc_subtract_1_svc(const struct rpc_request *request, operands *o,
			int *difference)
{
	(void)request;
	return arith_evaluate_32(CALC_SUBTRACT, o->a, o->b, difference)
		       ? -ERANGE
		       : 0;
}

int calc_multiply_1_svc(const struct rpc_request *request, operands *o,
			int *product)
{
	(void)request;
	return arith_evaluate_32(CALC_MULTIPLY, o->a, o->b, product) ? -ERANGE
								     : 0;
}

/* ---- version 2: there is always an answer ---- */

static int evaluate(calc_operation operation, const calc_operands *o,
		    calc_answer *answer)
{
	answer->status = arith_evaluate(operation, o->a, o->b,
					&answer->calc_answer_u.value);
	return 0;
}

int calc_add_2_svc(const struct rpc_request *request, calc_operands *o,
		   calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_ADD, o, answer);
}

int calc_subtract_2_svc(const struct rpc_request *request, calc_operands *o,
			calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_SUBTRACT, o, answer);
}

int calc_multiply_2_svc(const struct rpc_request *request, calc_operands *o,
			calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_MULTIPLY, o, answer);
}

int calc_divide_2_svc(const struct rpc_request *request, calc_operands *o,
		      calc_answer *answer)
{
	(void)request;
	return evaluate(CALC_DIVIDE, o, answer);
}

int calc_batch_2_svc(const struct rpc_request *request, calc_batch *batch,
		     calc_answers *answers)
{
	(void)request;
	answers->calc_answers_val =
		calloc(batch->calc_batch_len, sizeof(calc_answer));
	if (!answers->calc_answers_val)
		return -ENOMEM;
	answers->calc_answers_len = batch->calc_batch_len;
	for (u_int i = 0; i < batch->calc_batch_len; i++) {
		const calc_expression *e = &batch->calc_batch_val[i];

		evaluate(e->operation, &e->operands,
			 &answers->calc_answers_val[i]);
	}
	return 0;
}

int calc_accumulate_2_svc(const struct rpc_request *request,
			  calc_accumulation *a, calc_answer *answer)
{
	int error =
		accumulator_add(request->arg, rpc_share_owner(request->peer),
				a->id.client, a->id.sequence, a->amount,
				tick_now(), &answer->calc_answer_u.value);

	if (!error)
		answer->status = CALC_DONE;
	else if (error == -EOVERFLOW)
		answer->status = CALC_OVERFLOW;
	else if (error == -ESTALE)
		answer->status = CALC_OUT_OF_ORDER;
	else
		answer->status = CALC_TOO_MANY_CLIENTS;
	return 0;
}

/* The bytes go from the arguments to the result: each is freed once. */
int calc_echo_2_svc(const struct rpc_request *request, calc_bytes *from,
		    calc_bytes *to)
{
	(void)request;
	*to = *from;
	*from = (calc_bytes){0};
	return 0;
}
